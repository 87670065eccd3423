"""The generated parts of the READMEs: `python -m tests.docs.readme` brings them up to date."""

import re
from collections.abc import Iterable
from pathlib import Path

from replayproxy import config
from replayproxy.telemetry import names

README = Path(__file__).parents[2] / "README.md"
ADDONS = README.parent / "addons" / "README.md"


def options_table() -> str:
    """The options of config.py, wherever they can be set."""
    lines = [
        "| option | mitmproxy | environment | default | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for option in config.OPTIONS:
        cells = (
            f"`{f'{option.flag} {option.metavar}'.rstrip()}`".replace("|", "\\|"),
            f"`{option.setting}`",
            f"`{option.env}`" if option.env else "",
            f"`{option.default}`" if option.default else "",
            option.help,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spans_table() -> str:
    """The attributes of spans, from telemetry/names.py."""
    lines = ["| attribute | type | |", "| --- | --- | --- |"]
    lines += [
        f"| `{attribute.name}` | {attribute.kind} | {attribute.meaning} |"
        for attribute in (*names.ATTRIBUTES, *names.CONTENT_ATTRIBUTES)
    ]
    return "\n".join(lines)


def settings_table(options: Iterable[config.Option]) -> str:
    """Options as mitmproxy's `--set` takes them."""
    lines = ["| option | default | meaning |", "| --- | --- | --- |"]
    for option in options:
        kind = "true, false" if option.is_flag else option.metavar.replace("|", "\\|")
        default = "false" if option.is_flag else option.default
        cells = f"`{option.setting}={kind}`", f"`{default}`" if default else "", option.help
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def generated_for_addons(text: str) -> str:
    """The text of the addons' README as it should be."""
    recorder = settings_table(option for option in config.OPTIONS if option.recording)
    replayer = settings_table(option for option in config.OPTIONS if option.replaying)
    return with_part(with_part(text, "recorder", recorder), "replayer", replayer)


def generated(text: str) -> str:
    """The text with all its generated parts as they should be."""
    return with_part(with_part(text, "options", options_table()), "spans", spans_table())


def with_part(text: str, name: str, content: str) -> str:
    """The text with what stands between its marks `<!-- name -->` replaced."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    assert pattern.search(text), f"{start} is not in the text"
    return pattern.sub(lambda match: f"{start}\n{content}\n{end}", text)


def main() -> None:
    """Write the READMEs anew."""
    README.write_text(generated(README.read_text()))
    ADDONS.write_text(generated_for_addons(ADDONS.read_text()))


if __name__ == "__main__":
    main()

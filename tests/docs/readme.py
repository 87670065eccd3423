"""The generated parts of the README: `python -m tests.docs.readme` brings them up to date."""

import re
from pathlib import Path

from replayproxy import config

README = Path(__file__).parents[2] / "README.md"


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


def with_part(text: str, name: str, content: str) -> str:
    """The text with what stands between its marks `<!-- name -->` replaced."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    assert pattern.search(text), f"{start} is not in the text"
    return pattern.sub(lambda match: f"{start}\n{content}\n{end}", text)


def main() -> None:
    """Write the README anew."""
    README.write_text(with_part(README.read_text(), "options", options_table()))


if __name__ == "__main__":
    main()

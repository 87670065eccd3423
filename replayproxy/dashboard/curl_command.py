"""A request as a curl command for any POSIX shell. Every word that was recorded is quoted."""

import shlex
from dataclasses import replace

from replayproxy.dashboard.outgoing import Outgoing, command
from replayproxy.model import header

REPLAY_ADDRESS = "127.0.0.1:8080"
"""Where `replayproxy replay` listens."""


def curl(sent: Outgoing) -> str:
    """The command; it needs the key in an environment variable, if there is one."""
    has_body = bool(sent.body)
    words = [*_start(sent, has_body=has_body)]
    for name, prefix in sent.keys:
        words.append(f'--header "{name}: {prefix}${sent.key_name}"')
    for name, value in sent.headers:
        words.append(f"--header {shlex.quote(f'{name}: {value}' if value else f'{name};')}")
    if has_body and header(sent.headers, "content-type") is None:
        words.append("--header content-type:")  # else curl says that it is a form
    if has_body:  # --data-raw takes a leading @ as it is
        by_pipe = sent.show is not None
        words.append("--data-binary @-" if by_pipe else f"--data-raw {_text(sent.body)}")
    text = " \\\n  ".join(words)
    return f"{command(sent.show)} |\n{text}" if has_body and sent.show else text


def to_replay(sent: Outgoing, target_of: str) -> str:
    """The same for a replay at its default address: it needs no key."""
    url = "".join(sent.url)  # a secret in the query does not count there
    url = f"http://{REPLAY_ADDRESS}{url.removeprefix(target_of)}"
    return curl(replace(sent, url=(url,), keys=()))


def _start(sent: Outgoing, *, has_body: bool) -> list[str]:
    # no globs, no removal of dots: the URL as it is
    words = ["curl", "--globoff", "--path-as-is"]
    if sent.streamed:
        words.append("--no-buffer")
    if sent.method == "HEAD":
        words.append("--head")
    elif sent.method != ("POST" if has_body else "GET"):
        words.append(f"--request {shlex.quote(sent.method)}")
    url = f'"${sent.key_name}"'.join(shlex.quote(part) if part else "" for part in sent.url)
    return [" ".join((*words, url))]


def _text(body: bytes) -> str:
    return shlex.quote(body.decode())

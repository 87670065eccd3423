"""The variables of this shell: what would keep a client from us, or is odd. No value of a key."""

import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from replayproxy.doctor.finding import Finding, Level
from replayproxy.environment import API_KEYS, PLACEHOLDER_KEY
from replayproxy.environment.apis import APIS
from replayproxy.environment.bundle import holds
from replayproxy.environment.proxying import AUTHORITIES, PROXIES, hides
from replayproxy.key_shapes import key_shapes

_PATIENCE_S = 0.5
_UNSET = f"unset {' '.join(n for name in PROXIES for n in (name, name.lower()))}"


def proxies(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the proxy variables agree, and something listens where they lead."""
    for name in PROXIES:
        upper, lower = environ.get(name), environ.get(name.lower())
        if upper and lower and upper != lower:
            yield Finding(
                subject=name,
                level=Level.PROBLEM,
                text=f"{name} and {name.lower()} differ: clients read one or the other",
                todo=f"unset {name.lower()}, or set both alike.",
            )
    for url in dict.fromkeys(
        environ[n] for name in PROXIES for n in (name, name.lower()) if environ.get(n)
    ):
        yield _proxy(url)


def _proxy(url: str) -> Finding:
    try:
        address = urlsplit(url if "://" in url else f"http://{url}")
        shown = f"{address.hostname}:{address.port or 80}"
    except ValueError:
        return Finding(
            subject="proxy",
            level=Level.PROBLEM,
            text="what the proxy variables hold is no URL",
            todo=_UNSET,
        )
    try:
        socket.create_connection((address.hostname or "", address.port or 80), _PATIENCE_S).close()
    except OSError as error:
        return Finding(
            subject="proxy",
            level=Level.PROBLEM,
            text=f"nothing answers at {shown} ({error.strerror or error})",
            todo=_UNSET,
        )
    return Finding(
        subject="proxy",
        level=Level.NOTE,
        text=f"this shell's programs use {shown}; `record -- COMMAND` goes out directly",
    )


def exemptions(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether NO_PROXY would hide LLM traffic."""
    for name in ("NO_PROXY", "no_proxy"):
        hidden = [e for e in environ.get(name, "").replace(",", " ").split() if hides(e)]
        if hidden:
            yield Finding(
                subject=name,
                level=Level.NOTE,
                text=f"it keeps {', '.join(hidden)} from any proxy, also from ours",
                todo='Start the program with `record -- COMMAND`, or with eval "$(replayproxy env)"'
                ": both leave these out.",
            )


def authorities(environ: Mapping[str, str], ca_file: Path) -> Iterator[Finding]:
    """Whether the files are there that clients are told to trust, and ours among them."""
    leads_to_us = any("127.0.0.1" in environ.get(name, "") for name in PROXIES)
    for name in AUTHORITIES:
        if not (value := environ.get(name)):
            continue
        try:
            has_ours = ca_file.exists() and holds(Path(value), ca_file)
        except OSError as error:
            yield Finding(
                subject=name,
                level=Level.PROBLEM,
                text=f"{value} cannot be read ({error.strerror}): its clients trust nobody",
                todo=f"unset {name}",
            )
            continue
        if leads_to_us and not has_ours:
            yield Finding(
                subject=name,
                level=Level.PROBLEM,
                text=f"our authority is not in {value}, but the proxy is on this machine",
                todo='eval "$(replayproxy env)"',
            )


def preload(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether Node finds what it is told to load: without it, it does not start."""
    try:
        words = shlex.split(environ.get("NODE_OPTIONS", ""))
    except ValueError:
        return  # Node will say so itself
    for option, file in pairwise(words):
        if option in {"--require", "-r"} and Path(file).is_absolute() and not Path(file).exists():
            yield Finding(
                subject="NODE_OPTIONS",
                level=Level.PROBLEM,
                text=f"{file} is not there: Node does not start",
                todo="unset NODE_OPTIONS",
            )


def base_urls(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which clients are led elsewhere than to their provider."""
    for name in (name for api in APIS for name in api.base_urls):
        if value := environ.get(name):
            with suppress(ValueError):
                yield _led_elsewhere(name, urlsplit(value))


def _led_elsewhere(name: str, where: SplitResult) -> Finding:
    return Finding(
        subject=name,
        level=Level.NOTE,
        text=f"its clients ask {where.scheme}://{where.netloc.rpartition('@')[2]}{where.path}",
    )


def keys(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which keys are set; their values are nobody's business."""
    usual = {name for names in API_KEYS.values() for name in names}
    found = sorted(
        name
        for name, value in environ.items()
        if value
        and value != PLACEHOLDER_KEY
        and (name in usual or key_shapes(value.encode(errors="replace")))
    )
    yield Finding(subject="keys", text=f"set: {', '.join(found)}" if found else "none are set")

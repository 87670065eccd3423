"""Which requests are recorded, of all that pass."""

from collections.abc import Callable, Collection
from fnmatch import fnmatchcase

from replayproxy.providers import is_llm_traffic

SWITCH_HEADER = "x-replayproxy"
"""A client says `off` in it to keep one request from being recorded. It never leaves us."""


def is_switched_off(value: str | None) -> bool:
    """Whether the switch header's value asks not to be recorded.

    >>> is_switched_off("Off"), is_switched_off("hit"), is_switched_off(None)
    (True, False, False)
    """
    return value is not None and value.strip().lower() == "off"


def records_matching(
    hosts: str, paths: str, *, all_of: Collection[str] = ()
) -> Callable[[str, str], bool]:
    """A function of host and path: LLM traffic, and what matches one of the patterns.

    Patterns are shell-like and separated by commas; `*` is everything. What goes to a
    host of `all_of` is recorded, all of it.

    >>> records = records_matching("*.internal,example.com", "/generate*")
    >>> records("llm.internal", "/any"), records("other.org", "/generate/3")
    (True, True)
    >>> records("other.org", "/private"), records("other.org", "/v1/chat/completions")
    (False, True)
    """
    host_patterns = _patterns(hosts.lower())
    path_patterns = _patterns(paths)

    def records(host: str, path: str) -> bool:
        return (
            host.lower() in all_of
            or is_llm_traffic(host, path)
            or any(fnmatchcase(host.lower(), pattern) for pattern in host_patterns)
            or any(fnmatchcase(path, pattern) for pattern in path_patterns)
        )

    return records


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(pattern.strip() for pattern in text.split(",") if pattern.strip())

"""Which hosts a replay lets out: those that were named, and never by accident what is replayed."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address

from replayproxy.errors import UsageError
from replayproxy.providers import provider_of

_USUAL_PORTS = (443, 80)

type Origin = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """`HOST` or `HOST:PORT`; a name means its subdomains, too, and may have `*` in it."""

    host: str
    port: int | None

    @property
    def is_exact(self) -> bool:
        """It means one server, and says so."""
        return self.port is not None and "*" not in self.host

    def means(self, host: str, port: int) -> bool:
        """Whether this server is meant."""
        if self.port not in {None, port}:
            return False
        if "*" in self.host:
            return fnmatchcase(host, self.host)
        return host == self.host or host.endswith(f".{self.host}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """What may leave.

    A pattern lets out what it means. But an LLM API, and every server that the cassette
    has recordings of, leaves only if it is named with its port: `*`, or the name of a
    domain, is not meant that way.

    >>> out = Passthrough.parse(["example.com", "*.corp", "localhost:6333"], replayed=[])
    >>> out.lets("cdn.example.com", 443), out.lets("db.corp", 80), out.lets("localhost", 80)
    (True, True, False)
    >>> Passthrough.parse(["*"], replayed=[("llm.corp", 443)]).lets("llm.corp", 443)
    False
    """

    patterns: tuple[_Pattern, ...] = ()
    replayed: frozenset[Origin] = frozenset()

    @classmethod
    def parse(cls, texts: Iterable[str], *, replayed: Iterable[Origin]) -> "Passthrough":
        """From what was typed.

        Raises:
            UsageError: it is no host, or it is one that is replayed.
        """
        found = cls(patterns=tuple(map(_parsed, texts)), replayed=frozenset(replayed))
        for pattern in found.patterns:
            port = next((p for p in _USUAL_PORTS if found._is_replayed(pattern.host, p)), None)
            if port and pattern.port is None:  # it would let out nothing, and say nothing
                raise UsageError(
                    f"--passthrough {pattern.host}: that is what is replayed. To let it out all "
                    f"the same, name its port: --passthrough {pattern.host}:{port}"
                )
        return found

    def lets(self, host: str, port: int) -> bool:
        """Whether traffic for this server may leave."""
        host = host.lower().rstrip(".")
        stays = self._is_replayed(host, port) or _is_link_local(host)
        return any(
            pattern.means(host, port) and (not stays or (pattern.is_exact and pattern.host == host))
            for pattern in self.patterns
        )

    def _is_replayed(self, host: str, port: int) -> bool:
        return provider_of(host) is not None or (host, port) in self.replayed


def _parsed(text: str) -> _Pattern:
    host, colon, port = text.strip().lower().rpartition(":")
    if not colon or (host.count(":") and not host.endswith("]")):
        host, port = text.strip().lower(), ""
    host = host.strip("[]").removeprefix(".").rstrip(".")
    if not host or "/" in host or (port and not (port.isdecimal() and int(port) < 65536)):
        raise UsageError(
            f"--passthrough {text!r} is no host. It looks like example.com, *.internal or "
            "localhost:6333"
        )
    return _Pattern(host=host, port=int(port) if port else None)


def _is_link_local(host: str) -> bool:
    """Where clouds hand out credentials."""
    try:
        return ip_address(host).is_link_local
    except ValueError:
        return False

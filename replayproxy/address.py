"""Addresses people type: the upstream, and where to listen."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from replayproxy.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An API's origin, and the path of its base URL."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"


def parse_upstream(text: str, *, option: str = "--upstream") -> Upstream:
    """An upstream from its URL, with or without a path.

    Args:
        option: what it was said with.

    >>> parse_upstream("https://openrouter.ai/api/v1")
    Upstream(scheme='https', host='openrouter.ai', port=443, path='/api/v1')

    Raises:
        UsageError: it is not an http or https URL.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    if url.scheme not in _DEFAULT_PORTS or not url.hostname:
        raise UsageError(f"{option} {text!r} is not a URL. It looks like https://api.openai.com/v1")
    return Upstream(
        scheme=url.scheme,
        host=url.hostname,
        port=port or _DEFAULT_PORTS[url.scheme],
        path=url.path.rstrip("/"),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(host: str, port: int) -> str:
    """The URL of a server of ours.

    >>> url_of("::1", 8080)
    'http://[::1]:8080'
    """
    return f"http://{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """The host as URLs have it."""
    return f"[{host}]" if ":" in host else host

"""A recorded request as it can be sent again. Its secrets were never stored: they come anew.

A key goes only where it belongs: one of the environment to the provider it is
named after, a header that was given to every upstream.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from replayproxy.address import Upstream, bracketed
from replayproxy.environment import API_KEYS
from replayproxy.model import Headers, Request, header, without
from replayproxy.providers import provider_of
from replayproxy.redaction import is_kept, without_secrets

_BASE_URLS = {"ANTHROPIC_BASE_URL": "ANTHROPIC_API_KEY", "OPENAI_BASE_URL": "OPENAI_API_KEY"}

_CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
_NOT_SENT = frozenset(
    """
    accept-encoding connection content-length expect host keep-alive te traceparent trailer
    transfer-encoding upgrade x-replayproxy x-stainless-retry-count
    """.split()
)
_ENCODINGS = "gzip, deflate"
"""What the base install can decode."""
_MASK = "***"
_SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that is ready.

    Attributes:
        keys_from: the environment variables its keys come from.
        variables: those that could hold one for this upstream.
        left_out: its headers whose values are not known, a missing key's among them.
    """

    request: Request
    keys_from: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where it goes: scheme, host and port."""
        return origin_of(self.request).origin

    @property
    def lacks_key(self) -> bool:
        """Whether it was made with a key, and goes without."""
        return any(name.lower() in _CREDENTIALS for name in self.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What can be sent in the place of what was not stored."""

    given: Headers = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def outgoing(self, request: Request, upstream: Upstream) -> Outgoing:
        """The stored request, as it goes to an upstream."""
        variables = self._variables(upstream.host)
        variable = next((name for name in variables if self.environ.get(name)), None)
        kept: list[tuple[str, str]] = []
        left_out: list[str] = []
        keys_from: list[str] = []
        given = {name.lower() for name, _ in self.given}
        for name, value in _with_key_of_query(request):
            if name.lower() in given or name.lower() in _NOT_SENT:
                continue
            if is_kept(name):
                kept.append((name, value))
            elif name.lower() in _CREDENTIALS and variable:
                kept.append((name, _credential(name, self.environ[variable])))
                keys_from.append(variable)
            else:
                left_out.append(name)
        host = bracketed(upstream.host)
        default = {"http": 80, "https": 443}[upstream.scheme]
        own = [
            ("Host", host if upstream.port == default else f"{host}:{upstream.port}"),
            ("Accept-Encoding", _ENCODINGS),
            ("Connection", "close"),
        ]
        if request.body or request.method not in {"GET", "HEAD"}:
            own.append(("Content-Length", str(len(request.body))))
        ready = replace(
            request,
            scheme=upstream.scheme,
            host=upstream.host,
            port=upstream.port,
            query=without_secrets(request.query),
            headers=(*without(tuple(own), given), *kept, *self.given),
        )
        return Outgoing(
            request=ready,
            keys_from=tuple(dict.fromkeys(keys_from)),
            variables=variables,
            left_out=tuple(left_out),
        )

    def masked(self, text: str) -> str:
        """The text without any secret that could have been sent: upstreams like to repeat them."""
        for secret in self._secrets():
            text = text.replace(secret, _MASK)
        return text

    def _variables(self, host: str) -> tuple[str, ...]:
        """The environment variables that may hold the key for this host."""
        of_clients = (
            variable
            for base_url, variable in _BASE_URLS.items()
            if urlsplit(self.environ.get(base_url, "")).hostname == host
        )
        return (*API_KEYS.get(provider_of(host) or "", ()), *of_clients)

    def _secrets(self) -> list[str]:
        names = {name for names in API_KEYS.values() for name in names}
        found = [self.environ.get(name, "") for name in names]
        for _, value in self.given:
            found += [value, value.rpartition(" ")[2]]
        return sorted({s for s in found if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)


def origin_of(request: Request) -> Upstream:
    """Where a request goes."""
    return Upstream(scheme=request.scheme, host=request.host, port=request.port)


def _with_key_of_query(request: Request) -> Headers:
    """Its headers; one more if its key was a parameter, as Gemini has it."""
    names = {parameter.partition("=")[0] for parameter in request.query.split("&")}
    if "key" in names and header(request.headers, "x-goog-api-key") is None:
        return (*request.headers, ("x-goog-api-key", ""))
    return request.headers


def _credential(name: str, key: str) -> str:
    return f"Bearer {key}" if name.lower() == "authorization" else key

"""The variables by which a program uses us as its proxy, and trusts what we show it."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from replayproxy.providers import provider_of

NODE_PRELOAD = Path(__file__).with_name("node_proxy.cjs")
"""Node obeys no proxy variable (before 24), or not with every agent (since then)."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
AUTHORITIES = (
    "SSL_CERT_FILE",  # OpenSSL, httpx, Go, Ruby, uv, Rust's native certificates
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "DENO_CERT",
    "GIT_SSL_CAINFO",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HTTPLIB2_CA_CERTS",
    "NIX_SSL_CERT_FILE",
    "PERL_LWP_SSL_CA_FILE",
    "PIP_CERT",
    "npm_config_cafile",
)
"""Each names a file of all authorities; most replace the system's by it."""


def proxy_variables(url: str, *, authorities: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """What to set.

    Args:
        url: ours.
        authorities: a PEM file of the public ones and ours.
        inherited: what is set now.
    """
    exempt = exemptions(inherited)
    found: dict[str, str] = {}
    for name in PROXIES:
        found |= {name: url, name.lower(): url}  # curl reads http_proxy, others HTTP_PROXY
    found |= {"NO_PROXY": exempt, "no_proxy": exempt}
    found["NODE_OPTIONS"] = _with_preload(inherited.get("NODE_OPTIONS", ""))
    return found | authority_variables(authorities)


def authority_variables(authorities: Path) -> dict[str, str]:
    """What to set where traffic comes to us by itself, and clients have but to trust us."""
    return dict.fromkeys(AUTHORITIES, str(authorities))


def exemptions(inherited: Mapping[str, str]) -> str:
    """The user's NO_PROXY, without what would hide LLM traffic: this machine, LLM APIs, `*`.

    >>> exemptions({"NO_PROXY": "localhost,127.0.0.1,.corp,api.openai.com", "no_proxy": "db:1"})
    '.corp,db:1'
    """
    entries: dict[str, None] = {}
    for name in ("NO_PROXY", "no_proxy"):
        entries |= dict.fromkeys(inherited.get(name, "").replace(",", " ").split())
    return ",".join(entry for entry in entries if not hides(entry))


def hides(entry: str) -> bool:
    """Whether an entry of NO_PROXY keeps traffic from us that we are there for.

    >>> [hides(e) for e in ("*", "127.0.0.0/8", "[::1]:8080", "*.aigateway.sh", "10.0.0.0/8")]
    [True, True, True, True, False]
    """
    host = _host_of(entry)
    if host in {"*", "localhost"} or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_network(host, strict=False).is_loopback
    except ValueError:
        name = host.removeprefix("*").removeprefix(".")
        return any(provider_of(f"{prefix}{name}") for prefix in ("", "api.", "x."))


def _host_of(entry: str) -> str:
    entry = entry.lower().rstrip(".")
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    host, colon, port = entry.rpartition(":")
    return host if colon and port.isdecimal() and ":" not in host else entry


def _with_preload(options: str) -> str:
    path = str(NODE_PRELOAD)
    if any(c in path for c in ' "\\'):
        path = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ours = f"--require {path}"
    return options if ours in options else f"{options} {ours}".lstrip()

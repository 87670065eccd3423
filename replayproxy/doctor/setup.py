"""The installation, the ports, the clock and the certificate authority."""

import importlib.metadata
import importlib.util
import platform
import socket
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from replayproxy import __version__, health
from replayproxy.address import url_of
from replayproxy.doctor.finding import Finding, Level

_EXTRAS = {"mitmproxy": "proxy", "datasette": "dashboard", "opentelemetry-sdk": "otel"}
_SOON = timedelta(days=30)


def installation() -> Iterator[Finding]:
    """The interpreter, our version, and which extras are there."""
    yield Finding(
        subject="replayproxy",
        text=f"{__version__}, Python {platform.python_version()} ({sys.executable})",
    )
    for package, extra in _EXTRAS.items():
        try:
            yield Finding(subject=package, text=importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                subject=package,
                level=Level.NOTE,
                text=f"not installed: what needs the extra {extra!r} is not there",
                todo="pipx install --force 'replayproxy[all]'",
            )


def port(host: str, number: int) -> Iterator[Finding]:
    """Whether we could listen there, or do."""
    subject = f"port {number}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, number))
        except OSError as error:
            reason = error.strerror
        else:
            yield Finding(subject=subject, text="free")
            return
    if command := health.command_at(url_of(host, number)):
        yield Finding(subject=subject, text=f"replayproxy {command} listens there")
        return
    yield Finding(
        subject=subject,
        level=Level.NOTE,
        text=f"{host}:{number} cannot be had: {reason}",
        todo="Use another with --listen; with a COMMAND a free one is taken anyway.",
    )


def authority(folder: Path, *, now: datetime) -> Iterator[Finding]:
    """Whether the certificate authority is there, safe and valid; it is not made."""
    subject = "certificate authority"
    key = folder / "mitmproxy-ca.pem"
    if not key.exists():
        yield Finding(subject=subject, text=f"none in {folder} yet: made on first use")
        return
    for path, allowed in ((folder, 0o700), (key, 0o600)):
        if (mode := path.stat().st_mode & 0o777) & ~allowed:
            yield Finding(
                subject=subject,
                level=Level.PROBLEM,
                text=f"others can read {path} (mode {mode:o})",
                todo=f"chmod {allowed:o} {path}",
            )
    if importlib.util.find_spec("cryptography") is None:
        return
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(key.read_bytes())
    except (ValueError, OSError) as error:
        yield Finding(
            subject=subject,
            level=Level.PROBLEM,
            text=f"{key} cannot be read: {error}",
            todo=f"Move {folder} away: a new one is made, which clients then have to trust.",
        )
        return
    yield _validity(subject, certificate.not_valid_before_utc, certificate.not_valid_after_utc, now)


def _validity(subject: str, begins: datetime, ends: datetime, now: datetime) -> Finding:
    if now < begins:
        return Finding(
            subject="clock",
            level=Level.PROBLEM,
            text=f"it says {now:%Y-%m-%d}, which is before our authority was made",
            todo="Set the clock; or have a new authority made.",
        )
    if ends - now < _SOON:
        return Finding(
            subject=subject,
            level=Level.PROBLEM,
            text=f"it is valid until {ends:%Y-%m-%d}",
            todo="Move its folder away: a new one is made, which clients then have to trust.",
        )
    return Finding(subject=subject, text=f"valid until {ends:%Y-%m-%d}")

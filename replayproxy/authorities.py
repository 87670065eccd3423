"""Whom to trust when an upstream shows its certificate: the public authorities, and more."""

import ssl
from pathlib import Path

from replayproxy.errors import UsageError


def trusting(authorities: Path | None) -> ssl.SSLContext:
    """Verifies upstreams; `authorities` (PEM) vouch for them, too.

    Raises:
        UsageError: the file cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context()
    if authorities is None:
        return context
    try:
        context.load_verify_locations(cafile=authorities)
    except ssl.SSLError as error:
        raise UsageError(
            f"--upstream-ca {authorities} holds no certificate in PEM form: {error}"
        ) from error
    except OSError as error:
        raise UsageError(f"--upstream-ca {authorities} cannot be read: {error}") from error
    return context

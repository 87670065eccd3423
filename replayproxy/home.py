"""Our own folder, `~/.replayproxy` or `REPLAYPROXY_HOME`: the certificate authority lives there."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replayproxy.certificates import Authority


CA_FOLDER_VARIABLE = "REPLAYPROXY_CA_FOLDER"


def home() -> Path:
    """The folder; it is made if need be."""
    named = os.environ.get("REPLAYPROXY_HOME")
    path = Path(named) if named else Path.home() / ".replayproxy"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def ca_folder() -> Path:
    """Where the authority is: our own folder, or one that was named, such as `~/.mitmproxy`."""
    named = os.environ.get(CA_FOLDER_VARIABLE)
    return Path(named).expanduser() if named else home()


def ca_file() -> Path:
    """The certificate that intercepted clients have to trust; made by the first who needs it."""
    return ca_folder() / "mitmproxy-ca-cert.pem"


def authority() -> "Authority | None":
    """What the TLS of intercepted clients is opened with; None without the `proxy` extra.

    Raises:
        UsageError: its files cannot be used.
    """
    if importlib.util.find_spec("mitmproxy") is None:
        return None
    from replayproxy.certificates import Authority

    return Authority(ca_folder())

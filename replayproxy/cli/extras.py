"""What a command needs beyond the base install."""

import importlib.util

from replayproxy.errors import MissingExtraError


def require(module: str, *, feature: str, extra: str) -> None:
    """Raises MissingExtraError, with the command that installs it, if a module is not there."""
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(feature=feature, extra=extra, module=module)

"""Starts sending, if the environment names a collector and the packages are there."""

import importlib.util
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from replayproxy.telemetry import names
from replayproxy.telemetry.environment import Signals

if TYPE_CHECKING:
    from replayproxy.telemetry.exporting import Source, Telemetry

logger = logging.getLogger(__name__)

PACKAGE = "opentelemetry.exporter.otlp.proto.http"


def start(
    source: Callable[[], "Source"], *, cache_write: str = names.USAGE_CACHE_WRITE_TOKENS
) -> "Telemetry | None":
    """What sends to the collector of the `OTEL_*` variables; None: there is none to send to.

    Args:
        source: opens the database that the exchanges are stored in.
        cache_write: as the option `--otel-cache-write` has it.
    """
    signals = Signals.read(os.environ)
    for problem in signals.problems:
        logger.warning("replayproxy: telemetry: %s", problem)
    if not signals:
        return None
    if not _is_installed():
        logger.warning(
            "replayproxy: telemetry: an OTLP endpoint is set, but the 'otel' extra is not "
            "installed: nothing is sent. Install it with: pip install 'replayproxy[otel]'"
        )
        return None
    from replayproxy.telemetry.exporting import Telemetry

    return Telemetry(signals, source, cache_write="" if cache_write == "none" else cache_write)


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec(PACKAGE) is not None
    except ModuleNotFoundError:
        return False

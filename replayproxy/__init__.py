"""Record and replay LLM API traffic, stream by stream, and see what it cost."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replayproxy.testing import cassette

__all__ = ["__version__", "cassette"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`replayproxy.cassette`, once somebody wants it: whoever does not pays nothing."""
    if name != "cassette":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module("replayproxy.testing").cassette

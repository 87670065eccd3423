"""Record and replay LLM API traffic, stream by stream, and see what it cost."""

__version__ = "0.1.0"

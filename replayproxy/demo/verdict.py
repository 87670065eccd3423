"""Live and replayed answers side by side: what is equal, and how far the times are apart."""

from collections.abc import Sequence
from dataclasses import dataclass

from replayproxy.demo.client import Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One answer, compared. Times in milliseconds."""

    name: str
    chunks: int
    size: int
    same_bytes: bool
    same_borders: bool
    said_the_same: bool
    first_live_ms: float
    first_replayed_ms: float
    median_error_ms: float
    worst_error_ms: float

    @property
    def identical(self) -> bool:
        """Bytes, chunk borders and what the SDK understood."""
        return self.same_bytes and self.same_borders and self.said_the_same


def compare(live: Sequence[Heard], replayed: Sequence[Heard]) -> list[Verdict]:
    """Compare each answer with its replay."""
    return [_compare(a, b) for a, b in zip(live, replayed, strict=True)]


def _compare(live: Heard, replayed: Heard) -> Verdict:
    errors = sorted(
        abs(a - b) * 1000 for a, b in zip(live.times_s, replayed.times_s, strict=False)
    ) or [0.0]
    return Verdict(
        name=live.name,
        chunks=len(live.chunks),
        size=sum(map(len, live.chunks)),
        same_bytes=b"".join(live.chunks) == b"".join(replayed.chunks),
        same_borders=[len(c) for c in live.chunks] == [len(c) for c in replayed.chunks],
        said_the_same=live.said == replayed.said,
        first_live_ms=live.times_s[0] * 1000,
        first_replayed_ms=replayed.times_s[0] * 1000 if replayed.times_s else float("nan"),
        median_error_ms=errors[len(errors) // 2],
        worst_error_ms=errors[-1],
    )

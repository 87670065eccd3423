"""How much work a run of the benchmarks is: enough for true figures, or a quick look."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What the command line asks for.

    Attributes:
        quick: only see whether everything works; the figures mean nothing.
        exchanges: how many the large database of `matching` holds.
    """

    quick: bool = False
    exchanges: int = 1_000_000

    def of[T](self, full: T, quick: T) -> T:
        """One or the other."""
        return quick if self.quick else full

    def rounds(self, full: int) -> int:
        """How often a pair is measured."""
        return self.of(full, 1)

    @property
    def gap_ms(self) -> float:
        """Between the chunks of a paced stream."""
        return self.of(20.0, 1.0)

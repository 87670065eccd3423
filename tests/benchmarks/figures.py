"""What a benchmark finds: figures beside those of a reference, and how far they shall go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.measuring import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How far a figure shall go.

    Attributes:
        at_least: the limit is the least, not the most.
        absolute: it is our figure's limit; else that of its ratio to the reference.
    """

    limit: float
    at_least: bool = False
    absolute: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether it is far enough."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.limit:g}{'' if self.absolute else 'x'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table.

    Attributes:
        what: subject and unit, such as "CPU per chunk, us".
        ours: None if it could not be measured; `note` says why.
        reference: the same of something else, if there is something.
        against: what that is.
        ratio: ours by the reference.
    """

    what: str
    ours: float | None = None
    reference: float | None = None
    against: str = ""
    ratio: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if there is none, or nothing was measured."""
        if self.target is None:
            return None
        value = self.ours if self.target.absolute else self.ratio
        return None if value is None else self.target.is_met_by(value)

    def as_json(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {
            "what": self.what,
            "ours": self.ours,
            "reference": self.reference,
            "against": self.against,
            "ratio": self.ratio,
            "target": str(self.target) if self.target else None,
            "met": self.met,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one subject found: figures, and perhaps a table of its own."""

    figures: Sequence[Figure]
    title: str = ""
    rows: Sequence[Mapping[str, Any]] = field(default=())


def of_pairs(
    what: str,
    pairs: Sequence[tuple[float, float]],
    *,
    against: str,
    target: Target | None = None,
    note: str = "",
) -> Figure:
    """The medians of pairs (ours, reference) measured in turns, and the median of their ratios."""
    return Figure(
        what=what,
        ours=median(ours for ours, _ in pairs),
        reference=median(reference for _, reference in pairs),
        against=against,
        ratio=median(ours / reference for ours, reference in pairs),
        target=target,
        note=note,
    )


def table(figures: Iterable[Figure]) -> str:
    """The figures as lines of text."""
    rows = [("figure", "ours", "reference", "ratio", "target", "met", "against")]
    rows += [
        (
            figure.what,
            _number(figure.ours),
            _number(figure.reference),
            _number(figure.ratio),
            str(figure.target or ""),
            {True: "yes", False: "NO", None: ""}[figure.met],
            "; ".join(filter(None, (figure.against, figure.note))),
        )
        for figure in figures
    ]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of text: the first and last to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number in {0, last} else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def text_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys, as lines of text."""
    return aligned([tuple(rows[0]), *(tuple(map(as_cell, row.values())) for row in rows)])


def as_cell(value: object) -> str:
    """A value as it stands in a table."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return _number(value)
        case None:
            return ""
    return str(value)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

"""The cells of Datasette's tables: figures as people read them, ids that lead on."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from replayproxy.dashboard import formats

_FORMATS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("cost_usd", "reported_cost_usd", "computed_cost_usd"), formats.usd),
    "avoided_cost_usd": formats.usd,
    "request_bytes": formats.size,
    "response_bytes": formats.size,
}


def render(value: Any, *, column: str, table: str | None, exchange_url: str) -> Markup | None:
    """The cell's markup, or None where Datasette's own will do."""
    if isinstance(value, dict):  # a foreign key with its label
        value = value.get("value")
    if value is None or isinstance(value, bytes):
        return None
    if column in {"exchange_id", "closest_id"} or (column == "id" and table in {"exchanges", None}):
        return _link(value, exchange_url)
    if column == "outcome" and table == "exchanges":
        return badge(value, good=value == "completed")
    if column == "status" and table == "exchanges":
        return badge(value, good=isinstance(value, int) and value < 400)
    if isinstance(value, str):
        tame = formats.visible(value)
        return None if tame == value else Markup("{}").format(tame)
    if isinstance(value, int | float):
        return _figure(value, column)
    return None


def badge(value: object, *, good: bool) -> Markup:
    """A small coloured label."""
    kind = "good" if good else "bad"
    return Markup('<span class="rp-badge rp-{}">{}</span>').format(kind, formats.one_line(value))


def _link(value: object, exchange_url: str) -> Markup | None:
    if not isinstance(value, int):
        return None
    return Markup('<a href="{}{}">{}</a>').format(exchange_url, value, value)


def _figure(value: float, column: str) -> Markup | None:
    form = _FORMATS.get(column) or (formats.ms if column.endswith("_ms") else None)
    if form is None:
        return None
    return Markup('<span title="{}">{}</span>').format(value, form(value))

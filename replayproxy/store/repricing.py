"""New costs for old exchanges: only on request, and with a report of what changed."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from replayproxy.model import Exchange
from replayproxy.store import rollups, rows, space
from replayproxy.store.connection import as_database_error, open_for_reading, open_for_writing
from replayproxy.store.exchange_rows import ended_exchanges
from replayproxy.store.sql import update

_BATCH = 500

type Price = Callable[[Exchange], Exchange]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model's exchanges whose cost is another now.

    Attributes:
        before_usd: what they cost together, as far as that was known; likewise `after_usd`.
    """

    model: str | None
    exchanges: int
    before_usd: Decimal
    after_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """What changed, or would.

    Attributes:
        exchanges: how many were looked at.
        changed: how many of them have another cost now.
        unknown: why others have none, and how many each.
    """

    exchanges: int
    changed: int
    changes: tuple[Change, ...]
    unknown: dict[str, int]


def reprice(
    path: Path,
    price: Price,
    *,
    since: datetime | None = None,
    cassette: str | None = None,
    dry_run: bool = False,
) -> Repriced:
    """Compute the cost of stored exchanges anew, each at the prices of its own time.

    Raises:
        DatabaseError: it cannot be used; what was repriced until then stays so.
    """
    opened = open_for_writing if path.exists() and not dry_run else open_for_reading
    tally = _Tally()
    with closing(opened(path).conn) as connection, as_database_error(path):
        last = 0
        while found := ended_exchanges(
            connection, after=last, limit=_BATCH, since=since, cassette=cassette
        ):
            repriced = [(before, price(before)) for before in found]
            for before, after in repriced:
                tally.add(before, after)
            if not dry_run:
                with space.transaction(connection):
                    _save(connection, repriced)
            last = found[-1].id or 0
    return tally.result()


def _save(connection: sqlite3.Connection, repriced: Iterable[tuple[Exchange, Exchange]]) -> None:
    changed = {
        before.id: columns
        for before, after in repriced
        if (columns := rows.cost_columns(after)) != rows.cost_columns(before)
        and before.id is not None
    }
    rollups.take_back(connection, changed)
    for exchange_id, columns in changed.items():
        update(connection, "exchanges", columns, id=exchange_id)
        avoided = {"avoided_cost_usd": columns["cost_usd"]}
        update(connection, "replays", avoided, exchange_id=exchange_id)
    rollups.note(connection, changed)
    rollups.fold(connection)


@dataclass(slots=True)
class _Sum:
    exchanges: int = 0
    before_usd: Decimal = Decimal(0)
    after_usd: Decimal = Decimal(0)


class _Tally:
    def __init__(self) -> None:
        self._exchanges = 0
        self._by_model: defaultdict[str | None, _Sum] = defaultdict(_Sum)
        self._unknown: Counter[str] = Counter()

    def add(self, before: Exchange, after: Exchange) -> None:
        self._exchanges += 1
        if after.cost_usd is None:
            self._unknown[after.cost_source or "unknown"] += 1
        # compared as they are stored
        if rows.cost_columns(after)["cost_usd"] != rows.cost_columns(before)["cost_usd"]:
            of_model = self._by_model[before.request_model]
            of_model.exchanges += 1
            of_model.before_usd += before.cost_usd or 0
            of_model.after_usd += after.cost_usd or 0

    def result(self) -> Repriced:
        changes = [
            Change(
                model=model,
                exchanges=of_model.exchanges,
                before_usd=of_model.before_usd,
                after_usd=of_model.after_usd,
            )
            for model, of_model in self._by_model.items()
        ]
        return Repriced(
            exchanges=self._exchanges,
            changed=sum(change.exchanges for change in changes),
            changes=tuple(sorted(changes, key=lambda c: -abs(c.after_usd - c.before_usd))),
            unknown=dict(self._unknown.most_common()),
        )

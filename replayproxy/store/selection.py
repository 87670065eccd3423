"""Which exchanges are to go: by their ids, or by rules. Reads only."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from replayproxy.errors import UnknownExchangeError
from replayproxy.store import rows, space
from replayproxy.store.liveness import is_alive
from replayproxy.store.weight import Weight

_LOOK_AHEAD = 1_000

type _Found = tuple[int, bool]
"""An exchange's id, and whether it may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which exchanges go: whatever any rule says. None: no such rule.

    Attributes:
        before: those that started earlier than this.
        keep: all but so many of the newest.
        up_to: what was recorded no later than the exchange of this id.
        max_bytes: the oldest, until the file is no larger than this.
        cassette: the rules are about this cassette only; None: about all.
    """

    before: datetime | None = None
    keep: int | None = None
    up_to: int | None = None
    max_bytes: int | None = None
    cassette: str | None = None


class Selection:
    """The exchanges that go, but for those that are still running: they stay.

    Attributes:
        ended: the SQL condition of an exchange that has ended, or whose run is really dead.

    Raises:
        UnknownExchangeError: when it is made, of an id that does not exist.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, which: Rules | Iterable[int]
    ) -> None:
        self._connection = connection
        self._rules = which if isinstance(which, Rules) else Rules()
        self.ended = _ended(connection, path)
        if isinstance(which, Rules):
            found = self._by_age()
        else:
            found = [self._by_id(exchange_id, path) for exchange_id in dict.fromkeys(which)]
        self.marked: list[int] = [exchange_id for exchange_id, ended in found if ended]
        self.still_running = len(found) - len(self.marked)

    def too_much(self) -> list[int]:
        """Some of the oldest while the file is too large; perhaps not yet enough of them."""
        if self._rules.max_bytes is None:
            return []
        excess = space.used_bytes(self._connection) - self._rules.max_bytes
        # weights are about right: approach the limit from above, and look again
        enough = excess - excess // 4
        return self._oldest(enough, Weight(self._connection), limit=_LOOK_AHEAD)

    def weigh(self) -> Weight:
        """All that would go, those for the file's size too."""
        weight = Weight(self._connection)
        for exchange_id in self.marked:
            weight.add(exchange_id)
        if self._rules.max_bytes is not None:
            excess = space.used_bytes(self._connection) - self._rules.max_bytes
            self._oldest(excess, weight)
        return weight

    def _oldest(self, excess: int, weight: Weight, *, limit: int = -1) -> list[int]:
        """The oldest that are not yet weighed, added to it until it is no less than `excess`."""
        chosen: list[int] = []
        if weight.bytes >= excess:
            return chosen
        found = self._connection.execute(
            f"""SELECT id FROM exchanges
            WHERE {self.ended} {self._of_cassette} ORDER BY id LIMIT :limit""",
            {"cassette": self._rules.cassette, "limit": limit},
        )
        seen = set(self.marked) if weight.exchanges else set()
        for (exchange_id,) in found.fetchall():
            if weight.bytes >= excess:
                break
            if exchange_id not in seen:
                weight.add(exchange_id)
                chosen.append(exchange_id)
        return chosen

    def _by_id(self, exchange_id: int, path: Path) -> _Found:
        found: _Found | None = self._connection.execute(
            f"SELECT id, {self.ended} FROM exchanges WHERE id = ?", [exchange_id]
        ).fetchone()
        if found is None:
            raise UnknownExchangeError(exchange_id=exchange_id, path=path)
        return found

    def _by_age(self) -> list[_Found]:
        rules, conditions = self._rules, []
        values: dict[str, object] = {"cassette": rules.cassette}
        if rules.before is not None:
            conditions.append("started_at < :before")
            values["before"] = rows.to_timestamp(rules.before)
        if rules.keep is not None:
            conditions.append("id <= :newest_to_go")
            values["newest_to_go"] = self._newest_to_go(rules.keep)
        if rules.up_to is not None:
            conditions.append("id <= :up_to")
            values["up_to"] = rules.up_to
        if not conditions:
            return []
        return self._connection.execute(
            f"""SELECT id, {self.ended} FROM exchanges
            WHERE ({" OR ".join(conditions)}) {self._of_cassette} ORDER BY id""",
            values,
        ).fetchall()

    def _newest_to_go(self, keep: int) -> int:
        found = self._connection.execute(
            f"""SELECT id FROM exchanges WHERE true {self._of_cassette}
            ORDER BY id DESC LIMIT 1 OFFSET :keep""",
            {"cassette": self._rules.cassette, "keep": keep},
        ).fetchone()
        return int(found[0]) if found else 0

    @property
    def _of_cassette(self) -> str:
        return "" if self._rules.cassette is None else "AND cassette = :cassette"


def _ended(connection: sqlite3.Connection, path: Path) -> str:
    runs = connection.execute("SELECT DISTINCT run_id FROM exchanges WHERE outcome IS NULL")
    dead = [run_id for (run_id,) in runs.fetchall() if not is_alive(path, run_id)]
    return f"(outcome IS NOT NULL OR run_id IN ({', '.join(map(str, dead))}))"

"""Which requests of a cassette are sent again, and which recorded answers count.

Equal requests are sent once: what comes back may be like any of their recorded
answers (the states of a job that was polled, the answers of a model that was
asked twice). A passing trouble (429, 5xx) is nothing to compare with.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from replayproxy.model import Outcome
from replayproxy.providers import is_llm_traffic
from replayproxy.store import Store

_SAFE = frozenset({"GET", "HEAD"})
_PASSING = frozenset({408, 425, 429})

type Row = Mapping[str, Any]
"""A row of the table `exchanges`, with its `match_key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One request to send.

    Attributes:
        exchange_ids: the exchanges that recorded it, oldest first.
        cost_usd: what it cost when it was recorded last; None if that is not known.
    """

    exchange_ids: tuple[int, ...]
    method: str
    host: str
    path: str
    model: str | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sent, in recorded order; and how many exchanges are not, by the reason."""

    checks: tuple[Check, ...]
    skipped: Mapping[str, int]


def plan(
    store: Store,
    *,
    cassette: str,
    exchange_ids: Iterable[int] = (),
    limit: int | None = None,
    unsafe: bool = False,
) -> Plan:
    """Choose from a cassette, or by ids.

    Args:
        limit: only so many requests, those recorded last.
        unsafe: also what may change something at the upstream (RFC 9110 9.2.1). What is
            named by its id is meant, whatever it is.

    Raises:
        UnknownExchangeError: there is none of such an id.
    """
    wanted = tuple(dict.fromkeys(exchange_ids))
    rows = map(store.row, wanted) if wanted else store.keyed_rows(cassette=cassette)
    skipped: Counter[str] = Counter()
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if why := _unfit(row) or ("" if unsafe or wanted else _unsafe(row)):
            skipped[why] += 1
        else:
            groups[row["match_key"], row["host"]].append(row)
    # by the latest recording, so that a limit keeps what was used last
    checks = sorted(map(_check, groups.values()), key=lambda check: check.exchange_ids[-1])
    if limit is not None and len(checks) > limit:
        over = checks[: len(checks) - limit]
        skipped["over the limit"] += sum(len(check.exchange_ids) for check in over)
        checks = checks[len(checks) - limit :]
    return Plan(checks=tuple(checks), skipped=skipped)


def _check(rows: list[Row]) -> Check:
    last = rows[-1]
    return Check(
        exchange_ids=tuple(row["id"] for row in rows),
        method=last["method"],
        host=last["host"],
        path=last["path"],
        model=last["request_model"],
        cost_usd=last["cost_usd"],
    )


def _unfit(row: Row) -> str:
    """Why there is nothing to compare an answer with; "" if there is."""
    if row["outcome"] != Outcome.COMPLETED or row["status"] is None:
        return "not completed"
    if row["match_key"] is None:
        return "recorded without bodies"
    if row["status"] in _PASSING or row["status"] >= 500:
        return "answered by a passing error (429, 5xx)"
    return ""


def _unsafe(row: Row) -> str:
    asks_a_model = row["method"] == "POST" and is_llm_traffic("", row["path"])
    if row["method"] in _SAFE or asks_a_model:
        return ""
    return "might change something there (--unsafe sends it)"

"""Sends what a plan says, a few at a time, and tells how each answer compares."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from replayproxy.address import Upstream
from replayproxy.errors import UnansweredError
from replayproxy.model import Request, header
from replayproxy.store import Store
from replayproxy.verifying.comparison import Comparison, Difference, Kind, Seen, compare
from replayproxy.verifying.live import Answered, Live
from replayproxy.verifying.outgoing import Credentials, Outgoing, origin_of
from replayproxy.verifying.plan import Check

_BUSY = frozenset({429, 503, 529})
_TRIES = 3
_MAX_PAUSE_S = 30.0


class Verdict(StrEnum):
    """What became of one request."""

    SAME = "same"
    DRIFT = "drift"
    FAILED = "failed"
    """No answer that could be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One request, sent.

    Attributes:
        compared_with: the exchange whose answer is the most like it.
        counting: those of the differences that make it drift.
        reason: why it failed.
    """

    check: Check
    verdict: Verdict
    compared_with: int | None = None
    status: int | None = None
    differences: tuple[Difference, ...] = ()
    counting: tuple[Difference, ...] = ()
    alike: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """How requests are sent and answers compared.

    Attributes:
        upstream: where all of it goes, if not to where it went when it was recorded.
        counting: the kinds of difference that are drift.
        min_alike: what text may differ, see `compare`.
    """

    store: Store
    live: Live
    credentials: Credentials
    upstream: Upstream | None
    counting: frozenset[Kind]
    min_alike: float

    def outgoing(self, check: Check) -> Outgoing:
        """Its request, as it is sent."""
        stored = self.store.exchange(check.exchange_ids[-1]).request
        return self.credentials.outgoing(stored, self.upstream or origin_of(stored))

    async def verify(self, check: Check) -> Result:
        """Send one request and compare."""
        try:
            answered = await self._patiently(self.outgoing(check).request)
        except UnansweredError as error:
            reason = self.credentials.masked(str(error))
            return Result(check=check, verdict=Verdict.FAILED, reason=reason)
        return self._judged(check, answered)

    async def _patiently(self, request: Request, attempt: int = 1) -> Answered:
        """Send it, and again while the upstream says that it is busy."""
        answered = await self.live.send(request)
        head = answered.exchange.head
        if head is None or head.status not in _BUSY:
            return answered
        if attempt == _TRIES:
            raise UnansweredError(f"busy: {head.status} {answered.exchange.error or head.reason}")
        await asyncio.sleep(_pause_s(header(head.headers, "retry-after"), attempt))
        return await self._patiently(request, attempt + 1)

    def _judged(self, check: Check, answered: Answered) -> Result:
        live = Seen.of(answered.exchange, answered.chunks)
        recorded = [
            (exchange_id, self._recorded(exchange_id)) for exchange_id in check.exchange_ids
        ]
        compared = [
            (exchange_id, compare(seen, live, min_alike=self.min_alike))
            for exchange_id, seen in recorded
            if seen.problem is None
        ]
        if live.problem or not compared:
            which, why = ("live", live) if live.problem else ("recorded", recorded[-1][1])
            reason = f"the {which} answer cannot be read: {why.problem}"
            return Result(check=check, verdict=Verdict.FAILED, reason=reason)
        exchange_id, best = min(compared, key=lambda pair: self._distance(pair[1]))
        differences = tuple(map(self._masked, best.differences))
        counting = tuple(d for d in differences if d.kind in self.counting)
        return Result(
            check=check,
            verdict=Verdict.DRIFT if counting else Verdict.SAME,
            compared_with=exchange_id,
            status=live.status,
            differences=differences,
            counting=counting,
            alike=best.alike,
        )

    def _recorded(self, exchange_id: int) -> Seen:
        return Seen.of(self.store.exchange(exchange_id), self.store.chunks(exchange_id))

    def _distance(self, comparison: Comparison) -> tuple[int, int, float]:
        counting = [d for d in comparison.differences if d.kind in self.counting]
        return len(counting), len(comparison.differences), -(comparison.alike or 0.0)

    def _masked(self, difference: Difference) -> Difference:
        masked = self.credentials.masked
        return replace(difference, where=masked(difference.where), live=masked(difference.live))


async def verify_all(
    verifier: Verifier, checks: Iterable[Check], *, jobs: int, on_result: Callable[[Result], None]
) -> None:
    """Send all, at most `jobs` at a time; `on_result` is told of each as it is done."""
    free = asyncio.Semaphore(jobs)

    async def one(check: Check) -> None:
        async with free:
            on_result(await verifier.verify(check))

    async with asyncio.TaskGroup() as group:
        for check in checks:
            group.create_task(one(check))


def _pause_s(retry_after: str | None, attempt: int) -> float:
    """As long as the upstream asks for, within reason; a date is not worth the trouble."""
    try:
        asked_s = float(retry_after or "")
    except ValueError:
        asked_s = 2.0 ** (attempt - 1)
    return min(max(asked_s, 0.0), _MAX_PAUSE_S)

"""Takes exchanges and sends them to an OTLP collector. Needs the `otel` extra.

Rule: nobody waits for a collector. `add` appends to a bounded queue and returns;
a thread of its own reads what else is needed from the database; what OpenTelemetry
sends it sends from threads of its own. What does not fit, or cannot be sent in the
few seconds that `close` waits, is lost, and said so once.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from replayproxy.content_coding import Decoder
from replayproxy.model import Chunk, Exchange
from replayproxy.recording import read_answer
from replayproxy.telemetry import names
from replayproxy.telemetry.content import content_of
from replayproxy.telemetry.environment import Signals
from replayproxy.telemetry.sdk import Sdk
from replayproxy.telemetry.spans import Playing, span_of

logger = logging.getLogger(__name__)

QUEUED = 10_000
CLOSE_PATIENCE_S = 4.0
_LATE = "the collector did not take all that was left in time; it is lost"


class Source(Protocol):
    """Where the bodies and chunk times of an exchange are (see store.Store)."""

    def exchange(self, exchange_id: int) -> Exchange:
        """One exchange."""

    def chunks(self, exchange_id: int) -> tuple[Chunk, ...]:
        """Its chunks."""

    def chunk_table(self, exchange_id: int) -> list[tuple[int, int]]:
        """(offset_ns, length) of each."""

    def close(self) -> None:
        """Give it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    exchange: Exchange
    playing: Playing | None


class Telemetry:
    """Sends what it is given. `close()` waits for a moment, and no longer.

    Args:
        source: opens the database, in our thread.
        cache_write: the attribute's name for tokens written to a cache; "": left out.
    """

    def __init__(
        self,
        signals: Signals,
        source: Callable[[], Source],
        *,
        cache_write: str = names.USAGE_CACHE_WRITE_TOKENS,
    ) -> None:
        # they would write a line, or a traceback, for every batch that a dead collector misses
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._signals = signals
        self._source = source
        self._cache_write = cache_write
        self._sdk = Sdk(signals, self._say)
        self._queue: queue.Queue[_Job | None] = queue.Queue(QUEUED)
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="replayproxy-otel", daemon=True)
        self._thread.start()

    def add(self, exchange: Exchange, playing: Playing | None = None) -> None:
        """Send an exchange that is stored, or its replay; at once, whatever the collector does."""
        try:
            self._queue.put_nowait(_Job(exchange=exchange.without_body(), playing=playing))
        except queue.Full:
            self._say("spans are lost: they come faster than they can be sent")

    def close(self, *, patience_s: float = CLOSE_PATIENCE_S) -> None:
        """Send what is left, for so long at the most."""
        deadline = time.monotonic() + patience_s
        try:
            self._queue.put(None, timeout=patience_s)
        except queue.Full:
            self._say(_LATE)
            return
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if not self._sdk.shutdown(max(0.0, deadline - time.monotonic())):
            self._say(_LATE)

    def _run(self) -> None:
        job = self._queue.get()
        while job is not None:
            with ExitStack() as stack:
                # opened when it is needed, once for all that waits
                source = cache(lambda: stack.enter_context(closing(self._source())))
                self._send_whatever_happens(job, source)
                while not self._queue.empty() and (job := self._queue.get()) is not None:
                    self._send_whatever_happens(job, source)
            if job is not None:
                job = self._queue.get()

    def _send_whatever_happens(self, job: _Job, source: Callable[[], Source]) -> None:
        try:
            self._send(job, source)
        except Exception as error:  # noqa: BLE001 (telemetry harms nothing)
            self._say(f"a span could not be sent: {error!r}")

    def _send(self, job: _Job, source: Callable[[], Source]) -> None:
        exchange, exchange_id = job.exchange, job.exchange.id
        if exchange_id is None:
            return
        content: Mapping[str, str] = {}
        if self._signals.content or self._signals.logs:
            store = source()
            stored = store.exchange(exchange_id)
            answer = read_answer(stored, store.chunks(exchange_id), Decoder)
            content = content_of(stored.request.body, answer)
        self._sdk.send(span_of(exchange, job.playing), content, cache_write=self._cache_write)
        if job.playing is None and self._sdk.metrics:
            table = source().chunk_table(exchange_id) if exchange.streamed else ()
            self._sdk.metrics.record(exchange, [offset_ns for offset_ns, _ in table])

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            logger.warning("replayproxy: telemetry: %s (the traffic is not affected)", text)

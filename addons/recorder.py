"""Records LLM traffic into one SQLite file: `mitmdump -s recorder.py --set replayproxy_db=F`.

Rule: recording fails open. No hook raises, waits or touches the database, and
the tee hands on every byte whatever happens; what is lost is counted.
"""

import asyncio
import atexit
import contextlib
import functools
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mitmproxy import addonmanager, ctx, exceptions, http

from replayproxy import config, health, storing
from replayproxy.capture import Capture
from replayproxy.errors import ReplayproxyError
from replayproxy.flows import ended_by_client, reads_of, to_head, to_request
from replayproxy.model import Ending
from replayproxy.pricing import PriceFile
from replayproxy.recording import Policy
from replayproxy.store import Writer
from replayproxy.traffic import SWITCH_HEADER, is_switched_off, records_matching

logger = logging.getLogger(__name__)

OPTIONS = tuple(option for option in config.OPTIONS if option.recording)


def _fails_open(
    hook: Callable[["Recorder", http.HTTPFlow], None],
) -> Callable[["Recorder", http.HTTPFlow], None]:
    @functools.wraps(hook)
    def guarded(self: "Recorder", flow: http.HTTPFlow) -> None:
        try:
            hook(self, flow)
        except Exception as error:  # noqa: BLE001 (never the traffic's problem)
            self.give_up(flow, error)

    return guarded


class Recorder:
    """A mitmproxy addon. Given a writer it uses that one, else it opens one by its options.

    Attributes:
        idle: set while no exchange is being recorded.
    """

    def __init__(
        self,
        writer: Writer | None = None,
        *,
        cassette: str = config.CASSETTE.default,
        records: Callable[[str, str], bool] | None = None,
    ) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self._writer = writer
        self._opens_writer = writer is None
        self._cassette = cassette
        self._records = records or records_matching("", "")
        self._said_websocket = False
        self._captures: dict[str, Capture] = {}
        self._resources = contextlib.ExitStack()

    def load(self, loader: addonmanager.Loader) -> None:
        if self._opens_writer:
            for option in OPTIONS:
                loader.add_option(*option.as_mitmproxy)

    def configure(self, updated: set[str]) -> None:
        if not self._opens_writer or not any(option.setting in updated for option in OPTIONS):
            return
        if self._writer:
            raise exceptions.OptionsError("replayproxy options cannot change during a recording")
        chosen = {option.name: getattr(ctx.options, option.setting) for option in OPTIONS}
        self._cassette = chosen["cassette"]
        self._records = records_matching(chosen["record_hosts"], chosen["record_paths"])
        policy = Policy(
            tag_header=chosen["tag_header"],
            keep_bodies=not chosen["no_bodies"],
            estimate_usage=chosen["estimate_usage"],
        )
        prices = chosen["prices"]
        try:
            self._writer = self._resources.enter_context(
                storing.opened(
                    Path(chosen["db"]).expanduser(),
                    policy=policy,
                    prices=PriceFile.read(Path(prices).expanduser()) if prices else None,
                    cache_write=chosen["otel_cache_write"],
                )
            )
        except ReplayproxyError as error:
            # mitmdump ends on an error at its start; as an OptionsError it came with a traceback
            logger.error("replayproxy: %s", error)
            return
        atexit.register(self._resources.close)  # `done` comes before the last flows have ended

    @_fails_open
    def request(self, flow: http.HTTPFlow) -> None:
        start_ns = time.monotonic_ns()
        switch = flow.request.headers.pop(SWITCH_HEADER, None)
        if health.is_health(flow.request.method, flow.request.path):
            flow.response = http.Response.make(
                200,
                health.answer("record") if flow.request.method == "GET" else b"",
                {"content-type": "application/json"},
            )
            return
        if self._writer is None or is_switched_off(switch) or not self._is_recorded(flow.request):
            return
        tape = self._writer.record(
            to_request(flow.request), started_at=datetime.now(UTC), cassette=self._cassette
        )
        self._captures[flow.id] = Capture(
            tape, start_ns=start_ns, lose=self._writer.lose, read=reads_of(flow)
        )
        self.idle.clear()

    @_fails_open
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response and (capture := self._captures.get(flow.id)):
            theirs = flow.response.stream
            flow.response.stream = capture.after(theirs) if callable(theirs) else capture.tee
            capture.stream = flow.response.stream
            capture.tape.head(to_head(flow.response, capture.offset_ns()))

    @_fails_open
    def response(self, flow: http.HTTPFlow) -> None:
        if (capture := self._captures.get(flow.id)) and _went_past(capture, flow.response):
            raise RuntimeError("another addon took the stream: load recorder.py after it")
        if capture := self._taken(flow):
            if not capture.streamed and flow.response and flow.response.raw_content:
                # made by another addon: nothing passed through the tee
                capture.tape.chunk(capture.offset_ns(), flow.response.raw_content)
            capture.tape.end(Ending.FINISHED, capture.offset_ns())

    @_fails_open
    def error(self, flow: http.HTTPFlow) -> None:
        if capture := self._taken(flow):
            reason = flow.error.msg if flow.error else ""
            ending = Ending.CLIENT_CLOSED if ended_by_client(flow) else Ending.UPSTREAM_CLOSED
            capture.tape.end(ending, capture.offset_ns(), detail=reason)

    def _is_recorded(self, request: http.Request) -> bool:
        if not self._records(request.pretty_host, request.path.partition("?")[0]):
            return False
        if (
            request.method == "PRI"
        ):  # how HTTP/2 begins, where it was not agreed upon: it is refused
            return False
        if "upgrade" not in request.headers:
            return True
        if not self._said_websocket:
            self._said_websocket = True
            logger.warning("replayproxy: WebSocket traffic passes through, but is not recorded")
        return False

    def give_up(self, flow: http.HTTPFlow, error: Exception) -> None:
        """A fault of ours: the exchange is not recorded any further, and counted."""
        if self._writer:
            self._writer.lose(f"an exchange was not recorded: {error!r}")
        if capture := self._taken(flow):
            capture.tape.end(Ending.INTERRUPTED, capture.offset_ns(), detail=repr(error))

    def _taken(self, flow: http.HTTPFlow) -> Capture | None:
        """The flow's capture, which ends here."""
        capture = self._captures.pop(flow.id, None)
        if not self._captures:
            self.idle.set()
        return capture


def _went_past(capture: Capture, response: http.Response | None) -> bool:
    """Whether the bytes took the way of another addon that came after us."""
    stream = response.stream if response else None
    return callable(stream) and stream != capture.stream and not capture.streamed


addons = [Recorder()]

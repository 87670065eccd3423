"""Recording for a test: `replayproxy record` as a child process, into a database of its own."""

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from replayproxy.cassettes import Track
from replayproxy.children import THIS, serving
from replayproxy.errors import MissingExtraError
from replayproxy.store import Store
from replayproxy.testing.settings import NamedUpstream
from replayproxy.transfer.database import taken

_CASSETTE = "test"
_LOOK_S = 0.05
_QUIET_S = 0.5
_NOTHING_S = 3.0
_PATIENCE_S = 10.0


class Recorder:
    """Records what goes to some upstreams, from `start()` until `stop()`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="replayproxy-"))
        )
        self._databases: list[Path] = []
        self._program = _program()
        self._running = ExitStack()

    def start(self, upstream: NamedUpstream | None) -> str:
        """Record what goes to an upstream, or through a forward proxy; returns where.

        Raises:
            ReplayproxyError: the child did not start.
        """
        db = self._folder / f"{len(self._databases)}.db"
        arguments = ["record", "--db", str(db), "--cassette", _CASSETTE]
        if upstream:
            arguments += ["--upstream", upstream.address.origin]
        url = self._running.enter_context(
            serving(*arguments, cwd=self._folder, program=self._program)
        )
        self._databases.append(db)
        return url

    def tracks(self) -> list[Track]:
        """What was recorded so far, in the order of its requests."""
        found = [track for db in self._databases for track in taken(db, cassette=_CASSETTE).tracks]
        return sorted(found, key=lambda track: track.exchange.started_at)

    def tracks_when_quiet(self) -> list[Track]:
        """The same, once nothing more happens: the recorder writes a moment later."""
        started = changed = time.monotonic()
        last: list[str | None] = []
        while (now := time.monotonic()) < started + _PATIENCE_S:
            outcomes = self._outcomes()
            if outcomes != last:
                last, changed = outcomes, now
            quiet_s = _QUIET_S if outcomes else _NOTHING_S
            if None not in outcomes and now - changed > quiet_s:
                break
            time.sleep(_LOOK_S)
        return self.tracks()

    def stop(self) -> list[Track]:
        """End the recording, in order; all that was recorded.

        Raises:
            ReplayproxyError: something was not recorded.
        """
        self._running.close()
        return self.tracks()

    def close(self) -> None:
        """Stop, if it was not, and forget all."""
        try:
            self._running.close()
        finally:
            self._stack.close()

    def _outcomes(self) -> list[str | None]:
        found: list[str | None] = []
        for db in self._databases:
            with Store(db) as store:
                found += [row["outcome"] for row in store.rows()]
        return found


def _program() -> Sequence[str]:
    """The command that can record: this environment's, or else one on PATH (pipx).

    Raises:
        MissingExtraError: there is none.
    """
    if importlib.util.find_spec("mitmproxy"):
        return THIS
    if found := shutil.which("replayproxy"):
        return (found,)
    raise MissingExtraError(feature="recording", extra="proxy", module="mitmproxy")

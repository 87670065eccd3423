"""`record --rerecord`: what a cassette held before a run goes once something better is there."""

from pathlib import Path

from replayproxy.cli.rules import summary
from replayproxy.cli.text import say
from replayproxy.store import Rules, Store, prune


class Replacement:
    """Made before the run records anything. Until `finish` all stays, even if that never comes."""

    def __init__(self, db: Path, cassette: str) -> None:
        self._db = db
        self._cassette = cassette
        with Store(db) as store:
            self._newest_before = store.newest_id(cassette=cassette)

    def finish(self, *, good: int, not_recorded: int) -> bool:
        """Delete what was there before, and say so; False if it had to stay.

        An expired key (nothing but errors) or a full disk must not cost the only good recording.

        Args:
            good: how many whole answers without an error the run has recorded.
            not_recorded: how many exchanges it has lost.
        """
        if self._newest_before is None:
            return True
        if not good or not_recorded:
            why = "some of this run was not recorded" if not_recorded else "it got no good answer"
            say(f"cassette {self._cassette!r} is NOT replaced, what it held before stays: {why}")
            return False
        gone = prune(self._db, Rules(up_to=self._newest_before, cassette=self._cassette))
        say(f"cassette {self._cassette!r} is replaced: of what it held before, {summary(gone)}")
        return True

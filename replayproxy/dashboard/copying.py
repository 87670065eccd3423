"""An exchange as commands: asked again with curl or Python, or replayed.

Rule: what is pasted does what is shown, and nothing else.
"""

from dataclasses import dataclass
from pathlib import Path

from replayproxy.dashboard.curl_command import curl, to_replay
from replayproxy.dashboard.outgoing import command, origin, outgoing
from replayproxy.dashboard.python_code import python
from replayproxy.model import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """The commands.

    Attributes:
        key_name: the environment variable that they need; None if they need none.
        left_out: names of headers that were sent and whose values were not stored.
        replay, replay_curl: start a replay of its cassette; ask it. None if it cannot
            be replayed.
    """

    curl: str
    python: str
    key_name: str | None
    left_out: tuple[str, ...]
    replay: str | None = None
    replay_curl: str | None = None


def copies(exchange: Exchange, database: Path, *, playable: bool) -> Copies:
    """The commands of an exchange in the database at that path."""
    sent = outgoing(exchange, database)
    host = origin(exchange.request)
    replay = (
        "replayproxy", "replay", "--db", str(database), f"--cassette={exchange.cassette}",
        f"--upstream={host}",
    )  # fmt: skip
    return Copies(
        curl=curl(sent),
        python=python(sent),
        key_name=sent.key_name if sent.keys or len(sent.url) > 1 else None,
        left_out=sent.left_out,
        replay=command(replay) if playable else None,
        replay_curl=to_replay(sent, host) if playable else None,
    )

"""One table of options: the CLI, the mitmproxy addons and the README are made from it."""

from dataclasses import dataclass

from replayproxy.attribution import TAG_HEADER as DEFAULT_TAG_HEADER
from replayproxy.model import DEFAULT_CASSETTE
from replayproxy.playback import Repeat

PREFIX = "replayproxy_"
"""What an addon's option names begin with: `mitmdump --set replayproxy_db=F`."""

DEFAULT_DATABASE = "replayproxy.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option, wherever it can be set.

    Attributes:
        recording: whether recording knows it; `replaying` likewise.
        is_flag: it is on or off, and off by default.
    """

    name: str
    default: str
    metavar: str
    help: str
    env: str | None = None
    choices: tuple[str, ...] = ()
    recording: bool = True
    replaying: bool = True
    is_flag: bool = False

    @property
    def flag(self) -> str:
        """As the command line has it: `--db`."""
        return "--" + self.name.replace("_", "-")

    @property
    def setting(self) -> str:
        """As mitmproxy has it: `replayproxy_db`."""
        return PREFIX + self.name


DB = Option(
    name="db",
    default=DEFAULT_DATABASE,
    metavar="FILE",
    help="The SQLite file that holds the recordings.",
    env="REPLAYPROXY_DB",
)
CASSETTE = Option(
    name="cassette",
    default=DEFAULT_CASSETTE,
    metavar="NAME",
    help="The set of exchanges to record into or to replay; one database holds many.",
)
SPEED = Option(
    name="speed",
    default="original",
    metavar="original|instant|X",
    help="The rhythm of a replay: as recorded, without any waiting, or X times as fast.",
    recording=False,
)
REPEAT = Option(
    name="repeat",
    default=Repeat.LAST.value,
    metavar="|".join(repeat.value for repeat in Repeat),
    choices=tuple(repeat.value for repeat in Repeat),
    help="What answers a request once all its recordings were played: the last one again, "
    "all of them from the start, or an error.",
    recording=False,
)

RECORD_HOSTS = Option(
    name="record_hosts",
    default="",
    metavar="PATTERN,...",
    help="Hosts to record besides those of known LLM APIs, such as `*.internal`; `*` is all.",
    replaying=False,
)
RECORD_PATHS = Option(
    name="record_paths",
    default="",
    metavar="PATTERN,...",
    help="Paths to record on any host besides LLM-shaped ones, such as `/generate*`.",
    replaying=False,
)
TAG_HEADER = Option(
    name="tag_header",
    default=DEFAULT_TAG_HEADER,
    metavar="NAME",
    help="The request header whose value becomes the exchange's tag.",
    replaying=False,
)

NO_BODIES = Option(
    name="no_bodies",
    default="off",
    metavar="",
    help="Keep tokens, cost and timing of each exchange, but no request or response body. "
    "It cannot be replayed.",
    replaying=False,
    is_flag=True,
)

OPTIONS = (DB, CASSETTE, SPEED, REPEAT, RECORD_HOSTS, RECORD_PATHS, TAG_HEADER, NO_BODIES)

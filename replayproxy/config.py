"""One table of options: the CLI, the mitmproxy addons and the README are made from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from replayproxy.attribution import TAG_HEADER as DEFAULT_TAG_HEADER
from replayproxy.matching import PATTERNS
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
        many: it can be given several times.
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
    many: bool = False

    @property
    def flag(self) -> str:
        """As the command line has it: `--db`."""
        return "--" + self.name.replace("_", "-")

    @property
    def setting(self) -> str:
        """As mitmproxy has it: `replayproxy_db`."""
        return PREFIX + self.name

    @property
    def as_mitmproxy(self) -> tuple[str, Any, Any, str, tuple[str, ...] | None]:
        """As its `loader.add_option` takes it: name, type, default, help, choices."""
        kind, default = (
            (bool, False)
            if self.is_flag
            else (Sequence[str], [])
            if self.many
            else (str, self.default)
        )
        return self.setting, kind, default, self.help, self.choices or None


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
MAX_GAP = Option(
    name="max_gap",
    default="",
    metavar="SECONDS",
    help="No silence of a replay is longer than this; the rest of it is cut.",
    recording=False,
)
JITTER = Option(
    name="jitter",
    default="",
    metavar="SECONDS",
    help="Delay each write at random by up to this, the same way in every replay.",
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

ESTIMATE_USAGE = Option(
    name="estimate_usage",
    default="off",
    metavar="",
    help="Estimate the tokens that a provider does not say, in columns of their own; "
    "no cost is made of them.",
    replaying=False,
    is_flag=True,
)

PRICES = Option(
    name="prices",
    default="",
    metavar="FILE",
    help="Your own prices (TOML); they win over the price list.",
    env="REPLAYPROXY_PRICES",
    replaying=False,
)

OTEL_CACHE_WRITE = Option(
    name="otel_cache_write",
    default="gen_ai.usage.cache_write.input_tokens",
    metavar="NAME",
    help="What spans call the tokens written to a cache; `none` leaves them out, for back ends "
    "that would count them twice.",
    env="REPLAYPROXY_OTEL_CACHE_WRITE",
)

IGNORE = Option(
    name="ignore",
    default="",
    metavar="JSONPATH",
    help="What of a JSON body does not count when a recording is looked for, such as "
    "`$.metadata.request_id` or `$.messages[*].id`.",
    recording=False,
    many=True,
)
NORMALIZE = Option(
    name="normalize",
    default="",
    metavar="REGEX=TEXT",
    help="Text that is replaced before path, query and body are compared; or a name: "
    f"{', '.join(PATTERNS)}.",
    recording=False,
    many=True,
)
MATCH_ON = Option(
    name="match_on",
    default="",
    metavar="host,header:NAME,...",
    help="What must be the same, too.",
    recording=False,
    many=True,
)
NO_REPLAY_LOG = Option(
    name="no_replay_log",
    default="off",
    metavar="",
    help="Don't keep what was replayed in the table `replays`: the file stays as it is.",
    recording=False,
    is_flag=True,
)

OPTIONS = (
    DB,
    CASSETTE,
    SPEED,
    MAX_GAP,
    JITTER,
    REPEAT,
    IGNORE,
    NORMALIZE,
    MATCH_ON,
    NO_REPLAY_LOG,
    RECORD_HOSTS,
    RECORD_PATHS,
    TAG_HEADER,
    NO_BODIES,
    ESTIMATE_USAGE,
    PRICES,
    OTEL_CACHE_WRITE,
)

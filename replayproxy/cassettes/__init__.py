"""Text cassettes: recordings as files that people review, one YAML file each.

Lossless: wire bytes, chunk borders and times come out as they went in. Readable: JSON
and streams are shown by what they say. Nothing in a file is run or trusted.
"""

from replayproxy.cassettes.deck import Deck
from replayproxy.cassettes.files import read, write
from replayproxy.cassettes.settling import joined, settled
from replayproxy.cassettes.text import Loaded, check_keys, dumps, key_kinds, loads
from replayproxy.cassettes.track import Cassette, Track, derived

__all__ = [
    "Cassette",
    "Deck",
    "Loaded",
    "Track",
    "check_keys",
    "derived",
    "dumps",
    "joined",
    "key_kinds",
    "loads",
    "read",
    "settled",
    "write",
]

"""Which recorded exchange answers a request, and why there is none.

`canonical` says what of a request counts, `rules` what of it shall not (or shall,
too), `keys` makes one short key of it, `differences` and `misses` tell people.
"""

from replayproxy.matching.canonical import Canonical, canonical
from replayproxy.matching.differences import ABSENT, Difference, differences
from replayproxy.matching.keys import EXACT_PREFIX, match_key, prefix
from replayproxy.matching.misses import Miss, explain
from replayproxy.matching.rules import EXACT, PATTERNS, MatchRules, parse_normalize

__all__ = [
    "ABSENT",
    "EXACT",
    "EXACT_PREFIX",
    "PATTERNS",
    "Canonical",
    "Difference",
    "MatchRules",
    "Miss",
    "canonical",
    "differences",
    "explain",
    "match_key",
    "parse_normalize",
    "prefix",
]

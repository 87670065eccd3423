"""Search over prompts and answers: an FTS5 index, kept beside the recording and never in its way.

Recording writes nothing for it. The index remembers how far it is, and goes on from there
whenever somebody has time: a recorder in quiet moments (`Indexing`), and whoever searches
(`catch_up`). What is indexed is read from the stored bodies: a secret that was masked, or
a body that was not kept, cannot get into the index.
"""

from replayproxy.store.search.finding import Found, Hit, Piece, find
from replayproxy.store.search.index import (
    catch_up,
    dropped_as_damaged,
    forget,
    purge,
    rebuild,
    start_over,
    waiting,
)
from replayproxy.store.search.indexing import Indexing
from replayproxy.store.search.query import Query, parse

__all__ = [
    "Found",
    "Hit",
    "Indexing",
    "Piece",
    "Query",
    "catch_up",
    "dropped_as_damaged",
    "find",
    "forget",
    "parse",
    "purge",
    "rebuild",
    "start_over",
    "waiting",
]

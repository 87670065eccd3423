"""One SQLite file: the exchanges, their bytes and their timing."""

from replayproxy.store.copying import copy
from replayproxy.store.library import Library
from replayproxy.store.pruning import Pruned, delete, prune
from replayproxy.store.reader import Store
from replayproxy.store.rebuilding import rebuild
from replayproxy.store.relations import LikeIt
from replayproxy.store.replay_log import Replayed, ReplayLog
from replayproxy.store.repricing import Repriced, reprice
from replayproxy.store.selection import Rules
from replayproxy.store.tape import Tape
from replayproxy.store.upkeep import Upkeep
from replayproxy.store.writer import Writer

__all__ = [
    "Library",
    "LikeIt",
    "Pruned",
    "ReplayLog",
    "Replayed",
    "Repriced",
    "Rules",
    "Store",
    "Tape",
    "Upkeep",
    "Writer",
    "copy",
    "delete",
    "prune",
    "rebuild",
    "reprice",
]

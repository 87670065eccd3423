"""Where recordings go, put together: the writer, the prices, and the collector if there is one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from replayproxy.model import Exchange
from replayproxy.pricing import PriceFile, price_list, priced
from replayproxy.recording import Policy
from replayproxy.store import Store, Upkeep, Writer
from replayproxy.store.search import Indexing
from replayproxy.store.upkeep import Chores
from replayproxy.telemetry.starting import start


@contextmanager
def opened(
    db: Path,
    *,
    policy: Policy,
    prices: PriceFile | None,
    cache_write: str,
    upkeep: Upkeep | None = None,
    on_stored: Callable[[Exchange], None] = lambda exchange: None,
) -> Iterator[Writer]:
    """A writer for the length of a `with` block; at its end all is stored, and sent if possible.

    Args:
        cache_write: as the option `--otel-cache-write` has it.
        on_stored: is told of every exchange, in the writer's thread.

    Raises:
        DatabaseError: the database cannot be used.
    """
    price_list.load()
    telemetry = start(lambda: Store(db), cache_write=cache_write)

    def note(exchange: Exchange) -> None:
        if telemetry:
            telemetry.add(exchange)
        on_stored(exchange)

    try:
        enrich = partial(priced, own=prices)
        chores = Chores(Indexing(), *([upkeep] if upkeep else []))
        writer = Writer(db, policy=policy, enrich=enrich, on_stored=note, upkeep=chores)
        try:
            yield writer
        finally:
            writer.close()
    finally:
        if telemetry:  # after the writer, which stores the last exchanges when it closes
            telemetry.close()

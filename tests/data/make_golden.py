"""Makes `schema_N.db`, a database as this version writes it: run it once for each new schema.

    python -m tests.data.make_golden

A file that exists is never written again: it stands for what users have.
"""

import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from replayproxy.model import Ending, Exchange
from replayproxy.store import Store, Writer
from replayproxy.store.migrations import migrations
from tests.builders import DONE, JSON, a_head, asking, chunks, eventually, record, says

TARGET = Path(__file__).parent / f"schema_{len(migrations._migrations)}.db"
USAGE = b'data: {"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
SECRET = (("Authorization", "Bearer sk-golden"), ("x-aig-tag", "team-a"))


def enriched(exchange: Exchange) -> Exchange:
    cost = Decimal("0.25")
    return replace(
        exchange,
        provider="openai",
        cost_usd=cost,
        cost_source="reported",
        reported_cost_usd=cost,
    )


def main() -> None:
    if TARGET.exists():
        sys.exit(f"{TARGET} is there already")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "golden.db"
        writer = Writer(path, enrich=enriched)
        record(
            writer,
            *chunks((5_000_000, says("Hel")), (7_500_000, says("lo") + USAGE), (9_000_000, DONE)),
            request=asking("stream", query="alt=sse&key=AIza", headers=SECRET),
        )
        record(
            writer,
            *chunks((4_000_000, b'{"model":"gpt-4o-2024"}')),
            request=asking("json"),
            head=a_head(headers=(*JSON, ("set-cookie", "id=1"))),
            cassette="other",
        )
        record(
            writer,
            *chunks((5_000_000, says("I"))),
            request=asking("hang up"),
            ending=Ending.CLIENT_CLOSED,
        )
        record(writer, request=asking("refused"), head=None, ending=Ending.UPSTREAM_CLOSED)
        open_one = (says("never "), says("finished"))
        tape = record(writer, *chunks((6_000_000, open_one[0])), request=asking("x"), ending=None)
        with Store(path) as store:
            eventually(lambda: store.chunks(5))
            tape.chunk(8_000_000, open_one[1])
            eventually(lambda: len(store.chunks(5)) == 2)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(TARGET)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        writer.close()


if __name__ == "__main__":
    main()

"""What a recording takes: bytes on disk, and CPU to put it there.

Realistic streams of 100 chunks, no two alike, written as the recorder writes them,
beside the same in a mitmproxy flow file, a VCR cassette, and an SQLite row per chunk.
"""

import base64
import json
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from mitmproxy import connection, http
from mitmproxy.io import FlowWriter
from sqlite_utils import Database

from replayproxy.model import Chunk, Ending, Request, ResponseHead
from replayproxy.recording import Policy
from replayproxy.store import Writer, search
from replayproxy.store.compression import compress
from replayproxy.store.connection import open_for_writing
from replayproxy.store.histories import Histories
from replayproxy.store.reel import End, Reel
from tests.benchmarks.effort import Effort
from tests.benchmarks.figures import Figure, Report, Target, of_pairs
from tests.benchmarks.load import HOST, PATH
from tests.benchmarks.measuring import in_turns
from tests.benchmarks.peers import VCRPY, UnavailableError, environment
from tests.benchmarks.upstream import event

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_REQUEST_HEADERS = (
    ("Host", HOST),
    ("Content-Type", "application/json"),
    ("User-Agent", "OpenAI/Python 2.1.0"),
    ("Authorization", "Bearer sk-of-the-benchmark"),
)
_HEAD = ResponseHead(
    offset_ns=400_000_000,
    status=200,
    reason="OK",
    headers=(
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Transfer-Encoding", "chunked"),
        ("X-Request-Id", "req_0123456789abcdef0123456789abcdef"),
    ),
)
_KEY = b"a key of the benchmark"

type Stream = tuple[Request, tuple[Chunk, ...]]


def measure(effort: Effort, folder: Path) -> Report:
    """Sizes, then CPU."""
    streams = list(_streams(effort.of(1_000, 5)))
    return Report(figures=[*_sizes(effort, folder, streams), *_cpu(effort, folder, streams)])


def _streams(count: int) -> Iterator[Stream]:
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(1, 9))) for _ in range(3_000)]
    for _ in range(count):
        asked = {
            "model": "gpt-4o",
            "stream": True,
            "messages": [{"role": "user", "content": " ".join(chance.choices(words, k=40))}],
        }
        offset_ns, chunks = _HEAD.offset_ns, []
        identity = f"chatcmpl-{chance.getrandbits(128):032x}"
        for number in range(100):
            offset_ns += int(chance.expovariate(1 / 20e6))
            data = event(number, 100, id=identity, word=chance.choice(words))
            chunks.append(Chunk(offset_ns=offset_ns, data=data))
        request = Request(
            method="POST",
            scheme="https",
            host=HOST,
            port=443,
            path=PATH,
            headers=_REQUEST_HEADERS,
            body=json.dumps(asked).encode(),
        )
        yield request, tuple(chunks)


def _body(chunks: Sequence[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


def _sizes(effort: Effort, folder: Path, streams: Sequence[Stream]) -> Iterator[Figure]:
    raw = sum(len(request.body) + len(_body(chunks)) for request, chunks in streams)
    path = folder / "sizes.db"
    ours = _in_our_database(path, streams)
    search.catch_up(path)
    searchable = path.stat().st_size

    def figure(
        reference: int, against: str, limit: float | None, size: int = ours, more: str = ""
    ) -> Figure:
        return Figure(
            what=f"on disk: bytes per 100-chunk stream{more}",
            ours=size / len(streams),
            reference=reference / len(streams),
            ratio=size / reference,
            against=against,
            target=None if limit is None else Target(limit=limit),
        )

    yield figure(raw, "the raw bytes", 0.12)
    yield figure(raw, "the raw bytes", None, searchable, ", with the index of its search")
    yield figure(_in_flow_file(folder / "flows", streams), "a mitmproxy flow file", None)
    try:
        yield figure(_in_vcr_cassette(effort, streams), "a VCR cassette", None)
    except UnavailableError as error:
        yield Figure(what="on disk: bytes", against="a VCR cassette", note=str(error))


def _in_our_database(path: Path, streams: Sequence[Stream]) -> int:
    writer = Writer(path)
    for request, chunks in streams:
        tape = writer.record(request, started_at=_NOON, cassette="default")
        tape.head(_HEAD)
        for chunk in chunks:
            tape.chunk(chunk.offset_ns, chunk.data)
        tape.end(Ending.FINISHED, chunks[-1].offset_ns)
    writer.close(patience_s=60)
    assert writer.recorded == len(streams)
    return path.stat().st_size


def _in_flow_file(path: Path, streams: Sequence[Stream]) -> int:
    with path.open("wb") as file:
        for request, chunks in streams:
            flow = http.HTTPFlow(
                connection.Client(peername=("", 1), sockname=("", 2), timestamp_start=0),
                connection.Server(address=(HOST, 443)),
            )
            url = f"https://{HOST}{PATH}"
            flow.request = http.Request.make("POST", url, request.body, _as_bytes(request.headers))
            flow.response = http.Response.make(200, _body(chunks), _as_bytes(_HEAD.headers))
            FlowWriter(file).add(flow)
    return path.stat().st_size


def _as_bytes(headers: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


def _in_vcr_cassette(effort: Effort, streams: Sequence[Stream]) -> int:
    VCRPY.install(effort)
    lines = [
        json.dumps([base64.b64encode(data).decode() for data in (request.body, _body(chunks))])
        for request, chunks in streams
    ]
    client = str(Path(__file__).with_name("vcr_client.py"))
    done = subprocess.run(
        [VCRPY.program("python"), client, "size", "", f"https://{HOST}{PATH}", "0"],
        env=environment(),
        input="\n".join(lines).encode(),
        check=True,
        capture_output=True,
        timeout=300,
    )
    return int(json.loads(done.stdout))


def _cpu(effort: Effort, folder: Path, streams: Sequence[Stream]) -> Iterator[Figure]:
    with (
        closing(open_for_writing(folder / "cpu.db").conn) as ours,
        closing(sqlite3.connect(folder / "rows.db")) as opened,
    ):
        ours.execute("INSERT INTO runs VALUES (1, '2026-01-01', NULL, 1, '')")
        ours.commit()
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("PRAGMA synchronous = NORMAL")
        rows = Database(opened)
        against = "sqlite-utils, a row per chunk"
        rounds = effort.rounds(5)
        some = [iter(streams[n::rounds]) for n in range(rounds)]
        others = [iter(streams[n::rounds]) for n in range(rounds)]
        stored = in_turns(
            lambda: _us_each([_stored_s(ours, *stream) for stream in some.pop()]),
            lambda: _us_each([_rows_s(rows, *stream) for stream in others.pop()]),
            rounds,
        )
        yield of_pairs(
            "store: CPU to compress and insert a stream, us",
            stored,
            against=against,
            target=Target(limit=0.20),
            note="ours has five tables, their indexes, fingerprints and the match key in it",
        )


def _us_each(seconds: Sequence[float]) -> float:
    return sum(seconds) / len(seconds) * 1e6


def _stored_s(opened: sqlite3.Connection, request: Request, chunks: Sequence[Chunk]) -> float:
    """A transaction each, as for the other."""
    reel = Reel(
        request=request,
        started_at=_NOON,
        cassette="default",
        run_id=1,
        policy=Policy(),
        histories=Histories(),
    )
    end = End(ending=Ending.FINISHED, offset_ns=chunks[-1].offset_ns)
    reel.take([_HEAD, *chunks, end], lambda exchange: exchange)
    body = _body(chunks)
    start_s = time.thread_time()
    compress(body)  # `take` has done it, too
    reel.save(opened, _KEY)
    opened.commit()
    return time.thread_time() - start_s


def _rows_s(rows: Database, request: Request, chunks: Sequence[Chunk]) -> float:
    start_s = time.thread_time()
    exchange = rows.table("exchanges")
    exchange.insert({"path": request.path, "request": request.body})
    rows.table("chunks").insert_all(
        {"exchange": exchange.last_rowid, "n": n, "offset_ns": chunk.offset_ns, "data": chunk.data}
        for n, chunk in enumerate(chunks)
    )
    return time.thread_time() - start_s

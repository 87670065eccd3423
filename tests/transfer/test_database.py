"""A database, its text cassettes, its slim copy, its HAR and flow files: what comes back."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings

from replayproxy.cassettes import Track
from replayproxy.cli import main
from replayproxy.model import Chunk, Ending
from replayproxy.pricing import priced
from replayproxy.store import Store
from replayproxy.transfer.database import put, taken
from tests.builders import DONE, JSON, a_head, asking, chunks, says, written
from tests.cassettes.test_text import CANARY, tracks

USAGE = b'data: {"usage":{"prompt_tokens":3,"completion_tokens":4,"cost":0.5}}\n\n'
STREAM = chunks((5_000_001, says("Hi")), (7_000_000, says(" you")), (7_000_000, USAGE), (9, DONE))
SECRET_HEADERS = (("Authorization", f"Bearer {CANARY}"), ("User-Agent", "OpenAI/Python 1.2.3"))
DERIVED_ANEW = {"id", "run_id", "key_fingerprint"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def a_database(path: Path) -> Path:
    """Three exchanges of two cassettes, secrets in them, and one that cannot be replayed."""
    body = gzip.compress(b'{"object":"list"}', mtime=0)
    headers = (*JSON, ("content-encoding", "gzip"), ("set-cookie", CANARY))
    return written(
        path,
        {"request": asking("one", headers=SECRET_HEADERS, query=f"key={CANARY}"), "body": STREAM},
        {"request": asking("two"), "body": STREAM[:2], "ending": Ending.UPSTREAM_CLOSED},
        {"request": asking("lost"), "head": None, "ending": Ending.UPSTREAM_CLOSED},
        {
            "request": asking("three"),
            "body": (Chunk(offset_ns=3_000, data=body),),
            "head": a_head(headers=headers),
            "cassette": "other",
        },
        enrich=priced,
    )


def rows(db: Path) -> list[dict[str, Any]]:
    with Store(db) as store:
        return [
            {name: value for name, value in row.items() if name not in DERIVED_ANEW}
            for row in store.rows()
            if store.match_keys(row["id"])
        ]


def bodies(db: Path) -> list[tuple[bytes, tuple[Chunk, ...], list[Any]]]:
    with Store(db) as store:
        return [
            (
                store.exchange(row["id"]).request.body,
                store.chunks(row["id"]),
                store.match_keys(row["id"]),
            )
            for row in store.rows()
            if store.match_keys(row["id"])
        ]


@pytest.mark.parametrize("kind", ["folder", "har", "db"])
def test_a_database_comes_back_from_its_files_as_it_was(tmp_path: Path, kind: str) -> None:
    db = a_database(tmp_path / "a.db")
    again = tmp_path / "b.db"
    target = tmp_path / ("cassettes/" if kind == "folder" else f"out.{kind}")
    cassettes = (
        [[]] if kind == "folder" else [["--cassette", name] for name in ("default", "other")]
    )

    if kind == "har":  # it has no names of cassettes
        for number, names in enumerate(cassettes):
            file = tmp_path / f"{number}.har"
            assert run("export", file, "--db", db, *names).exit_code == 0
            assert run("import", file, "--db", again, *names).exit_code == 0
    else:
        written_to = f"{target}/" if kind == "folder" else target
        assert run("export", written_to, "--db", db).exit_code == 0
        assert run("import", target, "--db", again).exit_code == 0

    assert rows(again) == rows(db)
    assert bodies(again) == bodies(db)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tracks())
def test_any_exchange_goes_into_a_database_and_comes_out(tmp_path: Path, track: Track) -> None:
    db = tmp_path / "any.db"
    db.unlink(missing_ok=True)

    put(db, [track], cassette="c")

    with Store(db) as store:
        (row,) = store.rows()
        assert store.chunks(row["id"]) == track.chunks
        assert store.exchange(row["id"]).request.body == track.exchange.request.body


def test_flows_keep_all_but_the_chunks(tmp_path: Path) -> None:
    db = a_database(tmp_path / "a.db")

    exported = run("export", tmp_path / "out.flow", "--db", db, "--cassette", "default")
    imported = run("import", tmp_path / "out.flow", "--db", tmp_path / "b.db")

    assert exported.stderr.endswith("1 exchange left out: not whole, or without bodies\n")
    assert "does not say: no chunk borders" in imported.stderr
    found = taken(tmp_path / "b.db", cassette="out").tracks
    first = taken(db, cassette="default").tracks[0]
    assert found[0].body == first.body
    assert found[0].exchange.request.body == first.exchange.request.body
    assert len(found[0].chunks) == 1
    assert found[0].exchange.usage == first.exchange.usage


@pytest.mark.parametrize("name", ["out.yaml", "out.har", "out.flow", "out.db"])
def test_no_secret_leaves_in_a_file(tmp_path: Path, name: str) -> None:
    db = a_database(tmp_path / "a.db")

    for cassette in ("default", "other"):
        target = tmp_path / cassette / name
        assert run("export", target, "--db", db, "--cassette", cassette).exit_code == 0
        content = target.read_bytes()
        assert CANARY.encode() not in content
        assert (b"fp:" in content) == (name == "out.db")


def test_the_slim_copy_is_one_file_that_can_be_read_where_nothing_can_be_written(
    tmp_path: Path,
) -> None:
    db = a_database(tmp_path / "a.db")
    folder = tmp_path / "medium"
    folder.mkdir()
    target = folder / "slim.db"

    exported = run("export", target, "--db", db, "--cassette", "other")

    assert exported.stderr == f"exported 1 exchange to {target}\n"
    assert [file.name for file in folder.iterdir()] == ["slim.db"]
    assert target.stat().st_mode & 0o777 == 0o600
    folder.chmod(0o500)
    with closing(sqlite3.connect(f"{target.as_uri()}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        found = connection.execute("SELECT name FROM settings").fetchall()
        assert ("fingerprint_key",) not in found
        assert connection.execute("SELECT count(*) FROM bodies").fetchone() == (2,)
    with Store(target) as store:
        assert store.cassettes() == ["other"]
    folder.chmod(0o700)


def test_what_looks_like_a_key_in_a_body_is_not_exported(tmp_path: Path) -> None:
    key = "sk-ant-api03-" + "a" * 64
    db = written(tmp_path / "a.db", {"request": asking(f"use {key}"), "body": STREAM})

    refused = run("export", tmp_path / "c.yaml", "--db", db)
    allowed = run("export", tmp_path / "c.yaml", "--db", db, "--with-keys")

    assert refused.exit_code == 1
    assert "exchange 1: anthropic key" in refused.stderr
    assert key not in refused.stderr
    assert allowed.exit_code == 0
    assert key in (tmp_path / "c.yaml").read_text()


def test_more_than_fits_in_memory_at_once_is_imported_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replayproxy.transfer.database._BATCH_BYTES", 1)
    given_tracks = taken(a_database(tmp_path / "a.db"), cassette="default").tracks * 3

    put(tmp_path / "b.db", given_tracks, cassette="c")

    assert [t.body for t in taken(tmp_path / "b.db", cassette="c").tracks] == [
        t.body for t in given_tracks
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["export", "{0}/out.txt"], "does not say which format"),
        (["export", "{0}/out.yaml"], "has 2 cassettes: default, other"),
        (["export", "{0}/out.yaml", "--cassette", "x"], "has no cassette 'x'"),
        (["export", "{0}/a.db"], "is there already"),
        (["import", "{0}/nothing.har"], "No such file"),
        (["import", "{0}/junk.txt"], "neither a cassette"),
        (["import", "{0}/a.db"], "has a cassette 'default' already"),
        (["import", "{0}/empty"], "holds no .yaml and no .har file"),
        (["import", "{0}/bad.har"], "no HAR file"),
        (["import", "{0}/bad.flow"], "no flow file"),
        (["import", "{0}/bad.yaml"], "interactions"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    db = a_database(tmp_path / "a.db")
    (tmp_path / "empty").mkdir()
    for name, content in {
        "junk.txt": "hello",
        "bad.har": '{"log": 3}',
        "bad.flow": "12:nonsense",
        "bad.yaml": "interactions: 3",
    }.items():
        (tmp_path / name).write_text(content)

    result = run(*(a.format(tmp_path) for a in arguments), "--db", db)

    assert result.exit_code in {1, 2}
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert complaint in result.stderr


def test_a_cassette_whose_name_leads_out_of_the_folder_is_not_written(tmp_path: Path) -> None:
    db = written(tmp_path / "a.db", {"body": STREAM, "cassette": "../evil"})

    refused = run("export", f"{tmp_path}/out/", "--db", db)

    assert refused.exit_code == 2
    assert "no name for a file" in refused.stderr


def test_a_cassette_can_be_added_to(tmp_path: Path) -> None:
    db = a_database(tmp_path / "a.db")
    other = written(tmp_path / "b.db", {"request": asking("more"), "body": STREAM})

    added = run("import", other, "--db", db, "--add")

    assert added.exit_code == 0
    assert len(taken(db, cassette="default").tracks) == 3

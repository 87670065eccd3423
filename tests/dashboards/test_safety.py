"""What the dashboard must not do: write, run SQL, answer strangers, show secrets."""

import hashlib
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from replayproxy.dashboard import build, sql_guard
from replayproxy.errors import DatabaseError
from replayproxy.shipped import dashboards_path
from replayproxy.store import search
from tests.dashboards.sample import Said, varied, write
from tests.dashboards.site import CLOSED_TABLES, HOME, QUERY_NAMES, TABLES, VIEWS, Site, site, words

SECRET_WORD = "xylographer"
SECRET_PROMPT = f"a-prompt-nobody-else-may-read, {SECRET_WORD}"
FOLDER = dashboards_path()
EVERYWHERE = ("", ".json", ".csv", ".json?_shape=array", ".json?_shape=arrays", ".csv?_stream=1")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = {"model": "m", "messages": [{"role": "user", "content": SECRET_PROMPT}]}
    folder = tmp_path_factory.mktemp("safety")
    path = write(folder / "a.db", Said(request=asked), *varied())
    search.catch_up(path)
    return path


@pytest.fixture(scope="module")
def opened(path: Path) -> Iterator[Site]:
    with site(path) as opened:
        yield opened


def fingerprint_key(path: Path) -> bytes:
    with sqlite3.connect(path) as connection:
        (key,) = connection.execute("SELECT value FROM settings").fetchone()
    connection.close()
    assert isinstance(key, bytes)
    return key


@pytest.mark.parametrize(
    "url",
    [
        "/replayproxy?sql=select+1",
        "/replayproxy.json?sql=select+value+from+settings",
        "/replayproxy.csv?sql=select+1",
        "/replayproxy/-/query?sql=select+1",
        "/replayproxy/-/query.json?sql=select+1",
        "/_internal?sql=select+1",
        "/replayproxy/exchanges?_where=1=1",
        "/replayproxy/exchanges.json?_where=id+in+(select+value+from+settings)",
    ],
)
def test_sql_of_ones_own_is_refused(opened: Site, url: str) -> None:
    response = opened.get(url, follow_redirects=True)

    assert response.status_code in {400, 403, 404}
    assert "select 1" not in response.text.lower()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "a@b"]
)
@pytest.mark.parametrize("url", [HOME, "/", "/replayproxy/exchanges.json", "/-/static/app.css"])
def test_another_name_gets_nothing(opened: Site, host: str, url: str) -> None:
    response = opened.get(url, headers={"host": host})

    assert response.status_code == 421
    assert len(response.text) < 200


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "localhost", "LOCALHOST:1", "[::1]:8001"])
def test_the_loopbacks_own_names_are_answered(opened: Site, host: str) -> None:
    assert opened.get(HOME, headers={"host": host}).status_code == 200


def test_an_exposed_dashboard_is_reached_by_address_and_by_names_that_were_allowed(
    path: Path,
) -> None:
    with site(path, hosts=("Box.lan",), addresses=True) as opened:
        for host, status in (
            ("192.0.2.7:8001", 200),
            ("[2001:db8::1]:8001", 200),
            ("box.lan", 200),
            ("localhost:8001", 200),
            ("evil.example", 421),
            ("192.0.2.7.evil.example", 421),
            ("1", 421),
        ):
            assert opened.get(HOME, headers={"host": host}).status_code == status, host


def test_where_bodies_are_hidden_no_page_shows_them(path: Path) -> None:
    with site(path, bodies=False) as opened:
        pages = {
            url: opened.get(url)
            for url in (
                HOME,
                *(f"{HOME}/exchange/{number}{part}" for number in range(1, 9)
                  for part in ("", "/request", "/response", "/news.json", "/chunks")),
                f"{HOME}/compare?a=1&b=2",
                f"{HOME}/search?q={SECRET_WORD}",
                f"{HOME}/search.json?q={SECRET_WORD}",
                "/replayproxy/exchanges/1",
            )
        }  # fmt: skip

    for url, page in pages.items():
        for said in (b"nobody-else-may-read", b"dry in Lisbon", b"Let me look at", b"get_weather"):
            assert said not in page.content, url
    assert pages[f"{HOME}/compare?a=1&b=2"].status_code == 403
    for url in (f"{HOME}/exchange/1/request", f"{HOME}/search?q=x", f"{HOME}/search.json?q=x"):
        assert pages.get(url, pages[f"{HOME}/search?q={SECRET_WORD}"]).status_code == 403
    shown = words(pages[f"{HOME}/exchange/1"].text)
    assert "does not show what was asked and answered" in shown
    assert "time to first token" in shown
    assert 'role="search"' not in pages[HOME].text


def test_another_sites_page_gets_nothing(opened: Site) -> None:
    def status(origin: str) -> int:
        headers = {"host": "127.0.0.1:8001", "origin": origin}
        code: int = opened.get("/replayproxy/exchanges.json", headers=headers).status_code
        return code

    assert status("https://evil.example") == 403
    assert status("null") == 403
    assert status("http://127.0.0.1:9999") == 403
    assert status("http://127.0.0.1:8001") == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    "url",
    [
        "/replayproxy/exchanges/-/insert",
        "/replayproxy/exchanges/1/-/delete",
        "/replayproxy/-/create",
        "/replayproxy/over_time",
        "/-/messages",
        HOME,
    ],
)
def test_whatever_is_not_reading_is_refused(opened: Site, method: str, url: str) -> None:
    assert opened.ask(method, url, json={"row": {}}).status_code == 405


def test_the_fingerprint_key_and_the_bodies_are_on_no_page_of_datasettes(
    opened: Site, path: Path
) -> None:
    key = fingerprint_key(path)
    secrets = (SECRET_WORD, key.hex(), key.decode("latin-1"), "KLUv_", "\x28\xb5\x2f\xfd")
    names = (*TABLES, *VIEWS, *QUERY_NAMES, *CLOSED_TABLES)
    urls = [f"/replayproxy/{name}{suffix}" for name in names for suffix in EVERYWHERE]
    urls += [f"/replayproxy/search.json?search__exact={SECRET_WORD}&_shape=array"]
    urls += [f"/replayproxy/exchanges.json?_search={SECRET_WORD}&_shape=array"]
    urls += [
        "/replayproxy/settings/fingerprint_key",
        "/replayproxy/settings/fingerprint_key.json",
        "/replayproxy/settings/fingerprint_key.blob?_blob_column=value",
        "/replayproxy/settings.json?_facet=value",
        "/replayproxy/settings.json?value__notnull=1",
        "/replayproxy/bodies/1",
        "/replayproxy/bodies/1.json",
        "/replayproxy/bodies/1.blob?_blob_column=data",
        "/replayproxy/bodies.json?_facet=data",
        "/replayproxy/bodies.csv?_blob_column=data",
        "/replayproxy/bodies.json?_col=data&_sort=data",
        "/replayproxy/requests.csv?_labels=on",
        "/replayproxy/requests/1.json?_extras=foreign_key_tables",
        "/replayproxy.db",
        "/replayproxy",
        "/-/databases.json",
    ]
    for url in urls:
        response = opened.get(url, follow_redirects=True)
        for secret in secrets:
            assert secret.encode("latin-1") not in response.content, url


def test_words_are_not_guessed_through_the_index(opened: Site) -> None:
    for name in CLOSED_TABLES:
        for suffix in EVERYWHERE:
            assert opened.get(f"/replayproxy/{name}{suffix}").status_code == 403, name
    guess = f"/replayproxy/exchanges.json?_search={SECRET_WORD}&_shape=array"
    assert opened.get(guess).json() == opened.get(guess.replace("xylo", "no")).json()


def test_secret_columns_hold_nothing_whatever_asks_for_them(opened: Site) -> None:
    (row, *_) = opened.get("/replayproxy/bodies.json?_shape=array").json()

    assert row["data"] is None
    assert opened.get("/replayproxy/bodies.json?data__notnull=1&_shape=array").json() == []
    assert opened.get("/replayproxy/settings.json").status_code == 403
    assert opened.get("/replayproxy.db").status_code in {403, 404}


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT value FROM settings", [(None,)]),
        ("SELECT max(block) FROM search_data", [(None,)]),
        ("SELECT max(term) FROM search_idx", [(None,)]),
        ("SELECT max(length(prompt)), max(length(answer)) FROM search_docs", [(None, None)]),
        ("SELECT count(hash) FROM search_once", [(0,)]),
        ("SELECT count(prompt) FROM search", [(0,)]),
        ("SELECT count(value) FROM main.settings AS s", [(0,)]),
        ("SELECT max(length(data)) FROM bodies", [(None,)]),
        ("SELECT d FROM (SELECT DATA AS d FROM Bodies) LIMIT 1", [(None,)]),
        ("WITH x AS MATERIALIZED (SELECT * FROM settings) SELECT * FROM x", [(None, None)]),
        (
            "SELECT count(*) FROM exchanges JOIN settings ON settings.name = 'fingerprint_key'",
            [(0,)],
        ),
    ],
)
def test_the_authorizer_holds_for_any_statement(
    path: Path, sql: str, answer: list[tuple[object, ...]]
) -> None:
    connection = sqlite3.connect(path)
    sql_guard.prepare(connection)
    try:
        assert connection.execute(sql).fetchall() == answer
    finally:
        connection.close()


@pytest.mark.parametrize("word", [SECRET_WORD, "xylo*", "nobody AND else"])
def test_the_authorizer_lets_nobody_match_words(path: Path, word: str) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT 1 FROM search WHERE search MATCH ?", [word]).fetchall()
    sql_guard.prepare(connection)
    try:
        found = connection.execute("SELECT rowid FROM search WHERE search MATCH ?", [word])
        assert found.fetchall() == []
    except sqlite3.DatabaseError:
        pass  # as good
    finally:
        connection.close()


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH DATABASE ':memory:' AS other",
        "INSERT INTO exchanges (id) VALUES (1)",
        "UPDATE settings SET value = x'00'",
        "UPDATE sqlite_master SET sql = ''",
        "ALTER TABLE exchanges RENAME TO others",
        "DELETE FROM exchanges",
        "DROP TABLE exchanges",
        "CREATE TEMP TABLE t (x)",
        "CREATE VIEW v AS SELECT value FROM settings",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA application_id = 1",
        "PRAGMA journal_mode = DELETE",
        "VACUUM INTO '/tmp/never'",
        "SELECT load_extension('never')",
        "INSERT INTO search (search) VALUES ('optimize')",
        "CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, search, instance)",
        "DELETE FROM search_docs",
        "PRAGMA trusted_schema = OFF",
        "DETACH DATABASE main",
        "REINDEX",
        "ANALYZE",
    ],
)
def test_the_authorizer_refuses_all_but_reading(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    sql_guard.prepare(connection)
    try:
        with pytest.raises(sqlite3.DatabaseError):
            connection.execute(sql)
    finally:
        connection.close()


def test_every_answer_has_a_strict_policy(opened: Site) -> None:
    for url in (
        HOME,
        "/",
        f"{HOME}/exchange/1",
        "/replayproxy/exchanges",
        "/nothing",
        "/-/static/table.js",
    ):
        headers = opened.get(url).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert "unsafe" not in policy["script-src"]
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"


def test_each_answer_has_a_nonce_of_its_own(opened: Site) -> None:
    first, second = (opened.get(HOME).headers["content-security-policy"] for _ in range(2))

    assert first != second


def test_looking_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", *varied())
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    with site(path) as opened:
        urls = [f"/replayproxy/{name}" for name in (*TABLES, *VIEWS, *QUERY_NAMES)]
        for url in (*urls, HOME, f"{HOME}/exchange/1", "/replayproxy"):
            opened.get(url)
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}

    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert set(modes.values()) == {0o600}


def test_a_failing_page_says_so_without_telling_what_it_held(
    path: Path, opened: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    response = opened.get("/replayproxy/nothing.json")

    assert response.status_code == 404
    assert response.json()["ok"] is False
    assert "locals" not in capfd.readouterr().err


def test_a_database_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.db").write_bytes(b"words\n" * 500)

    with pytest.raises(DatabaseError, match="does not exist"):
        build(tmp_path / "none.db")
    with pytest.raises(DatabaseError, match="not a database"):
        build(tmp_path / "words.db")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "file",
    [file for kind in ("templates/*.html", "static/*.js") for file in FOLDER.glob(kind)],
    ids=lambda file: file.name,
)
def test_no_template_and_no_script_takes_text_for_markup(file: Path) -> None:
    text = file.read_text()

    assert not re.search(r"\|\s*safe\b|autoescape|Markup", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text)
    assert not re.search(r"\bon[a-z]+\s*=\s*[\"']", text)

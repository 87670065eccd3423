"""The real Datasette application on a database, asked as a browser would."""

import asyncio
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from replayproxy.dashboard import build
from replayproxy.shipped import dashboards_path
from replayproxy.store import views

HOME = "/-/replayproxy"
QUERY_NAMES = tuple(sorted(path.stem for path in (dashboards_path() / "queries").glob("*.sql")))
TABLES = (
    "exchanges",
    "settings",
    "runs",
    "requests",
    "responses",
    "bodies",
    "journal",
    "match_keys",
    "match_rules",
    "replays",
    "uncounted",
    "daily_figures",
    "daily_latencies",
    "search_position",
    "search_queue",
    "_sqlite_migrations",
)
CLOSED_TABLES = (
    "settings",
    "search",
    "search_data",
    "search_idx",
    "search_docsize",
    "search_config",
    "search_docs",
    "search_once",
)
"""Nobody may look at these."""
VIEWS = tuple(views.VIEWS)


class Site:
    """`get()` gives what httpx gives."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self._runner = asyncio.Runner()
        self._datasette = build(path, **settings)
        self._runner.run(self._datasette.invoke_startup())

    @property
    def datasette(self) -> Any:
        """The application."""
        return self._datasette

    def get(self, url: str, **more: Any) -> Any:
        """A GET."""
        return self.ask("GET", url, **more)

    def ask(self, method: str, url: str, **more: Any) -> Any:
        """Any request."""
        return self._runner.run(self._datasette.client.request(method, url, **more))

    def text(self, url: str) -> str:
        """The text of a page that is there, without its tags."""
        response = self.get(url)
        assert response.status_code == 200, (url, response.text)
        return words(response.text)

    def close(self) -> None:
        """End its threads, close its files."""
        self._runner.close()
        self._datasette.executor.shutdown()
        for database in self._datasette.databases.values():
            database.close()


@contextmanager
def site(path: Path, **settings: Any) -> Iterator[Site]:
    """A `Site` for a `with` block; with the settings of `build`."""
    opened = Site(path, **settings)
    try:
        yield opened
    finally:
        opened.close()


def words(page: str) -> str:
    """What a page says: no scripts, styles or tags, single spaces."""
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())

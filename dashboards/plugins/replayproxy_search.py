"""Search, and what is new, as routes of Datasette. See `replayproxy.dashboard`."""

import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from datasette import Response, hookimpl
from datasette.utils.asgi import NotFound

from replayproxy.dashboard import news, pages, search_page
from replayproxy.dashboard.search_page import SINCE, Asked, SearchPage
from replayproxy.dashboard.static import read_static

FOLDER = Path(__file__).resolve().parent.parent
static = read_static(FOLDER / "static")

_SHOWS_NEWS = re.compile(rf".*{pages.HOME}(?P<exchange>/exchange/(?P<id>\d{{1,18}}))?/?")


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """Search, also as JSON; news of all exchanges, and of one."""
    return [
        (rf"^{pages.HOME}/search(?P<as_json>\.json)?$", show_search),
        (rf"^{pages.HOME}/news\.json$", send_news),
        (rf"^{pages.HOME}/exchange/(?P<id>\d{{1,18}})/news\.json$", send_news),
    ]


@hookimpl
def extra_css_urls(datasette: Any) -> list[str]:
    """The style of search and news."""
    return [pages.static_url(datasette, static, "search.css")]


@hookimpl
def extra_js_urls(datasette: Any) -> list[dict[str, Any]]:
    """What looks for news."""
    return [{"url": pages.static_url(datasette, static, "live.js"), "module": True}]


@hookimpl
def extra_template_vars(template: str, datasette: Any, request: Any) -> Any:
    """`live`: what a page that shows the newest begins with, and where it asks for news."""

    async def live() -> dict[str, Any]:
        shown = _SHOWS_NEWS.fullmatch(request.path) if request else None
        if shown is None or template == "replayproxy_problem.html":
            return {}
        try:
            found = await _news(datasette, int(shown["id"]) if shown["id"] else None)
        except (sqlite3.Error, NotFound):
            return {}  # the page itself says what is wrong
        url = datasette.urls.path(f"{pages.HOME}{shown['exchange'] or ''}/news.json")
        return {"live": {**found, "url": url, "is_overview": not shown["id"]}} if found else {}

    return live


async def show_search(datasette: Any, request: Any) -> Any:
    """Exchanges that hold the words, newest first."""
    pages.need_bodies(datasette)
    names = ("q", "model", "cassette", "since", "before")
    asked = Asked.read({name: request.args.get(name) or "" for name in names})
    found: SearchPage = await pages.read(datasette, search_page.read_page, asked)
    if request.url_vars["as_json"]:
        return Response.json(found.as_json(), headers={"cache-control": "no-store"})
    return await pages.page(datasette, request, "search", page=found, since_choices=SINCE)


async def send_news(datasette: Any, request: Any) -> Any:
    """Whether a page would look different by now."""
    exchange_id = request.url_vars.get("id")
    found = await _news(datasette, None if exchange_id is None else int(exchange_id))
    if found is None:
        raise NotFound("There is no such exchange.")
    return Response.json(found, headers={"cache-control": "no-store"})


async def _news(datasette: Any, exchange_id: int | None) -> dict[str, object] | None:
    sql = news.OF_ALL if exchange_id is None else news.OF_EXCHANGE
    found = await (await pages.database(datasette)).execute(sql, {"id": exchange_id})
    return news.as_json(dict(found.rows[0])) if found.rows else None

"""The Datasette plugin: translates between Datasette and `replayproxy.dashboard`.

Works with Datasette 0.65 and 1.0, started by `replayproxy dashboard` or by
`datasette` itself (see ../README.md). Every connection to a database that
replayproxy wrote becomes read-only and blind to secrets, whoever opened it.
"""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datasette import Response, hookimpl
from datasette.utils.asgi import NotFound
from markupsafe import Markup

from replayproxy.dashboard import (
    cells,
    formats,
    pages,
    problems,
    sql_guard,
    templating,
)
from replayproxy.dashboard.asked import ARGUMENTS, KINDS, RANGES, Asked, Span
from replayproxy.dashboard.charts import Charts, Rows, read_specs
from replayproxy.dashboard.exchange_routes import ExchangeRoutes, specs_in
from replayproxy.dashboard.named_sql import read_queries
from replayproxy.dashboard.overview import read_overview
from replayproxy.dashboard.pages import HOME
from replayproxy.dashboard.remembered import Remembered
from replayproxy.dashboard.static import read_static
from replayproxy.dashboard.web_guard import App, WebGuard

FOLDER = Path(__file__).resolve().parent.parent

logger = logging.getLogger("replayproxy.dashboard")
queries = read_queries(FOLDER / "queries")
static = read_static(FOLDER / "static")
overview_specs = read_specs(FOLDER / "charts" / "overview")
remembered = Remembered()
charts = Charts(FOLDER / "charts" / "theme.json")


# -- what every page, ours or Datasette's, is made safe and ours by ------------------------------


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[App], App]:
    """Host check, read-only, security headers."""
    said = datasette.plugin_config("replayproxy") or {}
    hosts, addresses = said.get("hosts", []), said.get("addresses") is True
    return lambda app: WebGuard(app, hosts=hosts, addresses=addresses)


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Our functions, no writing, no secrets: in our databases only."""
    if sql_guard.is_ours(conn):
        sql_guard.prepare(conn)


@hookimpl
def prepare_jinja2_environment(env: Any, datasette: Any) -> None:
    """Nonces and filters."""
    templating.prepare(
        env,
        replayproxy_url=lambda path="": datasette.urls.path(HOME + path),
        replayproxy_static=lambda name: pages.static_url(datasette, static, name),
        shows_bodies=lambda: pages.shows_bodies(datasette),
    )


@hookimpl
async def startup(datasette: Any) -> None:
    """Start the chart engine; in Datasette 1.0, bring the named queries."""
    charts.warm_up()
    if hasattr(datasette, "add_query"):
        name = (await pages.database(datasette)).name
        for query in queries.values():
            await datasette.add_query(
                name,
                query.name,
                query.sql,
                title=query.title,
                description=query.description,
                is_trusted=True,
            )


@hookimpl(optionalhook=True)
def canned_queries(datasette: Any, database: str) -> Any:
    """The named queries, for Datasette 0.65."""

    async def named() -> dict[str, dict[str, str]]:
        if database != (await pages.database(datasette)).name:
            return {}
        return {
            query.name: {
                "sql": query.sql,
                "title": query.title,
                "description": query.description,
            }
            for query in queries.values()
        }

    return named


@hookimpl(wrapper=True)
def handle_exception(
    datasette: Any, request: Any, exception: Exception
) -> Generator[None, Any, list[Any]]:
    """Every error is a page of ours.

    A wrapper, so that Datasette's own handler does not run as well: it prints
    the local variables of all frames, and with them what was recorded.
    """

    async def answer() -> Any:
        problem = problems.describe(exception)
        if problem.status >= 500:
            logger.error(
                "%s: %s", formats.one_line(request.path), problem.title, exc_info=exception
            )
        if request.path.endswith(".json"):
            return Response.json(problem.as_json(), status=problem.status)
        return await pages.page(datasette, request, "problem", problem.status, problem=problem)

    yield
    return [answer]


@hookimpl
def extra_css_urls(datasette: Any) -> list[str]:
    """Our style, on every page."""
    return [pages.static_url(datasette, static, "replayproxy.css")]


@hookimpl
def extra_js_urls(datasette: Any) -> list[dict[str, Any]]:
    """Tooltips and the model menu."""
    return [{"url": pages.static_url(datasette, static, "replayproxy.js"), "module": True}]


@hookimpl
def render_cell(
    value: Any, column: str, table: str | None, database: str, datasette: Any
) -> Markup | None:
    """Figures as people read them, and the way from an exchange's id to its page."""
    return cells.render(
        value, column=column, table=table, exchange_url=datasette.urls.path(f"{HOME}/exchange/")
    )


# -- pages -----------------------------------------------------------------------------------------


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """Our pages; `/` leads to the overview."""
    of_exchanges = ExchangeRoutes(
        home=HOME,
        charts=charts,
        specs=specs_in(FOLDER / "charts" / "exchange", FOLDER / "charts" / "compare"),
        database=pages.database,
        page=pages.page,
    )
    return [
        *of_exchanges.routes(),
        (r"^/$", to_overview),
        (rf"^{HOME}$", show_overview),
        (rf"^{HOME}/static/(?P<name>[\w.-]+)$", send_static),
    ]


async def to_overview(datasette: Any) -> Any:
    """Redirect."""
    return Response.redirect(datasette.urls.path(HOME))


async def show_overview(datasette: Any, request: Any) -> Any:
    """Cost, exchanges and latency of a range of time."""
    database = await pages.database(datasette)

    async def run(name: str, parameters: Mapping[str, str]) -> Rows:
        async def read() -> Rows:
            found = await database.execute(queries[name].sql, parameters)
            return [dict(row) for row in found.rows]

        return await remembered.rows(Path(database.path), name, parameters, read)

    (span,) = await run("span", {})
    if span["first"] is None:
        return await pages.page(datasette, request, "empty", path=database.path)
    first, last = (datetime.fromisoformat(span[name]) for name in ("first", "last"))
    args = {name: request.args.get(name) or "" for name in ARGUMENTS}
    asked = Asked.read(args, Span(first, last), datetime.now(UTC))
    table = "exchanges" if asked.kind == "live" else "replays"
    table_url = datasette.urls.table(database.name, table)
    page = await read_overview(
        asked,
        run,
        overview_specs,
        charts,
        table_url=table_url,
        is_known=lambda earlier: earlier.since >= first,
    )
    home = datasette.urls.path(HOME)
    return await pages.page(
        datasette,
        request,
        "overview",
        page=page,
        asked=asked,
        ranges=RANGES,
        kinds=KINDS,
        newest=span,
        table_url=table_url,
        here=lambda **changes: f"{home}?{asked.url_query(**changes)}",
        query_url=lambda name, extension="": (
            f"{datasette.urls.database(database.name)}/{name}{extension}?{page.queries[name]}"
        ),
    )


async def send_static(request: Any) -> Any:
    """Our style and script."""
    file = static.get(request.url_vars["name"])
    if file is None:
        raise NotFound("There is no such file.")
    headers = {"cache-control": "max-age=31536000, immutable"}
    return Response(file.text, headers=headers, content_type=f"{file.content_type}; charset=utf-8")

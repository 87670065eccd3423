"""The pages of one exchange and of two: what they are asked for, and what they answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from datasette import Response
from datasette.utils.asgi import NotFound

from replayproxy.dashboard import comparison, exchange_page, pages
from replayproxy.dashboard.charts import Charts, ChartSpec, read_specs
from replayproxy.dashboard.cost_view import KINDS
from replayproxy.dashboard.traced import trace_chart
from replayproxy.dashboard.waterfall import chart_data, end_ms, thinned

CHUNKS_A_PAGE = 200
_DOWNLOAD_POLICY = "default-src 'none'; sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRoutes:
    """Handlers, as Datasette calls them.

    Attributes:
        home: what all our paths begin with.
        specs: the charts of these pages, by name.
        database: gives the database of a name, "" for the first of ours.
        page: renders one of our templates.
    """

    home: str
    charts: Charts
    specs: dict[str, ChartSpec]
    database: Callable[[Any, str], Awaitable[Any]]
    page: Callable[..., Awaitable[Any]]

    def routes(self) -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
        """For `register_routes`."""
        one = rf"^{self.home}/exchange/(?P<id>\d+)"
        part = "(?P<part>request|response)"
        handlers = {
            rf"{one}$": self.show_exchange,
            rf"{one}/chunks$": self.show_chunks,
            rf"^{self.home}/compare$": self.show_comparison,
            rf"{one}/{part}$": self.send_body,
            rf"{one}/{part}/picture/(?P<digest>[0-9a-f]{{16}})$": self.send_picture,
        }
        return [(pattern, _as_function(handler)) for pattern, handler in handlers.items()]

    async def show_exchange(self, datasette: Any, request: Any) -> Any:
        """One exchange: conversation, stream, cost, spans, bytes."""
        database, urls = await self._at(datasette, request)
        page = await asyncio.to_thread(
            exchange_page.read_page,
            Path(database.path),
            _id(request),
            bodies=pages.shows_bodies(datasette),
        )
        seen = page.seen
        charts: dict[str, Any] = {}
        if seen.ticks:
            words: dict[str, Any] = {"end_ms": end_ms(seen.exchange, seen.ticks)}
            data = chart_data(seen.exchange, seen.ticks, page.events)
            charts["stream"] = await self.charts.render(self.specs["stream"], data, words)
        if page.traced.trace:
            rows = trace_chart(page.traced.trace, _id(request))
            start, mark, query = urls.exchange("").partition("?")
            words = {"exchange_url": start, "query": mark + query}
            charts["trace"] = await self.charts.render(self.specs["trace"], {"trace": rows}, words)
        return await self.page(
            datasette,
            request,
            "exchange",
            page=page,
            charts=charts,
            specs=self.specs,
            steps=json.dumps(steps(page)),
            kinds=KINDS,
            **urls.context(),
        )

    async def show_chunks(self, datasette: Any, request: Any) -> Any:
        """Some of a long stream's chunks, with their events."""
        database, urls = await self._at(datasette, request)
        first = _number(request.args.get("first") or "0") or 0
        page = await asyncio.to_thread(
            exchange_page.read_chunk_page,
            Path(database.path),
            _id(request),
            first=first,
            count=CHUNKS_A_PAGE,
            bodies=pages.shows_bodies(datasette),
        )
        context = {"page": page, "count": CHUNKS_A_PAGE, **urls.context()}
        return await self.page(datasette, request, "chunks", **context)

    async def show_comparison(self, datasette: Any, request: Any) -> Any:
        """Two exchanges beside each other; without their ids, the question which."""
        pages.need_bodies(datasette)
        given = request.args.getlist("id") + ["", ""]  # as the table's boxes send them
        asked = {
            "a": request.args.get("a") or given[0],
            "b": request.args.get("b") or given[1],
            "a_database": request.args.get("a_database") or "",
            "b_database": request.args.get("b_database") or "",
        }
        context = {"asked": asked, "spec": self.specs["rhythm"]}
        a, a_urls = await self._side(datasette, asked, "a")
        b, b_urls = await self._side(datasette, asked, "b")
        context["exchanges_url"] = a_urls.table("exchanges")
        if a is None or b is None:
            return await self.page(datasette, request, "compare", **context)
        found = await asyncio.to_thread(comparison.compare, a, b)
        sides = (found.a, found.b)
        chart = None
        if any(side.ticks for side in sides):
            words = {"end_ms": max(end_ms(side.exchange, side.ticks) for side in sides)}
            data = comparison.rhythm(found)
            chart = await self.charts.render(self.specs["rhythm"], data, words)
        swapped = {f"{'b' if key[0] == 'a' else 'a'}{key[1:]}": v for key, v in asked.items() if v}
        context |= {
            "found": found,
            "chart": chart,
            "a_url": a_urls.exchange(asked["a"]),
            "b_url": b_urls.exchange(asked["b"]),
            "swap_url": f"{datasette.urls.path(f'{self.home}/compare')}?{urlencode(swapped)}",
        }
        return await self.page(datasette, request, "compare", **context)

    async def _side(
        self, datasette: Any, asked: Mapping[str, str], which: str
    ) -> tuple[tuple[Path, int] | None, "Urls"]:
        name = asked[f"{which}_database"]
        database = await self.database(datasette, name)
        urls = Urls(datasette, self.home, database.name, name)
        if not asked[which]:
            return None, urls
        number = _number(asked[which])
        if number is None:
            raise NotFound(f"There is no exchange {asked[which]}.")
        return (Path(database.path), number), urls

    async def send_body(self, datasette: Any, request: Any) -> Any:
        """The wire bytes of a request or a response, as a file to keep: never to be rendered."""
        pages.need_bodies(datasette)
        database, _ = await self._at(datasette, request)
        number, part = _id(request), request.url_vars["part"]
        body = await asyncio.to_thread(exchange_page.read_body, Path(database.path), number, part)
        headers = {
            "content-disposition": f'attachment; filename="exchange-{number}-{part}.bin"',
            "content-security-policy": _DOWNLOAD_POLICY,
        }
        return Response(body, headers=headers, content_type="application/octet-stream")

    async def send_picture(self, datasette: Any, request: Any) -> Any:
        """A picture that was sent inside JSON, if it is one that is safe to show."""
        pages.need_bodies(datasette)
        database, _ = await self._at(datasette, request)
        part, digest = request.url_vars["part"], request.url_vars["digest"]
        found = await asyncio.to_thread(
            exchange_page.read_picture, Path(database.path), _id(request), part, digest
        )
        if found is None:
            raise NotFound("There is no such picture that can be shown.")
        picture, data = found
        headers = {
            "content-security-policy": _DOWNLOAD_POLICY,
            "cache-control": "private, max-age=86400, immutable",
        }
        return Response(data, headers=headers, content_type=picture.media_type)

    async def _at(self, datasette: Any, request: Any) -> tuple[Any, "Urls"]:
        name = request.args.get("database") or ""
        database = await self.database(datasette, name)
        return database, Urls(datasette, self.home, database.name, name)


class Urls:
    """Addresses of one database's pages; `asked` is its name in the URL, if it is there."""

    def __init__(self, datasette: Any, home: str, database: str, asked: str) -> None:
        self._datasette = datasette
        self._home = home
        self._database = database
        self._asked = asked

    def exchange(self, rest: object, **more: object) -> str:
        """`rest`: the id, and perhaps a part."""
        query = urlencode({**({"database": self._asked} if self._asked else {}), **more})
        path = self._datasette.urls.path(f"{self._home}/exchange/{rest}")
        return f"{path}?{query}" if query else str(path)

    def compare(self, a: int, b: int) -> str:
        """Two exchanges of this database."""
        query: dict[str, object] = {"a": a, "b": b}
        if self._asked:
            query.update(a_database=self._asked, b_database=self._asked)
        return f"{self._datasette.urls.path(f'{self._home}/compare')}?{urlencode(query)}"

    def table(self, name: str, extension: str = "", **where: object) -> str:
        """A table, or some of its rows."""
        query = urlencode(where)
        url = f"{self._datasette.urls.table(self._database, name)}{extension}"
        return f"{url}?{query}" if query else url

    def context(self) -> dict[str, Any]:
        """For templates."""
        return {
            "exchange_url": self.exchange,
            "compare_url": self.compare,
            "table_url": self.table,
            "database_name": self._asked,
        }


def _as_function(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Datasette 1.0 takes no methods for routes."""

    async def view(datasette: Any, request: Any) -> Any:
        return await handler(datasette, request)

    return view


def steps(page: exchange_page.ExchangePage) -> list[tuple[float, ...]]:
    """What the page's script follows a stream by: (number, ms, characters said) a chunk."""
    said_to = page.events.said_to
    return [
        (tick.seq, tick.offset_ms, said_to[tick.seq])
        for tick in thinned(page.seen.ticks)
        if tick.seq < len(said_to)
    ]


def specs_in(*folders: Path) -> dict[str, ChartSpec]:
    """The charts of folders, by name."""
    return {spec.name: spec for folder in folders for spec in read_specs(folder)}


def _id(request: Any) -> int:
    """The exchange's id in the URL; one that SQLite cannot hold is not known either."""
    number = _number(request.url_vars["id"])
    if number is None:
        raise NotFound("There is no such exchange.")
    return number


def _number(text: str) -> int | None:
    number = int(text[:30]) if text.isascii() and text.isdecimal() else -1
    return number if 0 <= number < 2**63 else None

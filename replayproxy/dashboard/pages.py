"""What every page of ours needs of Datasette, whatever file of the plugins it is in."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replayproxy.dashboard import sql_guard
from replayproxy.dashboard.static import StaticFile

HOME = "/-/replayproxy"
"""Where our pages are."""


async def database(datasette: Any, name: str = "") -> Any:
    """The first database that replayproxy wrote, or the one of that name."""
    from datasette.utils.asgi import NotFound

    for found in datasette.databases.values():
        is_asked_for = name in {"", found.name} and found.path
        if is_asked_for and await found.execute_fn(sql_guard.is_ours):
            return found
    raise NotFound("No replayproxy database is open here.")


async def page(datasette: Any, request: Any, name: str, status: int = 200, **context: Any) -> Any:
    """The template `replayproxy_NAME.html`, as a response."""
    from datasette import Response

    html = await datasette.render_template(
        f"replayproxy_{name}.html", {**context, "is_ours": True}, request=request
    )
    return Response.html(html, status=status, headers={"cache-control": "no-store"})


def shows_bodies(datasette: Any) -> bool:
    """Whether what was asked and answered may be shown: so it is, unless it was forbidden."""
    return (datasette.plugin_config("replayproxy") or {}).get("bodies") is not False


def need_bodies(datasette: Any) -> None:
    """Refuse what is made of bodies where they are not shown."""
    from datasette.utils.asgi import Forbidden

    if not shows_bodies(datasette):
        raise Forbidden("This dashboard does not show what was asked and answered.")


def static_url(datasette: Any, static: Mapping[str, StaticFile], name: str) -> str:
    """Where a style or a script is; it changes with its text."""
    return str(datasette.urls.path(f"{HOME}/static/{name}?{static[name].version}"))


async def read[T](datasette: Any, reader: Any, *arguments: Any) -> T:
    """What `reader(path, *arguments)` gives, in a thread: it reads the file by itself."""
    path = Path((await database(datasette)).path)
    found: T = await asyncio.to_thread(reader, path, *arguments)
    return found

"""Starts Datasette on one database, with settings that make it safe to leave running."""

import asyncio
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from replayproxy.address import is_loopback, url_of
from replayproxy.dashboard.indexer import indexing
from replayproxy.dashboard.password import PasswordGuard
from replayproxy.dashboard.web_guard import App
from replayproxy.errors import ListenError, MissingExtraError
from replayproxy.shipped import dashboards_path
from replayproxy.store.connection import open_for_reading

if TYPE_CHECKING:
    from datasette.app import Datasette

DATABASE_NAME = "replayproxy"
"""What the database is called in every URL, whatever its file is called."""

PLUGIN_NAME = "replayproxy"

SETTINGS: dict[str, int | bool] = {
    "allow_download": False,  # the file holds what its pages do not show
    "default_allow_sql": False,
    "suggest_facets": False,  # each costs a scan of the table
    "facet_time_limit_ms": 1000,
    "sql_time_limit_ms": 3000,
    "max_csv_mb": 0,  # a limit would cut the file short and say nothing
    "max_returned_rows": 5000,
    "num_sql_threads": 4,
}


def build(
    path: Path, *, hosts: tuple[str, ...] = (), addresses: bool = False, bodies: bool = True
) -> "Datasette":
    """A Datasette application on the database at `path`, opened read-only.

    Args:
        hosts: names by which it may be reached besides the loopback's own.
        addresses: it may be reached by any IP address as well.
        bodies: show what was asked and answered, and not only its figures.

    Raises:
        DatabaseError: there is none, or it is not ours, damaged, or too new.
        MissingExtraError: Datasette is not installed.
    """
    try:
        import vl_convert  # noqa: F401 - better missed now than in a page
        from datasette.app import Datasette
        from datasette.database import Database
        from datasette.utils import parse_metadata
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            feature="replayproxy dashboard", extra="dashboard", module=error.name or "datasette"
        ) from error
    open_for_reading(path).close()
    folder = dashboards_path()
    metadata = parse_metadata((folder / "metadata.yaml").read_text())
    metadata["plugins"] = {
        PLUGIN_NAME: {
            "hosts": list(hosts),
            "addresses": addresses,
            "bodies": bodies,
        }
    }
    datasette = Datasette(
        metadata=metadata,
        settings=SETTINGS,
        plugins_dir=str(folder / "plugins"),
        template_dir=str(folder / "templates"),
    )
    for name in [name for name in datasette.databases if name == "_memory"]:
        datasette.remove_database(name)
    database = Database(datasette, str(path.resolve()), is_mutable=True)
    datasette.add_database(database, name=DATABASE_NAME)
    return datasette


def serve(
    path: Path,
    *,
    host: str,
    port: int,
    on_listening: Callable[[str], None],
    open_browser: bool = False,
    hosts: tuple[str, ...] = (),
    bodies: bool = True,
    password: str | None = None,
) -> None:
    """Serve the dashboard until SIGTERM or Ctrl-C; then return.

    Args:
        host: where to listen.
        port: likewise; 0 picks a free one.
        on_listening: is given the URL once connections are accepted.
        hosts: as `build`; on an address that others can reach, any IP address does, too.
        bodies: as `build`.
        password: what must be said to see anything.

    Raises:
        DatabaseError: as `build`.
        MissingExtraError: as `build`.
        ListenError: the address cannot be bound.
    """
    exposed = not is_loopback(host)
    datasette = build(path, hosts=(host, *hosts), addresses=exposed, bodies=bodies)
    with _bound(host, port) as listener:
        url = url_of(host, listener.getsockname()[1])

        def announce() -> None:
            on_listening(url)
            if open_browser:
                webbrowser.open(url)

        try:
            with indexing(path):
                asyncio.run(_serve(datasette, listener, announce, password))
        finally:
            datasette.executor.shutdown(cancel_futures=True)
            for database in datasette.databases.values():
                database.close()


async def _serve(
    datasette: "Datasette",
    listener: socket.socket,
    announce: Callable[[], None],
    password: str | None,
) -> None:
    from replayproxy.dashboard.server import Server

    await datasette.invoke_startup()
    app: App = datasette.app()
    if password is not None:  # outermost: nothing is said to who does not know it
        app = PasswordGuard(app, password)
    await Server(app, announce).serve(sockets=[listener])


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket, so that "port in use" is known before anything else starts."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(host=host, port=port, reason=reason) from error

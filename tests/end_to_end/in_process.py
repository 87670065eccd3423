"""The player and its server on a thread of this process, so that a test can break it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replayproxy import replaying
from replayproxy.certificates import Authority
from replayproxy.serving.origin import Origin


@contextmanager
def playing(folder: Path) -> Iterator[str]:
    """What `replayproxy replay` in this folder is made of; gives its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    certificates = Authority(folder / "home")

    async def start() -> tuple[Origin, int]:
        origin = Origin(player, certificates=certificates)
        return origin, await origin.start("127.0.0.1", 0)

    try:
        with replaying.opened(folder / "replayproxy.db", cassette="default") as (player, _):
            origin, port = asyncio.run_coroutine_threadsafe(start(), loop).result()
            yield f"http://127.0.0.1:{port}"
            asyncio.run_coroutine_threadsafe(origin.close(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

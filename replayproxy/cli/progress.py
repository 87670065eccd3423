"""Progress on long work: a bar on a terminal, and nothing where there is none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a function that is told (done, of all)."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, visible=False)

        def on_progress(done: int, of_all: int) -> None:
            bar.update(task, completed=done, total=of_all, visible=of_all > 0)

        yield on_progress

"""Cassettes for tests: the context manager here, the fixture in `replayproxy.pytest_plugin`.

Nothing of pytest is needed, nor of mitmproxy unless something is recorded.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from replayproxy.errors import ReplayMiss
from replayproxy.run_folder import run_folder
from replayproxy.settings_file import match_rules
from replayproxy.testing import report
from replayproxy.testing.naming import cassette_path
from replayproxy.testing.session import CassetteSession, opened
from replayproxy.testing.settings import Mode, Settings, parse_mode, parse_upstreams

__all__ = ["CassetteSession", "Mode", "cassette"]

MODE_VARIABLE = "REPLAYPROXY_MODE"


@contextmanager
def cassette(
    name: str | Path,
    *,
    mode: str | None = None,
    upstream: str | Iterable[str] = (),
    speed: str = "instant",
    ignore: Iterable[str] = (),
    normalize: Iterable[str] = (),
    match_on: Iterable[str] = (),
) -> Iterator[CassetteSession]:
    """A cassette for the length of a `with` block: for unittest, scripts and notebooks.

    Args:
        name: `cassettes/NAME.yaml` beside the calling file; or the path of a .yaml file.
        mode: `replay` (the default, or what `REPLAYPROXY_MODE` says), `record`,
            `replay-or-record` or `rerecord`.
        upstream: the API's base URL; several as `NAME=URL`.
        speed: `instant`, `original`, or a factor.
        ignore, normalize, match_on: as the options of `replayproxy replay`.

    Raises:
        ReplayMiss: at the end, if something was asked that was not recorded.
        CassetteError: the cassette cannot be used.
        UsageError: an argument makes no sense.
    """
    given = Path(name)
    path = given if given.suffix == ".yaml" else cassette_path(_caller().parent, str(name))
    settings = Settings(
        path=path,
        mode=parse_mode(mode or os.environ.get(MODE_VARIABLE) or Mode.REPLAY),
        upstreams=parse_upstreams([upstream] if isinstance(upstream, str) else upstream),
        speed=speed,
        rules=match_rules(Path("replayproxy.db"), ignore=ignore, normalize=normalize, on=match_on),
        record_command=f"{MODE_VARIABLE}=record {' '.join(map(str, sys.orig_argv[:3]))}",
        run=run_folder(),
    )
    with opened(settings) as session:
        try:
            yield session
        except Exception as error:
            if lines := _missed(session):
                error.add_note("\n".join(["replayproxy:", *lines]))
            raise
        if lines := _missed(session):
            raise ReplayMiss("\n".join(["not everything was recorded:", *lines]))


def _missed(session: CassetteSession) -> list[str]:
    result = session.result()
    if not result.misses and not result.refused:
        return []
    return report.told(result, result.misses, root=Path.cwd())


def _caller() -> Path:
    """The file that has the `with`."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename in {
        __file__,
        contextmanager.__code__.co_filename,
    }:
        frame = frame.f_back
    return Path(frame.f_code.co_filename).resolve()

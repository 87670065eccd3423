"""`replayproxy export`: cassettes of a database as files that others can use."""

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

import click

from replayproxy import cassettes
from replayproxy.cassettes.files import SUFFIX, replace_bytes
from replayproxy.cli.options import db_option
from replayproxy.cli.text import plural, say
from replayproxy.errors import UsageError
from replayproxy.store import Store
from replayproxy.store import copy as copy_database
from replayproxy.transfer import formats
from replayproxy.transfer.database import Taken, taken
from replayproxy.transfer.formats import Format

_WRITTEN = [kind.value for kind in Format if kind is not Format.VCR]


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@db_option
@click.option("--cassette", "names", metavar="NAME", multiple=True, help="Only this cassette.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(_WRITTEN),
    help="What to write; without it the name of TARGET says so.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--with-keys", is_flag=True, help="Write even bodies that seem to hold API keys.")
def export(
    *,
    target: Path,
    db: Path,
    names: tuple[str, ...],
    kind: str | None,
    force: bool,
    with_keys: bool,
) -> None:
    """Write recordings to TARGET: a file, or a folder of text cassettes.

    A text cassette (.yaml) and a slim database (.db) lose nothing but secrets.
    HAR (.har) and mitmproxy flows (.flow) have no word for the chunks of a
    stream. What cannot be replayed is left out, but for a database.

    \b
    Examples:
      replayproxy export --cassette checkout tests/cassettes/checkout.yaml
      replayproxy export tests/cassettes/         # every cassette a file
      replayproxy export slim.db
      replayproxy export traffic.har
    """
    wanted = _wanted(db, names)
    to_folder = kind is None and (target.is_dir() or not target.suffix)
    form = Format.CASSETTE if to_folder else Format(kind) if kind else formats.of_name(target)
    if form is Format.SQLITE:
        _check_free(target, force=force)
        _copy(db, target, names)
    elif form is Format.CASSETTE:
        files = {name: _file(target, name) if to_folder else target for name in wanted}
        if len(set(files.values())) < len(wanted):
            raise UsageError(
                f"{db} has {len(wanted)} cassettes: {', '.join(wanted)}. Name one with --cassette, "
                f"or a folder: replayproxy export {target.parent}"
            )
        for name, file in files.items():
            _check_free(file, force=force)
            _write_cassette(file, name, taken(db, cassette=name), with_keys=with_keys)
    else:
        _check_free(target, force=force)
        found = [taken(db, cassette=name) for name in wanted]
        tracks = [track for one in found for track in one.tracks]
        if not with_keys:
            cassettes.check_keys(cassettes.Cassette(tracks=tuple(tracks)))
        replace_bytes(target, formats.dump(tracks, form), private=True)
        _tell(target, len(tracks), sum(one.left_out for one in found))


def _wanted(db: Path, names: tuple[str, ...]) -> list[str]:
    with Store(db) as store:
        there = store.cassettes()
    if unknown := [name for name in names if name not in there]:
        known = ", ".join(map(repr, there)) or "nothing at all"
        raise UsageError(f"{db} has no cassette {unknown[0]!r}; there is {known}")
    if not there:
        raise UsageError(f"{db} holds nothing yet. Record something: replayproxy record")
    return list(names) or there


def _file(folder: Path, name: str) -> Path:
    """Where a cassette goes; its name may have folders, but none outside."""
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
        raise UsageError(f"the cassette {name!r} has no name for a file: give it one of your own")
    return folder.joinpath(*parts[:-1], parts[-1] + SUFFIX)


def _check_free(target: Path, *, force: bool) -> None:
    if target.exists() and not force:
        raise UsageError(f"{target} is there already. Replace it with --force.")


def _write_cassette(file: Path, name: str, found: Taken, *, with_keys: bool) -> None:
    days = [track.exchange.started_at.date() for track in found.tracks]
    cassette = cassettes.Cassette(tracks=tuple(found.tracks), recorded=max(days, default=None))
    if not with_keys:
        cassettes.check_keys(cassette)
    cassettes.write(file, cassette)
    _tell(file, len(found.tracks), found.left_out, of=name)


def _copy(db: Path, target: Path, names: Iterable[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        new = Path(folder) / target.name
        count = copy_database(db, new, cassettes=list(names) or None)
        with suppress(FileNotFoundError):
            target.unlink()
        new.replace(target)
    _tell(target, count, 0)


def _tell(target: Path, count: int, left_out: int, *, of: str | None = None) -> None:
    cassette = f" of cassette {of!r}" if of else ""
    rest = f"; {plural(left_out, 'exchange')} left out: not whole, or without bodies"
    say(f"exported {plural(count, 'exchange')}{cassette} to {target}{rest if left_out else ''}")

"""`replayproxy import`: files of recordings into a database."""

from collections.abc import Iterator
from pathlib import Path

import click

from replayproxy.cli.options import db_option
from replayproxy.cli.text import plural, say
from replayproxy.errors import UsageError
from replayproxy.store import Store
from replayproxy.transfer import formats
from replayproxy.transfer.database import put, taken
from replayproxy.transfer.foreign import Imported
from replayproxy.transfer.formats import Format


@click.command("import")
@click.argument(
    "files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True
)
@db_option
@click.option(
    "--cassette",
    metavar="NAME",
    help="Into this cassette; without it, into one of the file's name.",
)
@click.option("--add", is_flag=True, help="Also into a cassette that is there already.")
def import_files(files: tuple[Path, ...], db: Path, cassette: str | None, add: bool) -> None:
    """Read recordings into a database: cassettes, databases, HAR, flows, VCR.py.

    What a FILE is, is told by its content; of a folder, every .yaml and .har in
    it is read, and its path there is the cassette's name. Secrets are taken out
    as in a recording. What a format does not know, such as timing, is said.

    \b
    Examples:
      replayproxy import traffic.har --cassette browser
      replayproxy import old.flow
      replayproxy import tests/cassettes/ --db moved.db     # VCR.py's, too
    """
    before = _cassettes(db)
    made: set[str] = set()
    for file, name in _named(files):
        kind = formats.of_content(file)
        if kind is Format.SQLITE:
            found = _of_database(file, cassette)
        else:
            found = {cassette or name: formats.load(file, kind)}
        for into, imported in found.items():
            if not add and (into in before or (into in made and not cassette)):
                raise UsageError(
                    f"{db} has a cassette {into!r} already. Name another with --cassette, "
                    f"or add to it with --add. {file} was not imported."
                )
            put(db, imported.tracks, cassette=into)
            made.add(into)
            _tell(file, kind, into, imported)


def _cassettes(db: Path) -> set[str]:
    if not db.exists():
        return set()
    with Store(db) as store:
        return set(store.cassettes())


def _named(files: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Each file and the cassette it stands for."""
    for file in files:
        if not file.is_dir():
            yield file, file.stem
            continue
        inside = sorted(p for p in file.rglob("*") if p.suffix in {".yaml", ".yml", ".har"})
        if not inside:
            raise UsageError(f"{file} holds no .yaml and no .har file")
        yield from ((p, p.relative_to(file).with_suffix("").as_posix()) for p in inside)


def _of_database(file: Path, cassette: str | None) -> dict[str, Imported]:
    """Each of its cassettes, or all of them as one."""
    with Store(file) as store:
        names = store.cassettes()
    found: dict[str, Imported] = {}
    for name in names:
        one = taken(file, cassette=name)
        imported = found.setdefault(cassette or name, Imported())
        imported.tracks += one.tracks
        for _ in range(one.left_out):
            imported.skip("not whole, or without bodies")
    return found


def _tell(file: Path, kind: Format, name: str, imported: Imported) -> None:
    say(f"imported {plural(len(imported.tracks), 'exchange')} of {file} into cassette {name!r}")
    for reason, times in imported.skipped.items():
        say(f"  {plural(times, 'exchange')} left out: {reason}")
    if imported.unknown and imported.tracks:
        say(f"  what this {kind} file does not say: {imported.unknown}")

"""`replayproxy ca`: our certificate authority, which intercepted clients have to trust."""

import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from replayproxy import trust as trusting
from replayproxy.cli.extras import require
from replayproxy.cli.options import json_option
from replayproxy.cli.running import ca_folder_option
from replayproxy.cli.text import say
from replayproxy.errors import UsageError
from replayproxy.home import authority

if TYPE_CHECKING:
    from replayproxy.certificates import Authority


@click.group()
def ca() -> None:
    """The certificate authority that opens the TLS of clients.

    It is made on first use, for this user alone: its key never leaves its folder
    (0600), and nothing trusts it by itself. mitmproxy's own can be used in its place:
    --ca-folder ~/.mitmproxy, here and for record, replay, env and doctor.

    \b
    Examples:
      replayproxy ca show
      replayproxy ca trust
      curl --cacert "$(replayproxy ca path)" https://api.openai.com/
      replayproxy ca export --format p12 --output replayproxy.p12
    """


@ca.command()
@ca_folder_option
def path() -> None:
    """Print the file of its certificate (PEM); it is made if need be.

    \b
    Examples:
      SSL_CERT_FILE="$(replayproxy ca path)" ./app
    """
    click.echo(_ready().certificate_file)


@ca.command()
@json_option
@ca_folder_option
def show(*, as_json: bool) -> None:
    """Whose it is, its fingerprint, how long it is valid, and where it is.

    \b
    Examples:
      replayproxy ca show
      replayproxy ca show --json --ca-folder ~/.mitmproxy
    """
    facts = _ready().facts()
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ')}: {value}")


@ca.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["pem", "der", "p12"]),
    default="pem",
    show_default=True,
    help="p12 is a trust store for Java (password: changeit).",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default="-",
    metavar="FILE",
    help="Where to; standard output by default.",
)
@ca_folder_option
def export(*, form: str, output: Path) -> None:
    """Write the certificate, never its key, for other programs.

    \b
    Examples:
      replayproxy ca export --format der --output replayproxy.crt
      replayproxy ca export | ssh server 'cat > replayproxy.pem'
    """
    data = _ready().exported(form)
    if str(output) == "-":
        click.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"--output {output} cannot be written: {error.strerror}") from error


@ca.command()
@ca_folder_option
def trust() -> None:
    """Print what makes this machine's stores trust it, and what undoes that.

    Nothing is done: copy what you want. `record -- COMMAND` needs none of it.

    \b
    Examples:
      replayproxy ca trust
      replayproxy ca trust --ca-folder ~/.mitmproxy
    """
    ours = _ready()
    say(
        "Whoever has the key of this authority can read what trusts it. Trust it on machines "
        "that you develop on, and undo it when you are done."
    )
    for store in trusting.stores(
        ours.certificate_file, platform=sys.platform, linux=_linux(), sha1=ours.sha1
    ):
        click.echo(f"\n# {store.name}")
        for line in store.trust:
            click.echo(line)
        for line in store.undo:
            click.echo(f"# undo: {line}")
        if store.note:
            click.echo(f"# {store.note}")


def _ready() -> "Authority":
    require("mitmproxy", feature="replayproxy ca", extra="proxy")
    found = authority()
    assert found is not None
    return found


def _linux() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    return f"{release.get('ID', '')} {release.get('ID_LIKE', '')}"

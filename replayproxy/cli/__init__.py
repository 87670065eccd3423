"""The command line: one file per command, each parses, calls and prints."""

import click

from replayproxy import __version__
from replayproxy.cli.ca import ca
from replayproxy.cli.cassette import cassette
from replayproxy.cli.completion import completion
from replayproxy.cli.dashboard import dashboard
from replayproxy.cli.delete import delete
from replayproxy.cli.demo import demo
from replayproxy.cli.doctor import doctor
from replayproxy.cli.env import env
from replayproxy.cli.export import export
from replayproxy.cli.import_ import import_files
from replayproxy.cli.list_ import list_exchanges
from replayproxy.cli.prune import prune
from replayproxy.cli.rebuild import rebuild
from replayproxy.cli.record import record
from replayproxy.cli.replay import replay
from replayproxy.cli.reprice import reprice
from replayproxy.cli.search import search
from replayproxy.cli.show import show
from replayproxy.cli.stats import stats
from replayproxy.cli.text import one_line
from replayproxy.cli.verify import verify
from replayproxy.cli.webhook import webhook
from replayproxy.errors import ReplayproxyError


class _Commands(click.Group):
    """The commands, in the order of their use. Our errors are one line, not a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ReplayproxyError as error:
            click.echo(f"Error: {one_line(str(error))}", err=True)
            ctx.exit(error.exit_code)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: replayproxy demo",
)
@click.version_option(__version__, prog_name="replayproxy")
def main() -> None:
    """Record and replay LLM API traffic, stream by stream, and see what it cost.

    \b
    Examples:
      replayproxy record -- ./app             record what any program says to LLMs
      replayproxy replay -- ./app             the same again: no network, no key
      replayproxy stats                       what it cost
      replayproxy dashboard --open            see it
    """


for command in (
    record,
    replay,
    verify,
    list_exchanges,
    show,
    search,
    stats,
    reprice,
    export,
    import_files,
    cassette,
    delete,
    prune,
    rebuild,
    webhook,
    dashboard,
    env,
    ca,
    doctor,
    completion,
    demo,
):
    main.add_command(command)

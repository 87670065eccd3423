"""`replayproxy completion`: what a shell needs to complete our commands."""

import click
from click.shell_completion import get_completion_class

from replayproxy.errors import UsageError

_NAME = "replayproxy"
_VARIABLE = "_REPLAYPROXY_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print a script that makes a shell complete our commands and options.

    \b
    Examples:
      source <(replayproxy completion bash)          # in ~/.bashrc
      source <(replayproxy completion zsh)           # in ~/.zshrc, after compinit
      replayproxy completion fish > ~/.config/fish/completions/replayproxy.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise UsageError(f"{shell} cannot be completed: click knows nothing of it")
    script = found(ctx.find_root().command, {}, _NAME, _VARIABLE)
    # not `source()`: for bash it runs one, to tell people that theirs is old
    click.echo(script.source_template % script.source_vars())

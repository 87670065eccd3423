"""Options that several commands share, made from the table in config.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from replayproxy import config
from replayproxy.pricing import PriceFile

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def read_prices(path: str) -> PriceFile | None:
    """The price file, if one is named."""
    return PriceFile.read(Path(path).expanduser()) if path else None


class _Address(click.ParamType[tuple[str, int]]):
    """`HOST:PORT` or `PORT`, as a pair."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8080", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)


def from_table(option: config.Option, **extra: Any) -> Decorator:
    """An option of the table as a click option."""
    return click.option(
        option.flag,
        default=None if option.many else option.default,
        metavar=option.metavar,
        envvar=option.env,
        help=option.help,
        show_default=bool(option.default),
        show_envvar=option.env is not None,
        multiple=option.many,
        **extra,
    )


db_option = from_table(
    config.DB,
    type=click.Path(dir_okay=True, path_type=Path),
    callback=lambda c, p, v: v.expanduser(),
)
cassette_option = from_table(config.CASSETTE)
speed_option = from_table(config.SPEED)
max_gap_option = from_table(config.MAX_GAP)
jitter_option = from_table(config.JITTER)
repeat_option = from_table(config.REPEAT, type=click.Choice(config.REPEAT.choices))
record_hosts_option = from_table(config.RECORD_HOSTS)
record_paths_option = from_table(config.RECORD_PATHS)
tag_header_option = from_table(config.TAG_HEADER)
no_bodies_option = click.option(config.NO_BODIES.flag, is_flag=True, help=config.NO_BODIES.help)
estimate_usage_option = click.option(
    config.ESTIMATE_USAGE.flag, is_flag=True, help=config.ESTIMATE_USAGE.help
)
prices_option = from_table(config.PRICES, callback=lambda c, p, v: read_prices(v))
otel_cache_write_option = from_table(config.OTEL_CACHE_WRITE)
no_replay_log_option = click.option(
    config.NO_REPLAY_LOG.flag, is_flag=True, help=config.NO_REPLAY_LOG.help
)
ignore_option = from_table(config.IGNORE)
normalize_option = from_table(config.NORMALIZE)
match_on_option = from_table(config.MATCH_ON)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON for machines.")


upstream_ca_option = click.option(
    "--upstream-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Authorities (PEM) that vouch for upstreams, besides the public ones.",
)


def listen_option(
    default: str | None,
    *,
    shown: str | bool = True,
    help: str = "Where to listen; port 0 picks a free one.",
) -> Decorator:
    """`--listen HOST:PORT`, given to the command as a pair."""
    return click.option(
        "--listen",
        type=_Address(),
        default=default,
        metavar="HOST:PORT",
        show_default=shown,
        help=help,
    )

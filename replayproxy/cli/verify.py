"""`replayproxy verify`: has the API changed since it was recorded?"""

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from replayproxy.address import parse_upstream
from replayproxy.authorities import trusting
from replayproxy.cli import drift
from replayproxy.cli.options import cassette_option, db_option, json_option, upstream_ca_option
from replayproxy.cli.progress import progress
from replayproxy.errors import UsageError
from replayproxy.model import Headers
from replayproxy.store import Store
from replayproxy.verifying import (
    Credentials,
    Kind,
    Live,
    Plan,
    Result,
    Verdict,
    Verifier,
    plan,
    verify_all,
)


class _Kinds(click.ParamType[frozenset[Kind]]):
    name = "kinds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[Kind]:
        if isinstance(value, frozenset):
            return value
        names = [name.strip() for name in str(value).split(",") if name.strip()]
        unknown = [name for name in names if name not in set(Kind)]
        if unknown:
            self.fail(f"{unknown[0]!r} is none of {', '.join(Kind)}", param, ctx)
        return frozenset(map(Kind, names))


@click.command()
@click.argument("exchange_ids", metavar="[ID]...", type=int, nargs=-1)
@db_option
@cassette_option
@click.option(
    "--header",
    "headers",
    metavar="'NAME: VALUE'",
    multiple=True,
    help="Sent with each request, such as 'Authorization: Bearer ...'. Keys of known "
    "providers are taken from OPENAI_API_KEY, ANTHROPIC_API_KEY and the like.",
)
@click.option(
    "--upstream", metavar="URL", help="Send to this origin, not to where it was recorded from."
)
@upstream_ca_option
@click.option(
    "--fail-on",
    type=_Kinds(),
    default="status,shape,model",
    show_default=True,
    metavar="KIND,...",
    help="What counts as drift: status, shape, model, additions, text.",
)
@click.option(
    "--alike",
    type=click.IntRange(0, 100),
    default=90,
    show_default=True,
    metavar="PERCENT",
    help="How much alike texts must be, word for word, if text counts.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the N requests recorded last."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="How many requests at a time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="For each whole answer.",
)
@click.option("--unsafe", is_flag=True, help="Send what may change something there, too.")
@click.option("--dry-run", is_flag=True, help="Send nothing; tell what would be sent.")
@json_option
def verify(
    *,
    exchange_ids: tuple[int, ...],
    db: Path,
    cassette: str,
    headers: tuple[str, ...],
    upstream: str | None,
    upstream_ca: Path | None,
    fail_on: frozenset[Kind],
    alike: int,
    limit: int | None,
    jobs: int,
    timeout: float,
    unsafe: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send recorded requests to the live API again and report what has changed.

    This costs money: what is sent is said first, and --dry-run only says it. The
    cassette stays as it is and nothing of the answers is kept. Equal requests
    are sent once; the answer may be like any of their recorded ones. Requests
    that may change something there (DELETE, PUT, POST to what is no model) are
    left out, unless named by their ID. The exit code is 1 if anything drifted
    or could not be verified.

    \b
    Kinds of drift:
      status     another status, or an error inside a 200
      shape      a member or event is gone, has another type; another content
                 type, finish reason, other tools called
      model      another model answered
      additions  a member or event is new
      text       what was said is less alike than --alike

    \b
    Examples:
      OPENAI_API_KEY=... replayproxy verify --cassette tests --limit 20
      replayproxy verify 3 4 --header "Authorization: Bearer $KEY"
    """
    with Store(db) as store:
        chosen = plan(
            store, cassette=cassette, exchange_ids=exchange_ids, limit=limit, unsafe=unsafe
        )
        verifier = Verifier(
            store=store,
            live=Live(context=trusting(upstream_ca), timeout_s=timeout),
            credentials=Credentials(given=_given(headers), environ=os.environ),
            upstream=parse_upstream(upstream) if upstream else None,
            counting=fail_on,
            min_alike=alike / 100,
        )
        drift.introduce(chosen, verifier, dry_run=dry_run)
        if dry_run:
            drift.show_plan(chosen, as_json=as_json)
            return
        results = _send(verifier, chosen, jobs=jobs, as_json=as_json)
    good = results and all(result.verdict is Verdict.SAME for result in results)
    raise SystemExit(0 if good else 1)


def _send(verifier: Verifier, chosen: Plan, *, jobs: int, as_json: bool) -> list[Result]:
    """Send them; what is known is shown, also if it ends before its time."""
    results: list[Result] = []
    try:
        with progress("Asking the live API") as on_progress:

            def on_result(result: Result) -> None:
                results.append(result)
                on_progress(len(results), len(chosen.checks))

            asyncio.run(verify_all(verifier, chosen.checks, jobs=jobs, on_result=on_result))
    finally:
        results.sort(key=lambda result: result.check.exchange_ids[-1])
        drift.show(results, as_json=as_json)
    return results


def _given(headers: tuple[str, ...]) -> Headers:
    """`NAME: VALUE` as pairs. What is wrong is not shown: it may be a key."""
    pairs = []
    for number, text in enumerate(headers, 1):
        name, colon, value = text.partition(":")
        name, value = name.strip(), value.strip()
        if not (colon and name and text.isascii() and (name + value).isprintable()):
            raise UsageError(
                f"--header number {number} is not 'NAME: VALUE', "
                "such as 'Authorization: Bearer ...'"
            )
        pairs.append((name, value))
    return tuple(pairs)

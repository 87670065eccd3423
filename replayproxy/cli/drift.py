"""What `verify` will send, and what it found, for people and for machines."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from replayproxy.cli.text import dollars, json_line, one_line, plural, say
from replayproxy.verifying import (
    Check,
    Difference,
    Kind,
    Outgoing,
    Plan,
    Result,
    Verdict,
    Verifier,
)

_PIPED_WIDTH = 160
_SHOWN = 8
_MODELS = 4
_STYLES = {Verdict.SAME: "green", Verdict.DRIFT: "bold red", Verdict.FAILED: "bold yellow"}


def introduce(chosen: Plan, verifier: Verifier, *, dry_run: bool) -> None:
    """Say what is sent, to whom, with whose key; and what is not."""
    verb = "would send" if dry_run else "sending"
    for host in dict.fromkeys(check.host for check in chosen.checks):
        checks = [check for check in chosen.checks if check.host == host]
        # one of each kind: all of them would be read twice
        kinds = {(check.method, check.path, check.model): check for check in checks}
        examples = [verifier.outgoing(check) for check in kinds.values()]
        requests = plural(len(checks), "request")
        say(f"{verb} {requests} to {examples[0].origin} ({_models(checks)}){_cost(checks)}")
        for name in _all(example.keys_from for example in examples):
            say(f"  with the key in {name}")
        if left_out := _all(example.left_out for example in examples):
            say(f"  without headers that were not stored: {', '.join(left_out)}")
        if any(example.lacks_key for example in examples):
            say(f"  a key is missing. {_where_from(examples[0])}")
    for why, number in chosen.skipped.items():
        say(f"left out: {plural(number, 'exchange')} {why}")
    if not chosen.checks:
        say("there is nothing to verify")


def _all(names: Iterable[Iterable[str]]) -> list[str]:
    """Each once, in the order they come in."""
    return list(dict.fromkeys(name for some in names for name in some))


def _cost(checks: Sequence[Check]) -> str:
    costs = [check.cost_usd for check in checks if check.cost_usd is not None]
    return f"; they cost {dollars(sum(costs))} when they were recorded" if costs else ""


def _where_from(example: Outgoing) -> str:
    variables = " or ".join(example.variables)
    return f"Set {variables}, or give --header" if variables else "Give --header 'NAME: VALUE'"


def _models(checks: Sequence[Check]) -> str:
    counted = Counter(check.model or f"{check.method} {check.path}" for check in checks)
    shown = [f"{name} x{number}" for name, number in counted.most_common(_MODELS)]
    return ", ".join([*shown, *(["..."] if len(counted) > _MODELS else [])])


def show_plan(chosen: Plan, *, as_json: bool) -> None:
    """Each request that would be sent."""
    if as_json:
        for check in chosen.checks:
            click.echo(json_line(asdict(check)))
        return
    table = _table("exchanges", "request", "model", cost="right")
    for check in chosen.checks:
        request = f"{check.method} {check.host}{check.path}"
        _add(table, _ids(check), request, check.model or "-", dollars(check.cost_usd))
    _print(table)


def show(results: Sequence[Result], *, as_json: bool) -> None:
    """What came of each, and in a line on stderr of all."""
    if as_json:
        for result in results:
            click.echo(json_line(_as_object(result)))
    elif results:
        table = _table("exchanges", "request", "verdict", alike="right")
        table.add_column("what differs", overflow="fold")
        for result in results:
            check = result.check
            request = check.model or f"{check.method} {check.path}"
            alike = "-" if result.alike is None else f"{result.alike:.0%}"
            told = "\n".join(one_line(line) for line in _told(result))
            verdict = Text(result.verdict, style=_STYLES[result.verdict])
            table.add_row(_ids(check), one_line(request), verdict, alike, Text(told))
        _print(table)
    counted = Counter(result.verdict for result in results)
    words = [f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict]]
    if results:
        say(f"verified {plural(len(results), 'request')}: {', '.join(words)}")


def _told(result: Result) -> Iterator[str]:
    """The differences, those that count first; not all, if there are many."""
    if result.reason:
        yield result.reason
    told = [_difference(d) for d in result.counting]
    told += [
        f"({_difference(d)})"
        for d in result.differences
        if d not in result.counting and d.kind is not Kind.TEXT  # that has its column
    ]
    yield from told[:_SHOWN]
    if len(told) > _SHOWN:
        yield f"... and {len(told) - _SHOWN} more (--json shows all)"


def _difference(difference: Difference) -> str:
    kind, where = difference.kind, difference.where
    before = f"{difference.recorded} -> " if difference.recorded else ""
    return f"{kind}: {'' if where == kind else f'{where}: '}{before}{difference.live}"


def _as_object(result: Result) -> dict[str, Any]:
    counting = set(result.counting)
    return {
        **asdict(result.check),
        "verdict": result.verdict,
        "compared_with": result.compared_with,
        "status": result.status,
        "alike": None if result.alike is None else round(result.alike, 3),
        "differences": [{**asdict(d), "counts": d in counting} for d in result.differences],
        "reason": result.reason,
    }


def _ids(check: Check) -> str:
    return ", ".join(map(str, check.exchange_ids))


def _table(*names: str, **right: Any) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(one_line(cell)) for cell in cells))


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PIPED_WIDTH)
    console.print(table)

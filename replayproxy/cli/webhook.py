"""`replayproxy webhook`: recorded deliveries of AIgateway, listed, and sent again."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from replayproxy.address import bracketed, parse_upstream
from replayproxy.authorities import trusting
from replayproxy.cli.options import db_option, json_option, upstream_ca_option
from replayproxy.cli.text import json_line, one_line, say
from replayproxy.errors import UnansweredError, UsageError
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.model import Exchange, Request
from replayproxy.store import Store
from replayproxy.verifying import Credentials, Live
from replayproxy.webhooks import SIGNATURE_HEADER, is_delivery, signature

_TIMEOUT_S = 60.0
_EVENT_FIELDS = ("event", "type", "status")


@click.group()
def webhook() -> None:
    """Recorded webhook deliveries of AIgateway: list them, send one again.

    They are recorded by a port in front of the app, which is what the gateway's
    webhook_url leads to:

    \b
    Examples:
      replayproxy record --listen 127.0.0.1:8090 --upstream http://127.0.0.1:3000
      replayproxy webhook list
      replayproxy webhook replay 3 --secret-env AIGATEWAY_WEBHOOK_SECRET
    """


@webhook.command("list")
@db_option
@click.option("--cassette", metavar="NAME", help="Only this cassette.")
@json_option
def list_deliveries(db: Path, cassette: str | None, as_json: bool) -> None:
    """List recorded deliveries, one line each, newest last.

    \b
    Examples:
      replayproxy webhook list
      replayproxy webhook list --json
    """
    there_are = False
    with Store(db) as store:
        for exchange in _deliveries(store, cassette):
            there_are = True
            click.echo(_line(exchange, as_json=as_json))
    if not there_are:
        say(f"No deliveries: no recorded request has the header {SIGNATURE_HEADER}.")


@webhook.command("replay")
@click.argument("exchange_id", metavar="ID", type=int)
@db_option
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The webhook secret is in it, and nothing else.",
)
@click.option(
    "--secret-env", metavar="NAME", help="The webhook secret is in this environment variable."
)
@click.option("--to", metavar="URL", help="Send it there, not to where it was recorded.")
@upstream_ca_option
@json_option
def replay_delivery(
    *,
    exchange_id: int,
    db: Path,
    secret_file: Path | None,
    secret_env: str | None,
    to: str | None,
    upstream_ca: Path | None,
    as_json: bool,
) -> None:
    """Send a recorded delivery again, signed afresh.

    The body is the recorded one, byte for byte; the signature is made now, so that the
    app's check (aigateway.verify_webhook) accepts it. A URL without a path keeps the
    recorded path. The exit code is 1 if the app does not answer with success.

    \b
    Examples:
      replayproxy webhook replay 3 --secret-env AIGATEWAY_WEBHOOK_SECRET
      replayproxy webhook replay 3 --secret-env SECRET --to http://127.0.0.1:3001
    """
    secret = _secret(secret_file, secret_env)
    with Store(db) as store:
        stored = store.exchange(exchange_id).request
    if not is_delivery(stored):
        raise UsageError(
            f"exchange {exchange_id} is no webhook delivery (it has no {SIGNATURE_HEADER}). "
            "See what is there with: replayproxy webhook list"
        )
    if not stored.body:
        raise UsageError(f"the body of exchange {exchange_id} was not kept (--no-bodies).")
    request = _signed(stored, secret, to)
    live = Live(context=trusting(upstream_ca), timeout_s=_TIMEOUT_S)
    host = f"{bracketed(request.host)}:{request.port}"
    url = f"{request.scheme}://{host}{request.target}"
    try:
        answered = asyncio.run(live.send(request))
    except UnansweredError as error:
        raise UnansweredError(f"{url} gave no answer: {error}. Is the app there?") from error
    head = answered.exchange.head
    assert head is not None
    if as_json:
        click.echo(json.dumps({"id": exchange_id, "url": url, "status": head.status}))
    else:
        click.echo(one_line(f"{exchange_id}  {url}  {head.status} {head.reason}"))
    raise SystemExit(0 if 200 <= head.status < 300 else 1)


def _secret(file: Path | None, variable: str | None) -> str:
    """The secret, from just one of the two."""
    if (file is None) == (variable is None):
        raise UsageError("say where the webhook secret is: --secret-file FILE or --secret-env NAME")
    text = file.read_text() if file else os.environ.get(variable or "", "")
    if not (secret := text.strip()):
        raise UsageError(f"{file or variable} holds no secret. AIgateway's API has it: "
                         "GET /v1/webhook-secret")  # fmt: skip
    return secret


def _signed(stored: Request, secret: str, to: str | None) -> Request:
    """The delivery as it is sent now. What was left out of other headers was never stored."""
    own = f"{stored.scheme}://{bracketed(stored.host)}:{stored.port}"
    upstream = parse_upstream(to or own, option="--to")
    if upstream.path:
        stored = replace(stored, path=upstream.path, query="")
    signed = signature(secret, stored.body, at=int(time.time()))
    ready = Credentials(given=((SIGNATURE_HEADER, signed),)).outgoing(stored, upstream)
    left_out = [name for name in ready.left_out if name.lower() != SIGNATURE_HEADER.lower()]
    if left_out:
        say(f"without the headers {', '.join(left_out)}: their values were not stored")
    return ready.request


def _deliveries(store: Store, cassette: str | None) -> Iterator[Exchange]:
    for row in store.rows(cassette=cassette):
        # a delivery is no call of an LLM API: most of what is recorded need not be looked at
        if row["method"] == "POST" and row["protocol"] == "http":
            exchange = store.exchange(row["id"])
            if is_delivery(exchange.request):
                yield exchange


def _line(exchange: Exchange, *, as_json: bool) -> str:
    request, status = exchange.request, exchange.head.status if exchange.head else None
    started = exchange.started_at.isoformat(timespec="seconds")
    event = _event(request.body)
    if as_json:
        return json_line(
            {
                "id": exchange.id, "started_at": started, "path": request.path,
                "bytes": len(request.body), "event": event, "status": status,
            }
        )  # fmt: skip
    return one_line(f"{exchange.id}  {started}  {request.path}  {event or '-'}  {status or '-'}")


def _event(body: bytes) -> str | None:
    """What it is about, by the first of the usual fields that it has."""
    value = parse_json(body)
    if value is UNREADABLE or not isinstance(value, dict):
        return None
    return next((str(value[name]) for name in _EVENT_FIELDS if name in value), None)

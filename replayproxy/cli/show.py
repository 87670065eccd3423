"""`replayproxy show ID`: one exchange, whole."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from replayproxy.cli.list_ import public
from replayproxy.cli.options import db_option, json_option
from replayproxy.cli.text import dollars, json_line, milliseconds, printable
from replayproxy.content_coding import Decoder
from replayproxy.matching import ABSENT, MatchRules, canonical, differences
from replayproxy.model import USAGE_COUNTS, Answer, Chunk, Exchange, Headers, header
from replayproxy.oddities import Oddity, oddities
from replayproxy.recording import read_answer
from replayproxy.store import Store

_TOKENS_SHOWN = frozenset(
    {"input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens"}
)

type Keys = list[tuple[str, MatchRules]]
"""A match key and the rules it was made by."""
type Table = list[tuple[int, int]]
"""(offset_ns, length) of each chunk."""


@click.command()
@click.argument("exchange_id", metavar="ID", type=int)
@db_option
@json_option
@click.option("--chunks", "with_chunks", is_flag=True, help="Every chunk: when, and how long.")
@click.option(
    "--body",
    type=click.Choice(["request", "response"]),
    help="Only this body, byte for byte as it was on the wire.",
)
def show(exchange_id: int, db: Path, as_json: bool, with_chunks: bool, body: str | None) -> None:
    """Show one exchange: request, answer, usage, timing.

    \b
    Examples:
      replayproxy show 3
      replayproxy show 3 --chunks
      replayproxy show 3 --body response > answer.sse
    """
    with Store(db) as store:
        exchange = store.exchange(exchange_id)
        chunks = store.chunks(exchange_id)
        if body:
            sent = exchange.request.body
            received = b"".join(chunk.data for chunk in chunks)
            sys.stdout.buffer.write(sent if body == "request" else received)
        elif as_json:
            flags = oddities(exchange, chunks, Decoder)
            table = store.chunk_table(exchange_id)
            click.echo(_json(store.row(exchange_id), exchange, table, flags))
        else:
            table = store.chunk_table(exchange_id)
            keys = store.match_keys(exchange_id)
            lines = _chunk_lines(table) if with_chunks else _lines(exchange, chunks, keys)
            for line in lines:
                click.echo(printable(line))


def _json(row: dict[str, Any], exchange: Exchange, table: Table, flags: tuple[Oddity, ...]) -> str:
    head, usage = exchange.head, exchange.usage
    return json_line(
        {
            **public(row),
            "scheme": exchange.request.scheme,
            "port": exchange.request.port,
            "query": exchange.request.query,
            "ending": exchange.ending,
            "flags": flags,
            "request_headers": exchange.request.headers,
            "response_headers": head.headers if head else None,
            "usage": {name: getattr(usage, name) for name in USAGE_COUNTS},
            "chunks": [{"offset_ns": offset_ns, "length": length} for offset_ns, length in table],
        }
    )


def _lines(exchange: Exchange, chunks: tuple[Chunk, ...], keys: Keys) -> Iterator[str]:
    request, head, usage = exchange.request, exchange.head, exchange.usage
    yield f"exchange {exchange.id} of cassette {exchange.cassette!r}"
    yield f"started: {exchange.started_at:%F %T} UTC"
    yield f"{request.method} {request.scheme}://{request.host}{request.target}"
    yield from _header_lines("> ", request.headers)
    yield f"outcome: {exchange.outcome or 'running'}" + (
        f" ({exchange.error})" if exchange.error else ""
    )
    if head:
        yield f"{head.http_version} {head.status} {head.reason}"
        yield from _header_lines("< ", head.headers)
    yield f"model: {exchange.request_model or '-'} asked, {exchange.response_model or '-'} answered"
    yield (
        f"tokens: {_known(usage.input_tokens)} in ({_known(usage.cache_read_tokens)} cached), "
        f"{_known(usage.output_tokens)} out ({_known(usage.reasoning_tokens)} reasoning)"
    )
    yield from _usage_lines(exchange)
    yield (
        f"time: headers {_ms(head.offset_ns if head else None)}, "
        f"first chunk {_ms(exchange.first_event_ns)}, "
        f"first content {_ms(exchange.first_content_ns)}, end {_ms(exchange.end_offset_ns)}"
    )
    yield f"chunks: {len(chunks)}, {exchange.response_bytes} bytes"
    for oddity in oddities(exchange, chunks, Decoder):
        yield f"odd: {oddity.words} ({oddity})"
    yield from _key_lines(exchange, keys)
    yield from _answer_lines(read_answer(exchange, chunks, Decoder), exchange, chunks)


def _usage_lines(exchange: Exchange) -> Iterator[str]:
    usage, estimate = exchange.usage, exchange.usage_estimate
    more = {name: count for name, count in usage.counts().items() if name not in _TOKENS_SHOWN}
    if any(more.values()):
        yield "also: " + ", ".join(f"{count:,} {name}" for name, count in more.items() if count)
    for name, what in usage.problems:
        yield f"{name} unknown: {what}"
    if estimate:
        told = (_known(estimate.input_tokens), _known(estimate.output_tokens))
        yield f"estimated: {told[0]} in, {told[1]} out ({estimate.source})"
    yield f"cost: {_usd(exchange.cost_usd)} ({exchange.cost_source or 'unknown'})"
    if exchange.price_version:
        price = f"{exchange.price_version}, {exchange.price_model}"
        yield f"computed: {_usd(exchange.computed_cost_usd)} ({price})"


def _usd(cost: Decimal | None) -> str:
    return dollars(None if cost is None else float(cost))


def _header_lines(mark: str, headers: Headers) -> Iterator[str]:
    for name, value in headers:
        yield f"{mark}{name}: {value}"


def _answer_lines(answer: Answer, exchange: Exchange, chunks: tuple[Chunk, ...]) -> Iterator[str]:
    for choice in answer.choices:
        for label, text in (
            ("reasoning", choice.reasoning),
            ("refusal", choice.refusal),
            ("answer", choice.text),
        ):
            if text:
                yield f"\n{label}:\n{text}"
        for call in choice.tool_calls:
            yield f"\ntool call: {call.name}({call.arguments})"
    if not answer.choices and exchange.head:
        decode = Decoder(header(exchange.head.headers, "content-encoding")).decode
        text = b"".join(decode(chunk.data) for chunk in chunks).decode("utf-8", "replace")
        yield f"\nbody:\n{text[:2000]}"


def _key_lines(exchange: Exchange, keys: Keys) -> Iterator[str]:
    """What a replay finds it by, and what each rule leaves out or replaces."""
    if not keys:
        yield "match key: none, it cannot be replayed"
    for key, rules in sorted(keys, key=lambda pair: bool(pair[1])):
        yield f"match key: {key}"
        as_it_is = canonical(exchange.request)
        for changed in differences(as_it_is, rules.applied(as_it_is, exchange.request)):
            shown = "left out" if changed.recorded == ABSENT else f"as {changed.recorded}"
            yield f"  {changed.path} {changed.asked}: {shown}"


def _chunk_lines(table: Table) -> Iterator[str]:
    for number, (offset_ns, length) in enumerate(table):
        yield f"{number:5} {offset_ns / 1e6:12.3f} ms {length:8} bytes"


def _known(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _ms(offset_ns: int | None) -> str:
    return milliseconds(None if offset_ns is None else offset_ns / 1e6)

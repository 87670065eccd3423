"""Recording again without noise: what says the same as before stays as it was, byte for byte.

Ids, dates, timings and chunk borders differ from one recording to the next of the same
answer. Only an answer that says something else is news, and only that is seen in a diff.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

from replayproxy.cassettes.track import Cassette, Track
from replayproxy.content_coding import Decoder
from replayproxy.json_text import UNREADABLE, parse_json
from replayproxy.matching import match_key
from replayproxy.model import Answer, header
from replayproxy.recording import read_answer

RENEWED_AFTER = timedelta(days=7)
"""The day in a file is no news either, until it is so much later."""


def settled(new: Cassette, old: Cassette) -> Cassette:
    """The new one, with what it says anew in the words of the old one.

    >>> settled(Cassette(), Cassette()) == Cassette()
    True
    """
    before: defaultdict[str, list[Track]] = defaultdict(list)
    for track in old.tracks:
        before[match_key(track.exchange.request)].append(track)
    tracks = tuple(_kept(track, before[match_key(track.exchange.request)]) for track in new.tracks)
    is_recent = new.recorded and old.recorded and new.recorded - old.recorded < RENEWED_AFTER
    return old if is_recent and tracks == old.tracks else replace(new, tracks=tracks)


def joined(new: Cassette, old: Cassette) -> Cassette:
    """The new one, and what the old one has of other requests, which it did not make."""
    asked = {match_key(track.exchange.request) for track in new.tracks}
    others = tuple(t for t in old.tracks if match_key(t.exchange.request) not in asked)
    return replace(new, tracks=(*others, *new.tracks))


def _kept(track: Track, before: list[Track]) -> Track:
    for index, old in enumerate(before):
        if says_the_same(old, track):
            return before.pop(index)
    return track


def says_the_same(one: Track, other: Track) -> bool:
    """Whether two answers differ only in what no reader of them would call a difference."""
    a, b = one.exchange.head, other.exchange.head
    if (
        a is None
        or b is None
        or a.status != b.status
        or one.exchange.ending != other.exchange.ending
    ):
        return False
    if header(a.headers, "content-type") != header(b.headers, "content-type"):
        return False
    said, said_again = (read_answer(t.exchange, t.chunks, Decoder) for t in (one, other))
    if said.choices or said.error:
        return _meaning(said) == _meaning(said_again)
    return _content(one) == _content(other)


def _meaning(answer: Answer) -> Answer:
    """Without ids, and without what a cache on the way saved."""
    choices = tuple(
        replace(choice, tool_calls=tuple(replace(call, id=None) for call in choice.tool_calls))
        for choice in answer.choices
    )
    usage = replace(answer.usage, cache_read_tokens=None, cache_write_tokens=None)
    return replace(answer, choices=choices, usage=usage, response_id=None, reported_cost_usd=None)


def _content(track: Track) -> object:
    head = track.exchange.head
    assert head is not None
    decoder = Decoder(header(head.headers, "content-encoding"))
    data = decoder.decode(track.body)
    if decoder.problem:
        return track.body
    value = parse_json(data)
    return data if value is UNREADABLE else value

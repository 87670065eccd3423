"""Recording again without noise: what says the same as before stays as it was, byte for byte.

Ids, dates, timings, chunk borders and the order of parallel requests differ from one
recording to the next of the same. Only an answer that says something else is news, and
only that is seen in a diff.

Rule: what stays and what is new fit together. An agent sends ids of one answer with its
next request; so an answer stays only if all that came of its ids does.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
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

_WORD = re.compile(rb"[A-Za-z0-9_.:-]{8,}")
"""What can be an id."""

type _Kept = dict[int, int]
"""Which of the new ones is which of the old ones, by their places."""


def settled(new: Cassette, old: Cassette) -> Cassette:
    """The new one, with what it says again in the words of the old one.

    >>> settled(Cassette(), Cassette()) == Cassette()
    True
    """
    kept = _fitting(_said_before(new.tracks, old.tracks), new.tracks, old.tracks)
    tracks = _in_order(kept, new.tracks, old.tracks)
    is_recent = new.recorded and old.recorded and new.recorded - old.recorded < RENEWED_AFTER
    return old if is_recent and tracks == old.tracks else replace(new, tracks=tracks)


def joined(new: Cassette, old: Cassette) -> Cassette:
    """The new one, and what the old one has of other requests, which it did not make."""
    asked = {match_key(track.exchange.request) for track in new.tracks}
    others = tuple(t for t in old.tracks if match_key(t.exchange.request) not in asked)
    return replace(new, tracks=(*others, *new.tracks))


def _said_before(new: tuple[Track, ...], old: tuple[Track, ...]) -> _Kept:
    before: defaultdict[str, list[int]] = defaultdict(list)
    for place, track in enumerate(old):
        before[match_key(track.exchange.request)].append(place)
    ids: dict[bytes, bytes] = {}
    kept: _Kept = {}
    for place, track in enumerate(new):
        request = track.exchange.request
        asked = replace(request, body=_with_ids(request.body, ids))
        places = before[match_key(asked)]
        found = next((p for p in places if says_the_same(old[p], track)), None)
        if found is not None:
            places.remove(found)
            kept[place] = found
            ids |= _pairs_of_ids(track, old[found])
    return kept


def _fitting(kept: _Kept, new: tuple[Track, ...], old: tuple[Track, ...]) -> _Kept:
    """Without those that a request refers to by an id which is in the other answer only."""
    kept = dict(kept)
    words = {p: (_words(_plain(new[p])), _words(_plain(old[q]))) for p, q in kept.items()}
    while True:
        asked_new = _all_words(
            new[p].exchange.request.body for p in range(len(new)) if p not in kept
        )
        asked_old = {q: _words(old[q].exchange.request.body) for q in kept.values()}
        unfit = [p for p in kept if (words[p][0] - words[p][1]) & asked_new]
        gone = [words[p] for p in words if p not in kept]
        unfit += [
            p
            for p, q in kept.items()
            if any((theirs - ours) & asked_old[q] for ours, theirs in gone)
        ]
        if not unfit:
            return kept
        for place in unfit:
            kept.pop(place, None)


def _in_order(kept: _Kept, new: tuple[Track, ...], old: tuple[Track, ...]) -> tuple[Track, ...]:
    """In the order of the old one, if equal requests still have that of the new one."""
    tracks: list[tuple[int, Track]] = sorted(
        ((place, old[found]) for place, found in kept.items()), key=lambda pair: kept[pair[0]]
    )
    for place, track in enumerate(new):
        if place not in kept:
            places = [p for p, _ in tracks]
            after = places.index(place - 1) + 1 if place else 0
            tracks.insert(after, (place, track))
    of_key: defaultdict[str, list[int]] = defaultdict(list)
    for place, _ in tracks:
        of_key[match_key(new[place].exchange.request)].append(place)
    if any(places != sorted(places) for places in of_key.values()):
        tracks.sort(key=lambda pair: pair[0])
    return tuple(track for _, track in tracks)


def _pairs_of_ids(one: Track, other: Track) -> dict[bytes, bytes]:
    """The ids that an answer gave, and those that it gave when it said the same before."""
    a, b = (_ids(read_answer(t.exchange, t.chunks, Decoder)) for t in (one, other))
    return {x.encode(): y.encode() for x, y in zip(a, b, strict=False) if x and y and x != y}


def _ids(answer: Answer) -> list[str | None]:
    calls = [call.id for choice in answer.choices for call in choice.tool_calls]
    return [answer.response_id, *calls]


def _with_ids(body: bytes, ids: dict[bytes, bytes]) -> bytes:
    for new, old in ids.items():
        body = body.replace(new, old)
    return body


def _words(data: bytes) -> set[bytes]:
    return set(_WORD.findall(data))


def _all_words(bodies: Iterable[bytes]) -> set[bytes]:
    return set().union(*map(_words, bodies))


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
    data = _plain(track)
    value = parse_json(data)
    return data if value is UNREADABLE else value


def _plain(track: Track) -> bytes:
    """Without its content-encoding, if that can be undone."""
    head = track.exchange.head
    decoder = Decoder(header(head.headers, "content-encoding") if head else None)
    data = decoder.decode(track.body)
    return track.body if decoder.problem else data

"""Secrets in the bodies of one exchange: what is held back and masked, what is only reported."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from replayproxy.content_coding import Decoder
from replayproxy.key_shapes import KeyScan
from replayproxy.minted_keys import masked, mints_keys
from replayproxy.model import Chunk, Headers, Request, ResponseHead, header


class MintedAnswer:
    """An answer that may hand out a key, kept in memory until it has ended.

    A secret can be torn over several chunks, so that nothing of such an answer
    may be written before all of it is here.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._chunks: list[Chunk] = []

    def hold(self, chunks: Sequence[Chunk]) -> None:
        """These have arrived."""
        self._chunks += chunks

    def release(self, head: ResponseHead | None) -> Iterator[Chunk]:
        """All that was held, masked, cut as it arrived."""
        body = b"".join(chunk.data for chunk in self._chunks)
        clean = masked(
            body,
            _decoder(head.headers if head else ()).decode(body),
            request=self._request,
            status=head.status if head else 0,
        )
        start = 0
        for chunk in self._chunks:
            yield replace(chunk, data=clean[start : start + len(chunk.data)])
            start += len(chunk.data)
        self._chunks = []


def minted_answer(request: Request) -> MintedAnswer | None:
    """What holds the answer to this request; None if it may be written as it comes."""
    return MintedAnswer(request) if mints_keys(request) else None


class BodyScan:
    """Looks for key shapes in both bodies, behind their content-encodings.

    Attributes:
        found: the kinds of keys they seem to hold so far.
    """

    def __init__(self, request: Request) -> None:
        self.found: set[str] = set()
        self._add(KeyScan(), _decoder(request.headers).decode(request.body))
        self._decoder = _decoder(())
        self._scan = KeyScan()

    def head(self, head: ResponseHead) -> None:
        """Say how the response's body is encoded."""
        self._decoder = _decoder(head.headers)

    def response(self, data: bytes) -> None:
        """Look at what comes next."""
        self._add(self._scan, self._decoder.decode(data))

    def _add(self, scan: KeyScan, data: bytes) -> None:
        scan.feed(data)
        self.found |= scan.found


def _decoder(headers: Headers) -> Decoder:
    return Decoder(header(headers, "content-encoding"))

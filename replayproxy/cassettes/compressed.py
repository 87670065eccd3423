"""Bodies in a content-encoding: shown decoded, and their wire bytes made again.

Rule: the wire bytes are the truth. Where the decoded bytes and a short recipe give them
again, checked when the cassette is written, the recipe is kept; else they themselves are.
Another build of zlib can compress otherwise than the one that wrote: then the content is
the same and the bytes are not, and `Restored.exact` says so.
"""

import base64
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from replayproxy.cassettes.events import BASE64, from_base64
from replayproxy.content_coding import Decoder

_GZIP_HEADER = 10
_GZIP_FLAGS = 3
_LEVELS = (6, 9, 1, 5, 4, 3, 2, 7, 8)
_UNCHECKED = "unknown content-encoding"


class NotCompressedError(Exception):
    """What stands in the file gives no body. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A body as it was on the wire; if not `exact`, one with the same content."""

    body: bytes
    exact: bool = True


def decoded(body: bytes, coding: str | None) -> bytes | None:
    """Without its content-encoding; None if that cannot be undone."""
    decoder = Decoder(coding)
    plain = decoder.decode(body)
    return None if decoder.problem else plain


def render(body: bytes, plain: bytes, coding: str) -> dict[str, Any]:
    """How to make the wire bytes from the decoded ones."""
    for recipe in _recipes(body, coding):
        if _compressed(plain, recipe) == body:
            return {"recompress": recipe, "sha256": _digest(body)}
    return {BASE64: base64.encodebytes(body).decode()}


def restore(plain: bytes, wire: Any, coding: str) -> Restored:
    """The wire bytes of decoded ones; without a recipe, those of a usual server.

    Raises:
        NotCompressedError: there is no way to.
    """
    if wire is None:
        return Restored(body=_compressed(plain, _usual(coding)))
    if not isinstance(wire, dict):
        raise NotCompressedError("`wire` must be a mapping")
    if BASE64 in wire:
        return Restored(body=_kept(from_base64(wire[BASE64]), plain, coding))
    recipe = wire.get("recompress")
    if not isinstance(recipe, str):
        raise NotCompressedError("`wire` must hold `recompress` or `base64`")
    body = _compressed(plain, recipe)
    return Restored(body=body, exact=_digest(body) == wire.get("sha256"))


def _kept(body: bytes, plain: bytes, coding: str) -> bytes:
    decoder = Decoder(coding)
    same = decoder.decode(body) == plain
    if not same and not (decoder.problem or "").startswith(_UNCHECKED):
        raise NotCompressedError(
            "the bytes in `wire` say something else than the text. If the text was edited, "
            "remove `wire`: it is compressed anew then"
        )
    return body


def _usual(coding: str) -> str:
    coding = coding.strip().lower()
    if coding in {"gzip", "x-gzip"}:
        return "gzip 6 1f8b08000000000000ff"
    if coding == "deflate":
        return "deflate 6"
    raise NotCompressedError(
        f"without `wire` there is no way to the content-encoding {coding!r}: "
        "remove that header, or the edit"
    )


def _recipes(body: bytes, coding: str) -> Iterator[str]:
    match coding.strip().lower():
        case "gzip" | "x-gzip" if len(body) > _GZIP_HEADER and body[_GZIP_FLAGS] == 0:
            yield from (f"gzip {level} {body[:_GZIP_HEADER].hex()}" for level in _LEVELS)
        case "deflate":
            yield from (f"deflate {level}" for level in _LEVELS)


def _compressed(plain: bytes, recipe: str) -> bytes:
    try:
        kind, level, *rest = recipe.split()
        if kind == "deflate":
            return zlib.compress(plain, int(level))
        (header,) = rest
        packer = zlib.compressobj(int(level), zlib.DEFLATED, -zlib.MAX_WBITS)
        body = packer.compress(plain) + packer.flush()
        sum_and_size = zlib.crc32(plain).to_bytes(4, "little") + (len(plain) & 0xFFFFFFFF).to_bytes(
            4, "little"
        )
        return bytes.fromhex(header) + body + sum_and_size
    except (ValueError, zlib.error) as error:
        raise NotCompressedError(f"`recompress: {recipe}` makes no sense") from error


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]

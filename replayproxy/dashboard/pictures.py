"""Pictures inside JSON, as base64: which may be shown, and their bytes.

Rule: what is shown is PNG, JPEG, GIF or WebP by its own first bytes, whatever the
JSON says it is, and not so large that it would fill a browser's memory. SVG can
hold scripts and is never shown. An address is never fetched.
"""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from replayproxy.json_text import UNREADABLE, parse_json

MAX_BYTES = 10_000_000
MAX_PIXELS = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that may be shown.

    Attributes:
        digest: names it: of its base64 text, 16 hex digits.
        size: bytes.
    """

    digest: str
    media_type: str
    width: int
    height: int
    size: int


def read_picture(text: str) -> Picture | None:
    """The picture in a `data:` URI or a bare base64 text; None if it may not be shown."""
    encoded = _encoded(text)
    if len(encoded) * 3 // 4 > MAX_BYTES:
        return None
    data = _decoded(encoded)
    found = _measure(data) if data else None
    if data is None or found is None or not 0 < found[1] * found[2] <= MAX_PIXELS:
        return None
    media_type, width, height = found
    return Picture(
        digest=_digest(encoded), media_type=media_type, width=width, height=height, size=len(data)
    )


def find_picture(body: bytes, digest: str) -> tuple[Picture, bytes] | None:
    """A picture of a JSON body, by its digest, with its bytes."""
    value = parse_json(body) if body else UNREADABLE
    for text in _texts(value):
        if _digest(_encoded(text)) == digest and (picture := read_picture(text)):
            return picture, _decoded(_encoded(text)) or b""
    return None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _encoded(text: str) -> str:
    return text.partition(",")[2] if text.startswith("data:") else text


def _digest(encoded: str) -> str:
    return hashlib.sha256(encoded.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _decoded(encoded: str) -> bytes | None:
    try:
        return b64decode(encoded)
    except (binascii.Error, ValueError):
        return None


def _measure(data: bytes) -> tuple[str, int, int] | None:
    """Media type, width and height, as the first bytes have them."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return "image/png", _big(data[16:20]), _big(data[20:24])
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif", _little(data[6:8]), _little(data[8:10])
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _measure_webp(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _measure_jpeg(data)
    return None


def _measure_webp(data: bytes) -> tuple[str, int, int] | None:
    """https://developers.google.com/speed/webp/docs/riff_container."""
    kind = data[12:16]
    if kind == b"VP8X":
        return "image/webp", _little(data[24:27]) + 1, _little(data[27:30]) + 1
    if kind == b"VP8L":
        bits = _little(data[21:25])
        return "image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return "image/webp", _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
    return None


def _measure_jpeg(data: bytes) -> tuple[str, int, int] | None:
    """From the frame header (SOF0 to SOF15, but for DHT, JPG and DAC, which share its numbers)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return "image/jpeg", _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        at += 2 + max(2, _big(data[at + 2 : at + 4])) if marker != 0xFF else 1
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")

import base64
import json
from typing import Any

import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.dashboard.pictures import MAX_BYTES, MAX_PIXELS, find_picture, read_picture

SPEC: dict[str, Any] = {"width": 40, "height": 30, "mark": "bar", "data": {"values": [{"a": 1}]}}

PNG = vl_convert.vegalite_to_png(SPEC)
JPEG = vl_convert.vegalite_to_jpeg(SPEC)
GIF = base64.b64decode("R0lGODlhAwACAIAAAAAAAAAAACH5BAEAAAAALAAAAAADAAIAAAIChF8AOw==")
WEBP_LOSSY = base64.b64decode(
    "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
)
WEBP_LOSSLESS = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
WEBP_EXTENDED = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x1f\x03\0\x57\x02\0"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)' width='1' height='1'/>"


def encoded(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("data", "media_type", "size"),
    [
        (PNG, "image/png", None),
        (JPEG, "image/jpeg", None),
        (GIF, "image/gif", (3, 2)),
        (WEBP_LOSSY, "image/webp", (1, 1)),
        (WEBP_LOSSLESS, "image/webp", (1, 1)),
        (WEBP_EXTENDED, "image/webp", (800, 600)),
    ],
)
def test_a_picture_is_what_its_bytes_say_it_is(
    data: bytes, media_type: str, size: tuple[int, int] | None
) -> None:
    picture = read_picture(encoded(data, "image/svg+xml"))

    assert picture is not None
    assert picture.media_type == media_type
    assert picture.size == len(data)
    assert (picture.width, picture.height) == (size or (picture.width, picture.height))
    assert 0 < picture.width < 1000


def test_png_and_jpeg_of_one_drawing_have_one_size() -> None:
    png, jpeg = read_picture(encoded(PNG)), read_picture(encoded(JPEG))

    assert png
    assert jpeg
    assert (png.width, png.height) == (jpeg.width, jpeg.height)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data:image/png;base64,",
        "data:image/png;base64,***",
        encoded(SVG, "image/png"),
        encoded(SVG, "image/svg+xml"),
        "data:image/svg+xml,<svg onload=alert(1)>",
        encoded(b"<html><script>alert(1)</script>", "image/png"),
        encoded(b"\x89PNG\r\n\x1a\n"),
        encoded(b"\xff\xd8\xff\xe0\x00\x10JFIF"),
        encoded(b"RIFF\0\0\0\0WEBPxxxx"),
        "https://example.com/a.png",
        "not base64 é",
    ],
)
def test_all_else_is_no_picture(text: str) -> None:
    assert read_picture(text) is None


def test_one_that_would_fill_the_memory_is_not_shown() -> None:
    side = (MAX_PIXELS + 1).to_bytes(4, "big")
    bomb = PNG[:16] + side + (1).to_bytes(4, "big") + PNG[24:]

    assert read_picture(encoded(bomb)) is None
    assert read_picture(encoded(PNG + b"\0" * MAX_BYTES)) is None


def test_a_picture_is_found_by_its_digest_wherever_it_stands() -> None:
    body = json.dumps({"a": [{"b": encoded(JPEG)}, {"c": [base64.b64encode(PNG).decode()]}]})
    wanted = read_picture(encoded(PNG))
    assert wanted

    found = find_picture(body.encode(), wanted.digest)

    assert found == (wanted, PNG)
    assert find_picture(body.encode(), "0" * 16) is None
    assert find_picture(b"not json", wanted.digest) is None


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"\xff\xd8\xff" + tail))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    read_picture(encoded(data))
    read_picture(base64.b64encode(data).decode())

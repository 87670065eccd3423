"""What looks like an API key, wherever it stands and however it is cut."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replayproxy.key_shapes import LONGEST, KeyScan, KeyTally, key_shapes

# Made up; in pieces, so that scanners of repositories do not take them for real.
KEYS = {
    "openai key": "sk-" + "proj-" + "aB3_" * 15,
    "anthropic key": "sk-" + "ant-api03-" + "aB3-" * 23 + "AA",
    "aigateway key": "sk-" + "aig-" + "aB3x" * 6,
    "openrouter key": "sk-" + "or-v1-" + "0af9" * 16,
    "deepseek key": "sk-" + "0af9" * 8,
    "aws access key": "AKIA" + "Q4WZ" * 4,
    "google api key": "AIza" + "Sy_-9" * 7,
    "github token": "ghp" + "_" + "aB3x" * 9,
    "gitlab token": "glpat" + "-" + "aB3x_" * 4,
    "slack token": "xoxb" + "-123456789012-123456789012-" + "aB3x" * 6,
    "huggingface token": "hf" + "_" + "aBxy" * 9,
    "groq key": "gsk" + "_" + "aB3x" * 13,
    "xai key": "xai" + "-" + "aB3x" * 20,
    "perplexity key": "pplx" + "-" + "aB3x" * 12,
    "stripe key": "sk" + "_live_" + "aB3x" * 6,
    "webhook secret": "whsec" + "_" + "aB3+" * 8,
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
}
OTHER_FORMS = [
    ("openai key", "sk-" + "aB3x" * 12),
    ("openai key", "sk-" + "svcacct-" + "aB3_" * 30),
    ("anthropic key", "sk-" + "ant-oat01-" + "aB3_" * 23),
    ("aws access key", "ASIA" + "Q4WZ" * 4),
    ("github token", "github" + "_pat_" + "aB3x_" * 16 + "aB"),
    ("private key", "-----BEGIN " + "PRIVATE KEY-----"),
    ("private key", "-----BEGIN OPENSSH " + "PRIVATE KEY-----"),
]
every_key = pytest.mark.parametrize(("kind", "key"), KEYS.items())


@every_key
@pytest.mark.parametrize(
    "around", ["%s", "KEY=%s\n", "'%s'", "a\n%s\nb", "(%s)", "key: %s, and", "\u201c%s\u201d"]
)
def test_a_key_is_found_in_text_and_in_json(kind: str, key: str, around: str) -> None:
    text = around % key

    assert key_shapes(text.encode()) == {kind}
    assert key_shapes(json.dumps({"content": text}).encode()) == {kind}
    assert key_shapes(json.dumps({"arguments": json.dumps({"a": text})}).encode()) == {kind}


@pytest.mark.parametrize(("kind", "key"), OTHER_FORMS)
def test_a_kind_has_several_forms(kind: str, key: str) -> None:
    assert key_shapes(key.encode()) == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a task-oriented risk-averse desk-bound model",
        "task-" + "0af9" * 8,  # an id whose end looks like a key
        "base64/sk-" + "0af9" * 8,
        "sk-...",
        "sk-ant-...",
        "sk-" + "0af9" * 9,  # 36 digits: no kind of key
        "AKIAIOSFODNN7",
        "AKIA" + "Q4WZ" * 5,
        "xAIza" + "Sy_-9" * 7,
        "AIza" + "Sy_-9" * 8,
        "ghp_short",
        "-----BEGIN PUBLIC KEY-----",
        "gpt-4o chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012345 system_fingerprint fp_44709d6fcb",
    ],
)
def test_other_text_is_no_key(text: str) -> None:
    assert key_shapes(text.encode()) == set()


@given(st.data())
def test_a_key_is_found_however_the_data_is_cut(data: st.DataObject) -> None:
    kind, key = data.draw(st.sampled_from(sorted(KEYS.items())))
    text = "x" * data.draw(st.integers(0, 400)) + " " + key + " " + "y" * 400
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=6)))
    scan = KeyScan()

    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        scan.feed(text[start:end].encode())

    assert scan.found == {kind}


def test_keys_that_come_byte_by_byte_or_over_a_slice_are_found() -> None:
    by_bytes, over_a_slice = KeyScan(), KeyScan()

    for byte in KEYS["aigateway key"].encode():
        by_bytes.feed(bytes([byte]))
    over_a_slice.feed(b" " * (64 * 1024 - 10) + KEYS["github token"].encode())

    assert by_bytes.found == {"aigateway key"}
    assert over_a_slice.found == {"github token"}


def test_every_key_fits_into_what_is_kept_for_the_next_piece() -> None:
    assert max(map(len, KEYS.values())) <= LONGEST


@pytest.mark.parametrize(
    "hostile",
    [
        b"sk-" * 700_000,
        b"xoxb-" + b"a" * 2_000_000 + b"_",
        b"xoxb-aaaaaaaa-" * 150_000 + b"_",
        b"github_pat_" * 180_000 + b"-",
        b"hf_" * 700_000 + b"-",
        b"whsec_" * 350_000 + b"_",
        b"sk-proj-" * 250_000 + b"/",
        b"\\nsk-ant-api03-" * 150_000,
        b"-----BEGIN " + b"A " * 1_000_000 + b"PRIVATE KEY-----",
        b"-" * 2_000_000,
        b"_" * 2_000_000,
    ],
)
def test_the_time_it_takes_grows_with_the_length_only(hostile: bytes) -> None:
    start = time.process_time()

    key_shapes(hostile)

    assert time.process_time() - start < 5


def test_a_tally_counts_exchanges_and_kinds() -> None:
    tally = KeyTally()

    for found in ({"openai key"}, set(), {"openai key", "private key"}):
        tally.add(found)

    assert (tally.exchanges, tally.kinds) == (2, {"openai key", "private key"})

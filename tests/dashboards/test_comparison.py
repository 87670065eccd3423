"""Two exchanges beside each other, on real databases."""

import json
from pathlib import Path
from typing import Any

import pytest

from replayproxy.dashboard import comparison
from replayproxy.dashboard.comparison import Comparison, compare
from replayproxy.errors import UnknownExchangeError
from replayproxy.model import Ending
from tests.dashboards.sample import (
    HOSTILES,
    Said,
    call,
    data,
    delta,
    hostile,
    stream,
    varied,
    write,
)
from tests.dashboards.site import HOME, site


def asked(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], **more}


def compared(folder: Path, a: Said, b: Said) -> Comparison:
    path = write(folder / "a.db", a, b)
    return compare((path, 1), (path, 2))


def told(found: Comparison, name: str) -> tuple[str, str, str]:
    (figure,) = (figure for figure in found.figures if figure.name == name)
    return figure.a, figure.b, figure.change


def where(found: Comparison) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(one.where, [(p.kind, p.text) for p in one.pieces]) for one in found.request]


def test_figures_are_told_with_their_difference(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        Said(chunks=stream(["a"], first_ms=400, cost=0.001, usage=(100, 50))),
        Said(chunks=stream(["a"], first_ms=300, cost=0.0015, usage=(100, 60))),
    )

    assert told(found, "first content (TTFT)") == ("400 ms", "300 ms", "▼ −100 ms (−25%)")
    assert told(found, "cost") == ("$0.001", "$0.0015", "▲ +$0.0005 (+50%)")
    assert told(found, "input tokens") == ("100", "100", "")
    assert told(found, "output tokens") == ("50", "60", "▲ +10 (+20%)")


def test_what_only_one_of_them_knows_has_no_difference(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        Said(chunks=stream(["a"])),
        Said(status=None, chunks=(), ending=Ending.UPSTREAM_CLOSED, detail="refused"),
    )

    assert told(found, "output tokens") == ("229", "–", "")
    assert told(found, "status") == ("200", "–", "differs")
    assert told(found, "stalls") == ("0", "0", "")


def test_unknown_is_not_equal(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said(), Said(chunks=[(9, delta(content="a"))]))

    with site(path) as opened:
        text = opened.text(f"{HOME}/compare?a=1&b=2")

    assert "of them cached 103 – –" in text


def test_requests_differ_by_json_path_host_and_headers(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        Said(request=asked(temperature=0.2), headers=(("openai-beta", "v1"), ("cookie", "a"))),
        Said(
            request=asked(temperature=0.7, user="me"),
            host="api.openai.com",
            headers=(("openai-beta", "v2"), ("cookie", "b")),
        ),
    )

    assert where(found) == [
        ("host", [("removed", "api.aigateway.sh"), ("added", "api.openai.com")]),
        ("$.temperature", [("removed", "0.2"), ("added", "0.7")]),
        ("$.user", [("removed", "(absent)"), ("added", '"me"')]),
        ("header openai-beta", [("removed", "v1"), ("added", "v2")]),
    ]


def test_a_long_value_is_compared_word_by_word_and_base64_only_named(tmp_path: Path) -> None:
    prompt = "You are a helpful assistant who answers every question at length and kindly"
    found = compared(
        tmp_path,
        Said(request=asked(system=prompt, image="data:image/png;base64," + "QUJD" * 1000)),
        Said(
            request=asked(system=f"{prompt}, now", image="data:image/png;base64," + "QUJE" * 1000)
        ),
    )

    (_, words), (_, image) = where(found)
    assert words == [("same", f'"{prompt}'), ("added", ", now"), ("same", '"')]
    assert "4,000 characters, SHA-256" in "".join(text for _, text in image)
    assert all(len(text) < 200 for _, text in image)


def test_answers_are_compared_word_by_word(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        Said(chunks=[(100, delta(reasoning_content="Hm.")), (200, delta(content="It is dry."))]),
        Said(
            chunks=[
                (100, delta(reasoning_content="Hm.")),
                (200, delta(content="It is wet.")),
                (210, call(function={"name": "f", "arguments": '{"a":1}'})),
            ]
        ),
    )

    assert [(section.name, section.same) for section in found.answer] == [
        ("reasoning", True),
        ("text", False),
        ("tool calls", False),
    ]
    assert [(p.kind, p.text) for p in found.answer[1].pieces] == [
        ("same", "It is "),
        ("removed", "dry"),
        ("added", "wet"),
        ("same", "."),
    ]
    assert found.answer[2].pieces[0].text == 'f {\n  "a": 1\n}'


def test_choices_are_compared_each_with_its_own(tmp_path: Path) -> None:
    def answer(*texts: str) -> list[tuple[float, bytes]]:
        choices = [{"index": n, "delta": {"content": text}} for n, text in enumerate(texts)]
        return [(100, data({"choices": choices}))]

    found = compared(tmp_path, Said(chunks=answer("a", "b")), Said(chunks=answer("a", "c")))

    assert [(s.name, s.same) for s in found.answer] == [("text", True), ("choice 1: text", False)]


def test_bodies_that_are_no_answer_are_compared_as_text(tmp_path: Path) -> None:
    plain: dict[str, Any] = {
        "path": "/v1/files",
        "response_headers": (("content-type", "text/plain"),),
    }

    found = compared(
        tmp_path,
        Said(chunks=[(9, b"one two")], **plain),
        Said(chunks=[(9, b"one three")], **plain),
    )

    assert [(s.name, s.same) for s in found.answer] == [("body", False)]


def test_what_is_binary_is_only_the_same_or_not(tmp_path: Path) -> None:
    found = compared(
        tmp_path, Said(chunks=[(9, b"\0\1\2")]), Said(chunks=[(5, b"\0"), (9, b"\1\2")])
    )

    assert found.answer == ()
    assert found.likeness == comparison.Likeness(same_bytes=True, same_chunks=False)


def test_equal_responses_are_compared_by_the_times_of_their_chunks(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        Said(chunks=[(100, b"data: 1\n\n"), (200, b"data: 2\n\n")]),
        Said(
            chunks=[(101, b"data: 1\n\n"), (203.5, b"data: 2\n\n")],
            response_headers=(
                ("content-type", "text/event-stream"),
                ("x-replayproxy", "hit"),
                ("x-replayproxy-exchange", "1"),
            ),
        ),
    )

    assert found.likeness == comparison.Likeness(same_bytes=True, same_chunks=True, furthest_ms=3.5)
    assert found.replayed


def test_many_differences_are_cut_and_that_is_said(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        Said(request=asked(x=list(range(500)))),
        Said(request=asked(x=list(range(1, 501)))),
    )

    assert len(found.request) == comparison.MAX_DIFFERENCES
    assert found.more


def test_the_page_shows_both(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.db",
        Said(chunks=stream(["It", "is", "dry."])),
        Said(chunks=stream(["It", "is", "wet."], first_ms=500)),
    )

    with site(path) as opened:
        page, text = (
            opened.get(f"{HOME}/compare?a=1&b=2").text,
            opened.text(f"{HOME}/compare?a=1&b=2"),
        )

    assert "<del>dry</del><ins>wet</ins>" in page
    assert page.count('class="marks"') == 1
    assert 'aria-label="B, chunk 1: 500 ms' in page
    assert "first content (TTFT) 300 ms 500 ms ▲ +200 ms (+66.7%)" in text
    assert "Both asked the same." in text
    assert "status 200 200 =" in text
    assert f'href="{HOME}/compare?b=1&amp;a=2"' in page
    assert f'href="{HOME}/exchange/1"' in page


def test_two_ticked_in_the_table_are_compared(tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db", Said(), Said())) as opened:
        table = opened.get("/replayproxy/exchanges").text
        text = opened.text(f"{HOME}/compare?id=2&id=1")

    assert f'action="{HOME}/compare"' in table
    assert 'name="id" value="2" form="rp-compare"' in table
    assert "A exchange 2" in text
    assert "B exchange 1" in text


@pytest.mark.parametrize("query", ["", "?a=1", "?b=1", "?id=1"])
def test_without_two_ids_it_asks_for_them(query: str, tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db", Said())) as opened:
        assert "Name two exchanges by their ids" in opened.text(f"{HOME}/compare{query}")


@pytest.mark.parametrize(
    "query", ["a=1&b=99", "a=x&b=1", "a=1&b=" + "9" * 40, "a=1&b=1&b_database=none", "a=1&b=-1"]
)
def test_what_is_not_there_is_a_clear_404(query: str, tmp_path: Path) -> None:
    with site(write(tmp_path / "a.db", Said())) as opened:
        response = opened.get(f"{HOME}/compare?{query}")

    assert response.status_code == 404
    assert "There is no" in response.text or "No replayproxy database" in response.text


def test_an_unknown_exchange_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", Said())

    with pytest.raises(UnknownExchangeError):
        compare((path, 1), (path, 2))


def test_every_pair_of_kinds_can_be_compared(tmp_path: Path) -> None:
    kinds = varied()
    path = write(tmp_path / "a.db", *kinds)

    with site(path) as opened:
        for number in range(2, len(kinds) + 1):
            assert opened.get(f"{HOME}/compare?a={number}&b=1").status_code == 200


@pytest.mark.parametrize("text", HOSTILES)
def test_hostile_text_stays_text(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", hostile(text), Said())

    with site(path) as opened:
        for query in ("a=1&b=2", "a=2&b=1"):
            page = opened.get(f"{HOME}/compare?{query}").text
            assert "<img src=x" not in page
            assert "document.title='PWNED'</script>" not in page
            assert "\x1b" not in page
            assert "\u202e" not in page
        asked_for = opened.get(f"{HOME}/compare", params={"a": text, "b": "1"}).text
    assert "<img src=x" not in asked_for
    assert "<script>document" not in asked_for


def test_json_that_is_only_spelled_otherwise_is_the_same(tmp_path: Path) -> None:
    body = json.dumps(asked()).encode()

    found = compared(tmp_path, Said(request_body=body), Said(request_body=body.replace(b" ", b"")))

    assert found.request == ()

from hypothesis import given
from hypothesis import strategies as st

from replayproxy.dashboard.word_diff import MAX_LINES, MAX_WORDS, Piece, word_diff

TEXTS = st.text(alphabet="ab c\n.é", max_size=60) | st.text(max_size=40)


def both(pieces: list[Piece]) -> tuple[str, str]:
    before = "".join(piece.text for piece in pieces if piece.kind != "added")
    after = "".join(piece.text for piece in pieces if piece.kind != "removed")
    return before, after


@given(TEXTS, TEXTS)
def test_the_pieces_are_both_texts(before: str, after: str) -> None:
    pieces = word_diff(before, after)

    assert both(pieces) == (before, after)
    assert all(piece.text for piece in pieces)


@given(TEXTS)
def test_equal_texts_have_no_difference(text: str) -> None:
    assert {piece.kind for piece in word_diff(text, text)} <= {"same"}


def test_words_are_replaced_whole() -> None:
    pieces = word_diff("It is raining in Lisbon.", "It is dry in Lisbon.")

    assert pieces == [
        Piece("same", "It is "),
        Piece("removed", "raining "),
        Piece("added", "dry "),
        Piece("same", "in Lisbon."),
    ]


def test_a_long_text_is_compared_line_by_line() -> None:
    lines = [f"line {number} of a long text\n" for number in range(MAX_WORDS)]

    pieces = word_diff("".join(lines), "".join((*lines[:1000], "another\n", *lines[1001:])))

    assert [(p.kind, p.text) for p in pieces[1:3]] == [
        ("removed", lines[1000]),
        ("added", "another\n"),
    ]


def test_of_a_very_long_text_the_common_ends_are_found() -> None:
    lines = [f"{number}\n" for number in range(2 * MAX_LINES)]
    reverse = lines[1:-1][::-1]

    pieces = word_diff("".join(lines), "".join((lines[0], *reverse, lines[-1])))

    assert [piece.kind for piece in pieces] == ["same", "removed", "added", "same"]
    assert (pieces[0].text, pieces[-1].text) == (lines[0], lines[-1])

"""Source marks: found however the text is cut, told with their place in characters."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.engine.citing import LONGEST, Citing, Piece, Sources, mark_of

SOURCES: Sources = {(4, 0): "file-a", (4, 1): "file-b", (6, 0): "file-a"}
PIECES = [
    "Aßé 🧵 ",
    "plain",
    "【4:0†a.txt】",
    "【4:1†name with spaces.pdf】",
    "【6:0†】",
    "【9:9†unknown.txt】",
    "【",
    "】",
    "【4:",
    "【4:0†",
    "【4:0†a\nb】",
    "【not a mark】",
    "†",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


def said(pieces: list[str]) -> list[Piece]:
    """Return what comes of a text that arrives in pieces."""
    citing = Citing(SOURCES)
    found = [piece for text in pieces for piece in citing.take(text)]
    return [*found, *citing.rest()]


@given(text=TEXTS, data=st.data())
def test_nothing_is_lost_and_marks_are_found_wherever_the_text_is_cut(
    text: str, data: st.DataObject
) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=10)))
    cut = [text[a:b] for a, b in itertools.pairwise([0, *places, len(text)])]
    found = said(cut)
    assert "".join(piece.text for piece in found) == text
    citations = [piece.citation for piece in found if piece.citation]
    assert citations == [piece.citation for piece in said([text]) if piece.citation]
    for citation in citations:
        assert text[citation.start_index : citation.end_index] == citation.text
        assert citation.file_citation.file_id in SOURCES.values()


def test_a_mark_of_a_source_is_a_piece_of_its_own_with_its_place_in_characters() -> None:
    found = said(["Grü", "ße 🧵 【4:", "0†a.t", "xt】【4:1†b】."])
    assert [piece.text for piece in found if piece.citation] == ["【4:0†a.txt】", "【4:1†b】"]
    first, second = [piece.citation for piece in found if piece.citation]
    assert (first.start_index, first.end_index) == (8, 19)
    assert (second.start_index, second.end_index) == (19, 26)
    assert first.file_citation.file_id == "file-a"


@pytest.mark.parametrize(
    "text", ["【9:9†x】", "【4:0", "【a:0†x】", "【4:0†x", "【4:0†x\n】", "【【】"]
)
def test_what_is_no_mark_of_a_source_is_text(text: str) -> None:
    assert [piece.citation for piece in said([text])] == [None] * len(said([text]))
    assert "".join(piece.text for piece in said(list(text))) == text


def test_text_is_held_back_only_while_it_may_become_a_mark() -> None:
    citing = Citing(SOURCES)
    assert citing.take("so 【4:0†") == [Piece("so ")]
    assert "".join(piece.text for piece in citing.take("x" * LONGEST)) == "【4:0†" + "x" * LONGEST
    assert citing.rest() == []


def test_without_sources_text_passes_as_it_comes() -> None:
    assert Citing({}).take("【4:0†a】") == [Piece("【4:0†a】")]


@pytest.mark.parametrize("name", ["a.txt", "【evil】†.txt", "two\nlines", "x" * 1000, " "])
def test_the_mark_of_any_file_name_is_found_again(name: str) -> None:
    mark = mark_of(4, 1, name)
    (piece,) = said([mark])
    assert piece.citation is not None
    assert piece.citation.text == mark

"""How texts are cut: nothing is lost, nothing is too large, offsets are exact."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.profiles import examples
from weft.llm.tokens import estimate
from weft.retrieval.chunking import Chunk, chunks

PROSE = "The loom stands by the window. " * 7 + "\n\n" + "Nobody has used it for years! " * 5
PIECES = [
    *(" ", "\n\n", "\n", "\t", "word", "Sentence ends here. ", "x" * 300, "42", "1234567890" * 20),
    *(
        "汉字测试文本。",
        "Größe und Café ",
        "def read_file(path):\n    pass\n",
        "🧵🧶",
        "...",
        " " * 900,
    ),
]

texts = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(max_size=40), st.just(PROSE)), max_size=60
).map("".join)
sizes = st.integers(100, 500).flatmap(
    lambda most: st.tuples(st.just(most), st.integers(0, most // 2))
)


@examples(200)
@given(texts, sizes)
def test_the_chunks_cover_the_text_with_exact_offsets_and_none_is_too_large(
    text: str, size: tuple[int, int]
) -> None:
    """And none begins or ends with white space, or lies within another."""
    covered = 0
    last = Chunk("", -1, -1)
    for chunk in chunks(text, *size):
        assert chunk.text == text[chunk.start : chunk.end] == chunk.text.strip()
        assert 0 < estimate(chunk.text) <= size[0]
        assert last.start < chunk.start
        assert last.end < chunk.end
        assert not text[covered : chunk.start].strip()
        covered = last.end if chunk.end < covered else chunk.end
        last = chunk
    assert not text[covered:].strip()


@examples(200)
@given(texts)
def test_without_overlap_no_character_stands_twice(text: str) -> None:
    found = list(chunks(text, 100, 0))
    assert all(one.end <= other.start for one, other in pairwise(found))


@pytest.mark.parametrize(("most", "overlap"), [(800, 400), (200, 50), (1000, 100)])
def test_chunks_are_nearly_full_and_overlap_about_as_asked(most: int, overlap: int) -> None:
    text = "".join(f"Sentence number {number} tells of wool and weft. " for number in range(4000))
    found = list(chunks(text, most, overlap))
    for one, other in pairwise(found):
        assert estimate(one.text) > 0.6 * most
        assert 0.5 * overlap <= estimate(text[other.start : one.end]) <= overlap * 1.1 + 10


def test_a_chunk_ends_with_a_paragraph_or_a_sentence_where_one_ends() -> None:
    paragraphs = [f"Paragraph {number}. " + "Some words follow. " * 12 for number in range(50)]
    found = list(chunks("\n\n".join(paragraphs), 200, 0))
    assert all(chunk.text.startswith("Paragraph") for chunk in found)
    sentences = "".join(f"This is sentence {number} of many. " for number in range(500))
    assert all(chunk.text.endswith(".") for chunk in chunks(sentences, 150, 30))


def test_a_word_is_cut_only_when_it_alone_is_too_long() -> None:
    assert all("x" not in c.text.strip("x") for c in chunks("x" * 30_000, 100, 50))
    found = list(chunks("loom " * 2000, 100, 20))
    assert all(set(chunk.text.split()) == {"loom"} for chunk in found)


def test_a_text_of_white_space_has_no_chunks_and_a_small_one_has_one() -> None:
    assert list(chunks("")) == list(chunks(" \n\t" * 10_000)) == []
    assert list(chunks("  weft \n")) == [Chunk("weft", 2, 6)]
    assert len(list(chunks("a" + " " * 500_000 + "b"))) == 2


def test_the_work_grows_with_the_text_and_not_faster() -> None:
    """Counted in characters that were estimated, not in seconds."""
    from sys import setprofile

    def work(text: str) -> int:
        seen = 0

        def watch(frame: object, event: str, _: object) -> None:
            nonlocal seen
            code = getattr(frame, "f_code", None)
            if event == "call" and code is estimate.__code__:
                seen += len(getattr(frame, "f_locals", {})["text"])

        setprofile(watch)
        try:
            assert list(chunks(text, 100, 50))
        finally:
            setprofile(None)
        return seen

    for unit in (PROSE, "x" * 300, "汉字测试文本。" * 30, " " * 300 + "a"):
        assert work(unit * 80) < 16 * work(unit * 10)

"""In which terms texts and queries meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.profiles import examples
from weft.retrieval.words import IMPACTS, LONGEST, by_impact, query_terms, terms
from weft.store import chunks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("threads", "thread"),
        ("Running", "run"),
        ("deleted", "deletes"),
        ("studies", "study"),
        ("classes", "class"),
        ("CAFÉ", "café"),
        ("cafe", "café"),
        ("STRASSE", "Straße"),
        ("ﬁle", "file"),
    ],
)
def test_words_that_mean_the_same_are_one_term(one: str, other: str) -> None:
    assert terms(one) == terms(other) != []


def test_names_of_programs_are_found_whole_and_by_their_parts() -> None:
    assert set(terms("read_file")) >= set(terms("read file"))
    assert set(terms("readFile")) >= set(terms("read file"))
    assert set(terms("HTTPServer")) >= set(terms("http server"))
    assert terms("read_file")[0] not in terms("read file")


def test_scripts_without_spaces_give_pairs_of_characters() -> None:
    assert terms("汉字测试") == ["汉字", "字测", "测试"]
    assert set(terms("测试")) <= set(terms("我们测试软件"))
    assert terms("字") == ["字"]


def test_a_query_may_lose_the_words_that_stand_everywhere_unless_it_has_no_others() -> None:
    assert query_terms("How do I delete the thread?", has_common=False) == terms("delete thread")
    assert query_terms("What is it?", has_common=False) == ["what", "is", "it"]
    assert query_terms("Delete the", has_common=True) == [*terms("delete"), "the"]
    assert query_terms("thread thread Threads", has_common=True) == ["thread"]
    assert query_terms("?! --", has_common=False) == []


def test_a_term_tells_more_the_oftener_it_stands_and_the_shorter_the_text_is() -> None:
    def impact(term: str, text: str) -> int:
        return next(i for i, found in enumerate(by_impact(text), 1) if term in found)

    long = " ".join(f"word{number}" for number in range(600))
    assert impact("wool", f"wool wool wool {long}") > impact("wool", f"wool {long}")
    assert impact("wool", "wool and weft") > impact("wool", f"wool {long}")


@examples(200)
@given(st.text(max_size=200))
def test_any_text_gives_terms_that_the_index_can_hold(text: str) -> None:
    """No spaces, no upper case of ASCII, none empty or long, each with one impact."""
    found = [term for group in by_impact(text) for term in group]
    assert len(by_impact(text)) == IMPACTS == chunks.IMPACTS
    assert len(found) == len(set(found))
    assert set(found) == set(terms(text))
    for term in found:
        assert 0 < len(term) <= LONGEST
        assert term.split() == [term]
        assert not any("A" <= character <= "Z" for character in term)

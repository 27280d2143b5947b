"""Identifiers: what every clock must leave true of them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.property.profiles import examples
from weft.domain.ids import ALPHABET, ID_BODY, Ids

# A clock that stands still, jumps ahead, and is set back.
_clocks = st.lists(st.integers(0, 62**9 - 200), min_size=1, max_size=60)


@examples(200)
@given(instants=_clocks)
def test_ids_increase_strictly_whatever_the_clock_does(instants: list[int]) -> None:
    clock = iter(instants)
    ids = Ids(lambda: next(clock))
    made = [ids.new("thread_") for _ in instants]
    assert made == sorted(set(made))


@examples(100)
@given(instants=_clocks, prefix=st.sampled_from(["thread_", "msg_", "asst_", "key_"]))
def test_an_id_is_its_prefix_and_24_characters_that_may_be_restored(
    instants: list[int], prefix: str
) -> None:
    clock = iter(instants)
    ids = Ids(lambda: next(clock))
    for _ in instants:
        body = ids.new(prefix).removeprefix(prefix)
        assert len(body) == 24
        assert set(body) <= set(ALPHABET)
        assert re.fullmatch(ID_BODY, body)


@examples(50)
@given(lengths=st.lists(st.integers(1, 2000), min_size=1, max_size=20))
def test_random_characters_are_as_many_as_asked_for_and_never_twice_the_same(
    lengths: list[int],
) -> None:
    ids = Ids(lambda: 0)
    drawn = [ids.random(length) for length in lengths]
    assert [len(text) for text in drawn] == lengths
    assert set("".join(drawn)) <= set(ALPHABET)
    long = [text for text in drawn if len(text) >= 12]
    assert len(set(long)) == len(long)

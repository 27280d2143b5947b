"""Conditions on attributes, against a second opinion."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.profiles import examples
from weft.retrieval.filters import holds

# Values that Python itself would mix up: true and 1, "1" and 1.
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [True, False, 0, 1, 1.0, 2.5, -3, "1", "", "a", "b", "True"]
)
KEYS = st.sampled_from(["year", "lang", "draft"])
COMPARISONS = st.builds(
    lambda kind, key, value: {"type": kind, "key": key, "value": value},
    st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
    KEYS,
    VALUES,
) | st.builds(
    lambda kind, key, values: {"type": kind, "key": key, "value": values},
    st.sampled_from(["in", "nin"]),
    KEYS,
    st.lists(VALUES, max_size=3),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.builds(
        lambda kind, parts: {"type": kind, "filters": parts},
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES)


def label(value: Any) -> tuple[str, Any]:
    """A value with its kind in front: unlike Python's own, these are equal only if alike."""
    if value is True or value is False:
        return ("boolean", str(value))
    return ("text", value) if isinstance(value, str) else ("number", float(value))


def oracle(condition: dict[str, Any], attributes: dict[str, Any]) -> bool:
    """The same by sets and signs: no shared code, no short cuts."""
    kind = condition["type"]
    if kind in ("and", "or"):
        verdicts = {oracle(part, attributes) for part in condition["filters"]}
        return False not in verdicts if kind == "and" else True in verdicts
    known = condition["key"] in attributes
    found = label(attributes[condition["key"]]) if known else ("missing", None)
    wanted = condition["value"]
    if kind in ("eq", "in", "ne", "nin"):
        listed = wanted if isinstance(wanted, list) else [wanted]
        return (found in {label(one) for one in listed}) == (kind in ("eq", "in"))
    if found[0] != label(wanted)[0]:
        return False
    one, other = found[1], label(wanted)[1]
    sign = (one > other) - (one < other)
    return sign in {"gt": {1}, "gte": {0, 1}, "lt": {-1}, "lte": {-1, 0}}[kind]


@examples(1000)
@given(CONDITIONS, ATTRIBUTES)
def test_a_condition_holds_for_exactly_the_files_that_the_oracle_names(
    condition: dict[str, Any], attributes: dict[str, Any]
) -> None:
    assert holds(condition, attributes) == oracle(condition, attributes)


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ({"type": "eq", "key": "draft", "value": 1}, False),
        ({"type": "eq", "key": "year", "value": 1785}, True),
        ({"type": "eq", "key": "year", "value": "1785"}, False),
        ({"type": "gt", "key": "year", "value": "1000"}, False),
        ({"type": "ne", "key": "none", "value": "x"}, True),
        ({"type": "nin", "key": "none", "value": ["x"]}, True),
        ({"type": "lt", "key": "none", "value": 5}, False),
        ({"type": "in", "key": "lang", "value": ["en", "de"]}, True),
    ],
)
def test_kinds_are_not_mixed_up_and_what_is_missing_meets_only_ne_and_nin(
    condition: dict[str, Any], verdict: bool
) -> None:
    assert holds(condition, {"year": 1785.0, "lang": "en", "draft": True}) is verdict

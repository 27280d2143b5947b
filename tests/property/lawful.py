"""Strategies for JSON: any value, a lawful value of a wire type, and a lawful one spoilt."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from hypothesis import strategies as st
from msgspec import inspect as mi

from weft.wire.shapes import NO_NEWLINE
from weft.wire.vector_search import Filter

Strategy: TypeAlias = st.SearchStrategy[Any]

# Numbers at which JSON tools and databases change their mind.
_EDGES = [0, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, 10**400]
_FLOATS = [0.0, -0.0, 1.0, 0.5, -1e308, 5e-324, 1e18, 1.5e300]

# Characters that have broken somebody's parser, database or terminal.
_ODD = "\0\x1f\x7f\x85\u2028\u200f\ufeff\ufffd\uffff\U0001f469\U0010ffff'\"\\%[]{}/.&="
texts = st.one_of(
    st.text(max_size=12),
    st.text(alphabet=_ODD, max_size=6),
    st.sampled_from(["", "a", "text", "user", "auto", "null", "undefined", "thread_a", "msg_a"]),
)
numbers = st.one_of(
    st.integers(-5, 5),
    st.sampled_from(_EDGES),
    st.sampled_from(_FLOATS),
    st.floats(allow_nan=False, allow_infinity=False),
)
_atoms = st.one_of(st.none(), st.booleans(), numbers, texts)
values: Strategy = st.recursive(
    _atoms,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)


# A type holds itself here, and says in words which of its fields go together.
_single = st.one_of(st.text(max_size=5), st.integers(-5, 5), st.booleans())
_comparisons = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
            "key": st.text(max_size=5),
            "value": _single,
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["in", "nin"]),
            "key": st.text(max_size=5),
            "value": st.lists(st.one_of(st.text(max_size=5), st.integers(-5, 5)), max_size=3),
        }
    ),
)
filters: Strategy = st.recursive(
    _comparisons,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["and", "or"]), "filters": st.lists(inner, max_size=3)}
    ),
    max_leaves=4,
)


# --- lawful values of a type ------------------------------------------------------------------


@cache
def lawful(of: Any) -> Strategy:
    """Return JSON values that the type `of` takes, made from what msgspec knows of the type."""
    return _kind(mi.type_info(of), {})


def _kind(kind: mi.Type, noted: dict[str, Any]) -> Strategy:
    match kind:
        case mi.Metadata(type=inner, extra=extra):
            return _kind(inner, {**noted, **(extra or {})})
        case mi.UnionType(types=types):
            return st.one_of([_kind(one, noted) for one in types])
        case mi.StructType(cls=cls):
            return filters if cls is Filter else _struct(kind)
        case mi.ListType(item_type=item):
            most = 3 if kind.max_length is None else min(3, kind.max_length)
            return st.lists(_kind(item, {}), min_size=kind.min_length or 0, max_size=most)
        case mi.DictType(key_type=key, value_type=value):
            return st.dictionaries(_kind(key, noted), _kind(value, noted), max_size=3)
        case _:
            return _scalar(kind, noted)


def _scalar(kind: mi.Type, noted: dict[str, Any]) -> Strategy:
    match kind:
        case mi.StrType():
            return _string(kind, noted)
        case mi.IntType():
            return _integers(kind)
        case mi.FloatType():
            least, most = (kind.ge or 0), (10 if kind.le is None else kind.le)
            return st.one_of(st.floats(least, most), st.integers(int(least), int(most)))
        case mi.LiteralType():
            return st.sampled_from(kind.values)
        case mi.BoolType():
            return st.booleans()
        case mi.NoneType():
            return st.none()
        case mi.AnyType():
            return values.filter(lambda value: "1" + "0" * 19 not in str(value))
    raise AssertionError(f"no strategy for {kind!r}: write one")


def _integers(kind: mi.IntType) -> Strategy:
    least = 0 if kind.ge is None else int(kind.ge)
    most = 2**62 if kind.le is None else int(kind.le)
    edges = [edge for edge in _EDGES if least <= edge and (kind.le is None or edge <= kind.le)]
    within = st.integers(least, most)
    return st.one_of(within, st.sampled_from(edges)) if edges else within


def _string(kind: mi.StrType, noted: dict[str, Any]) -> Strategy:
    if kind.pattern is not None:
        return st.from_regex(kind.pattern.removesuffix(NO_NEWLINE).replace("$", r"\Z"))
    least, most = kind.min_length or 0, kind.max_length
    short = st.text(min_size=least, max_size=12 if most is None else min(12, most))
    edge = [] if most is None or most > 1000 else ["é" * most, "\U0001f469" * most]
    found = st.one_of(short, st.sampled_from(edge)) if edge else short
    return found.filter(lambda text: "\0" not in text) if noted.get("no_nul") else found


def _struct(kind: mi.StructType) -> Strategy:
    always = {f.encode_name: _kind(f.type, {}) for f in kind.fields if f.required}
    maybe = {f.encode_name: _kind(f.type, {}) for f in kind.fields if not f.required}
    if kind.tag_field is not None:
        always[kind.tag_field] = st.just(kind.tag)
    return st.fixed_dictionaries(always, optional=maybe)


# --- spoilt values ----------------------------------------------------------------------------

Place: TypeAlias = tuple[Any, Any]  # a container and the key or index of a value in it


def _places(value: Any, found: list[Place]) -> list[Place]:
    """Return where in `value` another value could stand."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        found.append((value, key))
        _places(inner, found)
    return found


def _value(draw: Callable[[Strategy], Any]) -> Any:
    """Return a value of our own: what a strategy gives may be the same object each time."""
    return copy.deepcopy(draw(values))


def _replace(place: Place, draw: Callable[[Strategy], Any]) -> None:
    place[0][place[1]] = _value(draw)


def _remove(place: Place, draw: Callable[[Strategy], Any]) -> None:
    del place[0][place[1]]


def _add(place: Place, draw: Callable[[Strategy], Any]) -> None:
    if isinstance(place[0], dict):
        place[0][draw(texts)] = _value(draw)
    else:
        place[0].append(_value(draw))


def _stretch(place: Place, draw: Callable[[Strategy], Any]) -> None:
    """Take a value beyond the limits of its kind."""
    inner = place[0][place[1]]
    if isinstance(inner, str):
        place[0][place[1]] = (inner[:2] or "x") * draw(st.sampled_from([65, 513, 1025]))
    elif isinstance(inner, list):
        place[0][place[1]] = copy.deepcopy(inner[:4]) * 33  # each change may stretch it again
    elif isinstance(inner, dict):
        inner.update({f"k{index}": "v" for index in range(17)})
    else:
        place[0][place[1]] = draw(numbers)


@st.composite
def spoilt(draw: Callable[[Strategy], Any], of: Any) -> Any:
    """Return a lawful value of the type `of` with one to three changes; some stay lawful."""
    value = copy.deepcopy(draw(lawful(of)))
    for _ in range(draw(st.integers(1, 3))):
        places = _places(value, [])
        if not places:
            return _value(draw)
        change = draw(st.sampled_from([_replace, _remove, _add, _stretch]))
        change(draw(st.sampled_from(places)), draw)
    return value

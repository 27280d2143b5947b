"""Bodies and query strings: the two passes agree, and nothing but BadRequest ever comes out."""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.property.lawful import lawful, spoilt
from tests.property.profiles import examples
from weft.domain.errors import BadRequest
from weft.wire.body import Body, decode_query
from weft.wire.explain import explain
from weft.wire.operations import TABLE

BODIES = {
    f"{operation.id}-{struct.__name__}": (operation.body, struct)
    for operation in TABLE
    if isinstance(operation.body, Body)
    for struct in (operation.body.struct, operation.body.restore)
    if struct is not None
}
QUERIES = sorted({operation.query for operation in TABLE if operation.query}, key=repr)

each_body = pytest.mark.parametrize(("body", "struct"), BODIES.values(), ids=BODIES)
each_query = pytest.mark.parametrize("struct", QUERIES)


def decoded(body: Body[Any, Any], raw: bytes) -> Any:
    """Return what a body says, or the BadRequest that refuses it; nothing else may be raised."""
    try:
        return body.decode(raw)
    except BadRequest as refusal:
        return refusal


def explains_itself(refusal: BadRequest) -> bool:
    """Say whether a refusal is one line that any terminal and log can show."""
    shown = f"{refusal.message}{refusal.param or ''}"
    return 10 < len(refusal.message) < 1000 and shown.isprintable()


def passes_agree(body: Body[Any, Any], raw: bytes) -> bool:
    """Hold the decoder against the walk that explains refusals; say whether both took the body."""
    data = msgspec.json.decode(raw)
    struct = body.struct
    if body.restore is not None and isinstance(data, dict) and "id" in data:
        if data["id"] is None:
            del data["id"]  # not set: nothing is restored
            raw = msgspec.json.encode(data)
        else:
            struct = body.restore
    answer = decoded(body, raw)
    try:
        fast = msgspec.json.decode(raw, type=struct)
    except (msgspec.MsgspecError, ValueError):
        # The walk forgives what the service forgave (1.0 for 1); then it is lawful from then on.
        if isinstance(answer, BadRequest):
            assert explains_itself(answer)
        else:
            assert msgspec.convert(msgspec.to_builtins(answer), struct) == answer
        return False
    if b"\\u0000" in raw:
        return False
    assert repr(explain(data, struct)) == repr(fast)
    assert repr(answer) == repr(fast)
    return True


@each_body
@examples(80)
@given(data=st.data())
def test_a_body_of_the_right_form_is_taken_alike_by_decoder_and_walk(
    body: Body[Any, Any], struct: type, data: st.DataObject
) -> None:
    value = data.draw(lawful(struct))
    passes_agree(body, json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())


@each_body
@examples(150)
@given(data=st.data())
def test_a_spoilt_body_is_taken_alike_or_refused_with_a_reason(
    body: Body[Any, Any], struct: type, data: st.DataObject
) -> None:
    value = data.draw(spoilt(struct))
    passes_agree(body, json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())


# Pieces of JSON, whole and broken, in any order.
_scraps = st.lists(
    st.one_of(
        st.sampled_from(["{", "}", "[", "]", '"', ",", ":", "\\", "\\u0000", "\\ud800", "\\udc00"]),
        st.sampled_from(["1", "-", ".", "e9", "1e999", "NaN", "null", "true", " ", "0" * 5000]),
        st.sampled_from(['"id"', '"role"', '"content"', '"metadata"', "\ufeff", "\0", "\u2028"]),
        st.sampled_from(["[" * 3000, '{"a":' * 3000]),
    ),
    max_size=12,
).map(lambda scraps: "".join(scraps).encode())


@each_body
@examples(60)
@given(raw=st.one_of(st.binary(max_size=40), _scraps))
def test_bytes_that_are_no_body_are_refused_and_break_nothing(
    body: Body[Any, Any], struct: type, raw: bytes
) -> None:
    answer = decoded(body, raw)
    if isinstance(answer, BadRequest):
        assert explains_itself(answer)
    else:
        assert not raw.strip() or isinstance(msgspec.json.decode(raw), dict)


@each_body
@examples(60)
@given(data=st.data())
def test_a_lawful_body_that_is_cut_or_has_a_byte_changed_breaks_nothing(
    body: Body[Any, Any], struct: type, data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(data.draw(lawful(struct)), ensure_ascii=False).encode())
    at = data.draw(st.integers(0, len(raw)))
    raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    answer = decoded(body, bytes(raw))
    assert not isinstance(answer, BadRequest) or explains_itself(answer)


@each_body
@examples(30)
@given(depth=st.integers(1, 1200), brackets=st.sampled_from([("[", "]"), ('{"a":', "}")]))
def test_nesting_of_any_depth_is_taken_or_refused(
    body: Body[Any, Any], struct: type, depth: int, brackets: tuple[str, str]
) -> None:
    nested = f"{brackets[0] * depth}1{brackets[1] * depth}"
    for inside in (nested, f'{{"metadata":{nested}}}', f'{{"id":{nested}}}', f'{{"x":{nested}}}'):
        answer = decoded(body, inside.encode())
        assert isinstance(answer, BadRequest)
        assert explains_itself(answer)


# --- query strings ------------------------------------------------------------------------------

_words = st.one_of(
    st.sampled_from(["limit", "order", "after", "before", "run_id", "metadata", "metadata[a]"]),
    st.sampled_from(["[", "]", "[]", "[[", "%", "%5B", "%5D", "%00", "%ff", "%zz", "+", "&", "="]),
    st.sampled_from(["0", "1", "100", "101", "9" * 30, "1.0", "asc", "desc", "thread_a", "null"]),
    st.text(max_size=3),
)
_queries = st.one_of(
    st.binary(max_size=30),
    st.lists(_words, max_size=10).map(lambda words: "".join(words).encode()),
    st.lists(st.tuples(_words, _words), max_size=5).map(
        lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode()
    ),
)


@each_query
@examples(400)
@given(query_string=_queries)
def test_a_query_string_is_understood_or_refused_and_breaks_nothing(
    struct: type[msgspec.Struct], query_string: bytes
) -> None:
    try:
        query = decode_query(query_string, struct)
    except BadRequest as refusal:
        fault = refusal
    else:
        assert msgspec.convert(msgspec.to_builtins(query), struct) == query
        return
    assert explains_itself(fault)


@each_query
@examples(60)
@given(data=st.data())
def test_a_lawful_query_comes_out_as_it_went_in(
    struct: type[msgspec.Struct], data: st.DataObject
) -> None:
    given_ = {key: value for key, value in data.draw(lawful(struct)).items() if value is not None}
    # `metadata[]` means a list, as in `include[]`: an empty name cannot be asked for.
    assume("" not in given_.get("metadata", {}))
    flat: list[tuple[str, str]] = []
    for key, value in given_.items():
        if isinstance(value, dict):
            flat += [(f"{key}[{inner}]", text) for inner, text in value.items()]
        elif isinstance(value, list):
            flat += [(f"{key}[]", text) for text in value]
        else:
            flat.append((key, str(value)))
    query = decode_query(urlencode(data.draw(st.permutations(flat))).encode(), struct)
    wanted = {key: value for key, value in given_.items() if value not in ({}, [])}
    assert query == msgspec.convert(wanted, struct)

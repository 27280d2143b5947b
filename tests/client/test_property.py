"""Bodies made from the schemas: the client's check and the server's have one opinion."""

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.client.made import Maker, spoilt
from tests.harness import Api
from tests.property.profiles import FULL, examples
from weft import Client
from weft.client.bodies import encoded
from weft.client.check import Checker
from weft.client.contract import contract
from weft.client.description import Operation
from weft.domain.errors import BadRequest
from weft.wire.body import Body
from weft.wire.operations import TABLE

MADE = Maker(contract().document)
BODIES = {each.id: each.body for each in TABLE if isinstance(each.body, Body)}
CHECKER = Checker(contract())

# What no schema says: rules between fields, limits on what is free-form, kinds of identifiers.
_BEYOND = re.compile(
    "either vector_store_ids or vector_stores, not both"
    r"|Unknown parameter: '(messages\[\d+\]\.)?(object|created_at)'"  # of what has no id
    "|must not exceed half of max_chunk_size_tokens"
    "|nested more than"
    "|give either file_ids or files|Missing required parameter: 'file_ids'"
    # What a condition has depends on its type.
    r"|(Missing required|Unknown) parameter: 'filters(\.filters\[\d+\])*\.(key|value|filters)'"
    r"|Invalid type for 'filters(\.filters\[\d+\])*\.value'"
    "|Expected an ID that begins with"
    "|We could not parse the JSON body"  # a number that no JSON reader takes
)

each_body = pytest.mark.parametrize("operation_id", BODIES)


def allows(operation: Operation, body: Any) -> bool:
    """Say whether the client would send a body."""
    known = {
        "thread_id": "thread_a",
        "message_id": "msg_a",
        "run_id": "run_a",
        "upload_id": "upload_a",
        "vector_store_id": "vs_a",
        "batch_id": "vsfb_a",
    }
    path = {
        each.keyword: known.get(each.keyword, "asst_a")
        for each in operation.parameters
        if each.place == "path"
    }
    return CHECKER.problems(operation, {**path, "body": body}) == []


def refusal(body: Body[Any, Any], raw: bytes) -> BadRequest | None:
    """Return what the server says of a body, None when it takes it."""
    try:
        body.decode(raw)
    except BadRequest as refused:
        return refused
    return None


def same_opinion(operation_id: str, value: Any) -> bool:
    """Hold the two checks against each other; say whether both allow the body."""
    # The server takes an id that is null for none at all, which no schema offers.
    assume(not (isinstance(value, dict) and value.get("id", "") is None))
    operation = contract().find(operation_id)
    assert operation.body is not None
    raw, _ = encoded(operation.body, value)
    assert isinstance(raw, bytes)
    refused = refusal(BODIES[operation_id], raw)
    is_allowed = allows(operation, value)
    if is_allowed and refused is not None:
        assert _BEYOND.search(refused.message), f"only the server refuses {raw!r}: {refused}"
        return False
    assert is_allowed == (refused is None), f"only the client refuses {raw!r}"
    return is_allowed


@each_body
@examples(20)
@given(data=st.data())
def test_a_body_made_from_its_schema_is_allowed_by_client_and_server(
    operation_id: str, data: st.DataObject
) -> None:
    operation = contract().find(operation_id)
    assert operation.body is not None
    body = data.draw(MADE.of(operation.body.schema))
    assert allows(operation, body)
    same_opinion(operation_id, body)


@each_body
@examples(40)
@given(data=st.data())
def test_a_spoilt_body_is_refused_by_both_or_by_neither(
    operation_id: str, data: st.DataObject
) -> None:
    operation = contract().find(operation_id)
    assert operation.body is not None
    same_opinion(operation_id, data.draw(spoilt(MADE.of(operation.body.schema))))


@pytest.mark.full
@each_body
@examples(60 * FULL)
@given(data=st.data())
def test_a_spoilt_body_is_refused_by_both_or_by_neither_for_longer(
    operation_id: str, data: st.DataObject
) -> None:
    operation = contract().find(operation_id)
    assert operation.body is not None
    same_opinion(operation_id, data.draw(spoilt(MADE.of(operation.body.schema))))


def test_over_http_the_server_refuses_exactly_what_the_client_does_not_send(
    client: Client, api: Api
) -> None:
    """The same as above through a socket, for bodies whose fate hangs on nothing else."""
    opinions = {True: 0, False: 0}

    @examples(60)
    @given(data=st.data())
    def compare(data: st.DataObject) -> None:
        operation = contract().find("createAssistant")
        assert operation.body is not None
        made = MADE.of(operation.body.schema)
        body = data.draw(spoilt(made) if data.draw(st.booleans()) else made)
        is_allowed = client.check("create_assistant", body=body) == []
        raw = json.dumps(body).encode()
        answer = api.http.post(
            "/v1/assistants", content=raw, headers={"Content-Type": "application/json"}
        )
        if is_allowed and answer.status_code == 400:
            assert _BEYOND.search(answer.json()["error"]["message"]), answer.text
            return
        assert (answer.status_code == 200) == is_allowed, (body, answer.text)
        opinions[is_allowed] += 1

    compare()
    assert min(opinions.values()) > 5, opinions

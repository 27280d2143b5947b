"""Checking before sending: everything that is wrong, each with its path, and nothing is sent."""

from typing import Any

import pytest

from weft import Client, InvalidRequest, NotFound, Problem, SpecClient
from weft.client.check import Checker
from weft.client.core import Core
from weft.client.description import Description
from weft.client.setting import Credentials

NOWHERE = "http://127.0.0.1:9/v1"  # whoever sends something there fails otherwise


def problems(operation: str, *path: str, **arguments: Any) -> list[str]:
    """Return what a client says of a call that it does not send."""
    with Client(NOWHERE) as client:
        found = client.check(operation, *path, **arguments)
    return [str(problem) for problem in found]


CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


def test_a_lawful_call_has_no_problems() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
    assert problems("create_thread", body=body) == []
    assert problems("createThread") == []
    assert problems("list_threads", limit=5, order="asc", metadata={"a": "b"}) == []
    assert problems("list_run_steps", "thread_a", "run_b", include=[CONTENT]) == []


def test_all_problems_are_found_at_once_each_with_its_path() -> None:
    body = {
        "messages": [
            {"role": "usr", "content": "x", "file_ids": []},
            {"content": [{"type": "text", "text": 7}]},
            {"role": "user", "content": [{"type": "sound"}]},
        ],
        "metadata": {"note": "x" * 513},
        "title": "?",
    }
    assert sorted(problems("create_thread", body=body, thread_id="thread_a")) == [
        "body.messages[0].file_ids: is not known here",
        'body.messages[0].role: "usr" is not one of "user" or "assistant"',
        "body.messages[1].content[0].text: 7 is not of type string",
        "body.messages[1].role: is required",
        'body.messages[2].content[0].type: "sound" is not "text", "image_url" or "image_file"',
        f'body.metadata.note: "{"x" * 59}... is longer than 512 characters',
        "body.title: is not known here",
        "thread_id: is not known here; there are: body, idempotency_key",
    ]


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        ("create_thread", {"body": 3}, "body: 3 is not of type object"),
        (
            "create_thread",
            {"body": {"messages": {}}},
            "body.messages: {} is not of type array or null",
        ),
        ("create_message", {"thread_id": "thread_a"}, "body: is required"),
        ("get_thread", {}, "thread_id: is required"),
        ("get_thread", {"thread_id": "x"}, 'thread_id: "x" does not match "^thread"'),
        ("retrieve_model", {"model": ""}, "model: must not be empty"),
        ("list_threads", {"limit": "5"}, 'limit: "5" is not of type integer'),
        ("list_threads", {"limit": 101}, "limit: 101 is greater than the maximum of 100"),
        ("list_threads", {"order": "up"}, 'order: "up" is not one of "asc" or "desc"'),
        ("list_threads", {"metadata": {"a": 1}}, "metadata.a: 1 is not of type string"),
        (
            "create_thread",
            {"idempotency_key": "k" * 256},
            f'idempotency_key: "{"k" * 59}... is longer than 255 characters',
        ),
        (
            "create_run",
            {"thread_id": "thread_a", "body": {"assistant_id": "asst_a", "tool_choice": 5}},
            "body.tool_choice: 5 is not of type string, object or null",
        ),
        (
            "create_run",
            {
                "thread_id": "thread_a",
                "body": {"assistant_id": "asst_a", "tool_choice": {"type": "function"}},
            },
            "body.tool_choice.function: is required",
        ),
    ],
)
def test_a_problem_says_what_is_wrong(
    operation: str, arguments: dict[str, Any], expected: str
) -> None:
    assert problems(operation, **arguments) == [expected]


def test_of_a_restored_thread_the_problems_are_those_of_restoring() -> None:
    body = {"id": "thread_a", "created_at": "yesterday", "messages": [{"role": "user"}]}
    assert sorted(problems("create_thread", body=body)) == [
        'body.created_at: "yesterday" is not of type integer or null',
        "body.messages[0].content: is required",
    ]


def test_too_many_parts_of_a_path_are_a_problem() -> None:
    assert problems("get_thread", "thread_a", "thread_b") == ["path: has 1 parameters, not 2"]


def test_a_call_with_problems_is_not_sent_and_carries_them_all() -> None:
    with Client(NOWHERE) as client, pytest.raises(InvalidRequest) as caught:
        client.create_message("x", body={"role": "user"})
    assert [problem.path for problem in caught.value.problems] == ["thread_id", "body.content"]
    assert str(caught.value) == (
        "create_message was not sent:\n"
        '  thread_id: "x" does not match "^thread"\n'
        "  body.content: is required"
    )
    assert isinstance(caught.value, ValueError)


def test_a_list_is_checked_when_it_is_asked_for_not_when_it_is_gone_through() -> None:
    with Client(NOWHERE) as client, pytest.raises(InvalidRequest):
        client.list_threads(limit=0)


def test_without_checking_the_server_has_the_word(url: str) -> None:
    with Client(url, check=False) as client:
        with pytest.raises(NotFound):
            client.get_message("thread_a", "msg_b")
        assert client.create_thread(body={"metadata": {}}).metadata == {}
        with pytest.raises(InvalidRequest) as caught:  # there is no path without it
            client.call("get_thread")
    assert caught.value.problems == [Problem("thread_id", "is required")]


def test_what_is_no_json_is_a_problem_not_a_crash() -> None:
    assert problems("modify_thread", "thread_a", body={"metadata": {"a": object}}) == [
        "body: is no JSON: Encoding objects of type type is unsupported"
    ]


def test_numbers_of_any_size_are_checked() -> None:
    body = {"assistant_id": "asst_a", "max_prompt_tokens": 2**63}
    (found,) = problems("create_run", "thread_a", body=body)
    assert found.endswith("9223372036854775808 is greater than the maximum of 9007199254740991")
    assert problems("create_run", "thread_a", body={**body, "max_prompt_tokens": 1e3}) == []


# --- schemas of other kinds ---------------------------------------------------------------------


def described(
    schema: dict[str, Any], version: str = "3.0.3", more: dict[str, Any] | None = None
) -> SpecClient:
    """Return a client of an API with one operation that takes this body."""
    post = {
        "operationId": "make",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"204": {"description": "Made."}},
    }
    document = {"openapi": version, "paths": {"/things": {"post": post}}, **(more or {})}
    return SpecClient(Core(lambda: Description(document), NOWHERE, Credentials()))


REF = {"$ref": "#/components/schemas/Thing"}
_THING = {"type": "object", "required": ["a"]}
THING: dict[str, Any] = {"components": {"schemas": {"Thing": _THING}}}
TREE: dict[str, Any] = {
    "components": {
        "schemas": {
            "Tree": {
                "type": "object",
                "properties": {
                    "leaf": {"type": "integer"},
                    "below": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
                },
                "additionalProperties": False,
            }
        }
    }
}


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize(
    ("schema", "lawful", "broken"),
    [
        ({"type": "string", "nullable": True}, [None, "a"], [1]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, [None, "a"], ["b"]),
        ({"type": "string", "nullable": False}, ["a"], [None]),
        ({**REF, "nullable": True}, [None, {"a": 1}], [{}, 3]),
        ({"allOf": [REF], "nullable": True}, [None, {"a": 1}], [{}]),
        ({"allOf": [REF, {"nullable": True}]}, [None, {"a": 1}], [{}]),
        ({"oneOf": [{"type": "integer"}, REF], "nullable": True}, [None, 3, {"a": 1}], ["x"]),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, [0.1], [0, -1]),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": False}, [9], [10]),
        ({"type": "integer", "format": "int32"}, [2**31 - 1, -(2**31)], [2**31]),
        ({"type": "integer", "format": "int64", "minimum": 5}, [5, 2**63 - 1], [4, 2**63]),
        (
            {
                "type": "object",
                "required": ["id", "name"],
                "properties": {"id": {"readOnly": True}, "name": {"type": "string"}},
            },
            [{"name": "x"}],
            [{"id": 1}],
        ),
        ({"type": "array", "items": {"type": "string", "nullable": True}}, [[None, "a"]], [[1]]),
        (
            {"type": "object", "additionalProperties": {"type": "integer", "nullable": True}},
            [{"a": None}],
            [{"a": "x"}],
        ),
    ],
)
def test_a_schema_says_in_either_version_what_it_said_in_its_own(
    version: str, schema: dict[str, Any], lawful: list[Any], broken: list[Any]
) -> None:
    # A top-level null stands for no body at all: it is looked at one level down.
    inner = {"type": "object", "properties": {"x": schema}}
    with described(inner, version, THING) as client:
        for value in lawful:
            assert client.check("make", body={"x": value}) == [], value
        for value in broken:
            assert client.check("make", body={"x": value}) != [], value


def test_in_3_1_the_words_of_3_1_count_too() -> None:
    schema = {"type": ["integer", "null"], "exclusiveMinimum": 3}
    with described({"properties": {"x": schema}}, "3.1.0") as client:
        assert client.check("make", body={"x": None}) == []
        assert client.check("make", body={"x": 4}) == []
        assert client.check("make", body={"x": 3}) != []


def test_a_schema_that_mentions_itself_is_followed_to_the_bottom() -> None:
    with described({"$ref": "#/components/schemas/Tree"}, more=TREE) as client:
        assert client.check("make", body={"below": [{"below": [{"leaf": 1}]}]}) == []
        found = client.check("make", body={"below": [{"below": [{"leaf": "x"}, {"twig": 1}]}]})
    assert found == [
        Problem("body.below[0].below[0].leaf", '"x" is not of type integer'),
        Problem("body.below[0].below[1].twig", "is not known here"),
    ]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(2, "0 or 1"), (4, "0, 1, 2 or 3"), (30, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 or 19 others")],
)
def test_of_many_values_most_are_named(count: int, expected: str) -> None:
    with described({"properties": {"x": {"enum": list(range(count))}}}) as client:
        (found,) = client.check("make", body={"x": "y"})
    assert found == Problem("body.x", f'"y" is not one of {expected}')


def test_a_description_is_not_changed_by_being_read() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "nullable": True}}}
    with described(schema) as client:
        client.check("make", body={})
    assert schema == {"type": "object", "properties": {"x": {"type": "string", "nullable": True}}}


def test_a_schema_that_is_none_is_told_and_check_false_goes_around_it() -> None:
    broken = described({"type": "object", "required": True})
    with broken as client, pytest.raises(LookupError, match="check=False"):
        client.check("make", body={})


def test_validators_are_made_when_they_are_needed_and_once() -> None:
    with Client(NOWHERE) as client:
        description = client.description
        checker = Checker(description)
        assert checker._validators == {}
        operation = description.find("get_thread")
        for _ in range(2):
            assert checker.problems(operation, {"thread_id": "thread_a"}) == []
        assert list(checker._validators) == ["getThread"]

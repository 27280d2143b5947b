"""The table of errors, row by row: what is wrong is said exactly, and nothing is stored."""

from typing import Any, NamedTuple

import pytest

from tests.api.conftest import Untouched

USER = {"role": "user", "content": "Hi"}
TEXT_PART = {"type": "text", "text": "Hi"}
THREAD = "/threads/{thread}"
MESSAGES = "/threads/{thread}/messages"
MESSAGE = "/threads/{thread}/messages/{message}"
ASSISTANT = "/assistants/{assistant}"


class Row(NamedTuple):
    """A request and the error that it brings; `body` is sent as JSON."""

    request: str
    body: Any
    code: str | None
    param: str | None
    message: str
    status: int = 400


def unknown(request: str, body: Any, path: str) -> Row:
    """E8."""
    return Row(request, body, "unknown_parameter", path, f"Unknown parameter: '{path}'.")


def missing(request: str, body: Any, path: str) -> Row:
    """E9."""
    message = f"Missing required parameter: '{path}'."
    return Row(request, body, "missing_required_parameter", path, message)


def wrong_type(request: str, body: Any, path: str, expected: str, got: str) -> Row:
    """E10."""
    message = f"Invalid type for '{path}': expected {expected}, but got {got} instead."
    return Row(request, body, "invalid_type", path, message)


def not_in_set(request: str, body: Any, path: str, value: str, supported: str) -> Row:
    """E11."""
    message = f"Invalid value: '{value}'. Supported values are: {supported}."
    return Row(request, body, "invalid_value", path, message)


def too_long(request: str, body: Any, path: str, limit: int) -> Row:
    """E12, for strings that are one character too long."""
    message = (
        f"Invalid '{path}': string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {limit + 1} instead."
    )
    return Row(request, body, "string_above_max_length", path, message)


def empty(request: str, body: Any, path: str) -> Row:
    """E13."""
    message = (
        f"Invalid '{path}': empty string. Expected a string with minimum length 1, but got an "
        "empty string instead."
    )
    return Row(request, body, "empty_string", path, message)


def no_items(request: str, body: Any, path: str) -> Row:
    """E14."""
    message = (
        f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an "
        "empty array instead."
    )
    return Row(request, body, "empty_array", path, message)


def too_many(request: str, body: Any, path: str, limit: int) -> Row:
    """E15, for arrays with one item too many."""
    message = (
        f"Invalid '{path}': array too long. Expected an array with maximum length {limit}, but "
        f"got an array with length {limit + 1} instead."
    )
    return Row(request, body, "array_above_max_length", path, message)


def too_many_pairs(request: str, body: Any, path: str = "metadata") -> Row:
    """E16, for metadata with 17 pairs."""
    message = (
        f"Invalid '{path}': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead."
    )
    return Row(request, body, "object_above_max_properties", path, message)


def long_key(request: str, body: Any, path: str = "metadata") -> Row:
    """E17, for a key of 65 characters."""
    message = (
        f"Invalid property name in '{path}': string too long. Expected a string with maximum "
        "length 64, but got a string with length 65 instead."
    )
    return Row(request, body, "property_name_above_max_length", path, message)


def out_of_range(request: str, body: Any, path: str, kind: str, bound: str, got: str) -> Row:
    """E18 and E19; `bound` is `<= 100` or `>= 1`."""
    side, word = ("above", "maximum") if bound.startswith("<=") else ("below", "minimum")
    message = (
        f"Invalid '{path}': {kind} {side} {word} value. Expected a value {bound}, but got {got} "
        "instead."
    )
    return Row(request, body, f"{kind}_{side}_{word[:3]}_value", path, message)


def wrong_id(request: str, body: Any, field: str, value: str, prefix: str) -> Row:
    """E20."""
    message = f"Invalid '{field}': '{value}'. Expected an ID that begins with '{prefix}'."
    return Row(request, body, "invalid_value", field, message)


def wrong_pattern(request: str, body: Any, path: str, pattern: str) -> Row:
    """E21."""
    message = (
        f"Invalid '{path}': string does not match pattern. Expected a string that matches the "
        f"pattern '{pattern}'."
    )
    return Row(request, body, "invalid_value", path, message)


def not_found(request: str, body: Any, message: str) -> Row:
    """404: what is not there."""
    return Row(request, body, None, None, message, status=404)


def function(**fields: Any) -> dict[str, Any]:
    """Return an assistant with one function tool."""
    return {"model": "m", "tools": [{"type": "function", "function": {"name": "f", **fields}}]}


def search(**options: Any) -> dict[str, Any]:
    """Return an assistant with one file search tool."""
    return {"model": "m", "tools": [{"type": "file_search", "file_search": options}]}


def said(*parts: Any) -> dict[str, Any]:
    """Return a message of parts."""
    return {"role": "user", "content": list(parts)}


PAIRS_17 = {f"k{index}": "v" for index in range(17)}
TOO_LONG_TEXT = "€" * 256_001
IMAGE = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}

ROWS = {
    "E4 unknown URL": not_found("POST /threadz", {}, "Invalid URL (POST /v1/threadz)"),
    "E4 URL below a known one": not_found(
        "GET /threads/{thread}/nothing", None, "Invalid URL (GET /v1/threads/{thread}/nothing)"
    ),
    "E4 the prefix alone": not_found("GET ", None, "Invalid URL (GET /v1)"),
    "E8 top level": unknown("POST /threads", {"assistant_id": "asst_1"}, "assistant_id"),
    "E8 in a message": unknown(
        "POST /threads", {"messages": [USER, {**USER, "file_ids": []}]}, "messages[1].file_ids"
    ),
    "E8 in a part": unknown(f"POST {MESSAGES}", said(TEXT_PART, {**IMAGE, "x": 1}), "content[1].x"),
    "E8 in an image": unknown(
        f"POST {MESSAGES}",
        said({"type": "image_url", "image_url": {"url": "u", "alt": ""}}),
        "content[0].image_url.alt",
    ),
    "E8 in a tool": unknown(
        f"POST {MESSAGES}",
        {**USER, "attachments": [{"file_id": "f", "tools": [{"type": "file_search", "x": 1}]}]},
        "attachments[0].tools[0].x",
    ),
    "E8 in a function": unknown(
        "POST /assistants", function(arguments={}), "tools[0].function.arguments"
    ),
    "E8 restoring without id": unknown("POST /threads", {"object": "thread"}, "object"),
    "E8 a date without id": unknown(f"POST {MESSAGES}", {**USER, "created_at": 1}, "created_at"),
    "E8 with null": unknown("POST /threads", {"extra": None}, "extra"),
    "E8 before a missing field": unknown(f"POST {MESSAGES}", {"text": "Hi"}, "text"),
    "E9 role": missing(f"POST {MESSAGES}", {"content": "Hi"}, "role"),
    "E9 content": missing(f"POST {MESSAGES}", {"role": "user"}, "content"),
    "E9 in a list": missing("POST /threads", {"messages": [USER, {}]}, "messages[1].role"),
    "E9 model": missing("POST /assistants", {}, "model"),
    "E9 type of a part": missing(f"POST {MESSAGES}", said({"text": "Hi"}), "content[0].type"),
    "E9 url": missing(
        f"POST {MESSAGES}", said({"type": "image_url", "image_url": {}}), "content[0].image_url.url"
    ),
    "E9 function": missing(
        "POST /assistants", {"model": "m", "tools": [{"type": "function"}]}, "tools[0].function"
    ),
    "E10 boolean in metadata": wrong_type(
        f"POST {THREAD}",
        {"metadata": {"modified": True}},
        "metadata.modified",
        "a string",
        "a boolean",
    ),
    "E10 number in metadata": wrong_type(
        f"POST {MESSAGE}", {"metadata": {"n": 1}}, "metadata.n", "a string", "an integer"
    ),
    "E10 null in metadata": wrong_type(
        "POST /threads", {"metadata": {"k": None}}, "metadata.k", "a string", "null"
    ),
    "E10 metadata as array": wrong_type(
        "POST /threads", {"metadata": []}, "metadata", "an object", "an array"
    ),
    "E10 body": Row(
        "POST /threads",
        [],
        "invalid_type",
        None,
        "Invalid type for the request body: expected an object, but got an array instead.",
    ),
    "E10 messages": wrong_type(
        "POST /threads", {"messages": {}}, "messages", "an array of objects", "an object"
    ),
    "E10 content": wrong_type(
        f"POST {MESSAGES}",
        {"role": "user", "content": 1.5},
        "content",
        "one of a string or array of objects",
        "a decimal number",
    ),
    "E10 content null": wrong_type(
        f"POST {MESSAGES}",
        {"role": "user", "content": None},
        "content",
        "one of a string or array of objects",
        "null",
    ),
    "E10 part": wrong_type(f"POST {MESSAGES}", said("Hi"), "content[0]", "an object", "a string"),
    "E10 temperature": wrong_type(
        "POST /assistants",
        {"model": "m", "temperature": "1"},
        "temperature",
        "a decimal number",
        "a string",
    ),
    "E10 strict": wrong_type(
        "POST /assistants",
        function(strict=1),
        "tools[0].function.strict",
        "a boolean",
        "an integer",
    ),
    "E10 fraction": wrong_type(
        "POST /assistants",
        search(max_num_results=1.5),
        "tools[0].file_search.max_num_results",
        "an integer",
        "a decimal number",
    ),
    "E11 role": not_in_set(
        f"POST {MESSAGES}", {**USER, "role": "human"}, "role", "human", "'user' and 'assistant'"
    ),
    "E11 role in a list": not_in_set(
        "POST /threads",
        {"messages": [{**USER, "role": "system"}]},
        "messages[0].role",
        "system",
        "'user' and 'assistant'",
    ),
    "E11 type of a part": not_in_set(
        f"POST {MESSAGES}",
        said({"type": "input_text", "text": "Hi"}),
        "content[0].type",
        "input_text",
        "'text', 'image_url', and 'image_file'",
    ),
    "E11 detail": not_in_set(
        f"POST {MESSAGES}",
        said({"type": "image_file", "image_file": {"file_id": "f", "detail": "original"}}),
        "content[0].image_file.detail",
        "original",
        "'auto', 'low', and 'high'",
    ),
    "E11 tool": not_in_set(
        "POST /assistants",
        {"model": "m", "tools": [{"type": "bing_grounding"}]},
        "tools[0].type",
        "bing_grounding",
        "'code_interpreter', 'file_search', and 'function'",
    ),
    "E11 effort": not_in_set(
        f"POST {ASSISTANT}",
        {"reasoning_effort": "ultra"},
        "reasoning_effort",
        "ultra",
        "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'",
    ),
    "E11 order": not_in_set("GET /threads?order=up", None, "order", "up", "'asc' and 'desc'"),
    "E12 content": too_long(
        f"POST {MESSAGES}", {"role": "user", "content": TOO_LONG_TEXT}, "content", 256_000
    ),
    "E12 part": too_long(
        f"POST {MESSAGES}",
        said(TEXT_PART, {"type": "text", "text": TOO_LONG_TEXT}),
        "content[1].text",
        256_000,
    ),
    "E12 metadata": too_long(f"POST {THREAD}", {"metadata": {"x": "🎁" * 513}}, "metadata.x", 512),
    "E12 function": too_long(
        "POST /assistants", function(name="n" * 65), "tools[0].function.name", 64
    ),
    "E12 function's description": too_long(
        "POST /assistants", function(description="ü" * 1025), "tools[0].function.description", 1024
    ),
    "E12 name": too_long(f"POST {ASSISTANT}", {"name": "n" * 257}, "name", 256),
    "E12 description": too_long(
        f"POST {ASSISTANT}", {"description": "d" * 513}, "description", 512
    ),
    "E12 instructions": too_long(
        "POST /assistants", {"model": "m", "instructions": "i" * 256_001}, "instructions", 256_000
    ),
    "E13 content": empty(f"POST {MESSAGES}", {"role": "user", "content": ""}, "content"),
    "E13 part": empty(f"POST {MESSAGES}", said({"type": "text", "text": ""}), "content[0].text"),
    "E13 model": empty("POST /assistants", {"model": ""}, "model"),
    "E13 file": empty(
        f"POST {MESSAGES}", {**USER, "attachments": [{"file_id": ""}]}, "attachments[0].file_id"
    ),
    "E14 content": no_items(f"POST {MESSAGES}", {"role": "user", "content": []}, "content"),
    "E15 messages": too_many("POST /threads", {"messages": [USER] * 33}, "messages", 32),
    "E15 parts": too_many(f"POST {MESSAGES}", said(*[TEXT_PART] * 11), "content", 10),
    "E15 tools": too_many(
        "POST /assistants",
        {"model": "m", "tools": [{"type": "code_interpreter"}] * 129},
        "tools",
        128,
    ),
    "E15 files": too_many(
        f"POST {THREAD}",
        {"tool_resources": {"code_interpreter": {"file_ids": ["file-a"] * 21}}},
        "tool_resources.code_interpreter.file_ids",
        20,
    ),
    "E15 stores": too_many(
        "POST /threads",
        {"tool_resources": {"file_search": {"vector_store_ids": ["vs_1", "vs_2"]}}},
        "tool_resources.file_search.vector_store_ids",
        1,
    ),
    "E16 thread": too_many_pairs("POST /threads", {"metadata": PAIRS_17}),
    "E16 message": too_many_pairs(f"POST {MESSAGES}", {**USER, "metadata": PAIRS_17}),
    "E16 assistant": too_many_pairs("POST /assistants", {"model": "m", "metadata": PAIRS_17}),
    "E16 first message": too_many_pairs(
        "POST /threads", {"messages": [{**USER, "metadata": PAIRS_17}]}, "messages[0].metadata"
    ),
    "E16 merged": too_many_pairs(f"POST {THREAD}", {"metadata": {"one more": ""}}),
    "E16 merged message": too_many_pairs(f"POST {MESSAGE}", {"metadata": {"one more": ""}}),
    "E17 thread": long_key("POST /threads", {"metadata": {"🔑" * 65: "v"}}),
    "E17 message": long_key(f"POST {MESSAGE}", {"metadata": {"k" * 65: "v"}}),
    "E18 limit": out_of_range(
        "GET /threads?limit=1000", None, "limit", "integer", "<= 100", "1000"
    ),
    "E18 no limit": out_of_range(f"GET {MESSAGES}?limit=0", None, "limit", "integer", ">= 1", "0"),
    "E18 huge limit": out_of_range(
        "GET /assistants?limit=100000000000000000000",
        None,
        "limit",
        "integer",
        "<= 100",
        "100000000000000000000",
    ),
    "E18 results": out_of_range(
        "POST /assistants",
        search(max_num_results=51),
        "tools[0].file_search.max_num_results",
        "integer",
        "<= 50",
        "51",
    ),
    "E19 temperature": out_of_range(
        f"POST {ASSISTANT}", {"temperature": 3}, "temperature", "decimal", "<= 2", "3"
    ),
    "E19 below": out_of_range(
        f"POST {ASSISTANT}", {"temperature": -0.5}, "temperature", "decimal", ">= 0", "-0.5"
    ),
    "E19 top_p": out_of_range(
        "POST /assistants", {"model": "m", "top_p": 1.01}, "top_p", "decimal", "<= 1", "1.01"
    ),
    "E20 thread": wrong_id("GET /threads/undefined", None, "thread_id", "undefined", "thread"),
    "E20 empty": wrong_id("POST /threads//messages", USER, "thread_id", "", "thread"),
    "E20 message": wrong_id(
        "DELETE /threads/{thread}/messages/null", None, "message_id", "null", "msg"
    ),
    "E20 assistant": wrong_id("GET /assistants/{thread}", None, "assistant_id", "{thread}", "asst"),
    "E20 swapped": wrong_id(
        "GET /threads/{message}/messages/{thread}", None, "thread_id", "{message}", "thread"
    ),
    "E20 after the body": unknown("POST /threads/messages", USER, "role"),
    "E21 function": wrong_pattern(
        "POST /assistants",
        function(name="get weather"),
        "tools[0].function.name",
        "^[a-zA-Z0-9_-]+$",
    ),
    "E21 line feed": wrong_pattern(
        "POST /assistants", function(name="f\n"), "tools[0].function.name", "^[a-zA-Z0-9_-]+$"
    ),
    "404 thread": not_found(
        "POST /threads/thread_x/messages", USER, "No thread found with id 'thread_x'."
    ),
    "404 message": not_found(
        "POST /threads/{thread}/messages/msg_x", {}, "No message found with id 'msg_x'."
    ),
    "404 assistant": not_found(
        "DELETE /assistants/asst_x", None, "No assistant found with id 'asst_x'."
    ),
    "404 cursor": not_found(
        "GET /threads?after=thread_x", None, "No thread found with id 'thread_x'."
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_an_error_says_what_is_wrong_and_stores_nothing(untouched: Untouched, row: Row) -> None:
    method, _, path = row.request.partition(" ")
    status, error = untouched.api.error(method, untouched.named(path), row.body)
    assert status == row.status
    assert error == {
        "message": untouched.named(row.message),
        "type": "invalid_request_error",
        "param": row.param,
        "code": row.code,
    }

"""Threads: creating, reading, changing and deleting them."""

import json
import re
import time
import uuid
from typing import Any

import pytest

from tests.api.making import a_message, a_thread, as_wire, everything
from tests.api.storing import a_store
from tests.harness import Api

UNSET_AS_READ: dict[str, Any] = {"code_interpreter": {"file_ids": []}}


@pytest.fixture
def resources(files: list[str], api: Api) -> dict[str, Any]:
    """Resources of both tools."""
    return {
        "code_interpreter": {"file_ids": files[:2]},
        "file_search": {"vector_store_ids": [a_store(api)]},
    }


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"raw": b""},
        {"raw": b"", "headers": {"Content-Type": "application/json"}},
        {"raw": b"{}"},
        {"raw": b"{}", "headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"raw": b" {\n} ", "headers": {"Content-Type": "APPLICATION/JSON"}},
        {"body": {}},
        {"body": {"messages": None, "metadata": None, "tool_resources": None}},
        {"body": {"messages": [], "metadata": {}, "tool_resources": {}}},
    ],
)
def test_a_thread_needs_nothing_to_be_made(api: Api, how: dict[str, Any]) -> None:
    earliest = int(time.time())
    answer = api.call("POST", "/threads", **how)
    assert answer.status_code == 200
    thread = answer.json()
    assert thread["created_at"] in range(earliest, int(time.time()) + 1)
    assert re.fullmatch(r"thread_[A-Za-z0-9]{24}", thread["id"])
    assert answer.content == (
        b'{"id":"%b","object":"thread","created_at":%d,"metadata":{},"tool_resources":{}}'
        % (thread["id"].encode(), thread["created_at"])
    )


def test_a_thread_without_resources_is_read_with_an_empty_list_of_files(api: Api) -> None:
    made = api.ok("POST", "/threads")
    read = api.call("GET", f"/threads/{made['id']}")
    assert read.content == as_wire({**made, "tool_resources": UNSET_AS_READ})


def test_the_list_shows_a_thread_as_get_does(api: Api) -> None:
    mark = uuid.uuid4().hex
    thread_id = a_thread(api, metadata={"mark": mark})
    (listed,) = everything(api, "/threads", **{"metadata[mark]": mark})
    assert listed == api.ok("GET", f"/threads/{thread_id}")


def test_a_thread_is_made_with_all_that_it_is_given(resources: dict[str, Any], api: Api) -> None:
    made = api.ok(
        "POST",
        "/threads",
        {
            "messages": [
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "second", "metadata": {"a": "b"}},
                {"role": "user", "content": [{"type": "text", "text": "third"}]},
            ],
            "metadata": {"user": "u1", "": "an empty key", "empty": ""},
            "tool_resources": resources,
        },
    )
    assert made["metadata"] == {"user": "u1", "": "an empty key", "empty": ""}
    assert made["tool_resources"] == resources
    assert api.ok("GET", f"/threads/{made['id']}") == made
    messages = everything(api, f"/threads/{made['id']}/messages", order="asc")
    assert [m["content"][0]["text"]["value"] for m in messages] == ["first", "second", "third"]
    assert [m["role"] for m in messages] == ["user", "assistant", "user"]
    assert {m["thread_id"] for m in messages} == {made["id"]}
    assert messages[1]["metadata"] == {"a": "b"}


def test_a_thread_whose_last_message_is_wrong_is_not_made_at_all(api: Api) -> None:
    mark = uuid.uuid4().hex
    good = {"role": "user", "content": "good"}
    status, error = api.error(
        "POST",
        "/threads",
        {"metadata": {"mark": mark}, "messages": [good, good, {"role": "user", "content": ""}]},
    )
    assert (status, error["param"]) == (400, "messages[2].content")
    assert everything(api, "/threads", **{"metadata[mark]": mark}) == []


def test_a_store_is_made_with_the_thread_and_goes_a_week_after_its_last_use(
    files: list[str], api: Api
) -> None:
    helper = {
        "file_ids": files,
        "chunking_strategy": {
            "type": "static",
            "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
        "metadata": {"a": "b"},
    }
    made = api.ok(
        "POST", "/threads", {"tool_resources": {"file_search": {"vector_stores": [helper]}}}
    )
    (store_id,) = made["tool_resources"]["file_search"]["vector_store_ids"]
    store = api.ok("GET", f"/vector_stores/{store_id}")
    assert store["metadata"] == {"a": "b"}
    assert store["file_counts"]["total"] == len(files)
    assert store["expires_after"] == {"anchor": "last_active_at", "days": 7}
    assert store["expires_at"] == store["last_active_at"] + 7 * 86400
    assert api.ok("GET", f"/threads/{made['id']}") == made


def test_text_travels_as_it_is_and_not_as_escapes(api: Api) -> None:
    metadata = {"schlüssel": "Грüße 👩‍👩‍👧 \u2028 \x7f", "quote": '"\\/\n\t'}
    made = api.call("POST", "/threads", {"metadata": metadata})
    assert made.json()["metadata"] == metadata
    assert "Грüße 👩‍👩‍👧".encode() in made.content
    assert made.content == as_wire(made.json())


def test_metadata_at_its_limits_is_taken_counted_in_characters(api: Api) -> None:
    metadata = {f"{index:02d}" + "🔑" * 62: "🎁" * 512 for index in range(16)}
    thread_id = a_thread(api, metadata=metadata)
    assert api.ok("GET", f"/threads/{thread_id}")["metadata"] == metadata


def test_modifying_adds_and_overwrites_metadata_and_keeps_the_rest(
    resources: dict[str, Any], api: Api
) -> None:
    thread_id = a_thread(api, metadata={"a": "1", "b": "1"}, tool_resources=resources)
    was = api.ok("GET", f"/threads/{thread_id}")
    now = api.call("POST", f"/threads/{thread_id}", {"metadata": {"b": "2", "c": "2"}})
    assert now.content == as_wire({**was, "metadata": {"a": "1", "b": "2", "c": "2"}})
    assert api.ok("GET", f"/threads/{thread_id}") == now.json()


@pytest.mark.parametrize("change", [{}, {"metadata": None}, {"metadata": {}}])
def test_a_change_that_names_nothing_changes_nothing(
    resources: dict[str, Any], api: Api, change: dict[str, Any]
) -> None:
    thread_id = a_thread(api, metadata={"a": "1"}, tool_resources=resources)
    was = api.ok("GET", f"/threads/{thread_id}")
    assert api.ok("POST", f"/threads/{thread_id}", change) == was
    assert api.ok("GET", f"/threads/{thread_id}") == was


def test_the_limit_of_16_pairs_holds_for_the_merged_metadata(api: Api) -> None:
    full = {f"k{index}": "v" for index in range(16)}
    thread_id = a_thread(api, metadata=full)
    status, error = api.error("POST", f"/threads/{thread_id}", {"metadata": {"one more": "v"}})
    assert (status, error["code"]) == (400, "object_above_max_properties")
    assert error["message"] == (
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead."
    )
    assert api.ok("GET", f"/threads/{thread_id}")["metadata"] == full
    assert api.ok("POST", f"/threads/{thread_id}", {"metadata": {"k0": "w"}})["metadata"] == {
        **full,
        "k0": "w",
    }


def test_modifying_replaces_each_list_that_is_given_and_leaves_the_other(
    files: list[str], resources: dict[str, Any], api: Api
) -> None:
    thread_id = a_thread(api, tool_resources=resources)
    change = {"tool_resources": {"code_interpreter": {"file_ids": files[2:]}}}
    now = api.ok("POST", f"/threads/{thread_id}", change)
    assert now["tool_resources"] == {**resources, **change["tool_resources"]}
    assert api.ok("GET", f"/threads/{thread_id}") == now


def test_null_resets_the_resources_of_a_thread(resources: dict[str, Any], api: Api) -> None:
    thread_id = a_thread(api, metadata={"a": "1"}, tool_resources=resources)
    now = api.ok("POST", f"/threads/{thread_id}", {"tool_resources": None})
    assert (now["tool_resources"], now["metadata"]) == ({}, {"a": "1"})
    assert api.ok("GET", f"/threads/{thread_id}")["tool_resources"] == UNSET_AS_READ


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"id": "thread_other"}, "id"),
        ({"created_at": 1}, "created_at"),
        (
            {"tool_resources": {"file_search": {"vector_stores": []}}},
            "tool_resources.file_search.vector_stores",
        ),
    ],
)
def test_what_cannot_be_changed_is_an_unknown_parameter(
    api: Api, change: dict[str, Any], param: str
) -> None:
    thread_id = a_thread(api)
    status, error = api.error("POST", f"/threads/{thread_id}", change)
    assert (status, error["code"], error["param"]) == (400, "unknown_parameter", param)


def test_a_deleted_thread_is_gone_with_everything_under_it(api: Api) -> None:
    thread_id = a_thread(api, metadata={"mark": "deleted"})
    message_id = a_message(api, thread_id)
    gone = api.call("DELETE", f"/threads/{thread_id}")
    assert gone.content == as_wire({"id": thread_id, "object": "thread.deleted", "deleted": True})
    thread, message = f"/threads/{thread_id}", f"/threads/{thread_id}/messages/{message_id}"
    for method, path, body in (
        ("GET", thread, None),
        ("POST", thread, {"metadata": {"a": "b"}}),
        ("DELETE", thread, None),
        ("GET", f"{thread}/messages", None),
        ("GET", f"{thread}/messages?after={message_id}", None),
        ("GET", f"{thread}/messages?run_id=run_1", None),
        ("POST", f"{thread}/messages", {"role": "user", "content": "late"}),
        ("POST", f"{thread}/messages", {"id": "msg_late", "role": "user", "content": "late"}),
        ("GET", message, None),
        ("POST", message, {"metadata": {"a": "b"}}),
        ("DELETE", message, None),
    ):
        status, error = api.error(method, path, body)
        assert status == 404, (method, path)
        assert error == {
            "message": f"No thread found with id '{thread_id}'.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }, (method, path)


def test_deleting_a_thread_leaves_the_others(api: Api) -> None:
    kept, gone = a_thread(api), a_thread(api)
    message_id = a_message(api, kept)
    api.ok("DELETE", f"/threads/{gone}")
    assert api.ok("GET", f"/threads/{kept}/messages/{message_id}")["thread_id"] == kept


def test_ids_are_never_given_twice(api: Api) -> None:
    made = {a_thread(api) for _ in range(50)}
    assert len(made) == 50


def test_a_thread_may_start_with_32_messages(api: Api) -> None:
    texts = [f"message {index}" for index in range(32)]
    thread_id = a_thread(api, messages=[{"role": "user", "content": text} for text in texts])
    listed = everything(api, f"/threads/{thread_id}/messages", order="asc", limit=100)
    assert [m["content"][0]["text"]["value"] for m in listed] == texts
    assert json.dumps(listed).count(thread_id) == 32


def test_null_empties_one_resource_and_leaves_the_other(
    resources: dict[str, Any], api: Api
) -> None:
    thread_id = a_thread(api, tool_resources=resources)
    change = {"tool_resources": {"code_interpreter": None}}
    changed = api.ok("POST", f"/threads/{thread_id}", change)
    assert changed["tool_resources"] == {"file_search": resources["file_search"]}

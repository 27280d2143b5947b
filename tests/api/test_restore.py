"""Restoring: a thread or message that was exported gets back its own id and date."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Projects, Untouched
from tests.api.making import a_file, a_message, a_thread, as_wire, everything, ids
from tests.harness import Api, Server, api_of

CITATION = {
    "type": "file_citation",
    "text": "【4:0†name.txt】",
    "start_index": 29,
    "end_index": 53,
    "file_citation": {"file_id": "file-a"},
}
FILE_PATH = {
    "type": "file_path",
    "text": "sandbox:/mnt/data/x.csv",
    "start_index": 0,
    "end_index": 23,
    "file_path": {"file_id": "file-b"},
}


def fresh(prefix: str) -> str:
    """Return an id that nothing has had."""
    return f"{prefix}_{uuid.uuid4().hex}"


def exported(thread_id: str, **fields: Any) -> dict[str, Any]:
    """Return a whole message as an answer shows it, in the order of its keys."""
    return {
        "id": fresh("msg"),
        "object": "thread.message",
        "created_at": 1_699_012_950,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": 1_699_012_951,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Grüße", "annotations": []}}],
        "attachments": [],
        "metadata": {},
        **fields,
    }


def test_the_documented_request_brings_the_documented_answer(tmp_path: Path) -> None:
    documented = {
        "created_at": 1699012949,
        "id": "thread_abc123",
        "metadata": {},
        "object": "thread",
        "tool_resources": {},
    }
    with Server(tmp_path / "data") as server, api_of(server) as api:
        answer = api.call("POST", "/threads", raw=json.dumps(documented, indent=3).encode())
        assert answer.json() == documented
        assert answer.content == (
            b'{"id":"thread_abc123","object":"thread","created_at":1699012949,"metadata":{},'
            b'"tool_resources":{}}'
        )
        read = api.ok("GET", "/threads/thread_abc123")
        assert read == {**documented, "tool_resources": {"code_interpreter": {"file_ids": []}}}


def test_a_restored_thread_without_a_date_is_dated_now(api: Api) -> None:
    earliest = int(time.time())
    for body in ({}, {"created_at": None, "object": None, "metadata": None, "messages": None}):
        made = api.ok("POST", "/threads", {"id": fresh("thread"), **body})
        assert made["created_at"] in range(earliest, int(time.time()) + 1)


@pytest.mark.parametrize("body", ["a", "A-b_9", "x" * 64])
def test_an_id_may_hold_up_to_64_letters_digits_dashes_and_underscores(api: Api, body: str) -> None:
    thread_id = f"thread_{body}"
    assert api.ok("POST", "/threads", {"id": thread_id})["id"] == thread_id
    message = {"id": f"msg_{body}", "role": "user", "content": "Hi"}
    assert api.ok("POST", f"/threads/{thread_id}/messages", message)["id"] == f"msg_{body}"
    api.ok("DELETE", f"/threads/{thread_id}")


@pytest.mark.parametrize(
    "body", ["", "x" * 65, "a b", "a/b", "a\0", "ä", "a\n", "a%2F", "a.b"], ids=repr
)
def test_an_id_with_anything_else_is_refused(untouched: Untouched, body: str) -> None:
    path = f"/threads/{untouched.thread}/messages"
    message = {"role": "user", "content": "Hi"}
    for prefix, target, sent in (("thread", "/threads", {}), ("msg", path, message)):
        status, error = untouched.api.error("POST", target, {"id": f"{prefix}_{body}", **sent})
        assert (status, error["code"], error["param"]) == (400, "invalid_value", "id")
        assert f"'^{prefix}_[A-Za-z0-9_-]{{1,64}}$'" in error["message"]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"id": "run_1"}, "invalid_value", "id"),
        ({"id": 5}, "invalid_type", "id"),
        ({"id": "thread_1", "object": "thread.message"}, "invalid_value", "object"),
        ({"id": "thread_1", "created_at": -1}, "integer_below_min_value", "created_at"),
        ({"id": "thread_1", "deleted": False}, "unknown_parameter", "deleted"),
        ({"id": "thread_1", "metadata": {"a": 1}}, "invalid_type", "metadata.a"),
        ({"object": "thread", "created_at": 1}, "unknown_parameter", "object"),
        ({"created_at": 1}, "unknown_parameter", "created_at"),
        ({"id": None, "object": "thread"}, "unknown_parameter", "object"),
        ({"messages": [exported("thread_1")]}, "unknown_parameter", "messages[0].id"),
    ],
)
def test_what_is_no_exported_thread_is_refused(
    untouched: Untouched, body: dict[str, Any], code: str, param: str
) -> None:
    status, error = untouched.api.error("POST", "/threads", body)
    assert (status, error["code"], error["param"]) == (400, code, param)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"object": "thread"}, "invalid_value", "object"),
        ({"role": "system"}, "invalid_value", "role"),
        ({"status": "done"}, "invalid_value", "status"),
        ({"incomplete_details": {"reason": "tired"}}, "invalid_value", "incomplete_details.reason"),
        ({"file_ids": []}, "unknown_parameter", "file_ids"),
        (
            {"content": [{"type": "text", "text": {"value": 5}}]},
            "invalid_type",
            "content[0].text.value",
        ),
        ({"id": None}, "unknown_parameter", "object"),
    ],
)
def test_what_is_no_exported_message_is_refused(
    untouched: Untouched, fields: dict[str, Any], code: str, param: str
) -> None:
    message = exported(untouched.thread, **fields)
    path = f"/threads/{untouched.thread}/messages"
    status, error = untouched.api.error("POST", path, message)
    assert (status, error["code"], error["param"]) == (400, code, param)
    whole = {"id": untouched.thread, "messages": [{"role": "user", "content": "Hi"}, message]}
    status, error = untouched.api.error("POST", "/threads", whole)
    assert (status, error["code"], error["param"]) == (400, code, f"messages[1].{param}")


def test_a_message_of_another_thread_is_refused(untouched: Untouched) -> None:
    stray = exported("thread_other")
    message = (
        "Invalid '{}thread_id': the message belongs to 'thread_other', but it is being restored "
        "in '{}'."
    )
    path = f"/threads/{untouched.thread}/messages"
    status, error = untouched.api.error("POST", path, stray)
    assert (status, error["param"], error["code"]) == (400, "thread_id", "invalid_value")
    assert error["message"] == message.format("", untouched.thread)
    whole = {"id": "thread_1", "messages": [exported("thread_1"), stray]}
    status, error = untouched.api.error("POST", "/threads", whole)
    assert (status, error["param"]) == (400, "messages[1].thread_id")
    assert error["message"] == message.format("messages[1].", "thread_1")


def test_a_null_id_restores_nothing_and_lifts_no_limit(untouched: Untouched) -> None:
    path = f"/threads/{untouched.thread}/messages"
    message = {"id": None, "role": "user", "content": ""}
    status, error = untouched.api.error("POST", path, message)
    assert (status, error["code"]) == (400, "empty_string")
    message = {"id": None, "role": "user", "content": "Hi", "run_id": "run_1"}
    status, error = untouched.api.error("POST", path, message)
    assert (status, error["message"]) == (400, "Unknown parameter: 'run_id'.")


@pytest.mark.parametrize("name", ["created_at", "incomplete_at", "completed_at"])
def test_a_date_that_is_yet_to_come_is_refused(untouched: Untouched, name: str) -> None:
    tomorrow = int(time.time()) + 86_400
    message = exported(untouched.thread, **{name: tomorrow})
    path = f"/threads/{untouched.thread}/messages"
    status, error = untouched.api.error("POST", path, message)
    assert (status, error["code"], error["param"]) == (400, "invalid_value", name)
    assert f"{tomorrow} is in the future" in error["message"]
    whole = {"id": fresh("thread"), "messages": [{**message, "thread_id": None}]}
    status, error = untouched.api.error("POST", "/threads", whole)
    assert (status, error["param"]) == (400, f"messages[0].{name}")
    if name == "created_at":
        status, error = untouched.api.error("POST", "/threads", {"id": "thread_1", name: tomorrow})
        assert (status, error["param"]) == (400, name)


def test_a_whole_message_is_given_back_to_the_letter(api: Api) -> None:
    thread_id = a_thread(api)
    content = [
        {
            "type": "text",
            "text": {
                "value": "sandbox:/mnt/data/x.csv says 【4:0†name.txt】",
                "annotations": [CITATION, FILE_PATH],
            },
        },
        {"type": "image_file", "image_file": {"file_id": "file-c", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "auto"}},
        {"type": "refusal", "refusal": "I would rather not."},
    ]
    message = exported(
        thread_id,
        role="assistant",
        assistant_id="asst_1",
        run_id="run_1",
        content=content,
        attachments=[{"file_id": "file-a", "tools": [{"type": "code_interpreter"}]}],
        metadata={"a": "b"},
    )
    answer = api.call("POST", f"/threads/{thread_id}/messages", message)
    assert answer.content == as_wire(message)
    read = api.call("GET", f"/threads/{thread_id}/messages/{message['id']}")
    assert read.content == as_wire(message)


@pytest.mark.parametrize(
    "fields",
    [
        {"content": []},
        {"content": [{"type": "text", "text": {"value": "", "annotations": []}}]},
        {"content": [{"type": "refusal", "refusal": ""}] * 11},
        {
            "status": "incomplete",
            "incomplete_details": {"reason": "run_cancelled"},
            "incomplete_at": 1_699_012_951,
            "completed_at": None,
        },
        {"status": "in_progress", "completed_at": None},
    ],
)
def test_a_message_that_no_client_could_have_sent_can_be_restored(
    api: Api, fields: dict[str, Any]
) -> None:
    thread_id = a_thread(api)
    message = exported(thread_id, **fields)
    answer = api.call("POST", f"/threads/{thread_id}/messages", message)
    assert answer.content == as_wire(message)


def test_a_message_of_an_older_export_gets_the_fields_that_it_lacks(api: Api) -> None:
    thread_id = a_thread(api)
    older = {
        "id": fresh("msg"),
        "object": "thread.message",
        "created_at": 1_699_012_950,
        "thread_id": thread_id,
        "role": "user",
        "content": "as in a request",
    }
    made = api.ok("POST", f"/threads/{thread_id}/messages", older)
    content = [{"type": "text", "text": {"value": "as in a request", "annotations": []}}]
    expected = exported(thread_id, id=older["id"], content=content, completed_at=1_699_012_950)
    assert as_wire(made) == as_wire(expected)


def test_a_thread_is_restored_with_any_number_of_messages_in_their_order(api: Api) -> None:
    thread_id = fresh("thread")
    messages: list[dict[str, Any]] = [
        exported(thread_id, created_at=1_600_000_000 + index // 20) for index in range(100)
    ]
    messages.insert(50, {"role": "user", "content": "new"})
    api.ok("POST", "/threads", {"id": thread_id, "created_at": 1, "messages": messages})
    listed = everything(api, f"/threads/{thread_id}/messages", order="asc", limit=30)
    new = listed[-1]
    assert new["content"][0]["text"]["value"] == "new"  # it is dated today
    assert listed[:-1] == [one for one in messages if "id" in one]


def test_a_message_restored_later_stands_where_its_date_says(api: Api) -> None:
    thread_id = a_thread(api)
    path = f"/threads/{thread_id}/messages"
    today = a_message(api, thread_id)
    dates = [1_600_000_002, 1_600_000_001, 1_600_000_002, 1_600_000_000]
    restored = [exported(thread_id, created_at=date) for date in dates]
    for message in restored:
        api.ok("POST", path, message)
    later = a_message(api, thread_id)
    order = [restored[index]["id"] for index in (3, 1, 0, 2)]
    assert ids(everything(api, path, order="asc")) == [*order, today, later]


def test_what_exists_already_is_not_touched(api: Api) -> None:
    thread_id = a_thread(api, metadata={"a": "1"})
    message_id = a_message(api, thread_id, "first")
    path = f"/threads/{thread_id}/messages"
    before = [api.call("GET", one).content for one in (f"/threads/{thread_id}", path)]
    whole = {"id": thread_id, "metadata": {"a": "2"}, "messages": [exported(thread_id)]}
    status, error = api.error("POST", "/threads", whole)
    assert (status, error["code"], error["param"]) == (400, "already_exists", "id")
    assert error["message"].startswith(f"A thread with id '{thread_id}' already exists.")
    status, error = api.error("POST", path, exported(thread_id, id=message_id))
    assert (status, error["code"], error["param"]) == (400, "already_exists", "id")
    assert error["message"].startswith(f"A message with id '{message_id}' already exists.")
    assert [api.call("GET", one).content for one in (f"/threads/{thread_id}", path)] == before


def test_a_message_that_comes_twice_restores_no_thread(untouched: Untouched) -> None:
    thread_id, twice = fresh("thread"), fresh("msg")
    messages = [exported(thread_id, id=one) for one in (twice, fresh("msg"), twice)]
    status, error = untouched.api.error("POST", "/threads", {"id": thread_id, "messages": messages})
    assert (status, error["code"], error["param"]) == (400, "already_exists", "messages[2].id")
    status, _ = untouched.api.error("GET", f"/threads/{thread_id}")
    assert status == 404


def test_the_same_message_may_be_in_two_threads(api: Api) -> None:
    message_id = fresh("msg")
    for _ in range(2):
        thread_id = a_thread(api)
        api.ok("POST", f"/threads/{thread_id}/messages", exported(thread_id, id=message_id))


def test_a_message_is_not_restored_into_a_thread_that_is_not_there(untouched: Untouched) -> None:
    thread_id = fresh("thread")
    path = f"/threads/{thread_id}/messages"
    status, error = untouched.api.error("POST", path, exported(thread_id))
    assert (status, error["message"]) == (404, f"No thread found with id '{thread_id}'.")


def test_what_was_deleted_can_be_restored(api: Api) -> None:
    thread_id = fresh("thread")
    mark = uuid.uuid4().hex
    first = {"id": thread_id, "created_at": 1_600_000_000, "metadata": {"mark": mark, "a": "1"}}
    old = [exported(thread_id) for _ in range(3)]
    api.ok("POST", "/threads", {**first, "messages": old})
    for _ in range(3):
        api.ok("DELETE", f"/threads/{thread_id}")
        api.ok("POST", "/threads", {"id": thread_id, "metadata": {"mark": mark}})
        # Nothing of the one before shines through.
        assert everything(api, f"/threads/{thread_id}/messages") == []
        assert ids(everything(api, "/threads", **{"metadata[mark]": mark})) == [thread_id]
        assert everything(api, "/threads", **{"metadata[mark]": mark, "metadata[a]": "1"}) == []
    api.ok("POST", f"/threads/{thread_id}/messages", old[0])
    api.ok("DELETE", f"/threads/{thread_id}/messages/{old[0]['id']}")
    api.ok("POST", f"/threads/{thread_id}/messages", old[0])
    assert everything(api, f"/threads/{thread_id}/messages") == [old[0]]


def test_what_another_project_has_stands_in_nobodys_way_and_does_not_show(
    projects: Projects,
) -> None:
    thread_id = fresh("thread")
    message = exported(thread_id)
    for number, api in enumerate((projects.one, projects.other)):
        body = {"id": thread_id, "metadata": {"number": str(number)}, "messages": [message]}
        api.ok("POST", "/threads", body)
    for number, api in enumerate((projects.one, projects.other)):
        assert api.ok("GET", f"/threads/{thread_id}")["metadata"] == {"number": str(number)}
    projects.one.ok("DELETE", f"/threads/{thread_id}")
    assert everything(projects.other, f"/threads/{thread_id}/messages") == [message]


def test_an_export_is_put_back_elsewhere_by_posting_it(projects: Projects) -> None:
    one, other = projects.one, projects.other
    thread_id = a_thread(
        one,
        metadata={"schlüssel": "wert", "z": "", "a": "1"},
        tool_resources={"code_interpreter": {"file_ids": [a_file(one)]}},
        messages=[{"role": "user", "content": f"Frage {index}"} for index in range(30)],
    )
    a_message(one, thread_id, [{"type": "image_url", "image_url": {"url": "https://a.example/b"}}])
    a_message(one, thread_id, "\0 \u2028 👩‍👩‍👧", metadata={"b": "2"})
    thread = one.ok("GET", f"/threads/{thread_id}")
    path = f"/threads/{thread_id}/messages"
    messages = everything(one, path, order="asc", limit=100)
    other.ok("POST", "/threads", {**thread, "messages": messages[:20]})
    for message in messages[20:]:
        other.ok("POST", path, message)
    for same in (f"/threads/{thread_id}", f"{path}?limit=100", f"{path}?order=asc&limit=7"):
        assert other.call("GET", same).content == one.call("GET", same).content
    for message_id in ids(messages):
        same = f"{path}/{message_id}"
        assert other.call("GET", same).content == one.call("GET", same).content


def test_a_thread_without_resources_survives_export_and_import(projects: Projects) -> None:
    path = f"/threads/{a_thread(projects.one)}"
    whole = projects.one.ok("GET", path)
    projects.other.ok("POST", "/threads", whole)
    assert projects.other.call("GET", path).content == as_wire(whole)


@pytest.mark.parametrize("name", ["assistant_id", "thread_id", "run_id"])
def test_an_id_of_something_else_is_no_longer_than_256_characters(
    untouched: Untouched, name: str
) -> None:
    body = {"id": "msg_a", "role": "user", "content": "Hi", name: "x" * 257}
    path = untouched.named("/threads/{thread}/messages")
    status, error = untouched.api.error("POST", path, body)
    assert (status, error["param"], error["code"]) == (400, name, "string_above_max_length")

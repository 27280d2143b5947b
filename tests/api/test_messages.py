"""Messages: content in all its forms, and their life in a thread."""

import json
import re
import time
from typing import Any

import pytest

from tests.api.making import a_message, a_thread, as_wire, everything, ids
from tests.harness import Api

TEXT = {"type": "text", "text": "What is this?"}
URL = "https://test.example/image.png"
IMAGE_URL = {"type": "image_url", "image_url": {"url": URL}}


def image_file(file_id: str) -> dict[str, Any]:
    """A part of content: an image among the files."""
    return {"type": "image_file", "image_file": {"file_id": file_id, "detail": "high"}}


@pytest.fixture
def thread_id(api: Api) -> str:
    """An empty thread."""
    return a_thread(api)


def test_a_text_becomes_one_part_in_a_complete_message(api: Api, thread_id: str) -> None:
    earliest = int(time.time())
    answer = api.call(
        "POST", f"/threads/{thread_id}/messages", {"role": "user", "content": "Grüße, 世界 👋"}
    )
    made = answer.json()
    assert re.fullmatch(r"msg_[A-Za-z0-9]{24}", made["id"])
    assert made["created_at"] in range(earliest, int(time.time()) + 1)
    assert answer.content == as_wire(
        {
            "id": made["id"],
            "object": "thread.message",
            "created_at": made["created_at"],
            "assistant_id": None,
            "thread_id": thread_id,
            "run_id": None,
            "status": "completed",
            "incomplete_details": None,
            "incomplete_at": None,
            "completed_at": made["created_at"],
            "role": "user",
            "content": [{"type": "text", "text": {"value": "Grüße, 世界 👋", "annotations": []}}],
            "attachments": [],
            "metadata": {},
        }
    )
    assert "世界 👋".encode() in answer.content
    assert api.call("GET", f"/threads/{thread_id}/messages/{made['id']}").content == answer.content


def test_an_assistants_message_made_by_hand_has_no_assistant_and_no_run(
    api: Api, thread_id: str
) -> None:
    body = {"role": "assistant", "content": "Hello!"}
    made = api.ok("POST", f"/threads/{thread_id}/messages", body)
    assert (made["role"], made["assistant_id"], made["run_id"]) == ("assistant", None, None)


def test_parts_keep_their_order_and_images_are_looked_at_automatically(
    files: list[str], api: Api, thread_id: str
) -> None:
    low = {"type": "image_url", "image_url": {"url": "https://a.example/b.gif", "detail": "low"}}
    unset = {"type": "image_file", "image_file": {"file_id": files[1], "detail": None}}
    parts = [image_file(files[0]), TEXT, IMAGE_URL, TEXT, low, unset]
    made = api.ok("POST", f"/threads/{thread_id}/messages", {"role": "user", "content": parts})
    text = {"type": "text", "text": {"value": "What is this?", "annotations": []}}
    assert made["content"] == [
        image_file(files[0]),
        text,
        {"type": "image_url", "image_url": {"url": URL, "detail": "auto"}},
        text,
        low,
        {"type": "image_file", "image_file": {"file_id": files[1], "detail": "auto"}},
    ]
    assert list(made["content"][0]["image_file"]) == ["file_id", "detail"]
    assert list(made["content"][2]["image_url"]) == ["url", "detail"]


def test_the_type_of_a_part_may_stand_anywhere_in_it(api: Api, thread_id: str) -> None:
    body = {"content": [{"text": "a", "type": "text"}], "metadata": {"a": "b"}, "role": "user"}
    made = api.ok("POST", f"/threads/{thread_id}/messages", body)
    assert made["content"] == [{"type": "text", "text": {"value": "a", "annotations": []}}]


def test_attachments_and_metadata_come_back_as_they_were_sent(
    files: list[str], api: Api, thread_id: str
) -> None:
    attachments = [
        {"file_id": files[0], "tools": [{"type": "code_interpreter"}]},
        {"file_id": files[0], "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]},
        {"file_id": files[1], "tools": []},
    ]
    body = {
        "role": "user",
        "content": "Look",
        "attachments": attachments,
        "metadata": {"schlüssel": "värde"},
    }
    made = api.ok("POST", f"/threads/{thread_id}/messages", body)
    assert (made["attachments"], made["metadata"]) == (attachments, {"schlüssel": "värde"})
    (listed,) = everything(api, f"/threads/{thread_id}/messages")
    assert listed == made


def test_null_means_not_set_when_a_message_is_made(api: Api, thread_id: str) -> None:
    body = {"role": "user", "content": "Hi", "attachments": None, "metadata": None}
    made = api.ok("POST", f"/threads/{thread_id}/messages", body)
    assert (made["attachments"], made["metadata"]) == ([], {})


@pytest.mark.parametrize(
    "content",
    [
        " ",
        "\n",
        "\0",
        "a\0b",
        "\u2028\ufeff\u200f",
        "x" * 256_000,
        "€" * 256_000,
        "👩" * 256_000,
        [{"type": "text", "text": "👩" * 256_000}],
        [TEXT] * 10,
    ],
    ids=lambda content: repr(content)[:30],
)
def test_content_within_the_limits_is_kept_to_the_character(
    api: Api, thread_id: str, content: Any
) -> None:
    body = json.dumps({"role": "user", "content": content}, ensure_ascii=False).encode()
    made = api.ok("POST", f"/threads/{thread_id}/messages", raw=body)
    texts = [part["text"]["value"] for part in made["content"]]
    assert texts == ([content] if isinstance(content, str) else [p["text"] for p in content])
    assert api.ok("GET", f"/threads/{thread_id}/messages/{made['id']}") == made


def test_messages_of_one_second_keep_the_order_in_which_they_were_made(
    api: Api, thread_id: str
) -> None:
    made = [a_message(api, thread_id, f"message {index}") for index in range(30)]
    path = f"/threads/{thread_id}/messages"
    assert ids(everything(api, path, order="asc")) == made
    assert ids(everything(api, path)) == made[::-1]


def test_modifying_a_message_merges_its_metadata_and_touches_nothing_else(
    files: list[str], api: Api, thread_id: str
) -> None:
    attachments = [{"file_id": files[0], "tools": [{"type": "file_search"}]}]
    message_id = a_message(
        api,
        thread_id,
        [image_file(files[0])],
        metadata={"a": "1", "b": "1"},
        attachments=attachments,
    )
    path = f"/threads/{thread_id}/messages/{message_id}"
    was = api.ok("GET", path)
    now = api.call("POST", path, {"metadata": {"b": "2", "c": "2"}})
    assert now.content == as_wire({**was, "metadata": {"a": "1", "b": "2", "c": "2"}})
    nothings: list[dict[str, Any]] = [{}, {"metadata": None}, {"metadata": {}}]
    for nothing in nothings:
        assert api.call("POST", path, nothing).content == now.content
    assert api.call("GET", path).content == now.content


def test_the_limit_of_16_pairs_holds_for_a_messages_merged_metadata(
    api: Api, thread_id: str
) -> None:
    message_id = a_message(api, thread_id, metadata={f"k{index}": "v" for index in range(16)})
    path = f"/threads/{thread_id}/messages/{message_id}"
    status, error = api.error("POST", path, {"metadata": {"one more": "v"}})
    assert (status, error["code"]) == (400, "object_above_max_properties")
    assert "one more" not in api.ok("GET", path)["metadata"]


@pytest.mark.parametrize("field", ["role", "content", "attachments", "thread_id"])
def test_only_metadata_of_a_message_can_be_changed(api: Api, thread_id: str, field: str) -> None:
    path = f"/threads/{thread_id}/messages/{a_message(api, thread_id)}"
    status, error = api.error("POST", path, {field: "user"})
    assert (status, error["message"]) == (400, f"Unknown parameter: '{field}'.")


def test_a_deleted_message_is_gone_and_its_thread_remains(api: Api, thread_id: str) -> None:
    first, second = a_message(api, thread_id, "first"), a_message(api, thread_id, "second")
    path = f"/threads/{thread_id}/messages/{first}"
    gone = api.call("DELETE", path)
    assert gone.content == as_wire(
        {"id": first, "object": "thread.message.deleted", "deleted": True}
    )
    for method, body in (("GET", None), ("POST", {"metadata": {}}), ("DELETE", None)):
        status, error = api.error(method, path, body)
        assert (status, error["message"]) == (404, f"No message found with id '{first}'.")
    assert ids(everything(api, f"/threads/{thread_id}/messages")) == [second]


def test_a_message_appended_after_a_deletion_comes_last(api: Api, thread_id: str) -> None:
    first, second = a_message(api, thread_id), a_message(api, thread_id)
    api.ok("DELETE", f"/threads/{thread_id}/messages/{second}")
    third = a_message(api, thread_id)
    assert ids(everything(api, f"/threads/{thread_id}/messages", order="asc")) == [first, third]


def test_a_message_is_found_only_in_its_own_thread(api: Api, thread_id: str) -> None:
    message_id = a_message(api, thread_id)
    path = f"/threads/{a_thread(api)}/messages/{message_id}"
    for method, body in (("GET", None), ("POST", {"metadata": {"a": "b"}}), ("DELETE", None)):
        status, error = api.error(method, path, body)
        assert (status, error["message"]) == (404, f"No message found with id '{message_id}'.")
    assert api.ok("GET", f"/threads/{thread_id}/messages/{message_id}")["metadata"] == {}


def test_messages_of_a_run_are_listed_by_its_id(api: Api) -> None:
    thread_id = "thread_of_two_runs"
    messages = [
        {"id": f"msg_{index}", "role": "assistant", "content": f"{index}", "run_id": run_id}
        for index, run_id in enumerate(["run_1", None, "run_2", "run_1", "run_1"])
    ]
    api.ok("POST", "/threads", {"id": thread_id, "messages": messages})
    path = f"/threads/{thread_id}/messages"
    newest_first = ids(everything(api, path, run_id="run_1", limit=2))
    assert newest_first == ["msg_4", "msg_3", "msg_0"]
    assert ids(everything(api, path, run_id="run_1", limit=1, order="asc")) == newest_first[::-1]
    assert ids(everything(api, path, run_id="run_2")) == ["msg_2"]
    assert api.ok("GET", path, params={"run_id": "run_3"}) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    api.ok("DELETE", f"/threads/{thread_id}")

"""Files that requests refer to: all are there, in the same project, or nothing is stored."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Projects
from tests.api.making import a_file, a_thread, an_assistant, everything
from tests.harness import Api

Body = dict[str, Any]


def _said(content: Any = "Hi", **more: Any) -> Body:
    return {"role": "user", "content": content, **more}


def image(file_id: str) -> Body:
    """A message with an image."""
    return _said([{"type": "image_file", "image_file": {"file_id": file_id}}])


def attached(file_id: str) -> Body:
    """A message with an attachment."""
    return _said(attachments=[{"file_id": file_id, "tools": [{"type": "code_interpreter"}]}])


def given(file_id: str) -> Body:
    """Resources of the code interpreter."""
    return {"tool_resources": {"code_interpreter": {"file_ids": [file_id]}}}


PLACES: dict[str, tuple[str, Callable[[str], Body]]] = {
    "a message with an image": ("/threads/{thread}/messages", image),
    "a message with an attachment": ("/threads/{thread}/messages", attached),
    "a thread": ("/threads", given),
    "a thread with messages": ("/threads", lambda file: {"messages": [_said(), image(file)]}),
    "a change of a thread": ("/threads/{thread}", given),
    "an assistant": ("/assistants", lambda file: {"model": "m", **given(file)}),
    "a change of an assistant": ("/assistants/{assistant}", given),
    "a run with a message": (
        "/threads/{thread}/runs",
        lambda file: {"assistant_id": "{assistant}", "additional_messages": [attached(file)]},
    ),
    "a run with resources": (
        "/threads/runs",
        lambda file: {
            "assistant_id": "{assistant}",
            "thread": {"messages": [_said()]},
            **given(file),
        },
    ),
    "a run with a thread": (
        "/threads/runs",
        lambda file: {"assistant_id": "{assistant}", "thread": {"messages": [image(file)]}},
    ),
    "a run with a thread that has resources": (
        "/threads/runs",
        lambda file: {
            "assistant_id": "{assistant}",
            "thread": {"messages": [_said()], **given(file)},
        },
    ),
}
each_place = pytest.mark.parametrize(("path", "body"), PLACES.values(), ids=PLACES)


class Place:
    """A thread and an assistant of a project, and what is stored around them."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.thread = a_thread(api)
        self.assistant = an_assistant(api, model="weft-demo")

    def named(self, text: str) -> str:
        """Return a path or an id with what stands for these two."""
        return text.format(thread=self.thread, assistant=self.assistant)

    def send(self, path: str, body: Body) -> Any:
        """Send a request."""
        if "assistant_id" in body:
            body = {**body, "assistant_id": self.assistant}
        return self.api.call("POST", self.named(path), body)

    def stored(self) -> list[Any]:
        """Return everything that a request could have changed."""
        thread = f"/threads/{self.thread}"
        return [
            self.api.ok("GET", thread),
            self.api.ok("GET", f"{thread}/messages"),
            self.api.ok("GET", f"{thread}/runs"),
            self.api.ok("GET", f"/assistants/{self.assistant}"),
            len(everything(self.api, "/threads", limit=100)),
            len(everything(self.api, "/assistants", limit=100)),
        ]


@each_place
def test_a_file_that_is_there_may_be_referred_to(
    projects: Projects, path: str, body: Callable[[str], Body]
) -> None:
    place = Place(projects.one)
    answer = place.send(path, body(a_file(projects.one)))
    assert answer.status_code == 200, answer.text


@each_place
def test_a_file_that_is_missing_deleted_or_anothers_is_refused_and_nothing_is_stored(
    projects: Projects, path: str, body: Callable[[str], Body]
) -> None:
    place = Place(projects.one)
    deleted = a_file(projects.one)
    projects.one.ok("DELETE", f"/files/{deleted}")
    for file_id in ("file-none", deleted, a_file(projects.other), "x" * 256):
        before = place.stored()
        answer = place.send(path, body(file_id))
        assert answer.status_code == 400
        error = answer.json()["error"]
        shown = file_id if len(file_id) < 200 else f"{file_id[:200]}..."
        assert error["message"] == f"The following files were not found: ['{shown}']."
        assert place.stored() == before


def test_every_file_that_is_missing_is_named_once(api: Api) -> None:
    file_ids = ["file-b", a_file(api), "file-a", "file-b"]
    body = {"tool_resources": {"code_interpreter": {"file_ids": file_ids}}}
    _, error = api.error("POST", "/threads", body)
    assert error["message"] == "The following files were not found: ['file-b', 'file-a']."


def test_many_attachments_are_looked_up_at_once(api: Api) -> None:
    own = a_file(api)
    attachments = [{"file_id": own, "tools": []}] * 500
    thread_id = a_thread(api)
    made = api.ok("POST", f"/threads/{thread_id}/messages", _said(attachments=attachments))
    assert made["attachments"] == attachments
    attachments = [*attachments, {"file_id": "file-none", "tools": []}]
    body = _said(attachments=attachments)
    assert api.error("POST", f"/threads/{thread_id}/messages", body)[0] == 400


def test_a_refused_request_is_not_kept_under_its_key(api: Api) -> None:
    thread_id, key = a_thread(api), {"Idempotency-Key": uuid.uuid4().hex}
    path = f"/threads/{thread_id}/messages"
    assert api.call("POST", path, image("file-none"), headers=key).status_code == 400
    assert api.call("POST", path, _said(), headers=key).status_code == 200


def test_what_is_restored_may_refer_to_files_that_are_nowhere(api: Api) -> None:
    thread_id = f"thread_{uuid.uuid4().hex}"
    whole = {
        "id": thread_id,
        **given("file-old"),
        "messages": [{**image("file-old"), "id": "msg_a"}],
    }
    api.ok("POST", "/threads", whole)
    api.ok("POST", f"/threads/{thread_id}/messages", {**attached("file-old"), "id": "msg_b"})


def test_deleting_a_file_while_it_is_referred_to_breaks_nothing(projects: Projects) -> None:
    """Each message was stored while its file was there, or was refused: nothing else comes back."""
    api = projects.one
    thread_id = a_thread(api)
    for _ in range(20):
        file_id = a_file(api)
        deleting = threading.Thread(target=projects.one.call, args=("DELETE", f"/files/{file_id}"))
        deleting.start()
        answer = api.call("POST", f"/threads/{thread_id}/messages", image(file_id))
        deleting.join()
        assert answer.status_code in (200, 400)
        assert api.call("GET", f"/files/{file_id}").status_code == 404
    assert api.ok("GET", f"/threads/{thread_id}/messages")["object"] == "list"

"""Idempotency-Key: the same request again gets the first answer and does nothing."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.conftest import Projects, Untouched
from tests.api.making import a_message, a_thread, an_assistant, everything, ids
from tests.harness import Api, Server, api_of

USER = {"role": "user", "content": "Hi"}
TWINS = 24


def fresh_key() -> str:
    """Return a key that nobody has used."""
    return uuid.uuid4().hex


def post(api: Api, path: str, body: Any, key: str) -> httpx2.Response:
    """Send a POST with an Idempotency-Key."""
    return api.call("POST", path, body, headers={"Idempotency-Key": key})


def reused(answer: httpx2.Response) -> bool:
    """Say whether an answer refuses a key that came with another request."""
    if answer.status_code != 400:
        return False
    error = answer.json()["error"]
    return (error["code"], error["param"]) == ("idempotency_key_reused", "Idempotency-Key")


class Posts:
    """Each POST: where it goes, what it says, and how often what it does was done."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.mark = uuid.uuid4().hex
        self.thread = a_thread(api)
        message = a_message(api, self.thread)
        self.messages = f"/threads/{self.thread}/messages"
        self.restored = f"thread_{self.mark}"
        metadata = {"metadata": {"mark": self.mark}}
        self.paths: dict[str, tuple[str, Any]] = {
            "create thread": ("/threads", {**metadata, "messages": [USER]}),
            "restore thread": ("/threads", {"id": self.restored, **metadata}),
            "modify thread": (f"/threads/{self.thread}", metadata),
            "create message": (self.messages, USER),
            "restore message": (self.messages, {"id": f"msg_{self.mark}", **USER}),
            "modify message": (f"{self.messages}/{message}", metadata),
            "create assistant": ("/assistants", {"model": self.mark}),
            "modify assistant": (f"/assistants/{an_assistant(api)}", {"name": self.mark}),
        }

    def everything(self) -> list[Any]:
        """Return what these requests could have made or changed."""
        assistants = [
            one
            for one in everything(self.api, "/assistants", limit=100)
            if self.mark in (one["model"], one["name"])
        ]
        found = everything(self.api, "/threads", **{"metadata[mark]": self.mark})
        return [assistants, found, everything(self.api, self.messages)]


POSTS = (
    *("create thread", "restore thread", "modify thread"),
    *("create message", "restore message", "modify message"),
    *("create assistant", "modify assistant"),
)


@pytest.mark.parametrize("which", POSTS)
def test_the_same_post_again_gets_the_first_answer_and_does_nothing(api: Api, which: str) -> None:
    posts, key = Posts(api), fresh_key()
    path, body = posts.paths[which]
    first = post(api, path, body, key)
    assert first.status_code == 200
    stored = posts.everything()
    for _ in range(3):
        again = post(api, path, body, key)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["content-type"] == "application/json"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert posts.everything() == stored


@pytest.mark.parametrize("which", POSTS)
def test_a_key_is_good_for_one_request_only(api: Api, which: str) -> None:
    posts, key = Posts(api), fresh_key()
    path, body = posts.paths[which]
    post(api, path, body, key)
    stored = posts.everything()
    for other_path, (other, other_body) in posts.paths.items():
        if other_path != which:
            assert reused(post(api, other, other_body, key)), other_path
    assert reused(post(api, path, {**body, "metadata": {"b": "2"}}, key))
    assert posts.everything() == stored


@pytest.mark.parametrize("which", POSTS)
def test_twins_that_come_at_the_same_moment_do_it_once(
    api: Api, server: Server, which: str
) -> None:
    posts, key = Posts(api), fresh_key()
    path, body = posts.paths[which]

    def send(_: int) -> bytes:
        answer = post(api, path, body, key)
        assert answer.status_code == 200, answer.text
        return answer.content

    before = [len(part) for part in posts.everything()]
    with ThreadPoolExecutor(TWINS) as clients:
        answers = set(clients.map(send, range(TWINS)))
    assert len(answers) == 1
    after = [len(part) for part in posts.everything()]
    assert sum(after) - sum(before) == (0 if which == "modify message" else 1)


def test_of_two_requests_with_one_key_at_the_same_moment_one_is_done(api: Api) -> None:
    mark, key = uuid.uuid4().hex, fresh_key()

    def send(number: int) -> bool:
        body = {"metadata": {"mark": mark, "n": str(number)}}
        return not reused(post(api, "/threads", body, key))

    with ThreadPoolExecutor(TWINS) as clients:
        assert sum(clients.map(send, range(TWINS))) == 1
    assert len(everything(api, "/threads", **{"metadata[mark]": mark})) == 1


def test_an_answer_survives_a_restart(tmp_path: Path) -> None:
    key = fresh_key()
    body = {"metadata": {"schlüssel": "wert"}}
    with Server(tmp_path / "data") as server, api_of(server) as api:
        first = post(api, "/threads", body, key)
        server.kill()
    with Server(tmp_path / "data") as server, api_of(server) as api:
        assert post(api, "/threads", body, key).content == first.content
        assert reused(post(api, "/threads", {}, key))
        assert ids(everything(api, "/threads")) == [first.json()["id"]]


def test_an_answer_outlives_what_it_speaks_of(api: Api) -> None:
    key = fresh_key()
    first = post(api, "/threads", {}, key)
    path = f"/threads/{first.json()['id']}"
    api.ok("DELETE", path)
    assert post(api, "/threads", {}, key).content == first.content
    assert api.call("GET", path).status_code == 404


def test_a_repeated_change_does_not_undo_a_later_one(api: Api) -> None:
    path, key = f"/threads/{a_thread(api)}", fresh_key()
    first = post(api, path, {"metadata": {"a": "1"}}, key)
    api.ok("POST", path, {"metadata": {"a": "2"}})
    assert post(api, path, {"metadata": {"a": "1"}}, key).content == first.content
    assert api.ok("GET", path)["metadata"] == {"a": "2"}


def test_an_error_is_not_kept(api: Api) -> None:
    thread_id, key = f"thread_{uuid.uuid4().hex}", fresh_key()
    path = f"/threads/{thread_id}/messages"
    refused: list[Callable[[], httpx2.Response]] = [
        lambda: post(api, path, {"role": "human", "content": "Hi"}, key),
        lambda: post(api, path, USER, key),
        lambda: post(api, path, {**USER, "content": ""}, key),
    ]
    assert [one().status_code for one in refused] == [400, 404, 400]
    api.ok("POST", "/threads", {"id": thread_id})
    answer = post(api, path, USER, key)
    assert answer.status_code == 200
    assert post(api, path, USER, key).content == answer.content
    assert ids(everything(api, path)) == [answer.json()["id"]]


def test_a_key_may_have_255_characters(api: Api, untouched: Untouched) -> None:
    key = fresh_key().ljust(255, "x")
    first = post(api, "/threads", {}, key)
    assert first.status_code == 200
    assert post(api, "/threads", {}, key).content == first.content
    refused = post(untouched.api, "/threads", {}, key + "x")
    assert refused.status_code == 400
    assert refused.json()["error"] == {
        "message": "Invalid 'Idempotency-Key': string too long. Expected a string with maximum "
        "length 255, but got a string with length 256 instead.",
        "type": "invalid_request_error",
        "param": "Idempotency-Key",
        "code": "string_above_max_length",
    }


def test_an_empty_key_is_refused(untouched: Untouched) -> None:
    error = post(untouched.api, "/threads", {}, "").json()["error"]
    assert (error["code"], error["param"]) == ("empty_string", "Idempotency-Key")


def test_a_key_belongs_to_its_project(projects: Projects) -> None:
    key = fresh_key()
    one = post(projects.one, "/threads", {"metadata": {"of": "one"}}, key).json()
    other = post(projects.other, "/threads", {"metadata": {"of": "other"}}, key).json()
    assert (one["metadata"], other["metadata"]) == ({"of": "one"}, {"of": "other"})
    assert projects.other.call("GET", f"/threads/{one['id']}").status_code == 404


def test_a_key_means_nothing_where_nothing_is_posted(api: Api) -> None:
    headers = {"Idempotency-Key": fresh_key()}
    path = f"/threads/{a_thread(api)}"
    was = api.call("GET", path, headers=headers)
    api.ok("POST", path, {"metadata": {"a": "1"}})
    assert api.call("GET", path, headers=headers).content != was.content
    assert api.call("DELETE", path, headers=headers).status_code == 200
    assert api.call("DELETE", path, headers=headers).status_code == 404
    assert post(api, "/threads", {}, headers["Idempotency-Key"]).status_code == 200

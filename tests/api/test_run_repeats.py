"""Repeating what concerns runs with an Idempotency-Key: nothing is done twice."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.api.making import a_thread
from tests.api.running import (
    USER,
    a_demo,
    asking,
    at_rest,
    messages_of,
    outputs_for,
    path_of,
    runs_of,
)
from tests.harness import Api, Server, api_of


def with_a_key() -> dict[str, Any]:
    """Return the headers of a key that nobody has used."""
    return {"headers": {"Idempotency-Key": uuid.uuid4().hex}}


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "when it is over"])
def test_the_same_request_brings_the_same_run_as_it_was_answered_first(
    api: Api, is_late: bool
) -> None:
    thread, how = a_thread(api), with_a_key()
    body = {"assistant_id": a_demo(api), "additional_messages": [USER]}
    first = api.call("POST", runs_of(thread), body, **how)
    if is_late:
        at_rest(api, first.json())
    assert api.call("POST", runs_of(thread), body, **how).content == first.content
    done = at_rest(api, first.json())
    assert api.ok("GET", runs_of(thread))["data"] == [done]
    assert len(messages_of(api, done)) == 2


def test_a_thread_and_its_run_are_made_once(api: Api) -> None:
    how = with_a_key()
    body = {"assistant_id": a_demo(api), "thread": {"messages": [USER]}}
    first = api.ok("POST", "/threads/runs", body, **how)
    assert api.ok("POST", "/threads/runs", body, **how) == first
    assert len(messages_of(api, at_rest(api, first))) == 2


@pytest.mark.parametrize("path", ["/threads/runs", "/threads/{}/runs"])
def test_a_streamed_run_replays_its_events_to_the_byte(api: Api, path: str) -> None:
    how, path = with_a_key(), path.format(a_thread(api, messages=[USER]))
    body: dict[str, Any] = {"assistant_id": a_demo(api), "stream": True}
    if path == "/threads/runs":
        body["thread"] = {"messages": [USER]}
    first = api.call("POST", path, body, **how)
    again = api.call("POST", path, body, **how)
    assert again.content == first.content
    assert b"event: thread.run.completed\n" in first.content
    _, error = api.error("POST", path, {**body, "stream": False}, **how)
    assert error["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("is_streamed", [False, True], ids=["plain", "streamed"])
def test_outputs_are_handed_in_once(api: Api, is_streamed: bool) -> None:
    run, how = asking(api, "lend"), with_a_key()
    path = f"{path_of(run)}/submit_tool_outputs"
    body = {**outputs_for(run, "x"), "stream": is_streamed}
    first = api.call("POST", path, body, **how)
    assert at_rest(api, run)["status"] == "completed"
    assert api.call("POST", path, body, **how).content == first.content
    _, error = api.error("POST", path, body)
    assert error["message"] == 'Runs in status "completed" do not accept tool outputs.'


def test_a_run_is_cancelled_once(api: Api) -> None:
    run, how = asking(api, "lend"), with_a_key()
    first = api.ok("POST", f"{path_of(run)}/cancel", **how)
    at_rest(api, run)
    assert api.ok("POST", f"{path_of(run)}/cancel", **how) == first


def test_a_refused_run_is_not_remembered(api: Api) -> None:
    run, how = asking(api, "lend"), with_a_key()
    body = {"assistant_id": run["assistant_id"]}
    assert api.error("POST", runs_of(run["thread_id"]), body, **how)[0] == 400
    api.ok("POST", f"{path_of(run)}/cancel")
    at_rest(api, run)
    assert api.ok("POST", runs_of(run["thread_id"]), body, **how)["status"] == "queued"


def test_a_run_is_remembered_by_a_server_that_was_killed(tmp_path: Path) -> None:
    how = with_a_key()
    with Server(tmp_path / "data") as server, api_of(server) as api:
        path = runs_of(a_thread(api, messages=[USER]))
        body = {"assistant_id": a_demo(api), "stream": True}
        first = api.call("POST", path, body, **how)
        server.kill()
    with Server(tmp_path / "data") as server, api_of(server) as api:
        assert api.call("POST", path, body, **how).content == first.content
        assert len(api.ok("GET", path)["data"]) == 1

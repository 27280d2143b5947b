"""Runs that wait for their turn: `queue_when_busy`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.making import a_thread, an_assistant, ids
from tests.api.running import (
    USER,
    Modelled,
    a_demo,
    a_function,
    a_run,
    asking,
    at_rest,
    calls_of,
    following,
    gated,
    messages_of,
    names,
    outputs_for,
    path_of,
    runs_of,
    said,
)
from tests.harness import Api, Server, api_of
from tests.llm.upstream import calls, text


def a_waiting_run(api: Api, active: Any, **body: Any) -> Any:
    """Queue a run behind an active one."""
    assistant = body.pop("assistant_id", active["assistant_id"])
    return a_run(api, active["thread_id"], assistant, queue_when_busy=True, **body)


def submit(api: Api, run: Any, *outputs: str) -> Any:
    """Hand in what the functions returned."""
    return api.ok("POST", f"{path_of(run)}/submit_tool_outputs", outputs_for(run, *outputs))


def test_a_run_waits_behind_the_active_one_and_its_time_begins_with_its_turn(api: Api) -> None:
    active = asking(api, "lend")
    waiting = a_waiting_run(api, active)
    assert (waiting["status"], waiting["expires_at"]) == ("queued", None)
    answer = api.call("GET", path_of(waiting))
    assert answer.json() == waiting
    assert answer.headers["openai-poll-after-ms"] == "250"
    listed = api.ok("GET", runs_of(active["thread_id"]))["data"]
    assert ids(listed) == [waiting["id"], active["id"]]
    with following(api, "GET", path_of(waiting), params={"stream": "true"}) as stream:
        assert names([stream.next(), stream.next()]) == ["thread.run.created", "thread.run.queued"]
        submit(api, active, "x")
        begun = stream.next()
        assert begun.name == "thread.run.in_progress"
        assert begun.data["expires_at"] >= waiting["created_at"] + 600
        stream.rest()
    assert api.ok("GET", path_of(active))["status"] == "completed"
    assert api.ok("GET", path_of(waiting))["status"] == "completed"


def test_without_the_wish_to_wait_a_second_run_is_refused(api: Api) -> None:
    active = asking(api, "lend")
    for wish in (False, None):
        body = {"assistant_id": active["assistant_id"], "queue_when_busy": wish}
        _, error = api.error("POST", runs_of(active["thread_id"]), body)
        expected = f"Thread {active['thread_id']} already has an active run {active['id']}."
        assert error["message"] == expected


def test_a_run_on_an_idle_thread_does_not_wait(api: Api) -> None:
    run = a_run(api, a_thread(api, messages=[USER]), a_demo(api), queue_when_busy=True)
    assert run["expires_at"] == run["created_at"] + 600
    assert at_rest(api, run)["status"] == "completed"


def test_runs_take_their_turns_in_the_order_in_which_they_came(api: Api) -> None:
    active = asking(api, "lend")
    plain = a_demo(api)
    waiting = [a_waiting_run(api, active, assistant_id=plain) for _ in range(4)]
    submit(api, active, "x")
    for run in reversed(waiting):
        assert at_rest(api, run)["status"] == "completed"
    answers = [one for one in messages_of(api, active) if one["role"] == "assistant"]
    assert [one["run_id"] for one in answers] == ids([active, *waiting])


def test_a_waiting_run_is_cancelled_without_touching_the_others(api: Api) -> None:
    active = asking(api, "lend")
    plain = a_demo(api)
    first, second = (a_waiting_run(api, active, assistant_id=plain) for _ in range(2))
    assert api.ok("POST", f"{path_of(first)}/cancel")["status"] == "cancelling"
    assert at_rest(api, first)["status"] == "cancelled"
    assert api.ok("GET", path_of(active)) == active
    assert api.ok("GET", path_of(second)) == second
    submit(api, active, "x")
    assert at_rest(api, second)["status"] == "completed"


def test_the_messages_of_a_waiting_run_are_stored_at_once_and_not_read_by_the_active_one(
    modelled: Modelled,
) -> None:
    api, upstream = modelled
    upstream.play(calls(("lend", "{}")), text("It is lent."), text("It is late."))
    assistant = an_assistant(api, tools=[a_function("lend")])
    thread = a_thread(api, messages=[{"role": "user", "content": "Lend it"}])
    active = at_rest(api, a_run(api, thread, assistant))
    later = {"role": "user", "content": "And what time is it?"}
    waiting = a_waiting_run(api, active, additional_messages=[later])
    assert [said(one) for one in messages_of(api, active)] == ["Lend it", "And what time is it?"]
    submit(api, active, "lent")
    assert at_rest(api, waiting)["status"] == "completed"
    _, second, third = (call.body["messages"] for call in upstream.calls)
    assert "And what time is it?" not in str(second)
    spoken = [(one["role"], one["content"]) for one in third if one["content"]]
    assert spoken[0] == ("user", "Lend it")
    assert spoken[-2:] == [("assistant", "It is lent."), ("user", "And what time is it?")]


def test_a_waiting_run_is_streamed_from_its_beginning(modelled: Modelled) -> None:
    api, upstream = modelled
    behaviour, gate = gated("One")
    upstream.play(behaviour, text("Two"))
    thread = a_thread(api, messages=[USER])
    active = a_run(api, thread, an_assistant(api))
    body = {"assistant_id": active["assistant_id"], "queue_when_busy": True, "stream": True}
    with following(api, "POST", runs_of(thread), body) as stream:
        begun = [stream.next(), stream.next()]
        gate.open()
        rest = stream.rest()
    assert names(begun) == ["thread.run.created", "thread.run.queued"]
    assert rest[0].name == "thread.run.in_progress"
    assert rest[-1].name == "thread.run.completed"
    assert [said(one) for one in messages_of(api, active)] == ["Hello", "One", "Two"]


@pytest.mark.parametrize("end", [Server.kill, Server.stop])
def test_who_waits_still_waits_after_a_restart(
    tmp_path: Path, end: Callable[[Server], object]
) -> None:
    with Server(tmp_path / "data") as server, api_of(server) as api:
        active = asking(api, "lend")
        plain = a_demo(api)
        waiting = [a_waiting_run(api, active, assistant_id=plain) for _ in range(2)]
        end(server)
    with Server(tmp_path / "data") as server, api_of(server) as api:
        assert api.ok("GET", path_of(active)) == active
        assert len(calls_of(active)) == 1
        submit(api, active, "x")
        for run in waiting:
            assert at_rest(api, run)["status"] == "completed"
        answers = [one for one in messages_of(api, active) if one["role"] == "assistant"]
        assert [one["run_id"] for one in answers] == ids([active, *waiting])

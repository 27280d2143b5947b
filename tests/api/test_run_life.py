"""The life of a run as its client sees it: calls, outputs, changes, a cancellation, lists."""

import time
from typing import Any

import pytest

from tests.api.making import ANSWER_S, a_message, a_thread, an_assistant, everything, ids
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
    outputs_for,
    path_of,
    runs_of,
    said,
    steps_of,
)
from tests.harness import Api, within
from tests.llm.upstream import Behaviour, calls, chunk, limited, silent, text


def test_all_calls_of_a_turn_wait_together_and_are_answered_together(api: Api) -> None:
    run = asking(api, "lend", "give_back")
    assert run["status"] == "requires_action"
    assert run["usage"] is None
    assert [call["function"]["name"] for call in calls_of(run)] == ["lend", "give_back"]
    (step,) = steps_of(api, run)
    assert step["status"] == "in_progress"
    assert [call["function"]["output"] for call in step["step_details"]["tool_calls"]] == [None] * 2
    body = outputs_for(run, "lent", "given")
    body["tool_outputs"].reverse()
    submitted = api.ok("POST", f"{path_of(run)}/submit_tool_outputs", body)
    expected = {**run, "status": "queued", "required_action": None}
    assert submitted == expected
    done = at_rest(api, run)
    assert done["status"] == "completed"
    called, answered = steps_of(api, run)
    assert [call["function"]["output"] for call in called["step_details"]["tool_calls"]] == [
        "lent",
        "given",
    ]
    assert called["status"] == answered["status"] == "completed"
    assert called["completed_at"] >= called["created_at"]
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert done["usage"][name] == called["usage"][name] + answered["usage"][name]


def test_the_model_is_told_its_calls_and_their_outputs_also_empty_ones(modelled: Modelled) -> None:
    api, upstream = modelled
    upstream.play(calls(("lend", '{"book": "Weaving"}')), text("It is lent."))
    thread = a_thread(api, messages=[USER])
    run = at_rest(api, a_run(api, thread, an_assistant(api, tools=[a_function("lend")])))
    (call,) = calls_of(run)
    assert call["function"] == {"name": "lend", "arguments": '{"book": "Weaving"}'}
    body = {"tool_outputs": [{"tool_call_id": call["id"]}]}
    api.ok("POST", f"{path_of(run)}/submit_tool_outputs", body)
    assert at_rest(api, run)["status"] == "completed"
    assistant, tool = upstream.calls[-1].body["messages"][-2:]
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"] == call["id"]
    assert (tool["role"], tool["content"]) == ("tool", "")
    (_, answer) = messages_of(api, run)
    assert said(answer) == "It is lent."


def test_one_call_at_a_time_if_the_run_says_so(api: Api) -> None:
    assistant = a_demo(api, tools=[a_function("lend"), a_function("give_back")])
    thread = a_thread(api, messages=[{"role": "user", "content": "lend and give_back"}])
    run = at_rest(api, a_run(api, thread, assistant, parallel_tool_calls=False))
    assert [call["function"]["name"] for call in calls_of(run)] == ["lend"]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", []),
        ("auto", ["lend"]),
        ("required", ["lend"]),
        ({"type": "function", "function": {"name": "give_back"}}, ["give_back"]),
    ],
)
def test_the_choice_of_a_tool_is_heeded(api: Api, choice: Any, called: list[str]) -> None:
    assistant = a_demo(api, tools=[a_function("lend"), a_function("give_back")])
    thread = a_thread(api, messages=[{"role": "user", "content": "Please lend"}])
    run = at_rest(api, a_run(api, thread, assistant, tool_choice=choice))
    assert run["tool_choice"] == choice
    found = calls_of(run) if run["required_action"] else []
    assert [call["function"]["name"] for call in found] == called


# --- changing and ending ----------------------------------------------------------------------


def test_metadata_of_a_run_at_rest_is_merged_and_nothing_else_changes(api: Api) -> None:
    run = asking(api, "lend")
    path = path_of(run)
    changed = api.ok("POST", path, {"metadata": {"a": "1", "b": "2"}})
    assert changed == {**run, "metadata": {"a": "1", "b": "2"}}
    api.ok("POST", f"{path}/submit_tool_outputs", outputs_for(run, "x"))
    done = at_rest(api, run)
    assert done["metadata"] == {"a": "1", "b": "2"}
    again = api.ok("POST", path, {"metadata": {"b": "3"}})
    assert again == {**done, "metadata": {"a": "1", "b": "3"}}
    assert api.ok("POST", path, {"metadata": None}) == again
    assert api.ok("POST", path, {}) == api.ok("GET", path) == again


def test_a_run_that_waits_for_outputs_is_cancelled(api: Api) -> None:
    run = asking(api, "lend")
    answered = api.ok("POST", f"{path_of(run)}/cancel")
    assert answered == {**run, "status": "cancelling", "required_action": None}
    done = at_rest(api, run)
    assert done["status"] == "cancelled"
    assert done["cancelled_at"] >= run["started_at"]
    assert done["expires_at"] is done["completed_at"] is done["last_error"] is None
    (step,) = steps_of(api, run)
    assert (step["status"], step["cancelled_at"]) == ("cancelled", done["cancelled_at"])
    assert step["expires_at"] is None
    a_message(api, run["thread_id"])


def test_a_run_that_is_answering_is_cancelled_and_what_was_written_stays(
    modelled: Modelled,
) -> None:
    api, upstream = modelled
    behaviour, gate = gated("One", " two", " three")
    upstream.play(behaviour)
    thread = a_thread(api, messages=[USER])
    run = a_run(api, thread, an_assistant(api))
    with following(api, "GET", path_of(run), params={"stream": "true"}) as stream:
        gate.let(2)
        stream.until("thread.message.delta")
        stream.until("thread.message.delta")
        assert api.ok("POST", f"{path_of(run)}/cancel")["status"] == "cancelling"
        stream.rest()
    done = api.ok("GET", path_of(run))
    assert done["status"] == "cancelled"
    answer = messages_of(api, run)[-1]
    assert said(answer) == "One two"
    assert (answer["status"], answer["incomplete_details"]) == (
        "incomplete",
        {"reason": "run_cancelled"},
    )
    assert answer["incomplete_at"] == done["cancelled_at"]
    assert answer["completed_at"] is None
    (step,) = steps_of(api, run)
    assert step["status"] == "cancelled"
    a_message(api, thread)


@pytest.mark.parametrize(
    "behaviour",
    [silent(), silent(chunk({"content": "One"})), limited("60")],
    ids=["ahead of the first word", "in the middle", "before the next attempt"],
)
def test_a_run_is_cancelled_within_a_second_wherever_the_call_of_its_model_stands(
    modelled: Modelled, behaviour: Behaviour
) -> None:
    """The quickest of a few: the machine may be busy with other things for a moment."""
    _, upstream = modelled
    upstream.play(behaviour)
    took_s = [seconds_to_cancel(modelled, number) for number in range(1, 6)]
    assert min(took_s) < 1
    # The model is not left talking to nobody.
    assert within(
        ANSWER_S, lambda: all(call.is_left or call.keeps_connection for call in upstream.calls)
    )


def seconds_to_cancel(modelled: Modelled, number: int) -> float:
    """Cancel a run once the model is asked for the nth time; return how long that took."""
    api, upstream = modelled
    run = a_run(api, a_thread(api, messages=[USER]), an_assistant(api))
    assert within(ANSWER_S, lambda: len(upstream.calls) == number)
    begun_at = time.monotonic()
    api.ok("POST", f"{path_of(run)}/cancel")
    assert within(ANSWER_S, lambda: api.ok("GET", path_of(run))["status"] == "cancelled")
    took_s = time.monotonic() - begun_at
    assert all(one["status"] == "cancelled" for one in steps_of(api, run))
    a_message(api, run["thread_id"])
    return took_s


# --- lists ------------------------------------------------------------------------------------


def test_runs_are_listed_in_both_orders_and_page_by_page(api: Api) -> None:
    thread, assistant = a_thread(api, messages=[USER]), a_demo(api)
    made = [at_rest(api, a_run(api, thread, assistant))["id"] for _ in range(5)]
    path = runs_of(thread)
    assert ids(everything(api, path, limit=2)) == made[::-1]
    assert ids(everything(api, path, limit=2, order="asc")) == made
    between = {"order": "asc", "after": made[0], "before": made[4]}
    assert ids(api.ok("GET", path, params=between)["data"]) == made[1:4]
    ahead = api.ok("GET", path, params={"before": made[1], "limit": 2})
    assert (ids(ahead["data"]), ahead["has_more"]) == ([made[3], made[2]], True)
    assert api.ok("GET", runs_of(a_thread(api)))["data"] == []


def test_steps_are_listed_in_both_orders_and_page_by_page(api: Api) -> None:
    run = asking(api, "lend")
    api.ok("POST", f"{path_of(run)}/submit_tool_outputs", outputs_for(run, "x"))
    at_rest(api, run)
    path = f"{path_of(run)}/steps"
    oldest = ids(everything(api, path, limit=1, order="asc"))
    assert [one["type"] for one in steps_of(api, run)] == ["tool_calls", "message_creation"]
    assert ids(everything(api, path, limit=1)) == oldest[::-1]
    assert ids(api.ok("GET", path, params={"after": oldest[1]})["data"]) == oldest[:1]

"""What is refused about runs, word for word; nothing is stored then."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.api.making import a_message, a_thread, an_assistant, everything
from tests.api.running import (
    USER,
    Follower,
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
    steps_of,
)
from tests.harness import Api


class Row(NamedTuple):
    """What a new run says besides its assistant, and the error that it brings."""

    body: dict[str, Any]
    param: str | None
    code: str | None
    message: str
    status: int = 400


def below(path: str, limit: int, got: int) -> Row:
    """A number that is too small."""
    message = (
        f"Invalid '{path}': integer below minimum value. Expected a value >= {limit}, "
        f"but got {got} instead."
    )
    return Row(_nested(path, got), path, "integer_below_min_value", message)


def _nested(path: str, value: Any) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    if not rest:
        return {head: value}
    inner = {"type": "last_messages"} if head == "truncation_strategy" else {}
    return {head: {**inner, **_nested(rest, value)}}


TOOLS = [a_function(f"f{number}") for number in range(21)]
ROWS = {
    "max_prompt_tokens": below("max_prompt_tokens", 256, 255),
    "max_completion_tokens": below("max_completion_tokens", 256, 16),
    "last_messages": below("truncation_strategy.last_messages", 1, 0),
    "tokens beyond what JSON tools can count": Row(
        {"max_prompt_tokens": 2**63},
        "max_prompt_tokens",
        "integer_above_max_value",
        f"Invalid 'max_prompt_tokens': integer above maximum value. Expected a value <= {2**53 - 1}"
        f", but got {2**63} instead.",
    ),
    "tools": Row(
        {"tools": TOOLS},
        "tools",
        "array_above_max_length",
        "Invalid 'tools': array too long. Expected an array with maximum length 20, but got an "
        "array with length 21 instead.",
    ),
    "truncation": Row(
        {"truncation_strategy": {"type": "middle"}},
        "truncation_strategy.type",
        "invalid_value",
        "Invalid value: 'middle'. Supported values are: 'auto' and 'last_messages'.",
    ),
    "tool_choice": Row(
        {"tool_choice": "any"},
        "tool_choice",
        "invalid_value",
        "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'.",
    ),
    "a function that the run does not have": Row(
        {"tool_choice": {"type": "function", "function": {"name": "sell"}}},
        "tool_choice.function.name",
        "invalid_value",
        "Invalid value: 'sell'. It is not among the tools of this run.",
    ),
    "a tool that the run does not have": Row(
        {"tool_choice": {"type": "file_search"}},
        "tool_choice.type",
        "invalid_value",
        "Invalid value: 'file_search'. It is not among the tools of this run.",
    ),
    "a role": Row(
        {"additional_messages": [USER, {"role": "human", "content": "Hi"}]},
        "additional_messages[1].role",
        "invalid_value",
        "Invalid value: 'human'. Supported values are: 'user' and 'assistant'.",
    ),
    "an assistant of another kind": Row(
        {"assistant_id": "thread_1"},
        "assistant_id",
        "invalid_value",
        "Invalid 'assistant_id': 'thread_1'. Expected an ID that begins with 'asst'.",
    ),
    "a missing assistant": Row(
        {"assistant_id": "asst_gone"},
        None,
        None,
        "No assistant found with id 'asst_gone'.",
        404,
    ),
    "an unknown field": Row(
        {"thread": {}}, "thread", "unknown_parameter", "Unknown parameter: 'thread'."
    ),
    "temperature": Row(
        {"temperature": 3},
        "temperature",
        "decimal_above_max_value",
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 "
        "instead.",
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("is_streamed", [False, True], ids=["plain", "streamed"])
def test_a_run_is_refused_with_a_reason_and_nothing_is_stored(
    api: Api, row: Row, is_streamed: bool
) -> None:
    thread = a_thread(api, messages=[USER])
    body = {"assistant_id": a_demo(api, tools=[a_function("lend")]), **row.body}
    body |= {"stream": True} if is_streamed else {}
    status, error = api.error("POST", runs_of(thread), body)
    assert (status, error["message"]) == (row.status, row.message)
    assert (error["param"], error["code"]) == (row.param, row.code)
    assert api.ok("GET", runs_of(thread))["data"] == []
    assert len(api.ok("GET", f"/threads/{thread}/messages")["data"]) == 1


def test_a_run_needs_an_assistant(api: Api) -> None:
    message = "Missing required parameter: 'assistant_id'."
    for path in (runs_of(a_thread(api, messages=[USER])), "/threads/runs"):
        status, error = api.error("POST", path, {})
        assert (status, error["message"], error["param"]) == (400, message, "assistant_id")


NOTHING_TO_ANSWER = (
    "Run creation requires a Thread with a user message or an assistant with instructions."
)


def test_a_thread_without_a_users_message_needs_instructions(api: Api) -> None:
    assistant = a_demo(api)
    told = {"role": "assistant", "content": "Hi", "metadata": {"role": "user"}}
    without: list[list[Any]] = [[], [told]]
    for messages in without:
        thread = a_thread(api, messages=messages)
        status, error = api.error("POST", runs_of(thread), {"assistant_id": assistant})
        assert (status, error["message"]) == (400, NOTHING_TO_ANSWER)
        assert (error["param"], error["code"]) == (None, "invalid_thread")
        body = {"assistant_id": assistant, "thread": {"messages": messages}}
        assert api.error("POST", "/threads/runs", body) == (status, error)
        enoughs: list[dict[str, Any]] = [{"instructions": "Hi"}, {"additional_messages": [USER]}]
        for enough in enoughs:
            again = a_thread(api, messages=messages)
            assert at_rest(api, a_run(api, again, assistant, **enough))["status"] == "completed"


def test_a_refused_thread_with_a_run_leaves_no_thread(api: Api) -> None:
    for refused in (
        {"assistant_id": "asst_gone"},
        {"assistant_id": a_demo(api), "tool_choice": {"type": "code_interpreter"}},
    ):
        mark = {"refused": refused["assistant_id"]}
        body = {**refused, "thread": {"messages": [USER], "metadata": mark}}
        assert api.error("POST", "/threads/runs", body)[0] in (400, 404)
        query = {"metadata[refused]": mark["refused"]}
        assert everything(api, "/threads", **query) == []


def test_the_messages_of_a_new_thread_are_checked_with_their_path(api: Api) -> None:
    thread: Any = {"messages": [{**USER, "file_ids": []}]}
    _, error = api.error("POST", "/threads/runs", {"assistant_id": a_demo(api), "thread": thread})
    assert error["message"] == "Unknown parameter: 'thread.messages[0].file_ids'."
    assert error["param"] == "thread.messages[0].file_ids"
    thread = {"messages": [USER] * 33}
    _, error = api.error("POST", "/threads/runs", {"assistant_id": a_demo(api), "thread": thread})
    assert (error["param"], error["code"]) == ("thread.messages", "array_above_max_length")


# --- a run that is active ---------------------------------------------------------------------


class Active(NamedTuple):
    """A run whose model waits in the middle of its answer, its stream, and the thread's path."""

    api: Api
    run: Any
    stream: Follower
    thread: str


@pytest.fixture
def active(modelled: Modelled) -> Iterator[Active]:
    """A run in progress; the model goes on in the end."""
    api, upstream = modelled
    behaviour, gate = gated("One", " two")
    upstream.play(behaviour)
    thread = a_thread(api, messages=[USER])
    run = a_run(api, thread, an_assistant(api))
    with following(api, "GET", path_of(run), params={"stream": "true"}) as stream:
        gate.let()
        stream.until("thread.message.delta")
        yield Active(api, api.ok("GET", path_of(run)), stream, f"/threads/{thread}")
    gate.open()


def refusals(run: Any) -> list[tuple[str, Any, str]]:
    """Return what a thread refuses while its run is active."""
    thread, status = f"/threads/{run['thread_id']}", run["status"]
    path = path_of(run)
    busy = f"Thread {run['thread_id']} already has an active run {run['id']}."
    locked = f"Can't add messages to {run['thread_id']} while a run {run['id']} is active."
    outputs = {"tool_outputs": [{"tool_call_id": "call_1", "output": ""}]}
    found = [
        (f"{thread}/runs", {"assistant_id": run["assistant_id"]}, busy),
        (f"{thread}/runs", {"assistant_id": run["assistant_id"], "stream": True}, busy),
        (
            f"{thread}/runs",
            {"assistant_id": run["assistant_id"], "additional_messages": [USER]},
            busy,
        ),
        (f"{thread}/messages", USER, locked),
    ]
    if status != "requires_action":
        refused = f'Runs in status "{status}" do not accept tool outputs.'
        found.append((f"{path}/submit_tool_outputs", outputs, refused))
        found.append((path, {"metadata": {}}, f"Cannot update run with status '{status}'."))
    return found


def assert_refused(api: Api, run: Any) -> None:
    """Hold each refusal against its words; nothing must be stored."""
    thread = f"/threads/{run['thread_id']}"
    before = [api.call("GET", f"{thread}/{what}").content for what in ("runs", "messages")]
    for path, body, message in refusals(run):
        status, error = api.error("POST", path, body)
        assert (status, error["message"]) == (400, message)
        assert (error["type"], error["param"], error["code"]) == (
            "invalid_request_error",
            None,
            None,
        )
    assert [api.call("GET", f"{thread}/{what}").content for what in ("runs", "messages")] == before


def test_a_run_in_progress_locks_its_thread(active: Active) -> None:
    assert active.run["status"] == "in_progress"
    assert_refused(active.api, active.run)


def test_a_run_that_waits_for_outputs_locks_its_thread(api: Api) -> None:
    assert_refused(api, asking(api, "lend"))


def test_other_changes_of_a_locked_thread_go_through(active: Active) -> None:
    api, thread = active.api, active.thread
    (question,) = (one for one in messages_of(api, active.run) if one["role"] == "user")
    message = f"{thread}/messages/{question['id']}"
    assert api.ok("POST", message, {"metadata": {"a": "b"}})["metadata"] == {"a": "b"}
    assert api.ok("POST", thread, {"metadata": {"a": "b"}})["metadata"] == {"a": "b"}
    assert api.ok("DELETE", message)["deleted"] is True
    assert api.ok("DELETE", f"/assistants/{active.run['assistant_id']}")["deleted"] is True


def test_a_thread_with_an_active_run_can_be_deleted_and_its_stream_ends(active: Active) -> None:
    api, path = active.api, path_of(active.run)
    assert api.ok("DELETE", active.thread)["deleted"] is True
    assert active.stream.rest(is_cut=True) == []
    assert b": ping" not in active.stream.received
    missing = f"No thread found with id '{active.run['thread_id']}'."
    for method, where, body in (
        ("GET", path, None),
        ("GET", f"{path}?stream=true", None),
        ("GET", f"{path}/steps", None),
        ("POST", f"{path}/cancel", None),
        ("POST", path, {"metadata": {}}),
        ("POST", f"{path}/submit_tool_outputs", {"tool_outputs": []}),
        ("POST", f"{active.thread}/runs", {"assistant_id": active.run["assistant_id"]}),
        ("GET", f"{active.thread}/runs", None),
    ):
        assert api.error(method, where, body)[1]["message"] == missing, where


# --- a run that is over, or waits -------------------------------------------------------------


def test_a_run_that_is_over_or_being_cancelled_is_not_cancelled_again(api: Api) -> None:
    thread = a_thread(api, messages=[USER])
    done = at_rest(api, a_run(api, thread, a_demo(api)))
    failed = at_rest(api, a_run(api, thread, an_assistant(api, model="nobody")))
    cancelled = asking(api, "lend")
    api.ok("POST", f"{path_of(cancelled)}/cancel")
    status, error = api.error("POST", f"{path_of(cancelled)}/cancel")
    assert error["message"] in {
        f"Cannot cancel run with status '{one}'." for one in ("cancelling", "cancelled")
    }
    at_rest(api, cancelled)
    for run, is_status in ((done, "completed"), (failed, "failed"), (cancelled, "cancelled")):
        status, error = api.error("POST", f"{path_of(run)}/cancel")
        assert (status, error["message"]) == (400, f"Cannot cancel run with status '{is_status}'.")
        outputs = {"tool_outputs": [{"tool_call_id": "call_1", "output": "x"}]}
        status, error = api.error("POST", f"{path_of(run)}/submit_tool_outputs", outputs)
        message = f'Runs in status "{is_status}" do not accept tool outputs.'
        assert (status, error["message"]) == (400, message)


def test_outputs_must_be_there_for_every_call_once_and_for_nothing_else(api: Api) -> None:
    run = asking(api, "lend", "give_back")
    first, second = (call["id"] for call in calls_of(run))
    path = f"{path_of(run)}/submit_tool_outputs"
    for given in ([], [first], [second], [first, first], [first, second, second], ["call_x"]):
        body = {"tool_outputs": [{"tool_call_id": one, "output": "x"} for one in given]}
        for more in ({}, {"stream": True}):
            status, error = api.error("POST", path, {**body, **more})
            message = f"Expected tool outputs for call_ids ['{first}', '{second}'], got {given}"
            assert (status, error["message"]) == (400, message)
            assert (error["param"], error["code"]) == (None, None)
    assert api.ok("GET", path_of(run)) == run
    api.ok("POST", path, outputs_for(run, "a", "b"))
    assert at_rest(api, run)["status"] == "completed"


def test_what_is_missing_is_named(api: Api) -> None:
    run = asking(api, "lend")
    path, thread = path_of(run), f"/threads/{run['thread_id']}"
    (step,) = steps_of(api, run)
    other = asking(api, "lend")
    for where, kind, of in (
        (f"{thread}/runs/run_gone", "run", "run_gone"),
        (f"{thread}/runs/run_gone/steps", "run", "run_gone"),
        (f"{thread}/runs/run_gone/steps/{step['id']}", "run", "run_gone"),
        (f"{thread}/runs/{other['id']}", "run", other["id"]),
        (f"{path}/steps/step_gone", "run step", "step_gone"),
        (f"{path_of(other)}/steps/{step['id']}", "run step", step["id"]),
        ("/threads/thread_gone/runs", "thread", "thread_gone"),
        ("/threads/thread_gone/runs/run_gone", "thread", "thread_gone"),
        (f"{thread}/runs?after=run_gone", "run", "run_gone"),
        (f"{path}/steps?before=step_gone", "run step", "step_gone"),
    ):
        status, error = api.error("GET", where)
        assert (status, error["message"]) == (404, f"No {kind} found with id '{of}'."), where
        assert (error["param"], error["code"]) == (None, None)
    api.ok("DELETE", f"/assistants/{run['assistant_id']}")
    body = {"assistant_id": run["assistant_id"]}
    _, error = api.error("POST", runs_of(a_thread(api, messages=[USER])), body)
    assert error["message"] == f"No assistant found with id '{run['assistant_id']}'."


@pytest.mark.parametrize(
    ("path", "name", "value", "prefix"),
    [
        ("/threads/{thread}/runs/undefined", "run_id", "undefined", "run"),
        ("/threads/undefined/runs/{run}", "thread_id", "undefined", "thread"),
        ("/threads/{thread}/runs/{run}/steps/msg_1", "step_id", "msg_1", "step"),
    ],
)
def test_an_id_of_another_kind_is_said_to_be_one(
    api: Api, path: str, name: str, value: str, prefix: str
) -> None:
    where = path.format(thread="thread_1", run="run_1")
    status, error = api.error("GET", where)
    assert (status, error["param"], error["code"]) == (400, name, "invalid_value")
    assert error["message"] == (
        f"Invalid '{name}': '{value}'. Expected an ID that begins with '{prefix}'."
    )


def test_what_else_to_include_must_be_known(api: Api) -> None:
    run = asking(api, "lend")
    status, error = api.error("GET", f"{path_of(run)}/steps", params={"include[]": "everything"})
    assert (status, error["param"], error["code"]) == (400, "include[0]", "invalid_value")
    a_message(api, a_thread(api))

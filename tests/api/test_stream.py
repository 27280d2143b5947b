"""The events of a run, from a real server: which, in which order, with what in them.

The letters are those of the behaviour page. That frames are right to the byte is checked for
every stream that a test reads (`contract.checker`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.api.making import a_thread, an_assistant, as_wire
from tests.api.running import (
    DONE,
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
    steps_of,
    text_of,
)
from tests.contract.checker import Event
from tests.harness import Api, Server, api_of
from tests.llm.upstream import calls, chunk, cut, serving, silent, text

BEGIN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
MESSAGE = ["thread.message.created", "thread.message.in_progress"]
ANSWER = [*STEP, *MESSAGE, "thread.message.delta", "thread.message.completed"]
ANSWERED = ["thread.run.step.completed", "thread.run.completed"]
OPEN = [*BEGIN, *STEP, *MESSAGE, "thread.message.delta"]


def streamed(api: Api, thread: str, assistant: str, **body: Any) -> list[Event]:
    """Start a run and return all of its events."""
    return api.events("POST", runs_of(thread), {"assistant_id": assistant, "stream": True, **body})


def only(events: list[Event], name: str) -> Event:
    """Return the one event of a name."""
    (found,) = [event for event in events if event.name == name]
    return found


def deltas(events: list[Event], name: str) -> list[Any]:
    """Return the deltas of a name."""
    return [event.data["delta"] for event in events if event.name == name]


# --- A: a text --------------------------------------------------------------------------------


def test_a_the_events_of_a_text_come_in_their_order_with_numbers_from_1(api: Api) -> None:
    events = streamed(api, a_thread(api, messages=[USER]), a_demo(api))
    assert names(events) == [*BEGIN, *ANSWER, *ANSWERED]
    assert [event.number for event in events] == list(range(1, len(events) + 1))


def test_a_each_event_shows_its_object_as_it_was_then(api: Api) -> None:
    thread = a_thread(api, messages=[USER])
    events = streamed(api, thread, a_demo(api))
    runs = {name: only(events, name).data for name in (*BEGIN, "thread.run.completed")}
    assert [run["status"] for run in runs.values()] == [
        *("queued", "queued", "in_progress", "completed")
    ]
    assert runs["thread.run.created"] == runs["thread.run.queued"]
    assert runs["thread.run.queued"]["started_at"] is None
    assert runs["thread.run.in_progress"]["started_at"] is not None
    done = api.ok("GET", path_of(runs["thread.run.created"]))
    assert runs["thread.run.completed"] == done
    (step,) = steps_of(api, done)
    created, completed = (
        only(events, f"thread.run.step.{what}").data for what in ("created", "completed")
    )
    assert created["status"] == "in_progress"
    assert created["usage"] is None
    # In the event a step still says when its run would have expired.
    assert completed == {**step, "expires_at": runs["thread.run.created"]["expires_at"]}
    (_, answer) = messages_of(api, done)
    begun = only(events, "thread.message.created").data
    assert begun == only(events, "thread.message.in_progress").data
    assert (begun["content"], begun["status"], begun["id"]) == ([], "in_progress", answer["id"])
    assert only(events, "thread.message.completed").data == answer


def test_a_the_first_piece_of_a_text_has_annotations_and_the_others_have_none(api: Api) -> None:
    events = streamed(api, a_thread(api, messages=[USER]), a_demo(api))
    first, *others = deltas(events, "thread.message.delta")
    assert first == {
        "content": [{"index": 0, "type": "text", "text": {"value": "Hello!", "annotations": []}}]
    }
    assert others
    for delta in others:
        (part,) = delta["content"]
        assert list(part) == ["index", "type", "text"]
        assert list(part["text"]) == ["value"]
    assert text_of(events) == said(only(events, "thread.message.completed").data)


def test_a_every_piece_of_the_model_is_one_event(modelled: Modelled) -> None:
    api, upstream = modelled
    upstream.play(text("one two three 四 🧵 \r\n \u2028 end"))
    events = streamed(api, a_thread(api, messages=[USER]), an_assistant(api))
    pieces = [
        part["content"][0]["text"]["value"] for part in deltas(events, "thread.message.delta")
    ]
    assert pieces == ["one", " two", " three", " 四", " 🧵", " \r\n", " \u2028", " end"]


def test_a_a_new_thread_is_the_first_event(api: Api) -> None:
    body = {"assistant_id": a_demo(api), "thread": {"messages": [USER], "metadata": {"a": "b"}}}
    events = api.events("POST", "/threads/runs", {**body, "stream": True})
    assert names(events) == ["thread.created", *BEGIN, *ANSWER, *ANSWERED]
    thread = events[0].data
    assert thread == api.ok("GET", f"/threads/{thread['id']}")
    assert thread["tool_resources"] == {"code_interpreter": {"file_ids": []}}
    assert events[1].data["thread_id"] == thread["id"]


def test_a_the_headers_let_nothing_on_the_way_hold_events_back(api: Api) -> None:
    body = {"assistant_id": a_demo(api), "stream": True}
    answer = api.call("POST", runs_of(a_thread(api, messages=[USER])), body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert "content-encoding" not in answer.headers


@pytest.mark.full
def test_a_a_stream_in_which_nothing_happens_is_kept_alive(modelled: Modelled) -> None:
    """A keep-alive has one line feed, so that it is a part of the next event."""
    api, upstream = modelled
    behaviour, gate = gated("One")
    upstream.play(behaviour)
    body = {"assistant_id": an_assistant(api), "stream": True}
    with following(api, "POST", runs_of(a_thread(api, messages=[USER])), body) as stream:
        stream.until("thread.run.in_progress")
        stream.more()
        assert stream.received.endswith(b"\n\n: ping\n")
        gate.open()
        assert stream.rest()[-1].name == "thread.run.completed"


# --- B: functions -----------------------------------------------------------------------------


def test_b_calls_are_streamed_one_after_the_other_and_the_stream_ends_where_they_wait(
    modelled: Modelled,
) -> None:
    api, upstream = modelled
    upstream.play(calls(("lend", '{"book":"A"}'), ("sell", "{}")))
    assistant = an_assistant(api, tools=[a_function("lend"), a_function("sell")])
    events = streamed(api, a_thread(api, messages=[USER]), assistant)
    assert names(events) == [
        *(*BEGIN, *STEP, "thread.run.step.delta", "thread.run.requires_action")
    ]
    created = only(events, "thread.run.step.created").data
    assert created["step_details"] == {"type": "tool_calls", "tool_calls": []}
    pieces = [delta["step_details"] for delta in deltas(events, "thread.run.step.delta")]
    assert {piece["type"] for piece in pieces} == {"tool_calls"}
    shown = [piece["tool_calls"][0] for piece in pieces]
    first, second = calls_of(events[-1].data)
    begin = {"arguments": "", "output": None}
    assert shown == [
        _call(0, {"name": "lend", **begin}, first["id"]),
        _call(0, {"arguments": '{"book'}),
        _call(0, {"arguments": '":"A"}'}),
        _call(1, {"name": "sell", **begin}, second["id"]),
        _call(1, {"arguments": "{"}),
        _call(1, {"arguments": "}"}),
    ]
    assert list(shown[0]) == ["index", "id", "type", "function"]
    assert events[-1].data["usage"] is None


def _call(index: int, function: dict[str, Any], call_id: str | None = None) -> dict[str, Any]:
    named = {} if call_id is None else {"id": call_id}
    return {"index": index, **named, "type": "function", "function": function}


def test_b_the_stream_of_a_submission_begins_behind_the_request_for_it(api: Api) -> None:
    run = asking(api, "lend", "sell")
    path = f"{path_of(run)}/submit_tool_outputs"
    events = api.events("POST", path, {**outputs_for(run, "a", "b"), "stream": True})
    assert names(events) == [
        *("thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"),
        *(*ANSWER, *ANSWERED),
    ]
    completed = events[0].data
    assert [call["function"]["output"] for call in completed["step_details"]["tool_calls"]] == [
        *("a", "b")
    ]
    assert completed["usage"]["total_tokens"] > 0
    assert completed["completed_at"] is not None
    whole = api.events("GET", path_of(run), params={"stream": "true"})
    assert whole[-len(events) :] == events
    assert names(whole)[-len(names(events)) - 1] == "thread.run.requires_action"


def test_b_each_submission_of_several_has_its_own_stream(modelled: Modelled) -> None:
    api, upstream = modelled
    upstream.play(calls(("lend", "{}")), calls(("lend", "{}")), text("Done"))
    thread = a_thread(api, messages=[USER])
    run = at_rest(api, a_run(api, thread, an_assistant(api, tools=[a_function("lend")])))
    for end in ("thread.run.requires_action", "thread.run.completed"):
        path = f"{path_of(run)}/submit_tool_outputs"
        events = api.events("POST", path, {**outputs_for(run, "x"), "stream": True})
        assert events[0].name == "thread.run.step.completed"
        assert [event.name for event in events].count("thread.run.queued") == 1
        assert events[-1].name == end
        run = events[-1].data
    assert len(steps_of(api, run)) == 3


# --- E, F: incomplete and failed --------------------------------------------------------------


def test_e_a_budget_that_is_used_up_ends_the_message_and_the_run_as_incomplete(
    modelled: Modelled,
) -> None:
    api, upstream = modelled
    upstream.play(text("One two", finish="length"))
    events = streamed(api, a_thread(api, messages=[USER]), an_assistant(api))
    assert names(events) == [
        *(*OPEN, "thread.message.incomplete", "thread.run.step.completed", "thread.run.incomplete")
    ]
    message = only(events, "thread.message.incomplete").data
    assert (message["status"], message["incomplete_details"]) == (
        *("incomplete", {"reason": "max_tokens"}),
    )
    assert said(message) == "One two"
    run = events[-1].data
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["completed_at"] is not None
    assert run["expires_at"] is run["failed_at"] is run["last_error"] is None
    assert run["usage"]["total_tokens"] > 0


def test_f_a_model_that_breaks_off_fails_what_is_open_and_the_run(modelled: Modelled) -> None:
    api, upstream = modelled
    upstream.play(cut(chunk({"content": "One"}), chunk({"content": " two"})))
    events = streamed(api, a_thread(api, messages=[USER]), an_assistant(api))
    assert names(events) == [
        *(*OPEN, "thread.message.incomplete", "thread.run.step.failed", "thread.run.failed")
    ]
    message = only(events, "thread.message.incomplete").data
    assert message["incomplete_details"] == {"reason": "run_failed"}
    assert said(message) == "One two"
    step, run = events[-2].data, events[-1].data
    assert step["last_error"] == run["last_error"]
    assert run["last_error"]["code"] == "server_error"
    assert step["failed_at"] == run["failed_at"]
    assert run["expires_at"] is run["completed_at"] is None


def test_f_a_run_that_never_began_to_answer_has_no_step_to_fail(api: Api) -> None:
    assistant = an_assistant(api, model="nobody-serves-this")
    events = streamed(api, a_thread(api, messages=[USER]), assistant)
    assert names(events) == [*BEGIN, "thread.run.failed"]


# --- G, H: cancelled and expired --------------------------------------------------------------


def test_g_a_run_that_is_cancelled_closes_what_is_open(modelled: Modelled) -> None:
    api, upstream = modelled
    behaviour, gate = gated("One", " two")
    upstream.play(behaviour)
    body = {"assistant_id": an_assistant(api), "stream": True}
    with following(api, "POST", runs_of(a_thread(api, messages=[USER])), body) as stream:
        gate.let()
        begun = stream.until("thread.message.delta")
        api.ok("POST", f"{path_of(begun[0].data)}/cancel")
        rest = stream.rest()
    assert names(begun) == OPEN
    assert names(rest) == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    cancelling, message, step, cancelled = (event.data for event in rest)
    assert cancelling["cancelled_at"] is None
    assert cancelling["expires_at"] is not None
    assert message["incomplete_details"] == {"reason": "run_cancelled"}
    assert step["cancelled_at"] == cancelled["cancelled_at"]
    assert step["last_error"] is None


def test_g_a_run_that_waits_for_outputs_is_cancelled_with_its_step(api: Api) -> None:
    run = asking(api, "lend")
    seen = len(api.events("GET", path_of(run), params={"stream": "true"}))
    api.ok("POST", f"{path_of(run)}/cancel")
    events = api.events("GET", path_of(run), params={"stream": "true", "starting_after": seen})
    assert names(events) == [
        *("thread.run.cancelling", "thread.run.step.cancelled", "thread.run.cancelled")
    ]


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Modelled]:
    """A server whose runs expire after a second."""
    folder = tmp_path_factory.mktemp("hasty") / "data"
    with serving() as upstream:
        env = {"WEFT_MODEL_URL": upstream.url, "WEFT_RUN_EXPIRES_S": "1"}
        with Server(folder, env=env) as server, api_of(server) as api:
            yield Modelled(api, upstream)


def test_h_a_run_whose_time_is_over_expires_with_what_is_open(hasty: Modelled) -> None:
    api, upstream = hasty
    upstream.play(silent(chunk({"content": "One"})))
    thread = a_thread(api, messages=[USER])
    events = streamed(api, thread, an_assistant(api))
    assert names(events) == [
        *(*OPEN, "thread.message.incomplete", "thread.run.step.expired", "thread.run.expired")
    ]
    message, step, run = (event.data for event in events[-3:])
    assert message["incomplete_details"] == {"reason": "run_expired"}
    assert step["expired_at"] >= run["created_at"] + 1
    assert run["expires_at"] == run["created_at"] + 1
    assert run["completed_at"] is run["failed_at"] is run["cancelled_at"] is None
    assert api.ok("GET", path_of(run)) == run
    assert api.ok("POST", f"/threads/{thread}/messages", USER)["id"]


def test_h_a_run_that_waits_for_outputs_expires_too(hasty: Modelled) -> None:
    api, _ = hasty
    assistant = a_demo(api, tools=[a_function("lend")])
    thread = a_thread(api, messages=[{"role": "user", "content": "lend"}])
    run = streamed(api, thread, assistant)[-1].data
    assert run["status"] == "requires_action"
    seen = len(api.events("GET", path_of(run), params={"stream": "true"}))
    next_one = a_run(api, thread, a_demo(api), queue_when_busy=True)
    assert at_rest(api, next_one)["status"] == "completed"  # so the first is over
    events = api.events("GET", path_of(run), params={"stream": "true", "starting_after": seen})
    assert names(events) == ["thread.run.step.expired", "thread.run.expired"]
    assert events[-1].data["required_action"] is None
    assert api.ok("GET", path_of(run)) == events[-1].data


# --- I: an error of the stream itself -------------------------------------------------------------


def test_i_what_goes_wrong_behind_the_head_of_the_answer_is_an_event_without_a_number(
    tmp_path: Path,
) -> None:
    """The fault: somebody else took a table of the database away, for a while."""
    with Server(tmp_path / "data") as server, api_of(server) as api:
        run = at_rest(api, a_run(api, a_thread(api, messages=[USER]), a_demo(api)))
        whole = api.call("GET", path_of(run), params={"stream": "true"}).content
        with closing(sqlite3.connect(tmp_path / "data" / "weft.db")) as vandal:
            vandal.execute("ALTER TABLE run_event RENAME TO gone")
            answer = api.call("GET", path_of(run), params={"stream": "true"})
            vandal.execute("ALTER TABLE gone RENAME TO run_event")
        request_id = answer.headers["x-request-id"]
        error = {
            "message": "The server had an error processing your request. Sorry about that! You can "
            "retry your request; if it keeps failing, look for this request in the server's log. "
            f"(Please include the request ID {request_id} when you report it.)",
            "type": "server_error",
            "param": None,
            "code": None,
        }
        told = b"event: error\ndata: " + as_wire({"error": error}) + b"\n\n" + DONE
        assert answer.content == told
        log = server.log_path.read_text()
        assert f"{request_id} stream of {run['id']} failed" in log
        assert "no such table: run_event" in log
        assert api.call("GET", path_of(run), params={"stream": "true"}).content == whole

"""Following a run from anywhere: a client whose connection broke loses nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.making import a_thread, an_assistant
from tests.api.running import (
    DONE,
    USER,
    Modelled,
    a_demo,
    a_run,
    another,
    asking,
    at_rest,
    following,
    gated,
    messages_of,
    names,
    outputs_for,
    path_of,
    runs_of,
    said,
    text_of,
)
from tests.contract.checker import Event
from tests.harness import Api, Server, api_of
from tests.llm.upstream import Behaviour, Call, chunk, serving, stream

FOLLOW = {"stream": "true"}


def frames_of(stream: bytes) -> list[bytes]:
    """Return the frames of a stream without `done`, to the byte."""
    return [frame + b"\n\n" for frame in stream.removesuffix(DONE).split(b"\n\n") if frame]


@pytest.fixture
def finished(api: Api) -> Any:
    """A run of two turns that is over: calls, outputs, an answer."""
    run = asking(api, "lend", "sell")
    api.ok("POST", f"{path_of(run)}/submit_tool_outputs", outputs_for(run, "a", "b"))
    return at_rest(api, run)


def test_a_stream_goes_on_behind_every_event_to_the_byte(api: Api, finished: Any) -> None:
    path = path_of(finished)
    whole = api.call("GET", path, params=FOLLOW).content
    frames = frames_of(whole)
    assert len(frames) > 30
    for number in range(len(frames) + 1):
        rest = b"".join((*frames[number:], DONE))
        by_header = {"Last-Event-ID": str(number)}
        assert api.call("GET", path, params=FOLLOW, headers=by_header).content == rest
        by_parameter = {**FOLLOW, "starting_after": number}
        assert api.call("GET", path, params=by_parameter).content == rest


def test_the_parameter_goes_ahead_of_the_header(api: Api, finished: Any) -> None:
    params = {**FOLLOW, "starting_after": 5}
    headers = {"Last-Event-ID": "9"}
    (first, *_) = api.events("GET", path_of(finished), params=params, headers=headers)
    assert first.number == 6


def test_without_the_wish_for_a_stream_the_run_is_answered(api: Api, finished: Any) -> None:
    for params in ({}, {"stream": "false"}, {"starting_after": "3"}):
        headers = {"Last-Event-ID": "3", "Accept": "text/event-stream"}
        assert api.ok("GET", path_of(finished), params=params, headers=headers) == finished


def test_a_point_beyond_the_log_or_none_at_all_is_refused(api: Api, finished: Any) -> None:
    path = path_of(finished)
    last = len(api.events("GET", path, params=FOLLOW))
    for given, why in (
        (str(last + 1), f"The last event of run '{finished['id']}' is {last}."),
        (str(10**14), f"The last event of run '{finished['id']}' is {last}."),
        ("soon", "Expected the number of an event."),
        ("-1", "Expected the number of an event."),
        ("9" * 30, "Expected the number of an event."),
    ):
        status, error = api.error("GET", path, params=FOLLOW, headers={"Last-Event-ID": given})
        assert (status, error["param"], error["code"]) == (400, "Last-Event-ID", "invalid_value")
        assert error["message"] == f"Invalid 'Last-Event-ID': '{given}'. {why}"
    for starting, code in ((last + 1, "invalid_value"), (2**63, "integer_above_max_value")):
        params = {**FOLLOW, "starting_after": starting}
        status, error = api.error("GET", path, params=params)
        assert (status, error["code"]) == (400, code)
    _, error = api.error("GET", path, params={"stream": "yes"})
    assert error["message"] == "Invalid value: 'yes'. Supported values are: 'true' and 'false'."


def test_many_follow_one_run_and_each_sees_every_event(modelled: Modelled) -> None:
    api, upstream = modelled
    words = [f"{number} " for number in range(40)]
    behaviour, gate = gated(*words)
    upstream.play(behaviour)
    run = a_run(api, a_thread(api, messages=[USER]), an_assistant(api))
    begun = threading.Barrier(9)

    def follow(starting_after: int) -> list[Event]:
        params = {**FOLLOW, "starting_after": starting_after}
        with another(api) as own, following(own, "GET", path_of(run), params=params) as stream:
            first = stream.next()
            begun.wait(20)
            return [first, *stream.rest()]

    with ThreadPoolExecutor(8) as pool:
        following_now = [pool.submit(follow, after) for after in (0, 0, 0, 0, 1, 2, 1, 0)]
        begun.wait(20)
        gate.open()
        found = [each.result() for each in following_now]
    whole = api.events("GET", path_of(run), params=FOLLOW)
    assert text_of(whole) == "".join(words)
    for events, after in zip(found, (0, 0, 0, 0, 1, 2, 1, 0), strict=True):
        assert [event.number for event in events] == [event.number for event in whole[after:]]
        assert events[after:] == whole[after:][after:]


def test_a_client_that_goes_away_does_not_stop_the_run(modelled: Modelled) -> None:
    api, upstream = modelled
    behaviour, gate = gated("One", " two", " three")
    upstream.play(behaviour)
    body = {"assistant_id": an_assistant(api), "stream": True}
    with following(api, "POST", runs_of(a_thread(api, messages=[USER])), body) as stream:
        gate.let()
        seen = stream.until("thread.message.delta")
    gate.open()  # nobody listens
    run = at_rest(api, seen[0].data)
    assert run["status"] == "completed"
    assert said(messages_of(api, run)[-1]) == "One two three"
    params = {**FOLLOW, "starting_after": seen[-1].number}
    rest = api.events("GET", path_of(run), params=params)
    assert text_of([*seen, *rest]) == "One two three"
    assert seen == api.events("GET", path_of(run), params=FOLLOW)[: len(seen)]


def test_a_connection_that_breaks_at_every_event_loses_nothing(modelled: Modelled) -> None:
    api, upstream = modelled
    words = ["One", " two", " three", " four"]
    behaviour, gate = gated(*words)
    upstream.play(behaviour)
    run = a_run(api, a_thread(api, messages=[USER]), an_assistant(api))
    seen: list[Event] = []
    while not seen or seen[-1].name != "thread.run.completed":
        headers = {"Last-Event-ID": str(len(seen))}
        gate.let()
        with following(api, "GET", path_of(run), params=FOLLOW, headers=headers) as stream:
            seen.append(stream.next())
    assert seen == api.events("GET", path_of(run), params=FOLLOW)
    assert text_of(seen) == "".join(words)


def test_a_run_that_waits_for_outputs_is_followed_to_there_and_later_further(api: Api) -> None:
    run = asking(api, "lend")
    first = api.events("GET", path_of(run), params=FOLLOW)
    assert first[-1].name == "thread.run.requires_action"
    api.ok("POST", f"{path_of(run)}/submit_tool_outputs", outputs_for(run, "x"))
    params = {**FOLLOW, "starting_after": len(first)}
    second = api.events("GET", path_of(run), params=params)
    assert second[0].name == "thread.run.step.completed"
    assert second[-1].name == "thread.run.completed"
    assert [*first, *second] == api.events("GET", path_of(run), params=FOLLOW)


# --- servers that end -------------------------------------------------------------------------


def slowly(words: list[str], gates: list[Any]) -> Behaviour:
    """Return answers that each wait at a gate of their own behind the first word."""

    async def play(call: Call) -> None:
        behaviour, gate = gated(*words)
        gate.let()
        gates.append(gate)
        await behaviour(call)

    return play


def test_a_stream_that_the_servers_stop_cut_goes_on_after_its_start(tmp_path: Path) -> None:
    gates: list[Any] = []
    with serving() as upstream:
        upstream.play(slowly(["One", " two"], gates))
        env = {"WEFT_MODEL_URL": upstream.url}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            body = {"assistant_id": an_assistant(api), "stream": True}
            path = runs_of(a_thread(api, messages=[USER]))
            with following(api, "POST", path, body) as stream:
                seen = stream.until("thread.message.delta")
                assert server.stop() == 0
                seen += stream.rest(is_cut=True)
        assert DONE not in stream.received
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            run = seen[0].data
            headers = {"Last-Event-ID": str(seen[-1].number)}
            with following(api, "GET", path_of(run), params=FOLLOW, headers=headers) as stream:
                seen += stream.until("thread.message.delta")
                gates[-1].open()
                seen += stream.rest()
            assert seen == api.events("GET", path_of(run), params=FOLLOW)
            answers = messages_of(api, run)[1:]
    check_second_attempt(seen)
    assert [said(one) for one in answers] == ["One", "One two"]
    assert [one["status"] for one in answers] == ["incomplete", "completed"]


@pytest.mark.parametrize("words", [0, 1, 3])
def test_a_run_of_a_server_that_was_killed_is_taken_up_again(tmp_path: Path, words: int) -> None:
    gates: list[Any] = []
    with serving() as upstream:
        upstream.play(slowly(["One", " two", " three", " four"], gates))
        env = {"WEFT_MODEL_URL": upstream.url}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            run = a_run(api, a_thread(api, messages=[USER]), an_assistant(api))
            with following(api, "GET", path_of(run), params=FOLLOW) as stream:
                seen = stream.until("thread.run.in_progress")
                if words:
                    seen += stream.until("thread.message.delta")
                    gates[-1].let(words - 1)
                for _ in range(words - 1):
                    seen += stream.until("thread.message.delta")
                server.kill()
                seen += stream.rest(is_cut=True)
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            headers = {"Last-Event-ID": str(seen[-1].number)}
            with following(api, "GET", path_of(run), params=FOLLOW, headers=headers) as stream:
                seen += stream.until("thread.message.delta")
                gates[-1].open()
                seen += stream.rest()
            assert seen == api.events("GET", path_of(run), params=FOLLOW)
            assert api.ok("GET", path_of(run))["status"] == "completed"
            assert api.ok("POST", f"/threads/{run['thread_id']}/messages", USER)["id"]
    assert said(seen[-3].data) == "One two three four"


def check_second_attempt(events: list[Event]) -> None:
    """Hold the order of a run whose first attempt was ended by its server."""
    assert names(events) == [
        *("thread.run.created", "thread.run.queued", "thread.run.in_progress"),
        *("thread.run.step.created", "thread.run.step.in_progress"),
        *("thread.message.created", "thread.message.in_progress", "thread.message.delta"),
        *("thread.message.incomplete", "thread.run.step.failed", "thread.run.in_progress"),
        *("thread.run.step.created", "thread.run.step.in_progress"),
        *("thread.message.created", "thread.message.in_progress", "thread.message.delta"),
        *("thread.message.completed", "thread.run.step.completed", "thread.run.completed"),
    ]


def test_a_deep_log_is_followed_whole(modelled: Modelled) -> None:
    """More rows than are read at a time, each a commit of its own."""
    api, upstream = modelled
    words = [f"{number} " for number in range(450)]
    upstream.play(stream(*(chunk({"content": word}) for word in words), chunk({}, finish="stop")))
    run = at_rest(api, a_run(api, a_thread(api, messages=[USER]), an_assistant(api)))
    events = api.events("GET", path_of(run), params=FOLLOW)
    assert text_of(events) == "".join(words)
    for after in (199, 200, 201, 400, 455):
        params = {**FOLLOW, "starting_after": after}
        assert api.events("GET", path_of(run), params=params) == events[after:]
    assert at_rest(api, a_run(api, run["thread_id"], a_demo(api)))["status"] == "completed"

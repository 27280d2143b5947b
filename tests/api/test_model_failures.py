"""Whatever a model does wrong, its run ends, says why, and leaves a thread that works.

Real processes on both sides: a server, and a model server that misbehaves as told.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.api.making import a_message, a_thread, an_assistant
from tests.api.running import (
    USER,
    Modelled,
    a_function,
    a_run,
    at_rest,
    following,
    messages_of,
    names,
    path_of,
    runs_of,
    said,
    steps_of,
)
from tests.harness import Api, Server, api_of
from tests.llm.upstream import (
    Behaviour,
    calls,
    chunk,
    cut,
    dropped,
    failing,
    limited,
    raw,
    serving,
    silent,
    stream,
    text,
    too_long,
    whole_calls,
)

KEY = "sk-of-the-model-server"
SETTINGS = """
[[models]]
match = "gpt-*"
url = "{url}"
api_key = "{key}"

[[models]]
match = "impatient"
url = "{url}"
timeout_s = 1

[[models]]
match = "unreachable"
url = "http://127.0.0.1:{closed}/v1"
"""

HI = chunk({"content": "Hi"})
SERVER, LIMIT, PROMPT = "server_error", "rate_limit_exceeded", "invalid_prompt"

BEGUN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
ENDED = ["thread.run.step.failed", "thread.run.failed"]
# The events of a run that fails, by what it had begun.
NOTHING = [*BEGUN, "thread.run.failed"]
MESSAGE = [
    *(*BEGUN, *STEP, "thread.message.created", "thread.message.in_progress"),
    *("thread.message.delta", "thread.message.incomplete", *ENDED),
]
CALL = [*BEGUN, *STEP, "thread.run.step.delta", *ENDED]


class Failure(NamedTuple):
    """A misbehaviour, and what becomes of the run: its error, and what it had begun."""

    behaviour: Behaviour
    code: str
    holds: tuple[str, ...]  # words of the message
    events: list[str] = NOTHING
    attempts: int = 1
    model: str = "gpt-4o"


FAILURES = {
    "refused connection": Failure(
        *(text("never"), SERVER, ("refused the connection", "url in weft.toml")),
        attempts=0,
        model="unreachable",
    ),
    "401": Failure(failing(401), SERVER, ("did not accept the API key", "api_key in weft.toml")),
    "429": Failure(limited(), LIMIT, ("no more requests", "Try again later."), attempts=3),
    "429 with Retry-After": Failure(limited("0"), LIMIT, ("no more requests",), attempts=3),
    "500": Failure(failing(500), SERVER, ("failed (500)", "on fire"), attempts=3),
    "an empty stream": Failure(cut(), SERVER, ("closed the connection",), attempts=3),
    "cut in the middle": Failure(
        cut(HI), SERVER, ("closed the connection before its answer was complete",), MESSAGE
    ),
    "garbage from the start": Failure(
        raw(b"<html>Welcome\n"), SERVER, ("no chat completion", "<html>", "url in weft.toml")
    ),
    "garbage in the middle": Failure(
        stream(HI, b"{nope"), SERVER, ("no chat completion", "{nope"), MESSAGE
    ),
    "an error in the middle": Failure(
        stream(HI, {"error": {"message": "Out of memory."}}), SERVER, ("Out of memory.",), MESSAGE
    ),
    "silence from the start": Failure(
        silent(), SERVER, ("said nothing for 1 s", "timeout_s in weft.toml"), model="impatient"
    ),
    "silence in the middle": Failure(
        silent(HI), SERVER, ("said nothing for 1 s",), MESSAGE, model="impatient"
    ),
    "context length": Failure(
        too_long(), PROMPT, ("too long", "8192", "truncation_strategy last_messages")
    ),
    "broken arguments": Failure(
        calls(("lend", '{"book": ')), SERVER, ('"lend"', "not JSON", '{"book": '), CALL
    ),
    "broken arguments at once": Failure(
        whole_calls(("lend", '{"book": ')), SERVER, ('"lend"', "not JSON"), CALL
    ),
    "no such model": Failure(
        failing(404, "The model does not exist."), SERVER, ('no model "gpt-4o"', "does not exist")
    ),
    "no pattern matches": Failure(
        *(text("never"), SERVER, ('the model "nobody"', "weft.toml", "[[models]]", "weft-demo")),
        attempts=0,
        model="nobody",
    ),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Modelled, Path]]:
    """A server with a model that misbehaves, one that nobody waits for long, one that is not there.

    With it comes the path of its log.
    """
    folder = tmp_path_factory.mktemp("failures")
    with socket.socket() as closed, serving() as upstream:
        closed.bind(("127.0.0.1", 0))  # taken, so that nobody else listens there
        settings = {"url": upstream.url, "key": KEY, "closed": closed.getsockname()[1]}
        (folder / "weft.toml").write_text(SETTINGS.format(**settings), encoding="utf-8")
        with Server(folder / "data") as server, api_of(server) as api:
            yield Modelled(api, upstream), server.log_path


@pytest.mark.parametrize("name", FAILURES)
def test_a_model_that_fails_ends_its_run_with_a_reason_and_frees_the_thread(
    failed: tuple[Modelled, Path], name: str
) -> None:
    (api, upstream), log = failed
    failure = FAILURES[name]
    upstream.calls.clear()
    upstream.play(failure.behaviour)
    thread = a_thread(api, messages=[USER])
    assistant = an_assistant(api, model=failure.model, tools=[a_function("lend", book="string")])
    body = {"assistant_id": assistant, "stream": True}
    events = api.events("POST", runs_of(thread), body)
    assert names(events) == failure.events
    assert len(upstream.calls) == failure.attempts
    run = events[-1].data
    check_run(run, failure)
    assert api.ok("GET", path_of(run)) == run
    assert api.events("GET", path_of(run), params={"stream": "true"}) == events
    check_what_was_open(api, run, failure)
    check_thread(Modelled(api, upstream), run)
    assert KEY not in log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8")


def check_run(run: Any, failure: Failure) -> None:
    """Hold a failed run against what it should say."""
    assert run["status"] == "failed"
    assert run["failed_at"] >= run["started_at"] >= run["created_at"]
    assert run["completed_at"] is run["cancelled_at"] is run["expires_at"] is None
    assert run["required_action"] is run["incomplete_details"] is None
    assert run["last_error"]["code"] == failure.code
    message = run["last_error"]["message"]
    assert [words for words in failure.holds if words not in message] == []
    assert KEY not in message


def check_what_was_open(api: Api, run: Any, failure: Failure) -> None:
    """Hold the step and the message of a failed run against what it had begun."""
    steps, (_, *answers) = steps_of(api, run), messages_of(api, run)
    assert len(steps) == (failure.events is not NOTHING)
    for step in steps:
        assert (step["status"], step["last_error"]) == ("failed", run["last_error"])
        assert step["failed_at"] == run["failed_at"]
        assert step["completed_at"] is step["cancelled_at"] is step["expires_at"] is None
    assert len(answers) == (failure.events is MESSAGE)
    for answer in answers:
        assert (answer["status"], said(answer)) == ("incomplete", "Hi")
        assert answer["incomplete_details"] == {"reason": "run_failed"}
        assert answer["incomplete_at"] == run["failed_at"]


def check_thread(modelled: Modelled, run: Any) -> None:
    """Use the thread of a failed run again."""
    api, upstream = modelled
    upstream.play(text("I am well again."))
    a_message(api, run["thread_id"], "And now?")
    again = a_run(api, run["thread_id"], run["assistant_id"], model="gpt-4o")
    assert at_rest(api, again)["status"] == "completed"
    assert said(messages_of(api, again)[-1]) == "I am well again."
    assert upstream.calls[-1].body["messages"][-1]["content"] == "And now?"


@pytest.mark.parametrize(
    "behaviours",
    [[failing(500)], [limited("0"), failing(503)], [limited(), dropped()]],
    ids=["500", "429 and 503", "429 without Retry-After and no answer"],
)
def test_a_model_that_fails_ahead_of_its_first_word_is_asked_again_and_nobody_notices(
    failed: tuple[Modelled, Path], behaviours: list[Behaviour]
) -> None:
    (api, upstream), _ = failed
    upstream.calls.clear()
    upstream.play(*behaviours, text("Here I am."))
    run = a_run(api, a_thread(api, messages=[USER]), an_assistant(api, model="gpt-4o"))
    run = at_rest(api, run)
    assert (run["status"], run["last_error"]) == ("completed", None)
    (_, answer) = messages_of(api, run)
    assert said(answer) == "Here I am."
    assert len(steps_of(api, run)) == 1
    assert len(upstream.calls) == len(behaviours) + 1


def test_the_runs_of_a_model_that_fails_do_not_disturb_those_of_another(
    failed: tuple[Modelled, Path],
) -> None:
    (api, upstream), _ = failed
    upstream.play(silent(HI))
    stuck = [
        a_run(api, a_thread(api, messages=[USER]), an_assistant(api, model="impatient"))
        for _ in range(20)
    ]
    with following(api, "GET", path_of(stuck[-1]), params={"stream": "true"}) as last:
        last.until("thread.message.delta")
        demo = an_assistant(api, model="weft-demo")
        run = at_rest(api, a_run(api, a_thread(api, messages=[USER]), demo))
        assert run["status"] == "completed"
        assert last.rest()[-1].name == "thread.run.failed"
    assert {at_rest(api, one)["status"] for one in stuck} == {"failed"}

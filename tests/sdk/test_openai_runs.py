"""Runs through the official `openai` package, as programs use it, against a real server."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Run

from tests.harness import Server
from tests.sdk import run_facts as facts
from tests.sdk.conftest import Door, Real
from tests.sdk.run_facts import Recorder, in_short, outputs_of, values


@pytest.fixture
def client(door: Door, sent: list[httpx2.Request]) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{door.address}/v1",
        api_key=door.key,
        http_client=openai.DefaultHttpx2Client(event_hooks={"request": [sent.append]}),
    ) as found:
        yield found


@pytest.fixture
def librarian(client: OpenAI) -> str:
    """An assistant with two functions."""
    return client.beta.assistants.create(**facts.LIBRARIAN).id


@pytest.fixture
def greeting(client: OpenAI) -> str:
    """A thread that is answered without a function."""
    return client.beta.threads.create(messages=[facts.HELLO]).id


@pytest.fixture
def asking(client: OpenAI) -> str:
    """A thread whose answer needs both functions."""
    return client.beta.threads.create(messages=[facts.ASKS_FOR_BOTH]).id


def waiting(client: OpenAI, thread: str, assistant: str) -> Run:
    """Return a run that waits for the outputs of both functions."""
    run = client.beta.threads.runs.create_and_poll(thread_id=thread, assistant_id=assistant)
    assert run.status == "requires_action"
    return run


def answers(client: OpenAI, run: Run) -> list[Any]:
    """Return the messages that a run wrote, as REST has them, oldest first."""
    found = client.beta.threads.messages.list(run.thread_id, run_id=run.id, order="asc")
    return [message.to_dict() for message in found]


# --- polling ----------------------------------------------------------------------------------


def test_create_and_poll_comes_back_with_the_answer_written(
    client: OpenAI, greeting: str, librarian: str, sent: list[httpx2.Request]
) -> None:
    run = client.beta.threads.runs.create_and_poll(thread_id=greeting, assistant_id=librarian)
    assert isinstance(run, Run)
    assert (run.status, run.last_error, run.required_action) == ("completed", None, None)
    assert run.usage is not None
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens
    assert len(answers(client, run)) == 1
    polls = [one for one in sent if one.headers.get("x-stainless-poll-helper") == "true"]
    assert polls
    assert {one.headers["x-stainless-retry-count"] for one in sent} == {"0"}


def test_every_setting_is_given_back(client: OpenAI, greeting: str, librarian: str) -> None:
    runs = client.beta.threads.runs
    run = runs.create(
        greeting,
        assistant_id=librarian,
        reasoning_effort="high",
        include=facts.INCLUDE,
        additional_instructions="Now.",
        additional_messages=[facts.HELLO],
        **facts.SETTINGS,
    )
    read = {**facts.SETTINGS_READ, "instructions": "Answer in one word.\nNow."}
    assert {name: run.to_dict()[name] for name in read} == read
    assert run.reasoning_effort == "high"
    done = runs.poll(run.id, thread_id=greeting)
    assert done.status == "completed"
    assert len(client.beta.threads.messages.list(greeting).data) == 3
    assert runs.retrieve(run.id, thread_id=greeting) == done
    assert runs.list(greeting, limit=1).data == [done]


def test_outputs_of_parallel_calls_are_handed_in_and_polled(
    client: OpenAI, asking: str, librarian: str
) -> None:
    run = waiting(client, asking, librarian)
    outputs = outputs_of(run)
    assert len(outputs) == 2
    done = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=asking, tool_outputs=outputs
    )
    assert done.status == "completed"
    (answer,) = answers(client, done)
    for output in facts.OUTPUTS.values():
        assert output in answer["content"][0]["text"]["value"]


def test_outputs_are_handed_in_without_waiting(client: OpenAI, asking: str, librarian: str) -> None:
    run = waiting(client, asking, librarian)
    runs = client.beta.threads.runs
    queued = runs.submit_tool_outputs(run.id, thread_id=asking, tool_outputs=outputs_of(run))
    assert (queued.status, queued.required_action) == ("queued", None)
    assert runs.poll(run.id, thread_id=asking).status == "completed"


def test_a_thread_is_made_run_and_polled_in_one_call(
    real: Real, client: OpenAI, librarian: str
) -> None:
    threads = client.beta.threads
    made = threads.create_and_run(
        assistant_id=librarian,
        thread={"messages": [facts.HELLO], "metadata": {"user": "u1"}},
        tool_resources=real({"code_interpreter": {"file_ids": ["file-1"]}}),
        **facts.SETTINGS,
    )
    assert made.status == "queued"
    assert {name: made.to_dict()[name] for name in facts.SETTINGS} == facts.SETTINGS_READ
    assert threads.retrieve(made.thread_id).metadata == {"user": "u1"}
    done = threads.create_and_run_poll(
        assistant_id=librarian,
        thread={"messages": [facts.HELLO]},
    )
    assert done.status == "completed"
    assert len(answers(client, done)) == 1


# --- streaming --------------------------------------------------------------------------------


def test_a_handler_hears_all_of_a_text_and_ends_with_what_rest_has(
    client: OpenAI, greeting: str, librarian: str, sent: list[httpx2.Request]
) -> None:
    handler = Recorder()
    with client.beta.threads.runs.stream(
        thread_id=greeting, assistant_id=librarian, event_handler=handler
    ) as stream:
        stream.until_done()
    assert in_short(handler.heard) == facts.OF_A_TEXT
    run = handler.get_final_run()
    assert run == client.beta.threads.runs.retrieve(run.id, thread_id=greeting)
    assert [one.to_dict() for one in handler.get_final_messages()] == answers(client, run)
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=greeting).data
    assert [one.id for one in handler.get_final_run_steps()] == [one.id for one in steps]
    text = "".join(delta.value for delta in values(handler.heard, "on_text_delta"))
    (whole,) = values(handler.heard, "on_text_done")
    assert text == whole.value
    (request,) = [one for one in sent if "x-stainless-stream-helper" in one.headers]
    assert request.headers["x-stainless-custom-event-handler"] == "true"


def test_a_handler_hears_parallel_calls_and_their_submission(
    client: OpenAI, asking: str, librarian: str
) -> None:
    handler = Recorder()
    runs = client.beta.threads.runs
    with runs.stream(thread_id=asking, assistant_id=librarian, event_handler=handler) as stream:
        stream.until_done()
    assert in_short(handler.heard) == facts.OF_TWO_CALLS
    run = handler.get_final_run()
    assert run.status == "requires_action"
    assert run.required_action is not None
    wanted = run.required_action.submit_tool_outputs.tool_calls
    called = values(handler.heard, "on_tool_call_done")
    assert [(call.id, call.function.name, call.function.arguments) for call in called] == [
        (call.id, call.function.name, call.function.arguments) for call in wanted
    ]
    second = Recorder()
    with runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=asking, tool_outputs=outputs_of(run), event_handler=second
    ) as stream:
        stream.until_done()
    assert in_short(second.heard) == facts.OF_A_SUBMISSION
    done = second.get_final_run()
    assert done == runs.retrieve(run.id, thread_id=asking)
    assert [one.to_dict() for one in second.get_final_messages()] == answers(client, done)


def test_a_new_thread_is_run_with_a_handler(client: OpenAI, librarian: str) -> None:
    handler = Recorder()
    with client.beta.threads.create_and_run_stream(
        assistant_id=librarian,
        thread={"messages": [facts.HELLO]},
        event_handler=handler,
    ) as stream:
        stream.until_done()
    assert in_short(handler.heard) == facts.OF_A_TEXT
    assert values(handler.heard, "on_event")[0].event == "thread.created"
    run = handler.get_final_run()
    assert [one.to_dict() for one in handler.get_final_messages()] == answers(client, run)


def test_the_pieces_of_a_text_can_be_read_one_by_one(
    client: OpenAI, greeting: str, librarian: str
) -> None:
    with client.beta.threads.runs.stream(thread_id=greeting, assistant_id=librarian) as stream:
        pieces = list(stream.text_deltas)
    assert len(pieces) > 5
    (answer,) = answers(client, stream.get_final_run())
    assert "".join(pieces) == answer["content"][0]["text"]["value"]


def test_raw_events_have_their_names_and_types(client: OpenAI, asking: str, librarian: str) -> None:
    stream = client.beta.threads.runs.create(asking, assistant_id=librarian, stream=True)
    first: list[AssistantStreamEvent] = list(stream)
    assert first[0].event == "thread.run.created"
    last = first[-1]
    assert last.event == "thread.run.requires_action"
    second = list(
        client.beta.threads.runs.submit_tool_outputs(
            last.data.id, thread_id=asking, tool_outputs=outputs_of(last.data), stream=True
        )
    )
    assert second[0].event == "thread.run.step.completed"
    assert second[-1].event == "thread.run.completed"
    third = list(
        client.beta.threads.create_and_run(
            assistant_id=librarian,
            thread={"messages": [facts.HELLO]},
            stream=True,
        )
    )
    assert third[0].event == "thread.created"


def test_a_failed_run_is_an_end_of_the_stream_and_not_an_exception(
    client: OpenAI, greeting: str, librarian: str
) -> None:
    handler = Recorder()
    with client.beta.threads.runs.stream(
        thread_id=greeting, assistant_id=librarian, model="nobody-serves", event_handler=handler
    ) as stream:
        stream.until_done()
    run = handler.get_final_run()
    assert run.status == "failed"
    assert run.last_error is not None
    assert "nobody-serves" in run.last_error.message
    assert in_short(handler.heard) == ["on_end"]


@pytest.mark.sqlite
def test_an_error_of_the_stream_itself_is_an_exception_with_its_message(tmp_path: Path) -> None:
    """The fault: somebody else took a table of the database away."""
    with Server(tmp_path / "data") as server:
        with OpenAI(base_url=f"{server.address}/v1", api_key="any") as client:
            assistant = client.beta.assistants.create(**facts.LIBRARIAN).id
            run = client.beta.threads.create_and_run_poll(
                assistant_id=assistant, thread={"messages": [facts.HELLO]}
            )
            with closing(sqlite3.connect(tmp_path / "data" / "weft.db")) as vandal:
                vandal.execute("ALTER TABLE run_event RENAME TO gone")
            events = client.get(
                f"/threads/{run.thread_id}/runs/{run.id}?stream=true",
                cast_to=object,
                stream=True,
                stream_cls=openai.Stream[object],
            )
            with pytest.raises(openai.APIError, match="The server had an error") as told:
                list(events)
        assert told.value.type == "server_error"


# --- the rest ---------------------------------------------------------------------------------


def test_steps_are_listed_and_read_with_what_to_include(
    client: OpenAI, asking: str, librarian: str
) -> None:
    run = waiting(client, asking, librarian)
    steps = client.beta.threads.runs.steps
    done = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=asking, tool_outputs=outputs_of(run)
    )
    found = list(steps.list(run.id, thread_id=asking, limit=1, order="asc", include=facts.INCLUDE))
    assert [one.type for one in found] == ["tool_calls", "message_creation"]
    for one in found:
        read = steps.retrieve(one.id, thread_id=asking, run_id=run.id, include=facts.INCLUDE)
        assert read == one
    details = found[0].step_details
    assert details.type == "tool_calls"
    assert {call.function.output for call in details.tool_calls if call.type == "function"} == set(
        facts.OUTPUTS.values()
    )
    usages = [one.usage.total_tokens for one in found if one.usage is not None]
    assert done.usage is not None
    assert sum(usages) == done.usage.total_tokens


def test_a_run_is_cancelled_changed_and_listed(client: OpenAI, asking: str, librarian: str) -> None:
    runs = client.beta.threads.runs
    first = waiting(client, asking, librarian)
    assert runs.update(first.id, thread_id=asking, metadata={"a": "b"}).metadata == {"a": "b"}
    assert runs.cancel(first.id, thread_id=asking).status == "cancelling"
    ended = runs.poll(first.id, thread_id=asking)
    assert (ended.status, ended.metadata) == ("cancelled", {"a": "b"})
    second = waiting(client, asking, librarian)
    assert [run.id for run in runs.list(asking, limit=1, order="asc")] == [first.id, second.id]
    page = runs.list(asking, order="desc", after=second.id)
    assert [run.id for run in page.data] == [first.id]


def test_models_are_listed_and_read(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [facts.DEMO]
    model = client.models.retrieve(facts.DEMO)
    assert (model.id, model.object, model.owned_by) == (facts.DEMO, "model", "weft")
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4o")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_busy_thread_raises_at_once_and_nothing_is_tried_again(
    client: OpenAI, asking: str, librarian: str, sent: list[httpx2.Request]
) -> None:
    run = waiting(client, asking, librarian)
    sent.clear()
    with pytest.raises(openai.BadRequestError) as second:
        client.beta.threads.runs.create(asking, assistant_id=librarian)
    with pytest.raises(openai.BadRequestError) as message:
        client.beta.threads.messages.create(asking, **facts.HELLO)
    bodies = [caught.value.body for caught in (second, message)]
    assert [body["message"] for body in bodies if isinstance(body, dict)] == [
        f"Thread {asking} already has an active run {run.id}.",
        f"Can't add messages to {asking} while a run {run.id} is active.",
    ]
    assert [one.headers["x-stainless-retry-count"] for one in sent] == ["0", "0"]


def test_a_second_run_waits_if_it_is_told_to(client: OpenAI, asking: str, librarian: str) -> None:
    runs = client.beta.threads.runs
    first = waiting(client, asking, librarian)
    second = runs.create(asking, assistant_id=librarian, extra_body={"queue_when_busy": True})
    assert second.status == "queued"
    runs.submit_tool_outputs(first.id, thread_id=asking, tool_outputs=outputs_of(first))
    assert runs.poll(second.id, thread_id=asking).status == "completed"

"""Runs through the async client of the official `openai` package, several at the same time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.beta.threads import Run

from tests.sdk import run_facts as facts
from tests.sdk.conftest import Door
from tests.sdk.run_facts import AsyncRecorder, in_short, outputs_of, values

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(door: Door) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{door.address}/v1", api_key=door.key) as found:
        yield found


@pytest.fixture
async def librarian(client: AsyncOpenAI) -> str:
    """An assistant with two functions."""
    return (await client.beta.assistants.create(**facts.LIBRARIAN)).id


async def a_thread(client: AsyncOpenAI, message: Any) -> str:
    """Make a thread with one message."""
    return (await client.beta.threads.create(messages=[message])).id


async def answers(client: AsyncOpenAI, run: Run) -> list[Any]:
    """Return the messages that a run wrote, as REST has them, oldest first."""
    found = client.beta.threads.messages.list(run.thread_id, run_id=run.id, order="asc")
    return [message.to_dict() async for message in found]


async def test_a_run_is_polled_through_its_calls_to_its_answer(
    client: AsyncOpenAI, librarian: str
) -> None:
    thread = await a_thread(client, facts.ASKS_FOR_BOTH)
    runs = client.beta.threads.runs
    run = await runs.create_and_poll(thread_id=thread, assistant_id=librarian)
    assert run.status == "requires_action"
    done = await runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread, tool_outputs=outputs_of(run)
    )
    assert done.status == "completed"
    assert len(await answers(client, done)) == 1
    steps = [one async for one in runs.steps.list(run.id, thread_id=thread, include=facts.INCLUDE)]
    assert [one.type for one in steps] == ["message_creation", "tool_calls"]
    read = await runs.steps.retrieve(
        steps[0].id, thread_id=thread, run_id=run.id, include=facts.INCLUDE
    )
    assert read == steps[0]
    assert [one.id async for one in runs.list(thread)] == [run.id]


async def test_a_handler_hears_all_of_a_text_and_ends_with_what_rest_has(
    client: AsyncOpenAI, librarian: str
) -> None:
    handler = AsyncRecorder()
    thread = await a_thread(client, facts.HELLO)
    async with client.beta.threads.runs.stream(
        thread_id=thread, assistant_id=librarian, event_handler=handler
    ) as stream:
        await stream.until_done()
    assert in_short(handler.heard) == facts.OF_A_TEXT
    run = await handler.get_final_run()
    assert run == await client.beta.threads.runs.retrieve(run.id, thread_id=thread)
    messages = await handler.get_final_messages()
    assert [one.to_dict() for one in messages] == await answers(client, run)


async def test_a_handler_hears_parallel_calls_and_their_submission(
    client: AsyncOpenAI, librarian: str
) -> None:
    handler, second = AsyncRecorder(), AsyncRecorder()
    runs = client.beta.threads.runs
    thread = await a_thread(client, facts.ASKS_FOR_BOTH)
    async with runs.stream(
        thread_id=thread, assistant_id=librarian, event_handler=handler
    ) as stream:
        await stream.until_done()
    assert in_short(handler.heard) == facts.OF_TWO_CALLS
    run = await handler.get_final_run()
    async with runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=thread, tool_outputs=outputs_of(run), event_handler=second
    ) as stream:
        await stream.until_done()
    assert in_short(second.heard) == facts.OF_A_SUBMISSION
    done = await second.get_final_run()
    assert done.status == "completed"
    messages = await second.get_final_messages()
    assert [one.to_dict() for one in messages] == await answers(client, done)


async def test_a_new_thread_is_run_polled_and_streamed(client: AsyncOpenAI, librarian: str) -> None:
    threads = client.beta.threads
    made = await threads.create_and_run(
        assistant_id=librarian, thread={"messages": [facts.HELLO]}, **facts.SETTINGS
    )
    assert {name: made.to_dict()[name] for name in facts.SETTINGS} == facts.SETTINGS_READ
    polled = await threads.create_and_run_poll(
        assistant_id=librarian, thread={"messages": [facts.HELLO]}
    )
    assert polled.status == "completed"
    handler = AsyncRecorder()
    async with threads.create_and_run_stream(
        assistant_id=librarian, thread={"messages": [facts.HELLO]}, event_handler=handler
    ) as stream:
        await stream.until_done()
    assert values(handler.heard, "on_event")[0].event == "thread.created"
    assert in_short(handler.heard) == facts.OF_A_TEXT


async def test_a_run_is_cancelled_and_changed(client: AsyncOpenAI, librarian: str) -> None:
    runs = client.beta.threads.runs
    thread = await a_thread(client, facts.ASKS_FOR_BOTH)
    run = await runs.create_and_poll(thread_id=thread, assistant_id=librarian)
    with pytest.raises(openai.BadRequestError):
        await runs.create(thread, assistant_id=librarian)
    assert (await runs.cancel(run.id, thread_id=thread)).status == "cancelling"
    ended = await runs.poll(run.id, thread_id=thread)
    assert ended.status == "cancelled"
    changed = await runs.update(run.id, thread_id=thread, metadata={"a": "b"})
    assert changed.metadata == {"a": "b"}


async def test_models_are_listed_and_read(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == [facts.DEMO]
    assert (await client.models.retrieve(facts.DEMO)).id == facts.DEMO


async def test_twenty_streams_at_once_are_each_complete(
    client: AsyncOpenAI, librarian: str
) -> None:
    async def tell(number: int) -> tuple[str, str]:
        thread = await a_thread(client, {"role": "user", "content": f"I am number {number}"})
        pieces = []
        async with client.beta.threads.runs.stream(
            thread_id=thread, assistant_id=librarian
        ) as stream:
            async for piece in stream.text_deltas:
                pieces.append(piece)  # noqa: PERF401  # as programs do
        (answer,) = await answers(client, await stream.get_final_run())
        return "".join(pieces), answer["content"][0]["text"]["value"]

    found = await asyncio.gather(*map(tell, range(20)))
    for number, (streamed, stored) in enumerate(found):
        assert streamed == stored
        assert f"I am number {number}" in stored

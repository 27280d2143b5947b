"""The async client of the official `openai` package: every method again, as coroutines.

What each answer holds in detail is in `test_openai_sync`; here the same facts
are held against the other half of the SDK, and calls run at the same time.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import httpx2
import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.types.beta import Thread
from openai.types.beta.threads import Message, TextContentBlock

from tests.sdk import facts
from tests.sdk.conftest import Door, Real, check_azure

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def recording(sent: list[httpx2.Request]) -> httpx2.AsyncClient:
    """Return an HTTP client that notes each request in `sent`."""

    async def note(request: httpx2.Request) -> None:
        sent.append(request)

    return openai.DefaultAsyncHttpx2Client(event_hooks={"request": [note]})


@pytest.fixture
async def client(door: Door, sent: list[httpx2.Request]) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=f"{door.address}/v1", api_key=door.key, http_client=recording(sent)
    ) as found:
        yield found


@pytest.fixture
async def five(client: AsyncOpenAI) -> Thread:
    """A thread with five messages of the same second: 0 to 4."""
    return await client.beta.threads.create(
        messages=[{"role": "user", "content": str(number)} for number in range(5)]
    )


def text(message: Message) -> str:
    assert isinstance(message.content[0], TextContentBlock)
    return message.content[0].text.value


async def test_an_assistant_lives_from_creation_to_deletion(
    real: Real, client: AsyncOpenAI
) -> None:
    made = await client.beta.assistants.create(**real(facts.ASSISTANT))
    own = {"id": made.id, "created_at": made.created_at}
    assert made.to_dict() == {**real(facts.ASSISTANT_READ), **own}
    assert await client.beta.assistants.retrieve(made.id) == made
    changed = await client.beta.assistants.update(made.id, **real(facts.ASSISTANT_CHANGE))
    assert changed.to_dict() == {**real(facts.ASSISTANT_CHANGED), **own}
    assert (await client.beta.assistants.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.beta.assistants.retrieve(made.id)


async def test_assistants_page_in_both_orders(client: AsyncOpenAI) -> None:
    first, *made = [await client.beta.assistants.create(model="m") for _ in range(6)]
    listed = client.beta.assistants.list
    oldest = [one.id async for one in listed(order="asc", limit=2, after=first.id)]
    assert oldest == [one.id for one in made]
    newest = [one.id async for one in listed(order="desc", limit=2)]
    assert newest[:6] == [one.id for one in reversed([first, *made])]
    page = await listed(order="asc", limit=2, before=made[-1].id)
    assert [one.id for one in page.data] == [one.id for one in made[-3:-1]]


async def test_a_thread_lives_from_creation_to_deletion(real: Real, client: AsyncOpenAI) -> None:
    made = await client.beta.threads.create(**real(facts.THREAD))
    own = {"id": made.id, "created_at": made.created_at}
    assert made.to_dict() == {**real(facts.THREAD_READ), **own}
    assert await client.beta.threads.retrieve(made.id) == made
    changed = await client.beta.threads.update(made.id, **real(facts.THREAD_CHANGE))
    assert changed.to_dict() == {**real(facts.THREAD_CHANGED), **own}
    assert (await client.beta.threads.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.beta.threads.retrieve(made.id)


async def test_a_message_lives_from_creation_to_deletion(real: Real, client: AsyncOpenAI) -> None:
    thread = await client.beta.threads.create()
    messages = client.beta.threads.messages
    plain = await messages.create(thread.id, role="assistant", content="Good day.")
    assert (text(plain), plain.role, plain.thread_id) == ("Good day.", "assistant", thread.id)
    made = await messages.create(thread.id, **real(facts.MESSAGE))
    dates = {"created_at": made.created_at, "completed_at": made.created_at}
    own = {"id": made.id, "thread_id": thread.id, **dates}
    assert made.to_dict() == {**real(facts.MESSAGE_READ), **own}
    assert await messages.retrieve(made.id, thread_id=thread.id) == made
    changed = await messages.update(made.id, thread_id=thread.id, metadata={"lang": "fr"})
    assert changed.to_dict() == {**made.to_dict(), "metadata": {"lang": "fr"}}
    assert (await messages.delete(made.id, thread_id=thread.id)).deleted
    assert (await messages.list(thread.id)).data == [plain]


@pytest.mark.parametrize(("order", "expected"), [("asc", "01234"), ("desc", "43210")])
async def test_messages_of_one_second_page_in_their_order(
    client: AsyncOpenAI,
    five: Thread,
    sent: list[httpx2.Request],
    order: Literal["asc", "desc"],
    expected: str,
) -> None:
    before = len(sent)
    pages = client.beta.threads.messages.list(five.id, order=order, limit=2)
    assert [text(message) async for message in pages] == list(expected)
    assert len(sent) - before == 3


async def test_messages_between_cursors_and_of_one_run(client: AsyncOpenAI, five: Thread) -> None:
    listed = client.beta.threads.messages.list
    ids = [message.id async for message in listed(five.id, order="asc")]
    page = await listed(five.id, order="asc", after=ids[0], before=ids[3])
    assert [message.id for message in page.data] == ids[1:3]
    written = await client.beta.threads.messages.create(
        five.id, role="assistant", content="x", extra_body={"id": "msg_r", "run_id": "run_1"}
    )
    assert (await listed(five.id, run_id="run_1")).data == [written]


async def test_messages_sent_at_the_same_time_are_all_kept_in_one_order(
    client: AsyncOpenAI,
) -> None:
    thread = await client.beta.threads.create()
    messages = client.beta.threads.messages
    made = await asyncio.gather(
        *(messages.create(thread.id, role="user", content=str(number)) for number in range(40))
    )
    oldest = [message.id async for message in messages.list(thread.id, order="asc", limit=7)]
    newest = [message.id async for message in messages.list(thread.id, order="desc", limit=9)]
    assert sorted(oldest) == sorted(message.id for message in made)
    assert oldest == newest[::-1]


@pytest.mark.parametrize("name", facts.REFUSALS)
async def test_a_refusal_is_the_right_exception_and_is_not_tried_again(
    client: AsyncOpenAI, sent: list[httpx2.Request], name: str
) -> None:
    refusal = facts.REFUSALS[name]
    thread = await client.beta.threads.create()
    sent.clear()
    with pytest.raises(refusal.error) as caught:
        await refusal.call(client, thread.id)
    facts.check_refused(caught.value, refusal)
    assert [request.headers["x-stainless-retry-count"] for request in sent] == ["0"]


async def test_a_raw_response_has_headers_and_the_parsed_object(client: AsyncOpenAI) -> None:
    raw = await client.beta.threads.with_raw_response.create(metadata={"a": "b"})
    assert raw.request_id is not None
    assert raw.request_id.startswith("req_")
    assert raw.parse().metadata == {"a": "b"}


async def test_twins_with_one_idempotency_key_make_one_thread(client: AsyncOpenAI) -> None:
    key = {"Idempotency-Key": "sdk-async-1"}
    twins = [client.beta.threads.create(extra_headers=key) for _ in range(8)]
    assert len({thread.id for thread in await asyncio.gather(*twins)}) == 1


async def test_the_azure_client_speaks_under_its_own_prefix(
    door: Door, sent: list[httpx2.Request]
) -> None:
    async with AsyncAzureOpenAI(
        azure_endpoint=door.address,
        api_key=door.key,
        api_version="2024-05-01-preview",
        http_client=recording(sent),
    ) as client:
        thread = await client.beta.threads.create(messages=[{"role": "user", "content": "Hi."}])
        listed = client.beta.threads.messages.list(thread.id)
        assert [text(message) async for message in listed] == ["Hi."]
        assistant = await client.beta.assistants.create(model="deployment-1")
        assert (await client.beta.assistants.delete(assistant.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.beta.assistants.retrieve(assistant.id)
    check_azure(sent, door.key)

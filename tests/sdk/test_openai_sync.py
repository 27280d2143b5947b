"""The official `openai` package, as programs use it, against a real server process."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Literal

import httpx2
import openai
import pytest
from openai import AzureOpenAI, OpenAI
from openai.pagination import SyncCursorPage
from openai.types.beta import Assistant, AssistantDeleted, FunctionTool, Thread, ThreadDeleted
from openai.types.beta.threads import (
    ImageFileContentBlock,
    ImageURLContentBlock,
    Message,
    MessageDeleted,
    TextContentBlock,
)

from tests.sdk import facts
from tests.sdk.conftest import Door, Real, check_azure


@pytest.fixture
def client(door: Door, sent: list[httpx2.Request]) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{door.address}/v1",
        api_key=door.key,
        http_client=openai.DefaultHttpx2Client(event_hooks={"request": [sent.append]}),
    ) as found:
        yield found


def texts(messages: list[Message]) -> list[str]:
    """Return the text of each message."""
    found = []
    for message in messages:
        assert isinstance(message.content[0], TextContentBlock)
        found.append(message.content[0].text.value)
    return found


@pytest.fixture
def five(client: OpenAI) -> Thread:
    """A thread with five messages of the same second: 0 to 4."""
    return client.beta.threads.create(
        messages=[{"role": "user", "content": str(number)} for number in range(5)]
    )


# --- assistants -----------------------------------------------------------------------------


def test_an_assistant_takes_every_parameter_and_comes_back_whole(
    real: Real, client: OpenAI
) -> None:
    made = client.beta.assistants.create(**real(facts.ASSISTANT))
    assert isinstance(made, Assistant)
    assert isinstance(made.tools[2], FunctionTool)
    own = {"id": made.id, "created_at": made.created_at}
    assert made.to_dict() == {**real(facts.ASSISTANT_READ), **own}
    assert client.beta.assistants.retrieve(made.id) == made


def test_an_assistant_of_a_model_alone_has_every_default(client: OpenAI) -> None:
    made = client.beta.assistants.create(model="any-model-1")
    own = {"id": made.id, "created_at": made.created_at}
    assert made.to_dict() == {**facts.ASSISTANT_OF_A_MODEL_ALONE, **own}


def test_an_assistant_takes_a_change_of_every_parameter(real: Real, client: OpenAI) -> None:
    made = client.beta.assistants.create(**real(facts.ASSISTANT))
    changed = client.beta.assistants.update(made.id, **real(facts.ASSISTANT_CHANGE))
    own = {"id": made.id, "created_at": made.created_at}
    assert changed.to_dict() == {**real(facts.ASSISTANT_CHANGED), **own}
    assert client.beta.assistants.retrieve(made.id) == changed


def test_a_deleted_assistant_is_gone(client: OpenAI) -> None:
    made = client.beta.assistants.create(model="any-model-1")
    gone = client.beta.assistants.delete(made.id)
    assert gone == AssistantDeleted(id=made.id, object="assistant.deleted", deleted=True)
    with pytest.raises(openai.NotFoundError):
        client.beta.assistants.retrieve(made.id)


def test_assistants_page_oldest_first_without_loss_or_repetition(client: OpenAI) -> None:
    first, *made = [client.beta.assistants.create(model="m", name=str(n)) for n in range(6)]
    pages = client.beta.assistants.list(order="asc", limit=2, after=first.id).iter_pages()
    assert [[found.id for found in page.data] for page in pages] == [
        [made[0].id, made[1].id],
        [made[2].id, made[3].id],
        [made[4].id],
    ]


def test_assistants_page_newest_first_without_loss_or_repetition(client: OpenAI) -> None:
    first, *made = [client.beta.assistants.create(model="m", name=str(n)) for n in range(6)]
    newest = client.beta.assistants.list(limit=2)
    found = [one.id for one in takewhile(lambda one: one.id != first.id, newest)]
    assert found == [one.id for one in reversed(made)]


def test_assistants_before_a_cursor_are_those_right_ahead_of_it(client: OpenAI) -> None:
    made = [client.beta.assistants.create(model="m") for _ in range(4)]
    page = client.beta.assistants.list(order="asc", limit=2, before=made[3].id)
    assert [found.id for found in page.data] == [made[1].id, made[2].id]


# --- threads --------------------------------------------------------------------------------


def test_a_thread_takes_every_parameter_and_comes_back_whole(real: Real, client: OpenAI) -> None:
    made = client.beta.threads.create(**real(facts.THREAD))
    assert isinstance(made, Thread)
    own = {"id": made.id, "created_at": made.created_at}
    assert made.to_dict() == {**real(facts.THREAD_READ), **own}
    assert client.beta.threads.retrieve(made.id) == made
    plain, rich = client.beta.threads.messages.list(made.id, order="asc").data
    assert texts([plain]) == ["Good day."]
    assert rich.content == client.beta.threads.messages.retrieve(rich.id, thread_id=made.id).content
    assert rich.to_dict()["attachments"] == real(facts.ATTACHMENTS)


def test_a_thread_may_be_made_of_nothing(client: OpenAI) -> None:
    made = client.beta.threads.create()
    assert (made.metadata, made.to_dict()["tool_resources"]) == ({}, {})
    assert client.beta.threads.messages.list(made.id).data == []


def test_a_thread_takes_a_change_of_every_parameter(real: Real, client: OpenAI) -> None:
    made = client.beta.threads.create(**real(facts.THREAD))
    changed = client.beta.threads.update(made.id, **real(facts.THREAD_CHANGE))
    own = {"id": made.id, "created_at": made.created_at}
    assert changed.to_dict() == {**real(facts.THREAD_CHANGED), **own}
    assert client.beta.threads.retrieve(made.id) == changed


def test_a_deleted_thread_is_gone_with_its_messages(client: OpenAI, five: Thread) -> None:
    gone = client.beta.threads.delete(five.id)
    assert gone == ThreadDeleted(id=five.id, object="thread.deleted", deleted=True)
    with pytest.raises(openai.NotFoundError):
        client.beta.threads.retrieve(five.id)
    with pytest.raises(openai.NotFoundError):
        client.beta.threads.messages.list(five.id)


def test_threads_are_listed_and_found_by_metadata(client: OpenAI) -> None:
    made = [client.beta.threads.create(metadata={"room": "found-by-sdk"}) for _ in range(3)]
    query = {"metadata": {"room": "found-by-sdk"}, "limit": 2}
    page = client.get("/threads", cast_to=SyncCursorPage[Thread], options={"params": query})
    assert [thread.id for thread in page.data] == [made[2].id, made[1].id]
    assert page.has_more is True


def test_an_exported_conversation_is_put_back_as_it_was(real: Real, client: OpenAI) -> None:
    made = client.beta.threads.create(**real(facts.THREAD))
    messages = client.beta.threads.messages.list(made.id, order="asc").data
    client.beta.threads.delete(made.id)
    exported = {**made.to_dict(), "messages": [message.to_dict() for message in messages]}
    assert client.beta.threads.create(extra_body=exported) == made
    assert client.beta.threads.messages.list(made.id, order="asc").data == messages


# --- messages -------------------------------------------------------------------------------


def test_a_message_may_be_a_string(client: OpenAI) -> None:
    thread = client.beta.threads.create()
    made = client.beta.threads.messages.create(thread.id, role="assistant", content="Good day.")
    assert isinstance(made, Message)
    assert (made.thread_id, made.role, texts([made])) == (thread.id, "assistant", ["Good day."])
    assert client.beta.threads.messages.retrieve(made.id, thread_id=thread.id) == made


def test_a_message_may_have_parts_and_attachments(real: Real, client: OpenAI) -> None:
    thread = client.beta.threads.create()
    made = client.beta.threads.messages.create(thread.id, **real(facts.MESSAGE))
    kinds = [type(part) for part in made.content]
    assert kinds == [TextContentBlock, ImageURLContentBlock, ImageFileContentBlock]
    dates = {"created_at": made.created_at, "completed_at": made.created_at}
    own = {"id": made.id, "thread_id": thread.id, **dates}
    assert made.to_dict() == {**real(facts.MESSAGE_READ), **own}


def test_a_message_takes_new_metadata_and_keeps_the_rest(real: Real, client: OpenAI) -> None:
    thread = client.beta.threads.create()
    made = client.beta.threads.messages.create(thread.id, **real(facts.MESSAGE))
    changed = client.beta.threads.messages.update(
        made.id, thread_id=thread.id, metadata={"seen": "yes"}
    )
    assert changed.to_dict() == {**made.to_dict(), "metadata": {"lang": "en", "seen": "yes"}}
    assert client.beta.threads.messages.retrieve(made.id, thread_id=thread.id) == changed


def test_a_deleted_message_leaves_the_others(client: OpenAI, five: Thread) -> None:
    second = client.beta.threads.messages.list(five.id, order="asc", limit=2).data[1]
    gone = client.beta.threads.messages.delete(second.id, thread_id=five.id)
    assert gone == MessageDeleted(id=second.id, object="thread.message.deleted", deleted=True)
    left = client.beta.threads.messages.list(five.id, order="asc").data
    assert texts(left) == ["0", "2", "3", "4"]


@pytest.mark.parametrize(("order", "expected"), [("asc", "01234"), ("desc", "43210")])
def test_messages_of_one_second_page_in_their_order(
    client: OpenAI,
    five: Thread,
    sent: list[httpx2.Request],
    order: Literal["asc", "desc"],
    expected: str,
) -> None:
    before = len(sent)
    pages = client.beta.threads.messages.list(five.id, order=order, limit=2)
    assert texts(list(pages)) == list(expected)
    assert len(sent) - before == 3


def test_a_full_last_page_is_not_followed_by_an_empty_one(
    client: OpenAI, five: Thread, sent: list[httpx2.Request]
) -> None:
    before = len(sent)
    assert len(list(client.beta.threads.messages.list(five.id, limit=5))) == 5
    assert len(sent) - before == 1


def test_messages_can_be_deleted_while_paging_over_them(client: OpenAI, five: Thread) -> None:
    for message in client.beta.threads.messages.list(five.id, limit=2):
        client.beta.threads.messages.delete(message.id, thread_id=five.id)
    assert client.beta.threads.messages.list(five.id).data == []


def test_messages_between_two_cursors(client: OpenAI, five: Thread) -> None:
    listed = client.beta.threads.messages.list
    ids = [message.id for message in listed(five.id, order="asc")]
    assert texts(listed(five.id, order="asc", after=ids[1]).data) == ["2", "3", "4"]
    assert texts(listed(five.id, order="desc", after=ids[3]).data) == ["2", "1", "0"]
    assert texts(listed(five.id, order="asc", before=ids[3], limit=2).data) == ["1", "2"]
    assert texts(listed(five.id, order="asc", after=ids[0], before=ids[3]).data) == ["1", "2"]


def test_messages_of_one_run_are_listed_alone(client: OpenAI, five: Thread) -> None:
    written = client.beta.threads.messages.create(
        five.id,
        role="assistant",
        content="by a run",
        extra_body={"id": "msg_by_run", "run_id": "run_1", "assistant_id": "asst_1"},
    )
    found = client.beta.threads.messages.list(five.id, run_id="run_1").data
    assert found == [written]
    assert client.beta.threads.messages.list(five.id, run_id="run_2").data == []


# --- errors and the rest --------------------------------------------------------------------


@pytest.mark.parametrize("name", facts.REFUSALS)
def test_a_refusal_is_the_right_exception_and_is_not_tried_again(
    client: OpenAI, sent: list[httpx2.Request], name: str
) -> None:
    refusal = facts.REFUSALS[name]
    thread = client.beta.threads.create()
    sent.clear()
    with pytest.raises(refusal.error) as caught:
        refusal.call(client, thread.id)
    facts.check_refused(caught.value, refusal)
    assert [request.headers["x-stainless-retry-count"] for request in sent] == ["0"]


def test_a_raw_response_has_headers_and_the_parsed_object(client: OpenAI) -> None:
    raw = client.beta.threads.with_raw_response.create(metadata={"a": "b"})
    assert raw.headers["content-type"] == "application/json"
    assert raw.request_id is not None
    assert raw.request_id.startswith("req_")
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.parse().metadata == {"a": "b"}


def test_a_streamed_response_can_be_read_by_hand(client: OpenAI) -> None:
    with client.beta.threads.with_streaming_response.create() as response:
        assert response.parse().object == "thread"


def test_the_same_idempotency_key_gives_the_same_thread(client: OpenAI) -> None:
    key = {"Idempotency-Key": "sdk-sync-1"}
    first = client.beta.threads.create(metadata={"n": "1"}, extra_headers=key)
    assert client.beta.threads.create(metadata={"n": "1"}, extra_headers=key) == first
    with pytest.raises(openai.BadRequestError) as caught:
        client.beta.threads.create(metadata={"n": "2"}, extra_headers=key)
    assert caught.value.code == "idempotency_key_reused"


def test_the_prefix_of_azure_v1_is_the_same_api(door: Door) -> None:
    with OpenAI(base_url=f"{door.address}/openai/v1/", api_key=door.key) as client:
        made = client.beta.threads.create()
        assert client.beta.threads.retrieve(made.id).id == made.id


def test_the_azure_client_speaks_under_its_own_prefix(
    door: Door, sent: list[httpx2.Request]
) -> None:
    with AzureOpenAI(
        azure_endpoint=door.address,
        api_key=door.key,
        api_version="2024-05-01-preview",
        http_client=openai.DefaultHttpx2Client(event_hooks={"request": [sent.append]}),
    ) as client:
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Good day."}])
        assert texts(list(client.beta.threads.messages.list(thread.id))) == ["Good day."]
        assistant = client.beta.assistants.create(model="deployment-1")
        assert client.beta.assistants.delete(assistant.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.beta.assistants.retrieve(assistant.id)
    check_azure(sent, door.key)


def test_the_azure_client_is_refused_with_a_wrong_key(door: Door) -> None:
    with (
        AzureOpenAI(
            azure_endpoint=door.address, api_key="wrong", api_version="2024-05-01-preview"
        ) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.beta.threads.create()
    assert caught.value.code == "invalid_api_key"

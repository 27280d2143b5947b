"""The official SDK on vector stores, with its polling helpers, blocking and asynchronous."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from tests.sdk.conftest import Door

LOOM = ("loom.txt", b"A loom holds the warp threads tight.")
DYE = ("dye.md", b"# Dyes\n\nMadder dyes wool red.")
STATIC: Any = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 300, "chunk_overlap_tokens": 100},
}


@pytest.fixture
def client(door: Door) -> Iterator[openai.OpenAI]:
    """A blocking client."""
    with openai.OpenAI(base_url=f"{door.address}/v1", api_key=door.key) as opened:
        yield opened


@asynccontextmanager
async def asynchronous(door: Door) -> AsyncIterator[openai.AsyncOpenAI]:
    """An asynchronous client."""
    async with openai.AsyncOpenAI(base_url=f"{door.address}/v1", api_key=door.key) as opened:
        yield opened


def test_a_store_is_made_read_changed_listed_and_deleted(client: openai.OpenAI) -> None:
    stores = client.vector_stores
    made = stores.create(
        name="Craft",
        description="About weaving",
        expires_after={"anchor": "last_active_at", "days": 7},
        metadata={"a": "1"},
    )
    assert (made.object, made.status, made.name) == ("vector_store", "completed", "Craft")
    assert made.expires_after is not None
    assert made.expires_after.days == 7
    changed = stores.update(made.id, name="Weaving", metadata={"b": "2"})
    assert (changed.name, changed.metadata) == ("Weaving", {"a": "1", "b": "2"})
    assert stores.retrieve(made.id) == changed
    others = [stores.create().id for _ in range(3)]
    listed = [store.id for store in stores.list(limit=2, order="asc")]
    assert [each for each in listed if each in {made.id, *others}] == [made.id, *others]
    gone = stores.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "vector_store.deleted", True)
    with pytest.raises(openai.NotFoundError, match="No vector store found with id"):
        stores.retrieve(made.id)


def test_files_are_uploaded_polled_searched_and_read(client: openai.OpenAI) -> None:
    stores = client.vector_stores
    store = stores.create()
    done = stores.files.upload_and_poll(vector_store_id=store.id, file=LOOM)
    assert (done.object, done.status, done.last_error) == ("vector_store.file", "completed", None)
    other = client.files.create(file=DYE, purpose="assistants")
    polled = stores.files.create_and_poll(
        other.id,
        vector_store_id=store.id,
        attributes={"topic": "dye", "year": 2024},
        chunking_strategy=STATIC,
    )
    assert polled.status == "completed"
    assert polled.attributes == {"topic": "dye", "year": 2024}
    begun = stores.files.upload(vector_store_id=store.id, file=("third.txt", b"Silk is smooth."))
    assert stores.files.poll(begun.id, vector_store_id=store.id).status == "completed"
    assert stores.files.retrieve(done.id, vector_store_id=store.id) == done
    listed = [each.id for each in stores.files.list(store.id, limit=1, filter="completed")]
    assert listed == [begun.id, other.id, done.id]

    updated = stores.files.update(other.id, vector_store_id=store.id, attributes={"topic": "red"})
    assert updated.attributes == {"topic": "red"}
    (text,) = stores.files.content(done.id, vector_store_id=store.id)
    assert (text.type, text.text) == ("text", LOOM[1].decode())

    page = stores.search(store.id, query="which threads does a loom hold", max_num_results=1)
    (result,) = page
    assert (result.file_id, result.filename) == (done.id, "loom.txt")
    assert result.content[0].text == LOOM[1].decode()
    filtered = stores.search(
        store.id,
        query=["madder", "loom"],
        filters={"type": "eq", "key": "topic", "value": "red"},
        ranking_options={"ranker": "auto", "score_threshold": 0.0},
        rewrite_query=True,
    )
    assert {each.file_id for each in filtered} == {other.id}

    gone = stores.files.delete(done.id, vector_store_id=store.id)
    assert (gone.object, gone.deleted) == ("vector_store.file.deleted", True)
    counts = stores.retrieve(store.id).file_counts
    assert (counts.completed, counts.total) == (2, 2)


def test_batches_are_made_polled_listed_and_cancelled(client: openai.OpenAI) -> None:
    stores = client.vector_stores
    store = stores.create()
    batch = stores.file_batches.upload_and_poll(store.id, files=[LOOM, DYE])
    assert (batch.object, batch.status) == ("vector_store.file_batch", "completed")
    assert (batch.file_counts.completed, batch.file_counts.total) == (2, 2)
    files = [each.id for each in stores.file_batches.list_files(batch.id, vector_store_id=store.id)]
    again = stores.file_batches.create_and_poll(
        store.id, files=[{"file_id": file, "attributes": {"n": 1}} for file in files]
    )
    assert again.file_counts.completed == 2
    begun = stores.file_batches.create(store.id, file_ids=files)
    assert stores.file_batches.poll(begun.id, vector_store_id=store.id).status == "completed"
    assert stores.file_batches.retrieve(begun.id, vector_store_id=store.id).id == begun.id
    ended = stores.file_batches.cancel(begun.id, vector_store_id=store.id)
    assert ended.status == "completed"
    oldest = stores.file_batches.list_files(
        again.id, vector_store_id=store.id, order="asc", limit=1, filter="completed"
    )
    assert [each.id for each in oldest] == files


def test_a_file_that_cannot_be_searched_is_polled_to_its_end(client: openai.OpenAI) -> None:
    store = client.vector_stores.create()
    broken = ("broken.pdf", b"%PDF-1.7 and nothing else")
    done = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=broken)
    assert done.status == "failed"
    assert done.last_error is not None
    assert done.last_error.code == "invalid_file"
    with pytest.raises(openai.BadRequestError) as refused:
        client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=("table.csv", b"a,b\n")
        )
    assert refused.value.code == "unsupported_file"


def test_a_run_searches_and_its_helper_shows_the_citation(client: openai.OpenAI) -> None:
    threads: Any = client.beta.threads
    store = client.vector_stores.create()
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=LOOM)
    assistant = client.beta.assistants.create(
        model="weft-demo",
        tools=[{"type": "file_search", "file_search": {"max_num_results": 3}}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    thread = threads.create(messages=[{"role": "user", "content": "What does a loom hold?"}])
    with threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        (message,) = stream.get_final_messages()
        run = stream.get_final_run()
    (kept,) = threads.messages.list(thread.id, run_id=run.id)
    (cited,) = message.content[0].text.annotations
    (annotation,) = kept.content[0].text.annotations
    assert annotation.file_citation.file_id == cited.file_citation.file_id == file.id
    value = kept.content[0].text.value
    assert message.content[0].text.value == value
    assert value[annotation.start_index : annotation.end_index] == annotation.text
    assert (cited.start_index, cited.end_index) == (annotation.start_index, annotation.end_index)
    searched = next(
        step
        for step in threads.runs.steps.list(
            run.id,
            thread_id=thread.id,
            include=["step_details.tool_calls[*].file_search.results[*].content"],
        )
        if step.type == "tool_calls"
    )
    (call,) = searched.step_details.tool_calls
    assert call.file_search.results[0].content[0].text == LOOM[1].decode()


def test_the_asynchronous_client_does_the_same(door: Door) -> None:
    async def story() -> None:
        async with asynchronous(door) as client:
            stores = client.vector_stores
            store = await stores.create(name="Craft")
            done = await stores.files.upload_and_poll(vector_store_id=store.id, file=LOOM)
            assert done.status == "completed"
            batch = await stores.file_batches.upload_and_poll(store.id, files=[DYE])
            assert batch.file_counts.completed == 1
            other = await client.files.create(file=("c.txt", b"Silk."), purpose="assistants")
            polled = await stores.files.create_and_poll(other.id, vector_store_id=store.id)
            assert polled.status == "completed"
            again = await stores.file_batches.create_and_poll(store.id, file_ids=[other.id])
            assert again.status == "completed"
            listed = [each.id async for each in stores.files.list(store.id, limit=1)]
            assert len(listed) == 3
            page = await stores.search(store.id, query="loom")
            assert [each.file_id async for each in page][0] == done.id  # noqa: RUF015
            content = stores.files.content(done.id, vector_store_id=store.id)
            assert [each.text async for each in content] == [LOOM[1].decode()]
            assert (await stores.delete(store.id)).deleted

    asyncio.run(story())

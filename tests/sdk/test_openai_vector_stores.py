"""The official SDK on vector stores and runs that search them. Its other methods: `file_story`."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.sdk.conftest import Door
from tests.sdk.file_story import DYE, LOOM


@pytest.fixture
def client(door: Door) -> Iterator[openai.OpenAI]:
    """A blocking client."""
    with openai.OpenAI(base_url=f"{door.address}/v1", api_key=door.key) as opened:
        yield opened


def test_a_batch_gives_each_file_attributes_of_its_own(client: openai.OpenAI) -> None:
    """Which SDKs before 2.0 cannot, so it stands here and not in the story."""
    stores = client.vector_stores
    store = stores.create().id
    files = [client.files.create(file=file, purpose="assistants").id for file in (LOOM, DYE)]
    done = stores.file_batches.create_and_poll(
        store, files=[{"file_id": file, "attributes": {"n": n}} for n, file in enumerate(files)]
    )
    assert done.file_counts.completed == 2
    found = {each.id: each.attributes for each in stores.files.list(store)}
    assert found == {file: {"n": n} for n, file in enumerate(files)}


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

"""One story that calls every operation, told to a blocking and to an asynchronous client alike."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol, TypeVar

from weft import AsyncClient, Client, Event, File
from weft.client.awaiting import AsyncEventStream

T = TypeVar("T")

QUESTION = {"role": "user", "content": "How does a loom work?"}
FUNCTION = {"type": "function", "function": {"name": "yarn_price", "parameters": {}}}


class Teller(Protocol):
    """How a kind of client is called; `called` has the methods that were."""

    called: set[str]

    async def one(self, method: str, *path: str, **arguments: Any) -> Any:
        """Return what a method answers."""

    async def every(self, method: str, *path: str, **arguments: Any) -> list[Any]:
        """Return all objects of a list."""

    async def events(self, method: str, *path: str, **arguments: Any) -> list[Event]:
        """Return all events of a stream."""


class Blocking:
    """Tells the story to a `Client`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.called: set[str] = set()

    def _call(self, method: str, path: tuple[str, ...], arguments: dict[str, Any]) -> Any:
        self.called.add(method)
        return getattr(self._client, method)(*path, **arguments)

    async def one(self, method: str, *path: str, **arguments: Any) -> Any:
        """Return what a method answers."""
        return self._call(method, path, arguments)

    async def every(self, method: str, *path: str, **arguments: Any) -> list[Any]:
        """Return all objects of a list."""
        return list(self._call(method, path, arguments))

    async def events(self, method: str, *path: str, **arguments: Any) -> list[Event]:
        """Return all events of a stream."""
        return list(self._call(method, path, {**arguments, "stream": True}))


class Awaiting:
    """Tells the story to an `AsyncClient`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.called: set[str] = set()

    def _call(self, method: str, path: tuple[str, ...], arguments: dict[str, Any]) -> Any:
        self.called.add(method)
        return getattr(self._client, method)(*path, **arguments)

    async def one(self, method: str, *path: str, **arguments: Any) -> Any:
        """Return what a method answers."""
        answer: Awaitable[Any] = self._call(method, path, arguments)
        return await answer

    async def every(self, method: str, *path: str, **arguments: Any) -> list[Any]:
        """Return all objects of a list."""
        listing: AsyncIterator[Any] = self._call(method, path, arguments)
        return [each async for each in listing]

    async def events(self, method: str, *path: str, **arguments: Any) -> list[Event]:
        """Return all events of a stream."""
        stream: AsyncEventStream = await self._call(method, path, {**arguments, "stream": True})
        async with stream:
            return [event async for event in stream]


async def tell(teller: Teller) -> None:
    """Call every operation and look at what comes back."""
    await _about_the_server(teller)
    assistant = await _about_assistants(teller)
    thread = await _about_threads(teller)
    await _about_messages(teller, thread)
    await _about_runs(teller, thread, assistant)
    await _about_functions(teller)
    await _about_files(teller)
    await _about_uploads(teller)
    await _about_vector_stores(teller)
    assert (await teller.one("delete_thread", thread)).deleted
    assert (await teller.one("delete_assistant", assistant)).object == "assistant.deleted"


async def _about_the_server(teller: Teller) -> None:
    assert (await teller.one("get_health")).status == "ok"
    assert (await teller.one("get_readiness")).status == "ok"
    assert (await teller.one("get_open_api", version="3.0"))["openapi"] == "3.0.3"
    models = await teller.every("list_models")
    assert "weft-demo" in [model.id for model in models]
    assert (await teller.one("retrieve_model", "weft-demo")).object == "model"


async def _about_assistants(teller: Teller) -> str:
    made = await teller.one("create_assistant", body={"model": "weft-demo", "name": "Weaver"})
    assert (await teller.one("get_assistant", made.id)).name == "Weaver"
    changed = await teller.one("modify_assistant", made.id, body={"name": "Dyer"})
    assert changed.name == "Dyer"
    first = await teller.every("list_assistants", limit=1)
    assert made.id in [each.id for each in first]
    return str(made.id)


async def _about_threads(teller: Teller) -> str:
    made = await teller.one("create_thread", body={"messages": [QUESTION]})
    assert (await teller.one("get_thread", made.id)).id == made.id
    pair = {"customer": made.id}
    changed = await teller.one("modify_thread", made.id, body={"metadata": pair})
    assert changed.metadata == pair
    assert [each.id for each in await teller.every("list_threads", metadata=pair)] == [made.id]
    return str(made.id)


async def _about_messages(teller: Teller, thread: str) -> None:
    made = await teller.one("create_message", thread, body={"role": "user", "content": "Well?"})
    assert made.content[0].text.value == "Well?"
    changed = await teller.one("modify_message", thread, made.id, body={"metadata": {"a": "b"}})
    assert (await teller.one("get_message", thread, made.id)).metadata == changed.metadata
    texts = [
        each.content[0].text.value
        for each in await teller.every("list_messages", thread, order="asc", limit=1)
    ]
    assert texts == [QUESTION["content"], "Well?"]
    assert (await teller.one("delete_message", thread, made.id)).deleted


async def _about_runs(teller: Teller, thread: str, assistant: str) -> None:
    body = {"assistant_id": assistant}
    events = await teller.events("create_run", thread, body=body)
    run = events[-1].run
    assert run is not None
    assert run.status == "completed"
    said = "".join(event.text for event in events)
    newest = (await teller.every("list_messages", thread, run_id=run.id))[0]
    assert newest.content[0].text.value == said
    assert await teller.events("get_run", thread, run.id) == events
    assert (await teller.one("get_run", thread, run.id)).usage == run.usage
    changed = await teller.one("modify_run", thread, run.id, body={"metadata": {"seen": "yes"}})
    assert changed.metadata == {"seen": "yes"}
    assert [each.id for each in await teller.every("list_runs", thread, limit=1)] == [run.id]
    steps = await teller.every("list_run_steps", thread, run.id)
    assert (await teller.one("get_run_step", thread, run.id, steps[0].id)).id == steps[0].id


async def _about_functions(teller: Teller) -> None:
    """A run that waits for a function, goes on with its output, and another that is cancelled."""
    tools = [FUNCTION]
    assistant = await teller.one("create_assistant", body={"model": "weft-demo", "tools": tools})
    asked = {"role": "user", "content": "Please call yarn_price."}
    body = {"assistant_id": assistant.id, "thread": {"messages": [asked]}}
    for submit in ("submit_tool_ouputs_to_run", "cancel_run"):
        waiting = (await teller.events("create_thread_and_run", body=body))[-1].run
        assert waiting is not None
        assert waiting.status == "requires_action"
        assert waiting.required_action is not None
        place = (waiting.thread_id, waiting.id)
        if submit == "cancel_run":
            assert (await teller.one(submit, *place)).status in ("cancelling", "cancelled")
            continue
        calls = waiting.required_action.submit_tool_outputs.tool_calls
        outputs = [{"tool_call_id": call.id, "output": "12 euros"} for call in calls]
        events = await teller.events(submit, *place, body={"tool_outputs": outputs})
        assert events[0].event == "thread.run.step.completed"
        assert events[-1].event == "thread.run.completed"


async def _about_files(teller: Teller) -> None:
    """A file by its form, its bytes to the last, and its end."""
    data = bytes(range(256)) * 10
    expires = {"anchor": "created_at", "seconds": 3600}
    form = {"file": File("zettel.bin", data), "purpose": "user_data", "expires_after": expires}
    made = await teller.one("create_file", body=form)
    assert (made.filename, made.bytes, made.purpose) == ("zettel.bin", len(data), "user_data")
    assert made.expires_at == made.created_at + 3600
    assert await teller.one("retrieve_file", made.id) == made
    assert await teller.one("download_file", made.id) == data
    assert made.id in [each.id for each in await teller.every("list_files", purpose="user_data")]
    assert (await teller.one("delete_file", made.id)).deleted


async def _about_uploads(teller: Teller) -> None:
    body = {"filename": "a.txt", "purpose": "batch", "bytes": 6, "mime_type": "text/plain"}
    given_up = await teller.one("create_upload", body=body)
    assert (await teller.one("cancel_upload", given_up.id)).status == "cancelled"
    upload = await teller.one("create_upload", body=body)
    parts = [
        await teller.one("add_upload_part", upload.id, body={"data": data})
        for data in (b"def", b"abc")
    ]
    ids = [part.id for part in reversed(parts)]
    done = await teller.one("complete_upload", upload.id, body={"part_ids": ids})
    assert done.status == "completed"
    assert await teller.one("download_file", done.file.id) == b"abcdef"
    assert (await teller.one("delete_file", done.file.id)).deleted


async def _about_vector_stores(teller: Teller) -> None:
    form = {"purpose": "assistants"}
    files = [File("loom.txt", b"A loom holds the warp."), File("dye.txt", b"Madder makes red.")]
    loom, dye = [
        (await teller.one("create_file", body={**form, "file": file})).id for file in files
    ]
    store = (await teller.one("create_vector_store", body={"name": "Craft"})).id
    assert (await teller.one("get_vector_store", store)).name == "Craft"
    assert store in [each.id for each in await teller.every("list_vector_stores", limit=1)]
    days = {"anchor": "last_active_at", "days": 7}
    changed = await teller.one("modify_vector_store", store, body={"expires_after": days})
    assert changed.expires_at == changed.last_active_at + 7 * 86400
    added = await teller.one("create_vector_store_file", store, body={"file_id": loom})
    assert added.status == "in_progress"
    batch = await teller.one("create_vector_store_file_batch", store, body={"file_ids": [dye]})
    while (await teller.one("get_vector_store", store)).status == "in_progress":
        pass
    place = (store, batch.id)
    assert (await teller.one("get_vector_store_file_batch", *place)).file_counts.completed == 1
    assert (await teller.one("cancel_vector_store_file_batch", *place)).status == "completed"
    listed = await teller.every("list_files_in_vector_store_batch", *place)
    assert [each.id for each in listed] == [dye]
    listed = await teller.every("list_vector_store_files", store, limit=1, filter="completed")
    assert [each.id for each in listed] == [dye, loom]
    text = (await teller.one("retrieve_vector_store_file_content", store, loom)).data[0].text
    assert text == "A loom holds the warp."
    attributes = {"attributes": {"topic": "tools"}}
    await teller.one("update_vector_store_file_attributes", store, loom, body=attributes)
    found = await teller.one("get_vector_store_file", store, loom)
    assert found.attributes == {"topic": "tools"}
    results = await teller.one("search_vector_store", store, body={"query": "the warp"})
    assert results.data[0].file_id == loom
    assert (await teller.one("delete_vector_store_file", store, dye)).deleted
    assert (await teller.one("delete_vector_store", store)).object == "vector_store.deleted"

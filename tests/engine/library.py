"""Files and vector stores in a `House`."""

import asyncio
import json
from typing import Any

from tests.engine.house import House, P
from tests.engine.scripts import PATIENCE_S, Script, called, ending
from weft.store import contents, files
from weft.store import vector_stores as store
from weft.wire.files import new_file
from weft.wire.shapes import encode

SEARCH = [{"type": "file_search"}]


async def put_file(house: House, text: str | bytes, name: str = "looms.txt") -> str:
    """Upload a file and return its id."""
    async with house.contents.arriving() as arrival:
        await arrival.write(text.encode() if isinstance(text, str) else text)
        content = await arrival.finish()
        file = new_file(
            file_id=house.rooms.ids.new("file-"),
            purpose="assistants",
            filename=name,
            size_bytes=content.bytes,
            created_at=house.clock.now,
            expires_after_s=None,
        )
        insert = files.insert(
            P,
            file.id,
            content,
            purpose="assistants",
            filename=name,
            created_at=house.clock.now,
            expires_at=None,
            now=house.clock.now,
            wire=encode(file),
        )
        await house.database.write((*contents.keep(content), insert))
    return file.id


async def a_store(house: House, *file_ids: str, **body: Any) -> str:
    """Make a vector store with files; they may not be indexed yet."""
    made = await house.post("createVectorStore", file_ids=list(file_ids), **body)
    return str(made["id"])


async def an_indexed_store(house: House, *file_ids: str, **body: Any) -> str:
    """Make a vector store whose files are indexed."""
    made = await a_store(house, *file_ids, **body)
    await indexed(house, made)
    return made


async def store_now(house: House, store_id: str) -> Any:
    """Return a store as it is."""
    return await on_store(house, "getVectorStore", store_id)


async def on_store(
    house: House, operation_id: str, store_id: str, body: Any = None, **path: str
) -> Any:
    """Do something to a store, or to what is in it, and return the answer."""
    answer, _ = await house.answer(operation_id, body, {}, {"vector_store_id": store_id, **path})
    return json.loads(answer.body)


async def indexed(house: House, store_id: str) -> Any:
    """Wait until nothing is being indexed in a store, and return it."""
    async with asyncio.timeout(PATIENCE_S):
        with house.database.bells.listening(store.topic(store_id)) as bell:
            while (found := await store_now(house, store_id))["file_counts"]["in_progress"]:
                await bell.wait(PATIENCE_S)
    return found


def searching(query: str, *, call_id: str = "call_search", name: str = "file_search") -> Script:
    """A search of the model."""
    return [*called(0, name, '{"query": "', f'{query}"}}', call_id=call_id), *ending("tool_calls")]

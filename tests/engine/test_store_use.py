"""A store's time: what counts as a use of it and moves the date at which it expires."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.engine.house import House
from tests.engine.library import SEARCH, an_indexed_store, indexed, on_store, put_file, store_now
from tests.engine.scripts import text
from weft.api.vector_stores import TOUCH_EVERY_S

pytestmark = pytest.mark.anyio

DAY_S = 86_400
TWO_DAYS = {"anchor": "last_active_at", "days": 2}


async def search(house: House, store: str, file: str) -> None:
    """Ask a question."""
    await on_store(house, "searchVectorStore", store, {"query": "loom"})


async def add(house: House, store: str, file: str) -> None:
    """Put a file into it again."""
    await on_store(house, "createVectorStoreFile", store, {"file_id": file})


async def add_many(house: House, store: str, file: str) -> None:
    """Put files into it."""
    await on_store(house, "createVectorStoreFileBatch", store, {"file_ids": [file]})


async def run(house: House, store: str, file: str) -> None:
    """Run on a thread that has it, without searching."""
    resources = {"file_search": {"vector_store_ids": [store]}}
    thread = await house.post("createThread", tool_resources=resources)
    await house.rest(await house.start(thread["id"], text("Hm."), tools=SEARCH))


async def attach(house: House, store: str, file: str) -> None:
    """Attach a file to a message of a thread that has it."""
    attachment = {"file_id": file, "tools": SEARCH}
    message = {"role": "user", "content": "This.", "attachments": [attachment]}
    resources = {"file_search": {"vector_store_ids": [store]}}
    thread = await house.post("createThread", tool_resources=resources)
    await house.answer("createMessage", message, {}, {"thread_id": thread["id"]})


async def read(house: House, store: str, file: str) -> None:
    """Look at it and at what is in it."""
    await on_store(house, "getVectorStore", store)
    await on_store(house, "retrieveVectorStoreFileContent", store, file_id=file)
    await on_store(house, "listVectorStoreFiles", store)


async def rename(house: House, store: str, file: str) -> None:
    """Change what it is called, and what is said of a file."""
    await on_store(house, "modifyVectorStore", store, {"name": "n", "metadata": {"a": "b"}})
    attributes = {"attributes": {"a": "b"}}
    await on_store(house, "updateVectorStoreFileAttributes", store, attributes, file_id=file)


@pytest.mark.parametrize("use", [search, add, add_many, run, attach])
async def test_each_use_begins_its_time_anew(
    house: House, use: Callable[..., Awaitable[None]]
) -> None:
    """Three times as long as it may lie unused, and it is still there."""
    file = await put_file(house, "A loom.")
    store = await an_indexed_store(house, file, expires_after=TWO_DAYS)
    for _ in range(6):
        house.turn_clock(DAY_S)
        await use(house, store, file)
        shown = await indexed(house, store)
        assert shown["status"] == "completed"
        assert shown["last_active_at"] == house.clock.now
        assert shown["expires_at"] == house.clock.now + 2 * DAY_S


@pytest.mark.parametrize("act", [read, rename])
async def test_looking_and_naming_are_no_use(
    house: House, act: Callable[..., Awaitable[None]]
) -> None:
    file = await put_file(house, "A loom.")
    store = await an_indexed_store(house, file, expires_after=TWO_DAYS)
    made = await store_now(house, store)
    house.turn_clock(2 * DAY_S - 1)
    await act(house, store, file)
    shown = await store_now(house, store)
    assert [shown[name] for name in ("last_active_at", "expires_at", "status")] == [
        made["last_active_at"],
        made["last_active_at"] + 2 * DAY_S,
        "completed",
    ]
    house.turn_clock(1)
    assert (await store_now(house, store))["status"] == "expired"


async def test_searches_in_quick_succession_are_one_use(house: House) -> None:
    """So that they need no write; the date is behind by less than a minute."""
    store = await an_indexed_store(house, await put_file(house, "A loom."), expires_after=TWO_DAYS)
    used_at = (await store_now(house, store))["last_active_at"]
    house.turn_clock(TOUCH_EVERY_S - 1)
    await search(house, store, "")
    assert (await store_now(house, store))["last_active_at"] == used_at
    house.turn_clock(1)
    await search(house, store, "")
    assert (await store_now(house, store))["last_active_at"] == used_at + TOUCH_EVERY_S


async def test_other_days_count_from_the_last_use(house: House) -> None:
    store = await an_indexed_store(house, await put_file(house, "A loom."))
    used_at = (await store_now(house, store))["last_active_at"]
    house.turn_clock(DAY_S)
    shown: Any = None
    for days in (5, 3, None):
        after = None if days is None else {**TWO_DAYS, "days": days}
        shown = await on_store(house, "modifyVectorStore", store, {"expires_after": after})
        assert shown["expires_after"] == after
        assert shown["expires_at"] == (None if days is None else used_at + days * DAY_S)
    house.turn_clock(400 * DAY_S)
    assert (await store_now(house, store))["status"] == "completed"

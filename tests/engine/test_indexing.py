"""The indexing of files: it survives crashes, can be cancelled, tries three times and says why."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.engine.house import House, P
from tests.engine.library import a_store, an_indexed_store, indexed, on_store, put_file, store_now
from tests.engine.scripts import PATIENCE_S
from weft.engine.indexing import MAX_TRIES, Indexing, index_file
from weft.store import vector_stores as store
from weft.store.blobs import FOLDER
from weft.store.chunks import FileKey, sweep_chunks
from weft.store.database import Refused
from weft.store.files import stored
from weft.store.sweep import TOMBSTONE_S, sweep_old, sweep_vector_stores

pytestmark = pytest.mark.anyio

LOOM = "A loom holds the warp threads tight."


def counts(**some: int) -> dict[str, int]:
    """Return file counts of which only some are not 0."""
    names = ("in_progress", "completed", "failed", "cancelled")
    return {**dict.fromkeys(names, 0), **some, "total": sum(some.values())}


async def found(house: House, store_id: str, query: str = "loom warp") -> list[str]:
    """Return the texts that a search finds."""
    page = await on_store(house, "searchVectorStore", store_id, {"query": query})
    return [item["content"][0]["text"] for item in page["data"]]


async def waiting(house: House, *texts: str) -> tuple[str, list[str]]:
    """Return a store with files that nobody indexes."""
    await house.stop_indexing()
    files = [await put_file(house, text, f"{number}.txt") for number, text in enumerate(texts)]
    return await a_store(house, *files), files


async def file_now(house: House, store_id: str, file_id: str) -> Any:
    """Return a file as it is in a store."""
    return await on_store(house, "getVectorStoreFile", store_id, file_id=file_id)


def tries(house: House) -> list[tuple[int, int]]:
    """Return (attempt, tries) of all files."""
    return house.rows("SELECT attempt, tries FROM vector_store_file ORDER BY file_id")


async def until(house: House, store_id: str, **some: int) -> Any:
    """Wait until a store has such counts, and return it."""
    give_up_at = time.monotonic() + PATIENCE_S
    while (shown := await store_now(house, store_id))["file_counts"] != counts(**some):
        assert time.monotonic() < give_up_at, shown
        await asyncio.sleep(0)
    return shown


@contextmanager
def stuck(house: House, location: str) -> Iterator[None]:
    """Put a pipe in the place of a file's bytes: whoever reads it waits."""
    path = house.path.parent / FOLDER / location
    bytes_ = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # so that opening it for reading does not wait
    try:
        yield
    finally:
        os.close(writer)
        path.unlink()
        path.write_bytes(bytes_)


async def location_of(house: House, file_id: str) -> str:
    """Return where the bytes of a file lie."""
    file = await stored(house.database, P, file_id)
    assert file is not None
    return file.location


async def test_files_are_indexed_and_counted(house: House) -> None:
    files = [await put_file(house, f"{LOOM} {number}", f"{number}.txt") for number in range(3)]
    made = await house.post("createVectorStore", file_ids=files)
    assert (made["status"], made["file_counts"]) == ("in_progress", counts(in_progress=3))
    shown = await indexed(house, made["id"])
    assert (shown["status"], shown["file_counts"]) == ("completed", counts(completed=3))
    usage = [(await file_now(house, made["id"], file))["usage_bytes"] for file in files]
    assert shown["usage_bytes"] == sum(usage) > 0
    assert sorted(await found(house, made["id"])) == [f"{LOOM} {number}" for number in range(3)]


async def test_a_file_that_cannot_be_read_says_why_and_harms_no_other(house: House) -> None:
    bad = await put_file(house, b"%PDF-1.7 and nothing that a PDF has", "broken.pdf")
    good = await put_file(house, LOOM)
    store_id = await a_store(house, bad, good)
    shown = await indexed(house, store_id)
    assert shown["status"] == "completed"
    assert shown["file_counts"] == counts(completed=1, failed=1)
    failed = await file_now(house, store_id, bad)
    assert (failed["status"], failed["usage_bytes"]) == ("failed", 0)
    assert failed["last_error"]["code"] == "invalid_file"
    assert failed["last_error"]["message"]


async def test_an_attempt_that_died_is_taken_up_again(house: House) -> None:
    store_id, (file,) = await waiting(house, LOOM)
    key = FileKey(P, store_id, file)
    job = await store.job(house.database, key)
    assert job is not None
    await house.database.write((store.claim(key, job),))
    await house.crash()
    shown = await indexed(house, store_id)
    assert shown["file_counts"] == counts(completed=1)
    assert await found(house, store_id) == [LOOM]
    assert tries(house) == [(2, 0)]


async def test_a_file_on_which_the_server_died_three_times_fails(house: House) -> None:
    store_id, (file,) = await waiting(house, LOOM)
    key = FileKey(P, store_id, file)
    for _ in range(MAX_TRIES):
        job = await store.job(house.database, key)
        assert job is not None
        await house.database.write((store.claim(key, job),))
    house.open_indexing()
    shown = await indexed(house, store_id)
    assert shown["file_counts"] == counts(failed=1)
    error = (await file_now(house, store_id, file))["last_error"]
    assert error == {"code": "server_error", "message": "Indexing was tried 3 times."}
    # Put in again it is tried anew.
    await on_store(house, "createVectorStoreFile", store_id, {"file_id": file})
    assert (await indexed(house, store_id))["file_counts"] == counts(completed=1)


async def test_an_older_attempt_can_write_nothing_any_more(house: House) -> None:
    store_id, (file,) = await waiting(house, LOOM)
    key = FileKey(P, store_id, file)
    stale = await store.job(house.database, key)
    assert stale is not None
    await house.database.write((store.claim(key, stale),))
    await index_file(Indexing(house.database, house.contents), key, stale)  # nothing happens
    assert tries(house) == [(1, 1)]
    for change in (
        store.fence(key, 0),
        store.finish(key, 0, status="completed", usage_bytes=1, last_error=None, attributes="{}"),
    ):
        with pytest.raises(Refused):
            await house.database.write((change,))
    assert (await store_now(house, store_id))["file_counts"] == counts(in_progress=1)


async def test_stopping_the_server_spends_no_try(house: House) -> None:
    store_id, (file,) = await waiting(house, LOOM)
    with stuck(house, await location_of(house, file)):
        for number in range(1, MAX_TRIES + 2):
            house.open_indexing()
            give_up_at = time.monotonic() + PATIENCE_S
            while tries(house) != [(number, 1)]:
                assert time.monotonic() < give_up_at
                await asyncio.sleep(0)
            await house.stop_indexing()
            assert tries(house) == [(number, 0)]
    house.open_indexing()
    assert (await indexed(house, store_id))["file_counts"] == counts(completed=1)


@pytest.mark.parametrize("how", ["cancel", "remove", "delete the file", "delete the store"])
async def test_a_file_that_is_not_wanted_is_let_go_of_in_the_middle(house: House, how: str) -> None:
    store_id, (file,) = await waiting(house, LOOM)
    other = await put_file(house, f"{LOOM} Yes.", "other.txt")  # with bytes of its own
    await house.stop_indexing()
    body = {"file_ids": [file]}
    batch = await on_store(house, "createVectorStoreFileBatch", store_id, body)
    with stuck(house, await location_of(house, file)):
        house.open_indexing()
        give_up_at = time.monotonic() + PATIENCE_S
        while not any(attempt and count for attempt, count in tries(house)):
            assert time.monotonic() < give_up_at
            await asyncio.sleep(0)
        if how == "cancel":
            shown = await on_store(
                house, "cancelVectorStoreFileBatch", store_id, batch_id=batch["id"]
            )
            assert (shown["status"], shown["file_counts"]) == ("cancelled", counts(cancelled=1))
            expected: dict[str, int] | None = counts(cancelled=1)
        elif how == "remove":
            await on_store(house, "deleteVectorStoreFile", store_id, file_id=file)
            expected = counts()
        elif how == "delete the file":
            await house.answer("deleteFile", None, {}, {"file_id": file})
            expected = counts()
        else:
            await on_store(house, "deleteVectorStore", store_id)
            expected = None
        if expected is not None:
            assert (await store_now(house, store_id))["file_counts"] == expected
            assert await found(house, store_id) == []
        # The place is free: the next file is indexed while the pipe is still there.
        second = await an_indexed_store(house, other)
        assert await found(house, second) == [f"{LOOM} Yes."]


async def test_attributes_that_change_while_a_file_is_indexed_are_those_that_count(
    house: House,
) -> None:
    store_id, (file,) = await waiting(house, LOOM)
    key = FileKey(P, store_id, file)
    job = await store.job(house.database, key)
    assert job is not None
    await on_store(
        house,
        "updateVectorStoreFileAttributes",
        store_id,
        {"attributes": {"year": 2024}},
        file_id=file,
    )
    await index_file(Indexing(house.database, house.contents), key, job)
    shown = await file_now(house, store_id, file)
    assert (shown["status"], shown["attributes"]) == ("completed", {"year": 2024})
    for year, texts in ((2024, [LOOM]), (2023, [])):
        condition = {"type": "eq", "key": "year", "value": year}
        page = await on_store(
            house, "searchVectorStore", store_id, {"query": "loom", "filters": condition}
        )
        assert [item["content"][0]["text"] for item in page["data"]] == texts


async def test_a_file_that_comes_again_is_indexed_anew_only_with_other_settings(
    house: House,
) -> None:
    file = await put_file(house, LOOM)
    store_id = await an_indexed_store(house, file)
    same = await on_store(house, "createVectorStoreFile", store_id, {"file_id": file})
    assert same["status"] == "completed"
    assert tries(house) == [(1, 0)]
    strategy = {
        "type": "static",
        "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0},
    }
    body = {"file_id": file, "chunking_strategy": strategy}
    other = await on_store(house, "createVectorStoreFile", store_id, body)
    assert (other["status"], other["chunking_strategy"]) == ("in_progress", strategy)
    # Until it is done, what was published before is found; afterwards it is not there twice.
    assert await found(house, store_id) == [LOOM]
    await indexed(house, store_id)
    assert await found(house, store_id) == [LOOM]


async def test_a_file_that_comes_again_keeps_what_is_not_said_of_it(house: House) -> None:
    """In particular when a message brings it: nobody says anything of attributes there."""
    file = await put_file(house, LOOM)
    store_id = await a_store(house)
    body = {"file_id": file, "attributes": {"year": 1804.0}}
    await on_store(house, "createVectorStoreFile", store_id, body)
    await indexed(house, store_id)
    again = await on_store(house, "createVectorStoreFile", store_id, {"file_id": file})
    assert (again["status"], again["attributes"]) == ("completed", {"year": 1804.0})
    attachment = {"file_id": file, "tools": [{"type": "file_search"}]}
    resources = {"file_search": {"vector_store_ids": [store_id]}}
    thread = await house.post("createThread", tool_resources=resources)
    message = {"role": "user", "content": "Read this.", "attachments": [attachment]}
    await house.answer("createMessage", message, {}, {"thread_id": thread["id"]})
    page = await on_store(house, "listVectorStoreFiles", store_id)
    assert [(each["status"], each["attributes"]) for each in page["data"]] == [
        ("completed", {"year": 1804.0})
    ]
    assert tries(house) == [(1, 0)]


async def test_what_is_left_of_stores_is_swept(house: House) -> None:
    files = [await put_file(house, f"{LOOM} {number}", f"{number}.txt") for number in range(3)]
    store_id = await an_indexed_store(house, *files)
    await on_store(house, "createVectorStoreFileBatch", store_id, {"file_ids": files})
    await indexed(house, store_id)
    await on_store(house, "deleteVectorStore", store_id)
    while await sweep_vector_stores(house.database, house.clock.now):
        pass
    while await sweep_chunks(house.database):
        pass
    tables = ("vector_store_file", "file_batch", "file_batch_file", "chunk", "chunk_file")
    assert [house.rows(f"SELECT count(*) FROM {name}") for name in tables] == [[(0,)]] * 5
    await sweep_old(house.database, house.clock.now + TOMBSTONE_S + 1)
    assert house.rows("SELECT count(*) FROM vector_store") == [(0,)]


async def test_an_expired_store_lets_go_of_what_was_indexed(house: House) -> None:
    days = {"anchor": "last_active_at", "days": 1}
    store_id = await an_indexed_store(house, await put_file(house, LOOM), expires_after=days)
    kept = await an_indexed_store(house, await put_file(house, LOOM))
    house.turn_clock(86400)
    await sweep_vector_stores(house.database, house.clock.now)
    while await sweep_chunks(house.database):
        pass
    assert house.rows("SELECT count(*) FROM chunk") == [(1,)]
    assert await found(house, kept) == [LOOM]
    assert (await store_now(house, store_id))["status"] == "expired"

"""Clearing away what is no longer needed, in slices that delay nobody."""

import contextlib

from weft.store import vector_stores
from weft.store.database import Database, Refused, Statement, Write

SLICE = 1000  # rows in one transaction: some milliseconds
TOMBSTONE_S = 24 * 3600  # how long a deleted object's id stays a valid cursor

_UNDER_THREAD = (
    "sweep_messages",
    "sweep_run_events",
    "sweep_run_steps",
    "sweep_run_searches",
    "sweep_runs",
    "sweep_mark_thread",
)
_UNDER_VECTOR_STORE = (
    "sweep_vector_store_files",
    "sweep_file_batch_files",
    "sweep_file_batches",
    "sweep_mark_vector_store",
)
_OLD = (
    "sweep_old_threads",
    "sweep_old_messages",
    "sweep_old_assistants",
    "sweep_old_files",
    "sweep_old_uploads",
    "sweep_old_vector_stores",
    "sweep_old_vector_store_files",
    "sweep_old_keys",
)


async def finish_thread(database: Database, project: str, thread_id: str) -> bool:
    """Clear a deleted thread's messages away.

    Returns: True when nothing of it stands in the way of its id; False when the thread lives.
    """
    while True:
        row = await database.one("thread_place", {"id": thread_id, "project": project})
        if row is None:
            return True
        _, _, deleted_at, is_swept = row
        if deleted_at is None:
            return False
        if is_swept:
            return True
        await _sweep_slice(database, project, thread_id)


async def sweep_threads(database: Database) -> bool:
    """Clear away one slice of one deleted thread; say whether there was anything to do."""
    row = await database.one("sweep_next_thread", {})
    if row is None:
        return False
    thread_id, project = row
    await _sweep_slice(database, project, thread_id)
    return True


async def sweep_vector_stores(database: Database, now: int) -> bool:
    """Clear away one slice of one deleted store, and what expired stores hold.

    Returns: whether there was anything to do. The passages are swept by `chunks.sweep_chunks`.
    """
    for store_id, project in await vector_stores.overdue(database, now, SLICE):
        with contextlib.suppress(Refused):  # it was used or deleted meanwhile
            await database.write(vector_stores.clear(project, store_id, now), is_long=True)
    row = await database.one("sweep_next_vector_store", {})
    if row is None:
        return False
    params = {"id": row[0], "project": row[1], "slice": SLICE}
    write = tuple(Statement(name, params) for name in _UNDER_VECTOR_STORE)
    await database.write(write, is_long=True)
    return True


async def sweep_logs(database: Database, now: int) -> bool:
    """Clear away one slice of one old run's events; say whether there was anything to do."""
    row = await database.one("sweep_next_log", {"before": now - TOMBSTONE_S})
    if row is None:
        return False
    params = {"thread_id": row[0], "project": row[1], "id": row[2], "slice": SLICE}
    await database.write(
        (Statement("sweep_log", params), Statement("sweep_mark_log", params)), is_long=True
    )
    return True


async def sweep_files(database: Database, now: int) -> bool:
    """Delete a slice of the files that have expired; say whether there was any."""
    page = await database.page("file_overdue", {"now": now, "limit": SLICE})
    for project, file_id in page.rows:
        with contextlib.suppress(Refused):  # somebody was faster: next time
            await database.write(
                await vector_stores.delete_file(database, project, file_id, now),
                wakes=(vector_stores.INDEXING,),
            )
    return bool(page.rows)


async def sweep_old(database: Database, now: int) -> bool:
    """Remove one slice each of tombstones and idempotency keys that are older than a day.

    Returns: whether there was anything to remove.
    """
    is_any = False
    for name in _OLD:
        remove = Statement(name, {"before": now - TOMBSTONE_S, "slice": SLICE}, is_guard=True)
        with contextlib.suppress(Refused):
            await database.write((remove,), is_long=True)
            is_any = True
    return is_any


async def _sweep_slice(database: Database, project: str, thread_id: str) -> None:
    with contextlib.suppress(Refused):  # it was restored meanwhile
        await database.write(slice_of(project, thread_id), is_long=True)


def slice_of(project: str, thread_id: str) -> Write:
    """The statements that clear away a slice under a thread. Guard: it is still deleted."""
    params = {"id": thread_id, "project": project, "slice": SLICE}
    fence = Statement("sweep_fence", params, is_guard=True)
    return (fence, *(Statement(name, params) for name in _UNDER_THREAD))

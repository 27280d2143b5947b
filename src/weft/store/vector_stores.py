"""What writing and reading vector stores, the files in them and their batches is made of.

A file in a store is its indexing job too: `in_progress` until a worker ends it. The passages
themselves are in `chunks`; whatever takes a file or a store away tells them in the same write.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from weft.store import chunks, jobs
from weft.store import files as file_store
from weft.store.chunks import FileKey
from weft.store.database import Database, Row, Statement, Write

# What wakes the indexing engine: files were added, cancelled or removed.
INDEXING = "indexing"

# The task of the jobs that index files.
INDEX = "index_file"

Attributes: TypeAlias = dict[str, str | float | bool]


class StoreRow(NamedTuple):
    """A vector store as stored; `wire` is what clients set."""

    id: str
    created_at: int
    usage_bytes: int
    in_progress: int
    completed: int
    failed: int
    cancelled: int
    last_active_at: int
    expires_at: int | None
    wire: str


class FileRow(NamedTuple):
    """A file in a store; `last_error` and `attributes` are JSON objects."""

    file_id: str
    vector_store_id: str
    created_at: int
    status: str
    usage_bytes: int
    max_tokens: int
    overlap_tokens: int
    last_error: str | None
    attributes: str


class NewFile(NamedTuple):
    """A file to put into a store, and how its text is cut.

    `keeps_cut` and `keeps_attributes`: if the store has the file, these of it stay as they are.
    """

    file_id: str
    max_tokens: int
    overlap_tokens: int
    attributes: str
    keeps_cut: bool = False
    keeps_attributes: bool = False


class BatchRow(NamedTuple):
    """A batch and what became of its files."""

    created_at: int
    cancelled_at: int | None
    in_progress: int
    completed: int
    failed: int
    cancelled: int


class Job(NamedTuple):
    """A file that is to be indexed; `tries` were begun and came to no end."""

    attempt: int
    tries: int
    max_tokens: int
    overlap_tokens: int
    attributes: str


def topic(vector_store_id: str) -> str:
    """What a write wakes that ends the indexing of a file."""
    return f"vector store {vector_store_id}"


# --- stores -------------------------------------------------------------------------------------


def insert(project: str, store_id: str, now: int, expires_days: int | None, wire: str) -> Statement:
    """A new store."""
    return Statement(
        "vector_store_insert",
        {
            "id": store_id,
            "project": project,
            "now": now,
            "expires_days": expires_days,
            "wire": wire,
        },
    )


def replace(
    project: str, store_id: str, was: str, wire: str, expires_days: int | None, now: int
) -> Statement:
    """Other settings in the place of `was`. Guard: they are still `was`, and it has not expired."""
    return Statement(
        "vector_store_replace",
        {
            "id": store_id,
            "project": project,
            "was": was,
            "wire": wire,
            "expires_days": expires_days,
            "now": now,
        },
        is_guard=True,
    )


def alive(project: str, store_id: str) -> Statement:
    """Guard: there is such a store."""
    return Statement("vector_store_alive", {"id": store_id, "project": project}, is_guard=True)


def touch(project: str, store_id: str, now: int) -> Statement:
    """Its time begins anew. Guard: there is such a store, and it has not expired."""
    return Statement(
        "vector_store_touch", {"id": store_id, "project": project, "now": now}, is_guard=True
    )


def delete(project: str, store_id: str, now: int) -> Write:
    """Hide a store; nothing in it is found any more. Guard: it is there."""
    params = {"id": store_id, "project": project, "now": now}
    return (
        Statement("vector_store_delete", params, is_guard=True),
        *chunks.remove_store(project, store_id),
    )


async def get(database: Database, project: str, store_id: str) -> StoreRow | None:
    """Return a store, or None."""
    row = await database.one("vector_store_get", {"id": store_id, "project": project})
    return StoreRow(*row) if row else None


# --- files in stores ----------------------------------------------------------------------------


def add(project: str, store_id: str, files: Iterable[NewFile], now: int) -> Write:
    """Put files into a store and use it. Guard: it is there and has not expired.

    A file that is there is left as it is, unless it failed, was cancelled, or its settings are
    others: then it is indexed anew. The files must exist: that is for another guard.
    """
    return (touch(project, store_id, now), *fill(project, store_id, files, now))


def fill(project: str, store_id: str, files: Iterable[NewFile], now: int) -> Write:
    """Put files into a store that the same write makes; each has a job then."""
    params = {"vector_store_id": store_id, "project": project, "files": _listed(files)}
    return (
        Statement("vector_store_file_add", {**params, "now": now}),
        Statement("vector_store_file_enqueue", {**params, "task": INDEX}),
    )


def _listed(files: Iterable[NewFile]) -> str:
    return json.dumps([file._asdict() for file in files])


def set_attributes(key: FileKey, attributes: str) -> Write:
    """Other attributes of a file. Guard: it is in the store."""
    return (
        Statement(
            "vector_store_file_set_attributes",
            {**key.params, "attributes": attributes},
            is_guard=True,
        ),
        chunks.set_attributes(key, json.loads(attributes)),
    )


def remove(key: FileKey, now: int) -> Write:
    """Take a file out of a store; its place stays a cursor for a day. Guard: it is there."""
    return (
        Statement("vector_store_file_delete", {**key.params, "now": now}, is_guard=True),
        *chunks.remove_file(key),
    )


async def delete_file(database: Database, project: str, file_id: str, now: int) -> Write:
    """Return the statements that delete a file and take it out of every store.

    Guards: it is there (`file_delete`); no store has got it since (`vector_store_file_still_in`):
    ask for them again then.
    """
    params = {"project": project, "file_id": file_id}
    page = await database.page("vector_store_file_stores", params)
    stores = [store_id for (store_id,) in page.rows]
    removed = (
        statement
        for store_id in stores
        for statement in chunks.remove_file(FileKey(project, store_id, file_id))
    )
    return (
        *file_store.delete(project, file_id, now),
        Statement(
            "vector_store_file_still_in", {**params, "stores": json.dumps(stores)}, is_guard=True
        ),
        Statement("vector_store_file_forget", {**params, "now": now}),
        *removed,
    )


async def file(database: Database, key: FileKey) -> FileRow | None:
    """Return a file in a store, or None."""
    row = await database.one("vector_store_file_get", key.params)
    return FileRow(*row) if row else None


# --- the job ------------------------------------------------------------------------------------


async def queue(database: Database, limit: int) -> list[tuple[FileKey, int]]:
    """Return files that are to be indexed with the number of their last attempt, oldest first."""
    page = await database.page("vector_store_file_queue", {"limit": limit})
    return [(FileKey(*row[:3]), row[3]) for row in page.rows]


async def job(database: Database, key: FileKey) -> Job | None:
    """Return what there is to do for a file, None when it is not to be indexed."""
    row = await database.one("vector_store_file_job", key.params)
    return Job(*row) if row else None


def enqueue(key: FileKey, attempt: int) -> Statement:
    """A job for a file whose last attempt was this one."""
    return jobs.enqueue(
        INDEX,
        project=key.project,
        vector_store_id=key.vector_store_id,
        id=key.file_id,
        attempt=attempt,
    )


async def unattended(database: Database, limit: int) -> list[tuple[FileKey, int]]:
    """Return files that are to be indexed and have no job, and the number of the last attempt."""
    params = {"task": INDEX, "limit": limit}
    page = await database.page("vector_store_file_unattended", params, is_long=True)
    return [(FileKey(*row[:3]), row[3]) for row in page.rows]


def claim(key: FileKey, was: Job) -> Statement:
    """Take a file up as the attempt after `was`. Guard: nobody else did, and it is wanted."""
    return Statement(
        "vector_store_file_claim", {**key.params, "attempt": was.attempt}, is_guard=True
    )


def fence(key: FileKey, attempt: int) -> Statement:
    """Guard of a worker's writes: the file is wanted, and still this attempt's."""
    return Statement("vector_store_file_fence", {**key.params, "attempt": attempt}, is_guard=True)


def release(key: FileKey, attempt: int) -> Statement:
    """Put an attempt back that ends through nobody's fault."""
    return Statement("vector_store_file_release", {**key.params, "attempt": attempt})


def finish(
    key: FileKey,
    attempt: int,
    *,
    status: str,
    usage_bytes: int,
    last_error: str | None,
    attributes: str,
) -> Statement:
    """The end of an attempt. Guard: it is wanted, not another's, its attributes are still these."""
    return Statement(
        "vector_store_file_finish",
        {
            **key.params,
            "attempt": attempt,
            "status": status,
            "usage_bytes": usage_bytes,
            "last_error": last_error,
            "attributes": attributes,
        },
        is_guard=True,
    )


# --- batches ------------------------------------------------------------------------------------


def insert_batch(
    project: str, store_id: str, batch_id: str, files: Iterable[NewFile], now: int
) -> Write:
    """A new batch whose files are put into the store. Guard: it is there and has not expired."""
    files = list(files)
    params = {"vector_store_id": store_id, "project": project, "id": batch_id, "now": now}
    return (
        *add(project, store_id, files, now),
        Statement("file_batch_insert", params),
        Statement("file_batch_add", {**params, "files": _listed(files)}),
    )


def cancel_batch(project: str, store_id: str, batch_id: str, now: int) -> Write:
    """End the indexing of a batch. Guard: something of it is being indexed."""
    params = {"vector_store_id": store_id, "project": project, "id": batch_id, "now": now}
    return (
        Statement("file_batch_cancel", params, is_guard=True),
        Statement("file_batch_discard_chunks", params),
        Statement("file_batch_remove_chunks", params),
        Statement("file_batch_mark_cancelled", params),
    )


async def batch(database: Database, project: str, store_id: str, batch_id: str) -> BatchRow | None:
    """Return a batch as it stands, or None."""
    params = {"vector_store_id": store_id, "project": project, "id": batch_id}
    row = await database.one("file_batch_get", params)
    return BatchRow(*row) if row else None


# --- chores -------------------------------------------------------------------------------------


async def overdue(database: Database, now: int, limit: int) -> list[Row]:
    """Return (id, project) of stores that have expired and can still be searched."""
    page = await database.page("vector_store_overdue", {"now": now, "limit": limit})
    return page.rows


def clear(project: str, store_id: str, now: int) -> Write:
    """Let nothing of an expired store be found any more. Guard: it has expired, just now."""
    params: dict[str, Any] = {"id": store_id, "project": project, "now": now}
    return (
        Statement("vector_store_clear", params, is_guard=True),
        Statement("vector_store_stop", params),
        *chunks.remove_store(project, store_id),
    )

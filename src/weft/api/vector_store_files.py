"""The files in vector stores, and batches of them."""

import asyncio
from collections.abc import Sequence

from weft.api.call import Answer, Call
from weft.api.filling import new_files, refused_store
from weft.api.paging import PAGE_BYTES, Listing, answer_page
from weft.domain.errors import NotFound, shown
from weft.store import chunks
from weft.store import vector_stores as store
from weft.store.chunks import FileKey
from weft.store.database import Page, Refused
from weft.store.places import Bounds
from weft.store.vector_stores import INDEXING, BatchRow, FileRow
from weft.wire.shapes import encode
from weft.wire.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreFileRequest,
    DeleteVectorStoreFileResponse,
    FileText,
    ListVectorStoreFilesQuery,
    UpdateVectorStoreFileAttributesRequest,
    VectorStoreFileContentResponse,
    batch_wire,
    counted,
    file_wire,
    stored_attributes,
)

_POLL = ((b"openai-poll-after-ms", b"250"),)


async def create_vector_store_file(call: Call[CreateVectorStoreFileRequest]) -> Answer:
    """Begin to index a file. One that is there stays as it is, unless it comes with other settings.

    Raises: NotFound for the store; BadRequest when it has expired, or for the file.
    Wire: POST /vector_stores/{vector_store_id}/files
    """
    key = FileKey(call.project, call.path["vector_store_id"], call.body.file_id)
    await _require_store(call)
    (file,) = await new_files(call, [call.body])
    now = call.rooms.now()
    row = FileRow(
        key.file_id,
        key.vector_store_id,
        now,
        "in_progress",
        usage_bytes=0,
        max_tokens=file.max_tokens,
        overlap_tokens=file.overlap_tokens,
        last_error=None,
        attributes=file.attributes,
    )
    was = await store.file(call.rooms.database, key)
    if was is not None:
        row = row._replace(created_at=was.created_at)
        if file.keeps_cut:
            row = row._replace(max_tokens=was.max_tokens, overlap_tokens=was.overlap_tokens)
        if file.keeps_attributes:
            row = row._replace(attributes=was.attributes)
        is_same = row == was._replace(status="in_progress", usage_bytes=0)
        if is_same and was.status in ("in_progress", "completed"):
            row = was
    add = store.add(call.project, key.vector_store_id, [file], now)
    try:
        return await call.commit(_answer(row), *add, wakes=(INDEXING,))
    except Refused as refused:
        if refused.guard != "vector_store_touch":
            raise
        raise await refused_store(call, key.vector_store_id) from None


async def list_vector_store_files(call: Call[None]) -> Answer:
    """Wire: GET /vector_stores/{vector_store_id}/files"""
    query: ListVectorStoreFilesQuery = call.query
    await _require_store(call)
    of_status = "" if query.filter is None else "_of_status"
    params = {"vector_store_id": call.path["vector_store_id"]}

    async def fetch(bounds: Bounds, limit: int) -> Page:
        page = await call.rooms.database.page(
            f"vector_store_file_list{of_status}_{'desc' if bounds.is_descending else 'asc'}",
            {
                **params,
                "project": call.project,
                "status": query.filter,
                "limit": limit,
                **bounds.params,
            },
            limit_bytes=PAGE_BYTES,
        )
        return _rendered(page)

    listing = Listing("file", "vector_store_file_place", params, int, fetch)
    return await answer_page(call, query, listing)


async def get_vector_store_file(call: Call[None]) -> Answer:
    """Wire: GET /vector_stores/{vector_store_id}/files/{file_id}"""
    return _answer(await _file(call))


async def update_vector_store_file_attributes(
    call: Call[UpdateVectorStoreFileAttributesRequest],
) -> Answer:
    """Replace the attributes of a file; searches know them at once.

    Wire: POST /vector_stores/{vector_store_id}/files/{file_id}
    """
    row = (await _file(call))._replace(attributes=stored_attributes(call.body.attributes))
    try:
        return await call.commit(_answer(row), *store.set_attributes(_key(call), row.attributes))
    except Refused as refused:
        if refused.guard != "vector_store_file_set_attributes":
            raise
        raise await _missing(call) from None


async def delete_vector_store_file(call: Call[None]) -> Answer:
    """Take a file out of a store: nothing of it is found any more.

    Wire: DELETE /vector_stores/{vector_store_id}/files/{file_id}
    """
    key = _key(call)
    answer = Answer(encode(DeleteVectorStoreFileResponse(id=key.file_id)))
    remove = store.remove(key, call.rooms.now())
    try:
        return await call.commit(
            answer, *remove, wakes=(INDEXING, store.topic(key.vector_store_id))
        )
    except Refused:
        raise await _missing(call) from None


async def retrieve_vector_store_file_content(call: Call[None]) -> Answer:
    """Read the text of a file as it was indexed; there is none before.

    Wire: GET /vector_stores/{vector_store_id}/files/{file_id}/content
    """
    await _file(call)
    passages = await chunks.texts_of(call.rooms.database, _key(call))
    # It may be 20 million characters: not on the loop.
    return Answer(await asyncio.to_thread(_content, passages))


def _content(passages: Sequence[tuple[int, int, str]]) -> str:
    """Return the wire form of a text that was cut into passages, (start, end, text)."""
    text, at = "", 0
    for start, end, piece in passages:
        # What a passage shares with the one before it stands there once; between them is a blank.
        text += piece[at - start :] if start < at else f"{' ' * bool(text)}{piece}"
        at = max(at, end)
    data = [FileText(text)] if text else []
    return encode(VectorStoreFileContentResponse(data=data))


# --- batches ------------------------------------------------------------------------------------


async def create_vector_store_file_batch(call: Call[CreateVectorStoreFileBatchRequest]) -> Answer:
    """Begin to index several files: all are taken, or none.

    Raises: NotFound for the store; BadRequest when it has expired, or for the files.
    Wire: POST /vector_stores/{vector_store_id}/file_batches
    """
    store_id, now = call.path["vector_store_id"], call.rooms.now()
    await _require_store(call)
    files = await new_files(call, call.body.entries)
    batch_id = call.rooms.ids.new("vsfb_")
    counts = counted(len(files), 0, 0, 0)
    answer = Answer(batch_wire(batch_id, store_id, now, counts, is_cancelled=False), headers=_POLL)
    insert = store.insert_batch(call.project, store_id, batch_id, files, now)
    try:
        return await call.commit(answer, *insert, wakes=(INDEXING,))
    except Refused as refused:
        if refused.guard != "vector_store_touch":
            raise
        raise await refused_store(call, store_id) from None


async def get_vector_store_file_batch(call: Call[None]) -> Answer:
    """Wire: GET /vector_stores/{vector_store_id}/file_batches/{batch_id}"""
    return _batch_answer(call, await _batch(call))


async def cancel_vector_store_file_batch(call: Call[None]) -> Answer:
    """End the indexing of what is left of a batch; one that has come to its end stays as it is.

    Wire: POST /vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel
    """
    store_id, now = call.path["vector_store_id"], call.rooms.now()
    batch = await _batch(call)
    if not batch.in_progress:
        return await call.commit(_batch_answer(call, batch))
    ended = batch._replace(
        cancelled_at=now, in_progress=0, cancelled=batch.cancelled + batch.in_progress
    )
    cancel = store.cancel_batch(call.project, store_id, call.path["batch_id"], now)
    try:
        return await call.commit(
            _batch_answer(call, ended), *cancel, wakes=(INDEXING, store.topic(store_id))
        )
    except Refused as refused:
        if refused.guard != "file_batch_cancel":
            raise
        return _batch_answer(call, await _batch(call))  # it came to its end meanwhile


async def list_files_in_vector_store_batch(call: Call[None]) -> Answer:
    """Wire: GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files"""
    query: ListVectorStoreFilesQuery = call.query
    await _batch(call)
    params = {"vector_store_id": call.path["vector_store_id"], "batch_id": call.path["batch_id"]}

    async def fetch(bounds: Bounds, limit: int) -> Page:
        page = await call.rooms.database.page(
            "file_batch_file_list_desc" if bounds.is_descending else "file_batch_file_list_asc",
            {
                **params,
                "project": call.project,
                "status": query.filter,
                "limit": limit,
                **bounds.params,
            },
            limit_bytes=PAGE_BYTES,
        )
        return _rendered(page)

    listing = Listing("file", "file_batch_file_place", params, int, fetch)
    return await answer_page(call, query, listing)


# --- finding and showing ------------------------------------------------------------------------


def _key(call: Call[object]) -> FileKey:
    return FileKey(call.project, call.path["vector_store_id"], call.path["file_id"])


def _answer(row: FileRow) -> Answer:
    headers = _POLL if row.status == "in_progress" else ()
    return Answer(file_wire(**row._asdict()), headers=headers)


def _batch_answer(call: Call[object], batch: BatchRow) -> Answer:
    counts = counted(batch.in_progress, batch.completed, batch.failed, batch.cancelled)
    wire = batch_wire(
        call.path["batch_id"],
        call.path["vector_store_id"],
        batch.created_at,
        counts,
        is_cancelled=batch.cancelled_at is not None,
    )
    return Answer(wire, headers=_POLL if batch.in_progress else ())


def _rendered(page: Page) -> Page:
    shown = [(row[0], file_wire(**FileRow(*row)._asdict())) for row in page.rows]
    return Page([*shown], page.is_cut)


async def _file(call: Call[object]) -> FileRow:
    found = await store.file(call.rooms.database, _key(call))
    if found is None:
        raise await _missing(call)
    return found


async def _batch(call: Call[object]) -> BatchRow:
    store_id, batch_id = call.path["vector_store_id"], call.path["batch_id"]
    found = await store.batch(call.rooms.database, call.project, store_id, batch_id)
    if found is None:
        await _require_store(call)
        raise NotFound.object("file batch", batch_id)
    return found


async def _require_store(call: Call[object]) -> None:
    store_id = call.path["vector_store_id"]
    if await store.get(call.rooms.database, call.project, store_id) is None:
        raise NotFound.object("vector store", store_id)


async def _missing(call: Call[object]) -> NotFound:
    await _require_store(call)
    key = _key(call)
    return NotFound(
        f"No file found with id '{shown(key.file_id)}' in vector store "
        f"'{shown(key.vector_store_id)}'."
    )

"""Files."""

import re
from typing import NamedTuple
from urllib.parse import quote

from weft.api.call import Answer, Call, Download
from weft.api.paging import PAGE_BYTES, Listing, answer_page
from weft.domain.errors import NotFound, RangeNotSatisfiable
from weft.store import files as store
from weft.store import vector_stores
from weft.store.contents import keep
from weft.store.database import Page, Refused
from weft.store.files import Stored
from weft.store.places import Bounds
from weft.store.vector_stores import INDEXING
from weft.wire.files import (
    CreateFileRequest,
    DeleteFileResponse,
    ListFilesQuery,
    new_file,
)
from weft.wire.shapes import encode

LONG_PAGE = 200  # more are read beside the loop
NOT_MODIFIED = 304
_ETAG = re.compile(rb'"[^"]*"')
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Range(NamedTuple):
    """Bytes from `start` to `stop`, exclusive."""

    start: int
    stop: int


async def create_file(call: Call[CreateFileRequest]) -> Answer:
    """Store a file that came with the form.

    Wire: POST /files
    """
    request, now = call.body, call.rooms.now()
    file = new_file(
        file_id=call.rooms.ids.new("file-"),
        purpose=request.purpose,
        filename=request.filename or request.file,
        size_bytes=call.arrived.bytes,
        created_at=now,
        expires_after_s=request.expires_after.seconds if request.expires_after else None,
    )
    wire = encode(file)
    insert = store.insert(
        call.project,
        file.id,
        call.arrived,
        purpose=file.purpose,
        filename=file.filename,
        created_at=now,
        expires_at=file.expires_at,
        now=now,
        wire=wire,
    )
    return await call.commit(Answer(wire), *keep(call.arrived), insert)


async def list_files(call: Call[None]) -> Answer:
    """Wire: GET /files"""
    query: ListFilesQuery = call.query
    of_purpose = "" if query.purpose is None else "_of_purpose"

    async def fetch(bounds: Bounds, limit: int) -> Page:
        return await call.rooms.database.page(
            f"file_list{of_purpose}_{'desc' if bounds.is_descending else 'asc'}",
            {
                "project": call.project,
                "purpose": query.purpose,
                "limit": limit,
                **bounds.params,
            },
            limit_bytes=PAGE_BYTES,
            is_long=limit > LONG_PAGE,
        )

    listing = Listing("file", "file_place", {}, str, fetch, is_of_files=True)
    return await answer_page(call, query, listing)


async def retrieve_file(call: Call[None]) -> Answer:
    """Wire: GET /files/{file_id}"""
    file_id = call.path["file_id"]
    wire = await store.get(call.rooms.database, call.project, file_id)
    if wire is None:
        raise NotFound.file(file_id)
    return Answer(wire)


async def delete_file(call: Call[None]) -> Answer:
    """Erase a file, also from vector stores; its bytes go when no other file has the same.

    Wire: DELETE /files/{file_id}
    """
    file_id = call.path["file_id"]
    now = call.rooms.now()
    answer = Answer(encode(DeleteFileResponse(id=file_id)))
    while True:
        delete = await vector_stores.delete_file(call.rooms.database, call.project, file_id, now)
        try:
            return await call.commit(answer, *delete, wakes=(INDEXING,))
        except Refused as refused:
            if refused.guard == "file_delete":
                raise NotFound.file(file_id) from None
            if refused.guard != "vector_store_file_still_in":
                raise
            # A store has got it meanwhile: it goes from there too.


async def download_file(call: Call[None]) -> Answer:
    """Give the bytes of a file, or one range of them, unless the client has them already.

    Raises: NotFound; RangeNotSatisfiable.
    Wire: GET /files/{file_id}/content
    """
    file_id = call.path["file_id"]
    file = await store.stored(call.rooms.database, call.project, file_id)
    if file is None:
        raise NotFound.file(file_id)
    if is_known(call, file):
        return Answer("", NOT_MODIFIED, headers=((b"etag", _etag(file)),))
    wanted = range_of(call, file)
    start, stop = wanted or (0, file.bytes)
    try:
        reading = await call.rooms.contents.open(file.location)
    except FileNotFoundError:
        raise NotFound.file(file_id) from None  # it was deleted between the two
    headers = [
        (b"accept-ranges", b"bytes"),
        (b"content-disposition", disposition(file.filename)),
        (b"etag", _etag(file)),
        (b"x-content-type-options", b"nosniff"),
    ]
    if wanted is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, file.bytes)))
    return Answer(
        "",
        200 if wanted is None else 206,
        headers=tuple(headers),
        download=Download(reading, start, stop),
        content_type=b"application/octet-stream",
    )


def is_known(call: Call[None], file: Stored) -> bool:
    """Say whether the client has this content: whether `If-None-Match` names it."""
    known = call.headers.get(b"if-none-match", b"")
    return known.strip() == b"*" or _etag(file) in _ETAG.findall(known)


def range_of(call: Call[None], file: Stored) -> Range | None:
    """Return the one range that is asked for; None for the whole file.

    A header that is not lawful, names several ranges, or is for another content is ignored.
    Raises: RangeNotSatisfiable.
    """
    found = _RANGE.fullmatch(call.headers.get(b"range", b"").decode("latin-1").strip())
    if found is None or found[1] == found[2] == "":
        return None
    if call.headers.get(b"if-range", _etag(file)) != _etag(file):
        return None
    if found[1] == "":
        start, stop = max(0, file.bytes - int(found[2])), file.bytes
    else:
        start = int(found[1])
        stop = min(int(found[2]) + 1, file.bytes) if found[2] else file.bytes
        if found[2] and int(found[2]) < start:
            return None
    if start >= stop:
        raise RangeNotSatisfiable(file.bytes)
    return Range(start, stop)


def disposition(filename: str) -> bytes:
    """Return the header that names a download (RFC 6266): in ASCII for all, and then in full."""
    plain = re.sub(r"[^ !#-\[\]-~]", "_", filename)
    encoded = quote(filename, safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}".encode("ascii")


def _etag(file: Stored) -> bytes:
    return f'"{file.sha256}"'.encode("ascii")

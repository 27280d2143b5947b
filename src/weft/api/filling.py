"""Filling vector stores: which files may go in, and what making a store is made of."""

from collections.abc import Iterable
from pathlib import PurePath

import msgspec

from weft.api.call import Call
from weft.domain.errors import BadRequest, NotFound, shown
from weft.retrieval.extract import is_supported
from weft.store import files as file_store
from weft.store import vector_stores as store
from weft.store.database import Write
from weft.store.vector_stores import NewFile
from weft.wire.shapes import encode
from weft.wire.vector_stores import (
    CreateVectorStoreFileRequest,
    Settings,
    cut,
    stored_attributes,
)


def new_file(request: CreateVectorStoreFileRequest) -> NewFile:
    """Return a file as it goes into a store; what is not said stays, if the file is there."""
    return NewFile(
        request.file_id,
        *cut(request.chunking_strategy),
        stored_attributes(request.attributes),
        keeps_cut=request.chunking_strategy is None,
        keeps_attributes=request.attributes is None,
    )


async def new_files(
    call: Call[object], requests: Iterable[CreateVectorStoreFileRequest]
) -> list[NewFile]:
    """Return files as they go into a store, each once; `commit` sees to it that they are there.

    Raises: BadRequest for files that are not there, or that hold nothing to search.
    """
    found = {request.file_id: new_file(request) for request in requests}
    names = await file_store.names(call.rooms.database, call.project, found) if found else {}
    missing = [file_id for file_id in found if file_id not in names]
    if missing:
        raise BadRequest.files_missing(missing)
    endings = sorted({PurePath(n).suffix.lower() for n in names.values() if not is_supported(n)})
    if endings:
        raise BadRequest(
            f"Files with extensions [{shown(', '.join(endings))}] are not supported for "
            "retrieval. See https://platform.openai.com/docs/assistants/tools/file-search/"
            "supported-files",
            param="file_ids",
            code="unsupported_file",
        )
    call.file_ids += found
    return list(found.values())


def new_store(
    call: Call[object], settings: Settings, files: list[NewFile], now: int
) -> tuple[str, Write]:
    """Return the id of a new store, and the statements that make it with its files."""
    store_id = call.rooms.ids.new("vs_")
    made = store.insert(call.project, store_id, now, settings.expires_days, encode(settings))
    if not files:
        return store_id, (made,)
    return store_id, (made, *store.fill(call.project, store_id, files, now))


async def refused_store(call: Call[object], *store_ids: str) -> BadRequest | NotFound:
    """Return why one of some stores was refused that something was to be done with."""
    for store_id in store_ids:
        if await store.get(call.rooms.database, call.project, store_id) is None:
            return NotFound.object("vector store", store_id)
    return BadRequest(f"Vector store '{shown(', '.join(store_ids))}' has expired.")


def settings_of(request: msgspec.Struct) -> Settings:
    """Return what a request for a new store sets."""
    return msgspec.convert(
        {
            name: value
            for name in Settings.__struct_fields__
            if (value := getattr(request, name, None)) is not None
        },
        Settings,
        from_attributes=True,
    )

"""Vector stores, and searching them. The files in them: `vector_store_files`."""

import contextlib

from weft.api.call import Answer, Call
from weft.api.filling import new_files, new_store, refused_store, settings_of
from weft.api.paging import PAGE_BYTES, Listing, answer_page
from weft.domain.errors import NotFound
from weft.retrieval.search import Found, Ranking, search
from weft.store import vector_stores as store
from weft.store.database import Page, Refused
from weft.store.places import Bounds
from weft.store.vector_stores import INDEXING, StoreRow
from weft.wire.shapes import ListQuery, encode
from weft.wire.vector_search import (
    SearchRankingOptions,
    VectorStoreSearchRequest,
    VectorStoreSearchResultContentObject,
    VectorStoreSearchResultItem,
    VectorStoreSearchResultsPage,
)
from weft.wire.vector_stores import (
    CreateVectorStoreFileRequest,
    CreateVectorStoreRequest,
    DeleteVectorStoreResponse,
    UpdateVectorStoreRequest,
    modified,
    store_wire,
    stored_settings,
)

RESULTS = 10  # of a search that sets no limit
TOUCH_EVERY_S = 60  # a search is a write only when the last use was longer ago


async def create_vector_store(call: Call[CreateVectorStoreRequest]) -> Answer:
    """Make a store and begin to index its files: all is stored, or nothing.

    Raises: BadRequest for files that are not there or cannot be searched.
    Wire: POST /vector_stores
    """
    request, now = call.body, call.rooms.now()
    entries = (
        CreateVectorStoreFileRequest(file_id, request.chunking_strategy)
        for file_id in request.file_ids or ()
    )
    files = await new_files(call, entries)
    settings = settings_of(request)
    store_id, statements = new_store(call, settings, files, now)
    days = settings.expires_days
    made = StoreRow(
        id=store_id,
        created_at=now,
        usage_bytes=0,
        in_progress=len(files),
        completed=0,
        failed=0,
        cancelled=0,
        last_active_at=now,
        expires_at=None if days is None else now + days * 86400,
        wire=encode(settings),
    )
    answer = Answer(store_wire(now, **made._asdict()))
    return await call.commit(answer, *statements, wakes=(INDEXING,))


async def list_vector_stores(call: Call[None]) -> Answer:
    """Wire: GET /vector_stores"""
    query: ListQuery = call.query
    now = call.rooms.now()

    async def fetch(bounds: Bounds, limit: int) -> Page:
        page = await call.rooms.database.page(
            "vector_store_list_desc" if bounds.is_descending else "vector_store_list_asc",
            {"project": call.project, "limit": limit, **bounds.params},
            limit_bytes=PAGE_BYTES,
        )
        shown = [(row[0], store_wire(now, **StoreRow(*row)._asdict())) for row in page.rows]
        return Page([*shown], page.is_cut)

    listing = Listing("vector store", "vector_store_place", {}, str, fetch)
    return await answer_page(call, query, listing)


async def get_vector_store(call: Call[None]) -> Answer:
    """Wire: GET /vector_stores/{vector_store_id}"""
    return Answer(store_wire(call.rooms.now(), **(await _store(call))._asdict()))


async def modify_vector_store(call: Call[UpdateVectorStoreRequest]) -> Answer:
    """Change what is sent; another time of expiry counts from the last use.

    Raises: NotFound; BadRequest when it has expired, or has too many pairs of metadata.
    Wire: POST /vector_stores/{vector_store_id}
    """
    store_id = call.path["vector_store_id"]
    while True:
        now, was = call.rooms.now(), await _store(call)
        settings = modified(stored_settings.decode(was.wire), call.body)
        days = settings.expires_days
        changed = was._replace(
            wire=encode(settings),
            expires_at=None if days is None else was.last_active_at + days * 86400,
        )
        if was.expires_at is not None and was.expires_at <= now:
            raise await refused_store(call, store_id)
        replace = store.replace(call.project, store_id, was.wire, changed.wire, days, now)
        try:
            return await call.commit(Answer(store_wire(now, **changed._asdict())), replace)
        except Refused as refused:
            if refused.guard != "vector_store_replace":
                raise
            # Somebody else changed it meanwhile: take what they wrote as the start.


async def delete_vector_store(call: Call[None]) -> Answer:
    """Hide a store at once; what was indexed is swept later, its files remain.

    Wire: DELETE /vector_stores/{vector_store_id}
    """
    store_id = call.path["vector_store_id"]
    delete = store.delete(call.project, store_id, call.rooms.now())
    answer = Answer(encode(DeleteVectorStoreResponse(id=store_id)))
    try:
        return await call.commit(answer, *delete, wakes=(INDEXING, store.topic(store_id)))
    except Refused:
        raise NotFound.object("vector store", store_id) from None


async def search_vector_store(call: Call[VectorStoreSearchRequest]) -> Answer:
    """Find the passages that answer a question, best first.

    Raises: NotFound; BadRequest when the store has expired.
    Wire: POST /vector_stores/{vector_store_id}/search
    """
    request, now = call.body, call.rooms.now()
    found_in = await _store(call)
    if found_in.expires_at is not None and found_in.expires_at <= now:
        raise await refused_store(call, found_in.id)
    options = request.ranking_options or SearchRankingOptions()
    found = await search(
        call.rooms.database,
        call.rooms.embedder,
        call.project,
        [found_in.id],
        request.queries,
        limit=request.max_num_results or RESULTS,
        ranking=Ranking(score_threshold=options.score_threshold or 0.0),
        filters=request.filters.plain if request.filters else None,
    )
    page = VectorStoreSearchResultsPage(
        search_query=request.queries, data=[_item(passage) for passage in found]
    )
    if now - found_in.last_active_at >= TOUCH_EVERY_S:
        with contextlib.suppress(Refused):  # it has been deleted since
            await call.rooms.database.write((store.touch(call.project, found_in.id, now),))
    return Answer(encode(page))


def _item(found: Found) -> VectorStoreSearchResultItem:
    return VectorStoreSearchResultItem(
        file_id=found.file_id,
        filename=found.filename,
        score=found.score,
        attributes=found.attributes,
        content=[VectorStoreSearchResultContentObject(found.text)],
    )


async def _store(call: Call[object]) -> StoreRow:
    store_id = call.path["vector_store_id"]
    found = await store.get(call.rooms.database, call.project, store_id)
    if found is None:
        raise NotFound.object("vector store", store_id)
    return found

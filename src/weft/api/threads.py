"""Threads."""

from weft.api.attaching import name_stores, stores_of, thread_resources, wakes
from weft.api.call import Answer, Call
from weft.api.filling import refused_store
from weft.api.messages import initial_messages, refuse_future
from weft.api.paging import PAGE_BYTES, Listing, answer_page
from weft.api.references import refer_in_resources
from weft.domain.errors import AlreadyExists, NotFound
from weft.store import runs as run_store
from weft.store import sweep
from weft.store import threads as store
from weft.store.database import Page, Refused
from weft.store.places import Bounds
from weft.store.runs import RunKey
from weft.wire.shapes import encode, merge_metadata
from weft.wire.threads import (
    CreateThreadRequest,
    DeleteThreadResponse,
    ListThreadsQuery,
    ModifyThreadRequest,
    RestoreThreadRequest,
    ThreadObject,
    as_read,
    stored,
)
from weft.wire.tools import replace_resources


async def create_thread(call: Call[CreateThreadRequest | RestoreThreadRequest]) -> Answer:
    """Store a thread and all its messages, or nothing.

    Raises: BadRequest; AlreadyExists for a restored id that is taken.
    Wire: POST /threads
    """
    request = call.body
    now = call.rooms.now()
    is_restored = isinstance(request, RestoreThreadRequest)
    if isinstance(request, RestoreThreadRequest):
        thread_id = request.id
        created_at = now if request.created_at is None else request.created_at
        refuse_future(created_at, now, "created_at")
    else:
        thread_id, created_at = call.rooms.ids.new("thread_"), now
    if not is_restored:
        refer_in_resources(call, request.tool_resources)
    metadata = request.metadata or {}
    found, stores = await thread_resources(
        call,
        request.tool_resources,
        () if is_restored else request.messages or (),
        now,
        is_restored=is_restored,
    )
    wire = encode(
        ThreadObject(id=thread_id, created_at=created_at, metadata=metadata, tool_resources=found)
    )
    make = store.restore if is_restored else store.insert
    statements = (
        *stores,
        make(call.project, thread_id, created_at, now, wire),
        *store.index_metadata(call.project, thread_id, created_at, old={}, new=metadata),
        *initial_messages(call, thread_id, request.messages or (), now),
    )
    while True:
        try:
            return await call.commit(Answer(wire), *statements, wakes=wakes(stores))
        except Refused as refused:
            if refused.guard == "vector_store_touch":
                raise await refused_store(call, *stores_of(found)) from None
            if refused.guard != "thread_restore":
                raise
        # The id is taken; if only by what is left of a deleted thread, clear that away.
        if not await sweep.finish_thread(call.rooms.database, call.project, thread_id):
            raise AlreadyExists.object("thread", thread_id, "id")


async def get_thread(call: Call[None]) -> Answer:
    """Wire: GET /threads/{thread_id}"""
    return Answer(as_read(await _wire_of(call, call.path["thread_id"])))


async def list_threads(call: Call[None]) -> Answer:
    """Page through threads, or through those with certain metadata.

    Wire: GET /threads (an extension)
    """
    query: ListThreadsQuery = call.query

    async def fetch(bounds: Bounds, limit: int) -> Page:
        if query.metadata:
            return await store.search(
                call.rooms.database,
                call.project,
                query.metadata,
                bounds,
                limit=limit,
                limit_bytes=PAGE_BYTES,
            )
        return await call.rooms.database.page(
            "thread_list_desc" if bounds.is_descending else "thread_list_asc",
            {"project": call.project, "limit": limit, **bounds.params},
            limit_bytes=PAGE_BYTES,
        )

    listing = Listing("thread", "thread_place", {}, str, fetch, as_read)
    return await answer_page(call, query, listing)


async def modify_thread(call: Call[ModifyThreadRequest]) -> Answer:
    """Merge metadata and replace tool resources.

    Raises: NotFound; BadRequest when the merged metadata has too many pairs.
    Wire: POST /threads/{thread_id}
    """
    request, thread_id = call.body, call.path["thread_id"]
    refer_in_resources(call, request.tool_resources or None)
    name_stores(call, request.tool_resources or None)
    while True:
        was = await _wire_of(call, thread_id)
        thread = stored.decode(was)
        old = thread.metadata
        thread.metadata = merge_metadata(old, request.metadata)
        thread.tool_resources = replace_resources(thread.tool_resources, request.tool_resources)
        wire = encode(thread)
        statements = (
            store.replace(call.project, thread_id, was, wire),
            *store.index_metadata(
                call.project, thread_id, thread.created_at, old=old, new=thread.metadata
            ),
        )
        try:
            return await call.commit(Answer(wire), *statements)
        except Refused as refused:
            if refused.guard != "thread_replace":
                raise
            # Somebody else changed it meanwhile: take what they wrote as the start.


async def delete_thread(call: Call[None]) -> Answer:
    """Hide a thread and everything under it at once; its messages are swept later.

    Wire: DELETE /threads/{thread_id}
    """
    thread_id = call.path["thread_id"]
    while True:
        was = await _wire_of(call, thread_id)
        thread = stored.decode(was)
        statements = (
            store.delete(call.project, thread_id, was, call.rooms.now()),
            *store.index_metadata(
                call.project, thread_id, thread.created_at, old=thread.metadata, new={}
            ),
        )
        # Who follows its run is told at once that there is nothing more to come.
        active = await run_store.active_of(call.rooms.database, call.project, thread_id)
        topics = (RunKey(thread_id, call.project, active).topic,) if active else ()
        answer = Answer(encode(DeleteThreadResponse(id=thread_id)))
        try:
            return await call.commit(answer, *statements, wakes=topics)
        except Refused:
            continue  # it was changed or deleted meanwhile: look again


async def _wire_of(call: Call[object], thread_id: str) -> str:
    wire = await store.get(call.rooms.database, call.project, thread_id)
    if wire is None:
        raise NotFound.object("thread", thread_id)
    return wire

"""Assistants."""

from weft.api.attaching import made_resources, name_stores, wakes
from weft.api.call import Answer, Call
from weft.api.paging import PAGE_BYTES, Listing, answer_page
from weft.api.references import refer_in_resources
from weft.domain.errors import NotFound
from weft.store import assistants as store
from weft.store.database import Page, Refused
from weft.store.places import Bounds
from weft.wire.assistants import (
    CreateAssistantRequest,
    DeleteAssistantResponse,
    ModifyAssistantRequest,
    modified,
    new_assistant,
    stored,
)
from weft.wire.shapes import ListQuery, encode


async def create_assistant(call: Call[CreateAssistantRequest]) -> Answer:
    """Wire: POST /assistants"""
    assistant_id, now = call.rooms.ids.new("asst_"), call.rooms.now()
    refer_in_resources(call, call.body.tool_resources)
    found, stores = await made_resources(call, call.body.tool_resources, now)
    wire = encode(new_assistant(call.body, found, assistant_id=assistant_id, now=now))
    insert = store.insert(call.project, assistant_id, now, wire)
    return await call.commit(Answer(wire), *stores, insert, wakes=wakes(stores))


async def list_assistants(call: Call[None]) -> Answer:
    """Wire: GET /assistants"""
    query: ListQuery = call.query

    async def fetch(bounds: Bounds, limit: int) -> Page:
        return await call.rooms.database.page(
            "assistant_list_desc" if bounds.is_descending else "assistant_list_asc",
            {"project": call.project, "limit": limit, **bounds.params},
            limit_bytes=PAGE_BYTES,
        )

    return await answer_page(call, query, Listing("assistant", "assistant_place", {}, str, fetch))


async def get_assistant(call: Call[None]) -> Answer:
    """Wire: GET /assistants/{assistant_id}"""
    return Answer(await _wire_of(call))


async def modify_assistant(call: Call[ModifyAssistantRequest]) -> Answer:
    """Change what is sent.

    Wire: POST /assistants/{assistant_id}
    """
    refer_in_resources(call, call.body.tool_resources or None)
    name_stores(call, call.body.tool_resources or None)
    while True:
        was = await _wire_of(call)
        wire = encode(modified(stored.decode(was), call.body))
        replace = store.replace(call.project, call.path["assistant_id"], was, wire)
        try:
            return await call.commit(Answer(wire), replace)
        except Refused as refused:
            if refused.guard != "assistant_replace":
                raise
            # Somebody else changed it meanwhile: take what they wrote as the start.


async def delete_assistant(call: Call[None]) -> Answer:
    """Erase an assistant; its threads remain.

    Wire: DELETE /assistants/{assistant_id}
    """
    assistant_id = call.path["assistant_id"]
    delete = store.delete(call.project, assistant_id, call.rooms.now())
    try:
        return await call.commit(Answer(encode(DeleteAssistantResponse(id=assistant_id))), delete)
    except Refused:
        raise NotFound.object("assistant", assistant_id) from None


async def _wire_of(call: Call[object]) -> str:
    assistant_id = call.path["assistant_id"]
    wire = await store.get(call.rooms.database, call.project, assistant_id)
    if wire is None:
        raise NotFound.object("assistant", assistant_id)
    return wire

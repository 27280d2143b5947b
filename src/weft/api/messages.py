"""Messages."""

from collections.abc import Iterator, Sequence

from weft.api.attaching import ATTACHING, attach_to, wakes
from weft.api.call import Answer, Call
from weft.api.paging import PAGE_BYTES, Listing, answer_page
from weft.api.references import refer_in_messages
from weft.domain.errors import AlreadyExists, BadRequest, NotFound
from weft.store import messages as store
from weft.store import runs as run_store
from weft.store import threads as thread_store
from weft.store.database import Page, Refused, Statement, Write
from weft.store.places import Bounds
from weft.wire.messages import (
    CreateMessageRequest,
    ListMessagesQuery,
    ModifyMessageRequest,
    RestoreMessageRequest,
    new_message,
    stored,
)
from weft.wire.shapes import encode, merge_metadata
from weft.wire.threads import DeleteMessageResponse

AnyMessage = CreateMessageRequest | RestoreMessageRequest


async def create_message(call: Call[AnyMessage]) -> Answer:
    """Append a message to a thread, or restore one at its own date.

    Raises: NotFound for the thread; AlreadyExists for a restored id that is taken.
    Wire: POST /threads/{thread_id}/messages
    """
    if isinstance(call.body, RestoreMessageRequest):
        return await _restore_message(call, call.body)
    thread_id = call.path["thread_id"]
    message_id = call.rooms.ids.new("msg_")
    now = dated = call.rooms.now()
    refer_in_messages(call, (call.body,))
    while True:
        append = append_statements(call, thread_id, call.body, now, dated, message_id)
        attach: list[Statement] = []
        if call.body.attachments:
            attach = await attach_to(call, thread_id, [call.body], now)
        answer = Answer(append[-1].params["wire"])
        try:
            return await call.commit(answer, *attach, *append, wakes=wakes(attach))
        except Refused as refused:
            if refused.guard in ATTACHING:
                continue  # the thread or its store was changed meanwhile: look again
            if refused.guard != "message_may_append":
                raise
        await _require_thread(call, thread_id)
        await _refuse_locked(call, thread_id)
        # A newer message stands there: a clock was set back, or another node's is ahead.
        dated = max(dated, await store.newest_date(call.rooms.database, call.project, thread_id))


def append_statements(
    call: Call[object],
    thread_id: str,
    request: CreateMessageRequest,
    now: int,
    dated: int,
    message_id: str | None = None,
    *,
    is_waiting: bool = False,
) -> Write:
    """Return the statements that append a message dated `dated`, which is `now` or later.

    `is_waiting`: it comes with a run that waits behind the active one.
    """
    message_id = message_id or call.rooms.ids.new("msg_")
    message = new_message(request, message_id=message_id, thread_id=thread_id, now=dated)
    return store.append(
        call.project,
        thread_id,
        message_id,
        created_at=dated,
        run_id=None,
        now=now,
        wire=encode(message),
        is_waiting=is_waiting,
    )


async def _refuse_locked(call: Call[object], thread_id: str) -> None:
    active = await run_store.active_of(call.rooms.database, call.project, thread_id)
    if active is not None:
        raise BadRequest(f"Can't add messages to {thread_id} while a run {active} is active.")


async def _restore_message(call: Call[AnyMessage], request: RestoreMessageRequest) -> Answer:
    thread_id = call.path["thread_id"]
    now = call.rooms.now()
    _check_restored(request, thread_id, now, "")
    message_id = request.id or call.rooms.ids.new("msg_")
    message = new_message(request, message_id=message_id, thread_id=thread_id, now=now)
    wire = encode(message)
    restore = store.restore(
        call.project,
        thread_id,
        message_id,
        created_at=message.created_at,
        run_id=message.run_id,
        now=now,
        wire=wire,
    )
    try:
        return await call.commit(Answer(wire), *restore)
    except Refused as refused:
        if refused.guard not in ("thread_alive", "message_restore"):
            raise
    await _require_thread(call, thread_id)
    raise AlreadyExists.object("message", message_id, "id")


def initial_messages(
    call: Call[object], thread_id: str, requests: Sequence[AnyMessage], now: int
) -> Iterator[Statement]:
    """Yield the statements that give a new thread its messages, in their order.

    What they refer to is noted at the first one.

    Raises: BadRequest for a message that cannot be restored here.
    """
    refer_in_messages(call, requests)
    seen: set[str | None] = set()
    for index, request in enumerate(requests):
        message_id = None
        if isinstance(request, RestoreMessageRequest):
            path = f"messages[{index}]."
            _check_restored(request, thread_id, now, path)
            message_id = request.id
            if message_id is not None and message_id in seen:
                raise AlreadyExists.object("message", message_id, f"{path}id")
            seen.add(message_id)
        message_id = message_id or call.rooms.ids.new("msg_")
        message = new_message(request, message_id=message_id, thread_id=thread_id, now=now)
        yield store.insert(
            call.project,
            thread_id,
            message_id,
            created_at=message.created_at,
            position=index + 1,
            run_id=message.run_id,
            now=now,
            wire=encode(message),
        )


def _check_restored(request: RestoreMessageRequest, thread_id: str, now: int, path: str) -> None:
    if request.thread_id is not None and request.thread_id != thread_id:
        raise BadRequest(
            f"Invalid '{path}thread_id': the message belongs to '{request.thread_id}', but it is "
            f"being restored in '{thread_id}'.",
            param=f"{path}thread_id",
            code="invalid_value",
        )
    for name in ("created_at", "incomplete_at", "completed_at"):
        refuse_future(getattr(request, name) or 0, now, f"{path}{name}")


def refuse_future(created_at: int, now: int, path: str) -> None:
    """Raise BadRequest for a restored date that is yet to come."""
    if created_at > now:
        raise BadRequest(
            f"Invalid '{path}': {created_at} is in the future. Expected unix seconds up to now "
            f"({now}).",
            param=path,
            code="invalid_value",
        )


async def list_messages(call: Call[None]) -> Answer:
    """Page through a thread's messages, or those of one run.

    Wire: GET /threads/{thread_id}/messages
    """
    query: ListMessagesQuery = call.query
    thread_id = call.path["thread_id"]
    of_run = "" if query.run_id is None else "_of_run"

    async def fetch(bounds: Bounds, limit: int) -> Page:
        page = await call.rooms.database.page(
            f"message_list{of_run}_{'desc' if bounds.is_descending else 'asc'}",
            {
                "project": call.project,
                "thread_id": thread_id,
                "run_id": query.run_id,
                "limit": limit,
                **bounds.params,
            },
            limit_bytes=PAGE_BYTES,
        )
        if not page.rows:
            await _require_thread(call, thread_id)
        return page

    listing = Listing("message", "message_place", {"thread_id": thread_id}, int, fetch)
    try:
        return await answer_page(call, query, listing)
    except NotFound:
        # Of a thread that is not there, no cursor is spoken of.
        await _require_thread(call, thread_id)
        raise


async def get_message(call: Call[None]) -> Answer:
    """Wire: GET /threads/{thread_id}/messages/{message_id}"""
    return Answer(await _wire_of(call))


async def modify_message(call: Call[ModifyMessageRequest]) -> Answer:
    """Merge metadata.

    Wire: POST /threads/{thread_id}/messages/{message_id}
    """
    while True:
        was = await _wire_of(call)
        message = stored.decode(was)
        message.metadata = merge_metadata(message.metadata, call.body.metadata)
        wire = encode(message)
        replace = store.replace(
            call.project, call.path["thread_id"], call.path["message_id"], was, wire
        )
        try:
            return await call.commit(Answer(wire), replace)
        except Refused as refused:
            if refused.guard != "message_replace":
                raise
            # Somebody else changed it meanwhile: take what they wrote as the start.


async def delete_message(call: Call[None]) -> Answer:
    """Erase a message.

    Wire: DELETE /threads/{thread_id}/messages/{message_id}
    """
    thread_id, message_id = call.path["thread_id"], call.path["message_id"]
    delete = store.delete(call.project, thread_id, message_id, call.rooms.now())
    try:
        return await call.commit(Answer(encode(DeleteMessageResponse(id=message_id))), delete)
    except Refused:
        await _require_thread(call, thread_id)
        raise NotFound.object("message", message_id) from None


async def _wire_of(call: Call[object]) -> str:
    thread_id, message_id = call.path["thread_id"], call.path["message_id"]
    wire = await store.get(call.rooms.database, call.project, thread_id, message_id)
    if wire is None:
        await _require_thread(call, thread_id)
        raise NotFound.object("message", message_id)
    return wire


async def _require_thread(call: Call[object], thread_id: str) -> None:
    if await thread_store.get(call.rooms.database, call.project, thread_id) is None:
        raise NotFound.object("thread", thread_id)

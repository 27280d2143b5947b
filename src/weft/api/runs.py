"""Runs: what a client may do to them. What becomes of them is the engine's."""

import msgspec

from weft.api.attaching import ATTACHING, attach_to, stores_of, thread_resources, use_stores
from weft.api.call import Answer, Call
from weft.api.filling import refused_store
from weft.api.messages import append_statements, initial_messages
from weft.api.paging import PAGE_BYTES, Listing, answer_page
from weft.api.references import refer_in_messages, refer_in_resources
from weft.api.searched import with_passages_of
from weft.domain.errors import BadRequest, NotFound
from weft.domain.lifecycle import TERMINAL, NotPossible
from weft.store import assistants as assistant_store
from weft.store import messages as message_store
from weft.store import runs as store
from weft.store import threads as thread_store
from weft.store.database import Page, Refused, Statement
from weft.store.places import Bounds
from weft.store.runs import ENGINE, RunKey, State
from weft.store.vector_stores import INDEXING
from weft.wire import events
from weft.wire.assistants import AssistantObject
from weft.wire.assistants import stored as stored_assistant
from weft.wire.run_requests import (
    CreateRunRequest,
    CreateThreadAndRunRequest,
    IncludeQuery,
    ListRunStepsQuery,
    ModifyRunRequest,
    SubmitToolOutputsRunRequest,
)
from weft.wire.runs import (
    FunctionToolCall,
    RunObject,
    RunStepObject,
    ToolCalls,
    advance,
    new_run,
    searches,
    step_ended,
    stored_run,
    stored_step,
)
from weft.wire.shapes import ListQuery, encode, merge_metadata
from weft.wire.threads import ThreadObject, as_read
from weft.wire.threads import stored as stored_thread


def key_of(call: Call[object]) -> RunKey:
    """Return the run that a path names."""
    return RunKey(call.path["thread_id"], call.project, call.path["run_id"])


async def create_run(call: Call[CreateRunRequest]) -> Answer:
    """Queue a run, with its additional messages ahead of it: all is stored, or nothing.

    Raises: NotFound for the thread or the assistant; BadRequest when the thread has an active
    run, or nothing to answer.
    Wire: POST /threads/{thread_id}/runs
    """
    request, thread_id = call.body, call.path["thread_id"]
    assistant = await _assistant(call, request.assistant_id)
    key = RunKey(thread_id, call.project, call.rooms.ids.new("run_"))
    now = dated = call.rooms.now()
    run = new_run(
        request,
        assistant,
        run_id=key.id,
        thread_id=thread_id,
        now=now,
        expires_s=call.rooms.run_expires_s,
    )
    has_user = any(message.role == "user" for message in request.additional_messages or ())
    if not run.instructions and not has_user:
        await _require_user_message(call, thread_id)
    is_waiting = False
    refer_in_messages(call, request.additional_messages or ())
    while True:
        stores = await attach_to(call, thread_id, request.additional_messages or (), now)
        stores += await _used_stores(call, run, thread_id, assistant, now)
        messages = [
            statement
            for message in request.additional_messages or ()
            for statement in append_statements(
                call, thread_id, message, now, dated, is_waiting=is_waiting
            )
        ]
        try:
            return await _queue(call, key, run, *stores, *messages, is_waiting=is_waiting)
        except Refused as refused:
            if refused.guard == "idempotency_insert":
                raise
            if refused.guard in ATTACHING:
                continue  # the thread or a store was changed meanwhile: look again
        await _require_thread(call, thread_id)
        active = await store.holder_of(call.rooms.database, call.project, thread_id)
        if active is not None and not request.queue_when_busy:
            raise BadRequest(f"Thread {thread_id} already has an active run {active}.")
        is_waiting = active is not None
        run.expires_at = None if is_waiting else now + call.rooms.run_expires_s
        newest = await message_store.newest_date(call.rooms.database, call.project, thread_id)
        dated = max(dated, newest)


async def create_thread_and_run(call: Call[CreateThreadAndRunRequest]) -> Answer:
    """Make a thread and queue a run on it: both, or nothing.

    Wire: POST /threads/runs
    """
    request, now = call.body, call.rooms.now()
    assistant = await _assistant(call, request.assistant_id)
    thread_id = call.rooms.ids.new("thread_")
    key = RunKey(thread_id, call.project, call.rooms.ids.new("run_"))
    run = new_run(
        request,
        assistant,
        run_id=key.id,
        thread_id=thread_id,
        now=now,
        expires_s=call.rooms.run_expires_s,
    )
    given = request.thread
    messages = given.messages or [] if given else []
    if not run.instructions and not any(message.role == "user" for message in messages):
        raise _nothing_to_answer()
    metadata = given.metadata or {} if given else {}
    refer_in_resources(call, request.resources)
    found, stores = await thread_resources(call, request.resources, messages, now)
    thread = encode(
        ThreadObject(id=thread_id, created_at=now, metadata=metadata, tool_resources=found)
    )
    if searches(run):
        named = [*stores_of(found), *stores_of(assistant.tool_resources)]
        stores += await use_stores(call, named, now)
    ahead = (
        *stores,
        thread_store.insert(call.project, thread_id, now, now, thread),
        *thread_store.index_metadata(call.project, thread_id, now, old={}, new=metadata),
        *initial_messages(call, thread_id, messages, now),
    )
    try:
        return await _queue(call, key, run, *ahead, thread=thread)
    except Refused as refused:
        if refused.guard != "vector_store_touch":
            raise
        raise await refused_store(call, *stores_of(found)) from None


async def _used_stores(
    call: Call[object], run: RunObject, thread_id: str, assistant: AssistantObject, now: int
) -> list[Statement]:
    """Return the statements by which a run uses the stores of its thread and its assistant.

    Raises: BadRequest for a store that has expired.
    """
    if not searches(run):
        return []
    wire = await thread_store.get(call.rooms.database, call.project, thread_id)
    named = stores_of(stored_thread.decode(wire).tool_resources) if wire else []
    return await use_stores(call, [*named, *stores_of(assistant.tool_resources)], now)


async def _queue(
    call: Call[object],
    key: RunKey,
    run: RunObject,
    *ahead: Statement,
    thread: str | None = None,
    is_waiting: bool = False,
) -> Answer:
    """Store a run that is queued, behind other statements, and wake the engine."""
    wire = encode(run)
    if is_waiting:
        queue = [store.insert_waiting(key, created_at=run.created_at, wire=wire)]
    else:
        expires_at = run.expires_at or 0
        queue = [
            store.insert(key, created_at=run.created_at, expires_at=expires_at, wire=wire),
            store.enqueue(key, 0),
        ]
    data = events.run_data(run)
    begin = [store.event(key, "thread.created", as_read(thread))] if thread else []
    return await call.commit(
        Answer(wire, headers=poll_headers(run)),
        *ahead,
        *queue,
        *begin,
        store.event(key, "thread.run.created", data),
        store.event(key, "thread.run.queued", data),
        wakes=(ENGINE, INDEXING) if ahead else (ENGINE,),
    )


async def list_runs(call: Call[None]) -> Answer:
    """Wire: GET /threads/{thread_id}/runs"""
    query: ListQuery = call.query
    thread_id = call.path["thread_id"]

    async def fetch(bounds: Bounds, limit: int) -> Page:
        page = await call.rooms.database.page(
            "run_list_desc" if bounds.is_descending else "run_list_asc",
            {
                "project": call.project,
                "thread_id": thread_id,
                "limit": limit,
                **bounds.params,
            },
            limit_bytes=PAGE_BYTES,
        )
        if not page.rows:
            await _require_thread(call, thread_id)
        return page

    listing = Listing("run", "run_place", {"thread_id": thread_id}, str, fetch)
    return await answer_page(call, query, listing)


async def get_run(call: Call[None]) -> Answer:
    """Wire: GET /threads/{thread_id}/runs/{run_id}"""
    key = key_of(call)
    wire = await store.get(call.rooms.database, key)
    if wire is None:
        raise await _missing(call, key)
    return Answer(wire, headers=poll_headers(stored_run.decode(wire)))


async def modify_run(call: Call[ModifyRunRequest]) -> Answer:
    """Merge metadata, once the run is at rest.

    Wire: POST /threads/{thread_id}/runs/{run_id}
    """
    key = key_of(call)
    while True:
        was, run = await _state(call, key)
        if run.status not in TERMINAL and run.status != "requires_action":
            raise BadRequest(f"Cannot update run with status '{run.status}'.")
        run.metadata = merge_metadata(run.metadata, call.body.metadata)
        try:
            answer = Answer(encode(run), headers=poll_headers(run))
            return await call.commit(answer, _replace(key, was, run, None))
        except Refused as refused:
            if refused.guard != "run_replace":
                raise


async def cancel_run(call: Call[None]) -> Answer:
    """Ask for a run to end. It is `cancelling` at once and `cancelled` within a second.

    Raises: BadRequest when it has ended, or is being cancelled already.
    Wire: POST /threads/{thread_id}/runs/{run_id}/cancel
    """
    key = key_of(call)
    while True:
        was, run = await _state(call, key)
        try:
            run = advance(run, "cancel", call.rooms.now())
        except NotPossible as refusal:
            raise BadRequest(f"Cannot cancel run with status '{refusal.status}'.") from None
        try:
            return await call.commit(
                Answer(encode(run), headers=poll_headers(run)),
                _replace(key, was, run, None),
                store.event(key, "thread.run.cancelling", events.run_data(run)),
                wakes=(key.topic, key.halt, ENGINE),
            )
        except Refused as refused:
            if refused.guard != "run_replace":
                raise


async def submit_tool_ouputs_to_run(call: Call[SubmitToolOutputsRunRequest]) -> Answer:
    """Hand in what all functions returned; the run is queued again.

    Raises: BadRequest when the run does not wait for outputs, or for others.
    Wire: POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs (the official operation id
    is spelt like this)
    """
    key = key_of(call)
    while True:
        was, run = await _state(call, key)
        if run.status != "requires_action":
            raise BadRequest(f'Runs in status "{run.status}" do not accept tool outputs.')
        step = await _waiting_step(call, key)
        if step is None:
            if await store.state(call.rooms.database, key) == was:
                raise AssertionError(f"{key} waits for outputs, but none of its steps does")
            # Answered, cancelled or expired between the two reads.
            continue
        now = call.rooms.now()
        filled = _with_outputs(step, call.body, now)
        run = advance(run, "submit", now)
        # Read again, a step that has ended no longer says when its run would have expired.
        at_rest = msgspec.structs.replace(filled, expires_at=None)
        try:
            return await call.commit(
                Answer(encode(run), headers=poll_headers(run)),
                _replace(key, was, run, None),
                store.enqueue(key, was.attempt),
                store.replace_step(key, filled.id, encode(at_rest)),
                store.event(key, "thread.run.step.completed", encode(filled)),
                store.event(key, "thread.run.queued", events.run_data(run)),
                wakes=(key.topic, ENGINE),
            )
        except Refused as refused:
            if refused.guard != "run_replace":
                raise


async def list_run_steps(call: Call[None]) -> Answer:
    """Wire: GET /threads/{thread_id}/runs/{run_id}/steps"""
    query: ListRunStepsQuery = call.query
    key = key_of(call)
    if await store.get(call.rooms.database, key) is None:
        raise await _missing(call, key)

    async def fetch(bounds: Bounds, limit: int) -> Page:
        page = await call.rooms.database.page(
            "run_step_list_desc" if bounds.is_descending else "run_step_list_asc",
            key.under(limit=limit, **bounds.params),
            limit_bytes=PAGE_BYTES,
        )
        if not query.include:
            return page
        shown = [
            (row[0], await with_passages_of(call.rooms.database, key, row[1])) for row in page.rows
        ]
        return Page([*shown], page.is_cut)

    place = {"thread_id": key.thread_id, "run_id": key.id}
    return await answer_page(call, query, Listing("run step", "run_step_place", place, int, fetch))


async def get_run_step(call: Call[None]) -> Answer:
    """Wire: GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}"""
    key = key_of(call)
    row = await call.rooms.database.one("run_step_get", key.under(id=call.path["step_id"]))
    if row is None:
        if await store.get(call.rooms.database, key) is None:
            raise await _missing(call, key)
        raise NotFound.object("run step", call.path["step_id"])
    query: IncludeQuery = call.query
    if not query.include:
        return Answer(row[0])
    return Answer(await with_passages_of(call.rooms.database, key, row[0]))


def poll_headers(run: RunObject) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that makes polling clients quick, while there is something to wait for."""
    return () if run.status in TERMINAL else ((b"openai-poll-after-ms", b"250"),)


async def _assistant(call: Call[object], assistant_id: str) -> AssistantObject:
    wire = await assistant_store.get(call.rooms.database, call.project, assistant_id)
    if wire is None:
        raise NotFound.object("assistant", assistant_id)
    return stored_assistant.decode(wire)


async def _require_thread(call: Call[object], thread_id: str) -> None:
    if await thread_store.get(call.rooms.database, call.project, thread_id) is None:
        raise NotFound.object("thread", thread_id)


async def _require_user_message(call: Call[object], thread_id: str) -> None:
    await _require_thread(call, thread_id)
    params = {"thread_id": thread_id, "project": call.project}
    if await call.rooms.database.one("thread_has_user_message", params) is None:
        raise _nothing_to_answer()


def _nothing_to_answer() -> BadRequest:
    return BadRequest(
        "Run creation requires a Thread with a user message or an assistant with instructions.",
        code="invalid_thread",
    )


async def _missing(call: Call[object], key: RunKey) -> NotFound:
    await _require_thread(call, key.thread_id)
    return NotFound.object("run", key.id)


async def _state(call: Call[object], key: RunKey) -> tuple[State, RunObject]:
    if await store.get(call.rooms.database, key) is None:
        raise await _missing(call, key)
    was = await store.state(call.rooms.database, key)
    if was is None:
        raise NotFound.object("run", key.id)
    return was, stored_run.decode(was.wire)


def _replace(key: RunKey, was: State, run: RunObject, ended_at: int | None) -> Statement:
    return store.replace(
        key,
        was,
        wire=encode(run),
        status=run.status,
        expires_at=run.expires_at,
        ended_at=ended_at,
    )


async def _waiting_step(call: Call[object], key: RunKey) -> RunStepObject | None:
    """Return the step whose calls wait for their outputs, if there still is one."""
    for wire in reversed(await store.steps(call.rooms.database, key)):
        step = stored_step.decode(wire)
        if step.status == "in_progress" and isinstance(step.step_details, ToolCalls):
            return step
    return None


def _with_outputs(
    step: RunStepObject, request: SubmitToolOutputsRunRequest, now: int
) -> RunStepObject:
    """Return a step completed with the outputs of its calls.

    Raises: BadRequest unless each call has exactly one output and nothing else has.
    """
    assert isinstance(step.step_details, ToolCalls)  # noqa: S101  # narrows the type
    functions = [
        call for call in step.step_details.tool_calls if isinstance(call, FunctionToolCall)
    ]
    wanted = [call.id for call in functions]
    given = [output.tool_call_id for output in request.tool_outputs]
    if sorted(wanted) != sorted(given):
        raise BadRequest(f"Expected tool outputs for call_ids {wanted}, got {given}")
    outputs = {output.tool_call_id: output.output or "" for output in request.tool_outputs}
    for call in functions:
        call.function.output = outputs[call.id]
    return step_ended(step, "completed", now)

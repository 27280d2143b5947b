"""Following a run: its events as server-sent events, from any point, to where it rests.

Everything comes from the numbered log, so a stream that broke goes on with
`Last-Event-ID`, after a restart too, and any number may follow one run. A
follower holds no more than a slice of the log; a slow one delays only itself.
"""

import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from weft.api.call import Answer, Call, Follow, Rooms
from weft.api.searched import with_passages_of
from weft.domain.errors import ApiError, BadRequest, shown
from weft.domain.lifecycle import AT_REST, TERMINAL
from weft.store import runs as store
from weft.store.runs import EventRow, RunKey
from weft.wire import events
from weft.wire.errors import error_body

SLICE = 200  # rows read at a time
SLICE_BYTES = 64 * 1024  # of their data, if it is not one row alone; frames are a few times larger
PING_S = 15.0
SUBMIT = "submitToolOuputsToRun"

# The events that a stream ends with.
_RESTS = frozenset(f"{events.RUN}{status}" for status in AT_REST)

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

logger = logging.getLogger("weft.api")


async def followed(call: Call[object], operation_id: str, answer: Answer) -> Answer:
    """Return the answer as the stream that the client asked for, if it did.

    Raises: BadRequest when it wants to go on behind an event that is not there.
    """
    if operation_id == "getRun":
        if call.query.stream != "true":
            return answer
        key = RunKey(call.path["thread_id"], call.project, call.path["run_id"])
        return answer._replace(follow=Follow(key, await _starting_point(call, key)))
    if getattr(call.body, "stream", None) is not True:
        return answer
    run = events.decoded_run(answer.body)
    key = RunKey(run["thread_id"], call.project, run["id"])
    after = 0
    if operation_id == SUBMIT:
        row = await call.rooms.database.one("run_event_submitted_at", key.under())
        after = row[0] if row else 0
    has_passages = bool(getattr(call.query, "include", None))
    return answer._replace(follow=Follow(key, after, has_passages))


async def _starting_point(call: Call[object], key: RunKey) -> int:
    header = call.headers.get(b"last-event-id", b"").decode("latin-1")
    after = call.query.starting_after
    if after is None:
        if not header:
            return 0
        if not re.fullmatch("[0-9]{1,15}", header):
            raise _not_an_event(header, "Expected the number of an event.")
        after = int(header)
    last = await store.last_number(call.rooms.database, key)
    if after > last > 0:
        raise _not_an_event(str(after), f"The last event of run '{key.id}' is {last}.")
    return int(after)


def _not_an_event(given: str, why: str) -> BadRequest:
    return BadRequest(
        f"Invalid 'Last-Event-ID': '{shown(given)}'. {why}",
        param="Last-Event-ID",
        code="invalid_value",
    )


async def told(rooms: Rooms, wanted: Follow, request_id: str) -> AsyncGenerator[bytes, None]:
    """Follow, and tell what goes wrong: the answer has begun, so that no status can say it."""
    try:
        async with aclosing(follow(rooms, *wanted)) as frames:
            async for piece in frames:
                yield piece
    except Exception as fault:
        error: ApiError
        if isinstance(fault, ApiError):
            logger.warning("%s stream of %s: %s", request_id, wanted.key.id, fault)
            error = fault
        else:
            logger.exception("%s stream of %s failed", request_id, wanted.key.id)
            error = ApiError.internal(request_id)
        yield events.error_frame(error_body(error)) + events.DONE


async def follow(
    rooms: Rooms, key: RunKey, after: int, has_passages: bool = False
) -> AsyncGenerator[bytes, None]:
    """Yield the frames behind the event `after`, then follow; end where the run rests.

    `has_passages`: steps show the text of what their searches found.
    It rests where its log says so: the run itself may have moved on since it was read.
    """
    database = rooms.database
    with database.bells.listening(key.topic) as bell:
        while True:
            wire = await store.get(database, key)
            if wire is None:
                return  # the thread was deleted
            run = events.decoded_run(wire)
            rows, is_all = await store.events(database, key, after, SLICE, SLICE_BYTES)
            if await _is_cleared(rooms, key, run, rows, after):
                yield events.frame(after + 1, f"{events.RUN}{run['status']}", wire)
                yield events.DONE
                return
            if has_passages:
                rows = [await _with_passages(rooms, key, row) for row in rows]
            if rows:
                yield b"".join(
                    events.frames(row.number, row.name, row.data, after, run) for row in rows
                )
                after = rows[-1].number + rows[-1].size - 1
            if not is_all:
                continue
            if rows[-1].name in _RESTS if rows else run["status"] in AT_REST:
                yield events.DONE
                return
            if database.bells.are_closed:
                return  # the server stops; the client goes on with Last-Event-ID elsewhere
            if not await bell.wait(PING_S):
                yield events.PING


async def _with_passages(rooms: Rooms, key: RunKey, row: EventRow) -> EventRow:
    if not row.name.startswith(events.STEP) or row.name == events.STEP_DELTA:
        return row
    return row._replace(data=await with_passages_of(rooms.database, key, row.data))


async def _is_cleared(
    rooms: Rooms, key: RunKey, run: dict[str, Any], rows: list[EventRow], after: int
) -> bool:
    """Say whether the log is gone, or its beginning: it is kept for a day after the run.

    What became of the run is known for ever.
    """
    if rows:
        return rows[0].number > after + 1
    return run["status"] in TERMINAL and await store.last_number(rooms.database, key) == 0

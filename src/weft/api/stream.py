"""Following a run: its events as server-sent events, from any point, to where it rests.

Everything comes from the numbered log, so a stream that broke goes on with
`Last-Event-ID`, after a restart too, and any number may follow one run. A
follower holds no more than a slice of the log; a slow one delays only itself.
"""

from collections.abc import AsyncIterator

from weft.api.call import Rooms
from weft.domain.errors import BadRequest
from weft.domain.lifecycle import AT_REST
from weft.store import runs as store
from weft.store.runs import RunKey
from weft.wire import events

SLICE = 200  # rows read at a time
PING_S = 15.0

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


async def starting_point(rooms: Rooms, key: RunKey, after: int) -> int:
    """Return `after`, checked.

    Raises: BadRequest when it lies beyond the log.
    """
    last = await store.last_number(rooms.database, key)
    if after > last:
        raise BadRequest(
            f"Invalid 'Last-Event-ID': {after}. The last event of run '{key.id}' is {last}.",
            param="Last-Event-ID",
            code="invalid_value",
        )
    return after


async def follow(rooms: Rooms, key: RunKey, after: int) -> AsyncIterator[bytes]:
    """Yield the frames behind the event `after`, then follow; end where the run rests.

    The run is read ahead of its events: what a run at rest has to say stands in the log by then.
    """
    database = rooms.database
    with database.bells.listening(key.topic) as bell:
        while True:
            wire = await store.get(database, key)
            if wire is None:
                return  # the thread was deleted
            run = events.decoded_run(wire)
            rows = await store.events(database, key, after, SLICE)
            if rows:
                yield b"".join(
                    events.frames(row.number, row.name, row.data, after, run) for row in rows
                )
                after = rows[-1].number + rows[-1].count - 1
            if len(rows) == SLICE:
                continue
            if run["status"] in AT_REST:
                yield events.DONE
                return
            if not await bell.wait(PING_S):
                yield events.PING

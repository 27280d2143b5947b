"""Driving a run that any node may take out of this worker's hands."""

import asyncio

from weft.domain.errors import Unavailable
from weft.domain.lifecycle import ACTIVE
from weft.engine.drive import Engineering, drive
from weft.engine.ending import end
from weft.store import runs as store
from weft.store.database import Database
from weft.store.runs import RunKey
from weft.wire import events

STOP_S = 1.0  # how long a call of a model may take to end when its node stops
WATCH_S = 15.0  # a bell announces what happens; a lost one costs no more than this


# What was told to end and has not: a model may take its time.
_ending: set[asyncio.Task[None]] = set()


async def attend(tools: Engineering, key: RunKey, attempt: int) -> None:
    """Drive a run that was taken up `attempt` times; leave off at once when it is halted.

    Whoever finds its run cancelled settles it here: the client waits for that.
    Raises: domain.errors.Unavailable.
    """
    driving = asyncio.create_task(drive(tools, key, attempt), name=f"run {key.id}")
    halting = asyncio.create_task(_halted(tools.database, key, attempt + 1))
    try:
        await asyncio.wait((driving, halting), return_when=asyncio.FIRST_COMPLETED)
        if driving.done():
            driving.result()
            return
    except asyncio.CancelledError:
        driving.cancel()
        await asyncio.wait((driving,), timeout=STOP_S)
        raise
    finally:
        halting.cancel()
        # Told and not waited for: from here on the fence keeps it from writing.
        driving.cancel()
        _ending.add(driving)
        driving.add_done_callback(_ended)
    await end(tools.database, key, "settle", tools.now)


def _ended(driving: asyncio.Task[None]) -> None:
    _ending.discard(driving)
    if not driving.cancelled():
        driving.exception()  # has been told, or came too late to matter


async def _halted(database: Database, key: RunKey, attempt: int) -> None:
    """Return when a run is no longer for an attempt to drive."""
    with database.bells.listening(key.halt) as bell:
        while True:
            await bell.wait(WATCH_S)
            try:
                was = await store.state(database, key)
            except Unavailable:
                continue  # the attempt's next write finds out
            if was is None or was.attempt > attempt:
                return
            status = events.decoded_run(was.wire)["status"]
            if status not in ACTIVE or status == "cancelling":
                return

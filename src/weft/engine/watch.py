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

WATCH_S = 15.0  # a bell announces what happens; a lost one costs no more than this


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
    finally:
        for task in (driving, halting):
            task.cancel()
        await asyncio.gather(driving, halting, return_exceptions=True)
    await end(tools.database, key, "settle", tools.now)


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

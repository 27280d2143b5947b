"""The embedded engine: runs are tasks of the server's own process.

It looks when its bell rings, and once a second: what was cancelled is settled,
what is overdue expires, what is queued is driven. When the server starts, what
an earlier one left in progress is taken up again.
"""

import asyncio
import logging

from weft.domain.errors import Unavailable
from weft.engine.drive import Engineering, drive
from weft.engine.ending import end, promote
from weft.store import runs as store
from weft.store.runs import ENGINE, RunKey

LOOK_S = 1.0
MAX_RUNNING = 5000  # runs at a time: each is a task and a connection to a model
SLICE = 200

logger = logging.getLogger("weft.engine")


class EmbeddedEngine:
    """Drives every run of one database from one process."""

    def __init__(self, tools: Engineering) -> None:
        self._tools = tools
        self._driving: dict[RunKey, asyncio.Task[None]] = {}

    async def work(self) -> None:
        """Work until cancelled; then let go of every run, which a next start takes up."""
        try:
            with self._tools.database.bells.listening(ENGINE) as bell:
                is_first = True
                while True:
                    try:
                        if is_first:
                            await self._start("run_in_progress")
                            is_first = False
                        await self._look()
                    except Unavailable as fault:
                        logger.warning("the engine has to wait: %s", fault)
                    except Exception:
                        logger.exception("the engine stumbled; it looks again")
                    await bell.wait(LOOK_S)
        finally:
            await self._stop(*self._driving)

    async def _look(self) -> None:
        tools = self._tools
        for key in await store.find(tools.database, "run_cancelling", SLICE):
            await self._stop(key)
            await end(tools.database, key, "settle", tools.now)
        for key in await store.find(tools.database, "run_overdue", SLICE, now=tools.now()):
            await self._stop(key)
            await end(tools.database, key, "expire", tools.now)
        for key in await store.find(tools.database, "run_promotable", SLICE):
            await promote(tools.database, key, tools.now(), tools.run_expires_s)
        await self._start("run_queued")

    async def _start(self, name: str) -> None:
        """Drive what a query finds, as far as there is room."""
        for key in await store.find(self._tools.database, name, MAX_RUNNING):
            if len(self._driving) >= MAX_RUNNING:
                break
            if key not in self._driving:
                self._driving[key] = asyncio.create_task(self._drive(key), name=f"run {key.id}")

    async def _drive(self, key: RunKey) -> None:
        try:
            await drive(self._tools, key)
        finally:
            del self._driving[key]

    async def _stop(self, *keys: RunKey) -> None:
        """End the tasks of runs at once, also in the middle of a model call."""
        tasks = [task for key in keys if (task := self._driving.get(key)) is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""The embedded engine: runs are tasks of the server's own process.

It looks when its bell rings, and once a second: what was cancelled is settled,
what is overdue expires, what is queued is driven, and a thread that its run has
left goes to the run that waits for it. What is in progress and driven by nobody,
after a crash or because the database could not serve, is taken up again.

One run's trouble is its own: whatever goes wrong with it, the others go on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from weft.domain.errors import Unavailable
from weft.domain.lifecycle import Cause
from weft.engine.drive import Engineering, drive
from weft.engine.ending import end, promote, promote_next
from weft.store import runs as store
from weft.store.runs import ENGINE, RunKey

LOOK_S = 1.0
STOP_S = 1.0  # how long calls of models may take to end when the server stops
MAX_RUNNING = 5000  # runs at a time: each is a task and a connection to a model
SLICE = 200

logger = logging.getLogger("weft.engine")


class EmbeddedEngine:
    """Drives every run of one database from one process."""

    def __init__(self, tools: Engineering, *, look_s: float = LOOK_S) -> None:
        self._tools = tools
        self._look_s = look_s
        self._driving: dict[RunKey, asyncio.Task[None]] = {}

    async def work(self) -> None:
        """Work until cancelled; then let go of every run, which a next start takes up."""
        loop = asyncio.get_running_loop()
        next_round = loop.time()
        try:
            with self._tools.database.bells.listening(ENGINE) as bell:
                while True:
                    is_round = loop.time() >= next_round
                    if is_round:
                        next_round = loop.time() + self._look_s
                    try:
                        await self._look(is_round=is_round)
                    except Unavailable as fault:
                        logger.warning("the engine has to wait: %s", fault)
                    except Exception:
                        logger.exception("the engine stumbled; it looks again")
                    await bell.wait(max(0.0, next_round - loop.time()))
        finally:
            await self._let_go()

    async def _look(self, *, is_round: bool) -> None:
        """Do what there is to do. A round also looks for what fell down."""
        tools = self._tools
        await self._each(self._ending("settle"), "run_cancelling")
        await self._each(self._ending("expire"), "run_overdue", now=tools.now())
        if is_round:
            await self._each(self._promote, "run_promotable", is_long=True)
            await self._start("run_in_progress")
        await self._start("run_queued")

    async def _each(
        self,
        act: Callable[[RunKey], Awaitable[object]],
        name: str,
        *,
        is_long: bool = False,
        **params: int,
    ) -> None:
        """Act on all runs that a query finds, at once: their writes share commits."""
        keys = await store.find(self._tools.database, name, SLICE, is_long=is_long, **params)
        faults = await asyncio.gather(*map(act, keys), return_exceptions=True)
        for key, fault in zip(keys, faults, strict=True):
            if isinstance(fault, Unavailable):
                logger.warning("run %s has to wait: %s", key.id, fault)
            elif isinstance(fault, Exception):
                logger.error("run %s stumbled; it is looked at again", key.id, exc_info=fault)

    def _ending(self, cause: Cause) -> Callable[[RunKey], Awaitable[None]]:
        async def act(key: RunKey) -> None:
            # Its worker, in the middle of a model's call perhaps, is told and not waited for:
            # from here on the fence keeps it from writing.
            if key in self._driving:
                self._driving[key].cancel()
            await end(self._tools.database, key, cause, self._tools.now)
            await self._promote_next(key)

        return act

    async def _start(self, name: str) -> None:
        """Drive what a query finds, as far as there is room, unless the process stops."""
        database = self._tools.database
        for key in await store.find(database, name, MAX_RUNNING):
            if database.bells.are_closed or len(self._driving) >= MAX_RUNNING:
                break
            if key not in self._driving:
                self._driving[key] = asyncio.create_task(self._drive(key), name=f"run {key.id}")

    async def _drive(self, key: RunKey) -> None:
        try:
            await drive(self._tools, key)
            await self._promote_next(key)
        except Unavailable as fault:
            logger.warning("run %s has to wait: %s", key.id, fault)
        except Exception:
            logger.exception("run %s stumbled; it is looked at again", key.id)
        finally:
            del self._driving[key]

    async def _promote(self, key: RunKey) -> None:
        await promote(self._tools.database, key, self._tools.now(), self._tools.run_expires_s)

    async def _promote_next(self, key: RunKey) -> None:
        tools = self._tools
        await promote_next(tools.database, key, tools.now(), tools.run_expires_s)

    async def _let_go(self) -> None:
        """End all tasks, also in the middle of a model's call."""
        tasks = list(self._driving.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)

"""The embedded engine: runs are tasks of the server's own process.

It looks when its bell rings, and once a second: what was cancelled is settled,
what is overdue expires, what is queued is driven, and a thread that its run has
left goes to the run that waits for it. What is in progress and driven by nobody,
after a crash or because the database could not serve, is taken up again.

One run's trouble is its own: whatever goes wrong with it, the others go on.
"""

import asyncio
import logging
from functools import partial

from weft.domain.errors import Unavailable
from weft.engine.chores import Chores
from weft.engine.drive import Engineering, drive
from weft.store import runs as store
from weft.store.runs import ENGINE, RunKey

LOOK_S = 1.0
STOP_S = 1.0  # how long calls of models may take to end when the server stops
MAX_RUNNING = 5000  # runs at a time: each is a task and a connection to a model

logger = logging.getLogger("weft.engine")


class EmbeddedEngine:
    """Drives every run of one database from one process."""

    def __init__(self, tools: Engineering, *, look_s: float = LOOK_S) -> None:
        self._tools = tools
        self._look_s = look_s
        self._driving: dict[RunKey, asyncio.Task[None]] = {}
        self._chores = Chores(tools, self._halt)

    def is_keeper(self) -> bool:
        """See `Engine.is_keeper`: there is no other process."""
        return True

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
        await self._chores.end_runs()
        if is_round:
            await self._chores.promote_runs()
            await self._start("run_in_progress")
        await self._start("run_queued")

    def _halt(self, key: RunKey) -> None:
        if key in self._driving:
            self._driving[key].cancel()

    async def _start(self, name: str) -> None:
        """Drive what a query finds, as far as there is room, unless the process stops."""
        database = self._tools.database
        for key in await store.find(database, name, MAX_RUNNING):
            if database.bells.are_closed or len(self._driving) >= MAX_RUNNING:
                break
            if key not in self._driving:
                task = asyncio.create_task(self._drive(key), name=f"run {key.id}")
                # Not in the task itself: one that is cancelled ahead of its first step never runs.
                task.add_done_callback(partial(self._ended, key))
                self._driving[key] = task

    async def _drive(self, key: RunKey) -> None:
        try:
            await drive(self._tools, key)
            await self._chores.promote_next(key)
        except Unavailable as fault:
            logger.warning("run %s has to wait: %s", key.id, fault)
        except Exception:
            logger.exception("run %s stumbled; it is looked at again", key.id)

    def _ended(self, key: RunKey, _: asyncio.Task[None]) -> None:
        del self._driving[key]

    async def _let_go(self) -> None:
        """End all tasks, also in the middle of a model's call."""
        tasks = list(self._driving.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)

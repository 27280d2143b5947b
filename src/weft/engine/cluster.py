"""The distributed engine: runs, and files to be indexed, are jobs that all nodes share.

The queue is Procrastinate's, in Weft's own database. A job comes with the write
that makes it necessary; some worker takes it at once. A node has two: one for
runs, which wait for models most of the time, and one for files, which take a
core each. Of all workers, the oldest one's node keeps house: it ends what is
cancelled or overdue, and gives what was left without a job, by a node's death or
by the queue, a new one.

A node that was frozen and comes back finds its work taken up by others: every
write of a worker names its attempt. A job names the attempt too that it expects,
so that one that comes twice does nothing.
"""

import asyncio
import logging
import os
from collections.abc import Mapping

from weft.domain.errors import Unavailable
from weft.engine.chores import Chores
from weft.engine.drive import Engineering
from weft.engine.indexing import Indexing, take_up
from weft.engine.taking import STALLED_S, Taker, Task
from weft.engine.watch import attend
from weft.store import jobs
from weft.store import runs as store
from weft.store import vector_stores as files
from weft.store.chunks import FileKey
from weft.store.runs import DRIVE, ENGINE, RunKey
from weft.store.vector_stores import INDEX

LOOK_S = 0.5
MAX_RUNNING = 5000  # runs at a time: each is a task and a connection to a model
SLICE = 1000  # runs, and files, that get a new job in one round

logger = logging.getLogger("weft.engine")


class DistributedEngine:
    """The engine of one node, on the database at `url`, which is that of `tools`."""

    def __init__(
        self,
        tools: Engineering,
        indexing: Indexing,
        url: str,
        *,
        tasks: Mapping[str, Task] | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        """`tasks` are what else jobs may be for, by name.

        A task gets its job's key as parameters. This node takes only jobs of tasks that it knows.
        """
        self._database = tools.database
        self._look_s = look_s
        self._tools = tools
        self._indexing = indexing
        self._chores = Chores(tools)
        few = {INDEX: self._index, **(tasks or {})}
        self._takers = (
            Taker(self._database, url, {DRIVE: self._drive}, MAX_RUNNING),
            Taker(self._database, url, few, os.cpu_count() or 1),
        )

    def is_keeper(self) -> bool:
        """See `Engine.is_keeper`."""
        return any(taker.is_oldest for taker in self._takers)

    async def work(self) -> None:
        """See `Engine.work`."""
        async with asyncio.TaskGroup() as group:
            for taker in self._takers:
                group.create_task(taker.work())
            group.create_task(self._look_after())

    # --- the jobs -----------------------------------------------------------------------------

    async def _drive(self, thread_id: str, project: str, id: str, attempt: int) -> None:  # noqa: A002
        key = RunKey(thread_id, project, id)
        await attend(self._tools, key, attempt)
        await self._chores.promote_next(key)

    async def _index(self, project: str, vector_store_id: str, id: str, attempt: int) -> None:  # noqa: A002
        await take_up(self._indexing, FileKey(project, vector_store_id, id), attempt)

    # --- the house ----------------------------------------------------------------------------

    async def _look_after(self) -> None:
        """Look when the bell rings, and twice a second, until cancelled."""
        loop = asyncio.get_running_loop()
        next_round = loop.time()
        with self._database.bells.listening(ENGINE) as bell:
            while True:
                is_round = loop.time() >= next_round
                if is_round:
                    next_round = loop.time() + self._look_s
                try:
                    await self._look(is_round=is_round)
                except Unavailable as fault:
                    for taker in self._takers:
                        taker.doubt()
                    logger.warning("the engine has to wait: %s", fault)
                except Exception:
                    logger.exception("the engine stumbled; it looks again")
                await bell.wait(max(0.0, next_round - loop.time()))

    async def _look(self, *, is_round: bool) -> None:
        """Do what there is to do, most of it if this node keeps house."""
        for taker in self._takers:
            if self._database.bells.are_closed:
                taker.stop()
            if is_round:
                await taker.look()
        if not self.is_keeper():
            return
        await self._chores.end_runs()
        if is_round:
            await self._chores.promote_runs()
            await self._database.write(jobs.clear(STALLED_S))
            await self._attend_to_all()

    async def _attend_to_all(self) -> None:
        """Give a new job to every run, and every file, that should have one and has none."""
        left = await store.unattended(self._database, SLICE)
        if left:
            logger.warning("%d runs were left by their workers", len(left))
            await self._database.write(tuple(store.enqueue(*run) for run in left))
        unread = await files.unattended(self._database, SLICE)
        if unread:
            logger.warning("%d files were left by their workers", len(unread))
            await self._database.write(tuple(files.enqueue(*file) for file in unread))

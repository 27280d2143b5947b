"""The distributed engine: runs are jobs, and the workers of all nodes share them.

The queue is Procrastinate's, in Weft's own database. A job comes with the write
that queues its run; some worker takes it at once and drives the run. Workers
show every two seconds that they are alive. Of them, the oldest keeps house: it
ends what is cancelled or overdue, and gives what was left without a job, by a
node's death or by the queue, a new one.

A node that was frozen and comes back finds its runs taken up by others: every
write of a worker names its attempt. A job names the attempt too that it expects,
so that one that comes twice does nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from procrastinate import App, JobContext
from procrastinate.worker import Worker

from weft.domain.errors import Unavailable
from weft.engine.chores import Chores
from weft.engine.drive import Engineering
from weft.engine.watch import attend
from weft.store import jobs
from weft.store import runs as store
from weft.store.postgres.queue import Connector
from weft.store.runs import DRIVE, ENGINE, RunKey

HEARTBEAT_S = 2.0
STALLED_S = 6  # without a heartbeat a worker is dead
LOOK_S = 0.5
POLL_S = 1.0  # jobs are announced; who hears nothing looks for them so often
AGAIN_S = 0.5  # before a worker that fell is started again
STOP_S = 5.0  # how long runs may take to end when the node stops
MAX_RUNNING = 5000  # jobs at a time: a run is a task and a connection to a model
SLICE = 1000  # runs that get a new job in one round

Task: TypeAlias = Callable[..., Awaitable[None]]

logger = logging.getLogger("weft.engine")


class DistributedEngine:
    """The engine of one node, on the database at `url`, which is that of `tools`."""

    def __init__(
        self,
        tools: Engineering,
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
        self._chores = Chores(tools)
        self._worker: Worker | None = None
        self._rounds_kept = 0  # on end, in which this node kept house
        self._held: set[int] = set()  # jobs that are being done here
        self._doubtful: frozenset[int] = frozenset()  # ours by the queue's account only
        bells = tools.database.bells
        self._app = App(connector=Connector(url, lambda: bells.are_closed))
        for name, task in {DRIVE: self._drive, **(tasks or {})}.items():
            self._register(name, task)

    def is_keeper(self) -> bool:
        """See `Engine.is_keeper`. Twice on end, so that after a pause all others may show life."""
        return self._rounds_kept > 1

    async def work(self) -> None:
        """See `Engine.work`."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take_jobs())
                group.create_task(self._look_after())
        finally:
            await self._app.close_async()

    # --- the jobs -----------------------------------------------------------------------------

    def _register(self, name: str, task: Task) -> None:
        async def do(context: JobContext, /, **key: Any) -> None:
            held = context.job.id or 0
            self._held.add(held)
            try:
                await task(**key)
            except Unavailable as fault:
                logger.warning("a job (%s) has to wait: %s", name, fault)
            except Exception:
                logger.exception("a job (%s) stumbled; it is looked at again", name)
            finally:
                self._held.discard(held)

        self._app.task(name=name, queue=name, pass_context=True)(do)

    async def _take_jobs(self) -> None:
        """Take jobs until cancelled. A worker that falls is started again, under a new number."""
        task = asyncio.current_task()
        while not self._database.bells.are_closed:
            self._worker = _worker(self._app)
            try:
                await self._app.open_async()
                await self._worker.run()  # type: ignore[no-untyped-call]  # theirs
            except Exception as fault:  # noqa: BLE001  # whatever it was: the next one tries
                logger.warning("the worker fell: %s", fault.__cause__ or fault)
            self._worker = None
            if task is not None and task.cancelling():
                return  # it fell while it was being stopped
            await asyncio.sleep(AGAIN_S)

    async def _drive(self, thread_id: str, project: str, id: str, attempt: int) -> None:  # noqa: A002
        key = RunKey(thread_id, project, id)
        await attend(self._tools, key, attempt)
        await self._chores.promote_next(key)

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
                    self._rounds_kept = 0
                    logger.warning("the engine has to wait: %s", fault)
                except Exception:
                    logger.exception("the engine stumbled; it looks again")
                await bell.wait(max(0.0, next_round - loop.time()))

    async def _look(self, *, is_round: bool) -> None:
        """Do what there is to do, most of it if this node keeps house."""
        if self._database.bells.are_closed and self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]  # theirs
        if is_round:
            await self._look_at_worker()
        if not self.is_keeper():
            return
        await self._chores.end_runs()
        if is_round:
            await self._chores.promote_runs()
            await self._database.write(jobs.clear(STALLED_S))
            await self._attend_to_all()

    async def _look_at_worker(self) -> None:
        """Learn whether our worker counts as alive, what it has to do, and whether it keeps house.

        A worker that shows no life stops, for another to start: Procrastinate's goes on taking
        jobs although its heart has failed.
        """
        worker = self._worker
        if worker is None or worker.worker_id is None:
            self._rounds_kept = 0
            return
        standing = await jobs.standing(self._database, worker.worker_id, STALLED_S)
        self._rounds_kept = self._rounds_kept + 1 if standing.is_oldest else 0
        if not standing.is_alive:
            worker.stop()  # type: ignore[no-untyped-call]  # theirs
        # What the queue takes for ours is lost when nobody does it here, two rounds on end.
        doubtful = standing.jobs - self._held
        lost = doubtful & self._doubtful
        self._doubtful = doubtful
        if lost:
            await self._database.write(tuple(map(jobs.drop, lost)))

    async def _attend_to_all(self) -> None:
        """Give a new job to every run that should be driven and has none."""
        found = await store.unattended(self._database, SLICE)
        if found:
            logger.warning("%d runs were left by their workers", len(found))
            await self._database.write(tuple(store.enqueue(*run) for run in found))


def _worker(app: App) -> Worker:
    return Worker(
        app,
        queues=list(app.tasks),
        name="weft",
        concurrency=MAX_RUNNING,
        fetch_job_polling_interval=POLL_S,
        shutdown_graceful_timeout=STOP_S,
        delete_jobs="always",
        install_signal_handlers=False,
        update_heartbeat_interval=HEARTBEAT_S,
        stalled_worker_timeout=STALLED_S,
    )

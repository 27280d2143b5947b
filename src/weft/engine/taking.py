"""Taking jobs out of the queue, by a worker of Procrastinate that is replaced when it fell.

Workers show every two seconds that they are alive; one that was silent for longer than STALLED_S is
struck off, and what it held is done elsewhere.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from procrastinate import App, JobContext
from procrastinate.worker import Worker

from weft.domain.errors import Unavailable
from weft.store import jobs
from weft.store.database import Database
from weft.store.postgres.queue import Connector

HEARTBEAT_S = 2.0
STALLED_S = 6  # without a heartbeat a worker is dead
POLL_S = 1.0  # jobs are announced; who hears nothing looks for them so often
AGAIN_S = 0.5  # before a worker that fell is started again
STOP_S = 5.0  # how long jobs may take to end when the node stops

Task: TypeAlias = Callable[..., Awaitable[None]]

logger = logging.getLogger("weft.engine")


class Taker:
    """Takes the jobs of some tasks, so many at once, and no others."""

    def __init__(
        self, database: Database, url: str, tasks: Mapping[str, Task], at_once: int
    ) -> None:
        """`tasks` are functions by name, which get the key of a job as parameters."""
        self._database = database
        self._at_once = at_once
        self._worker: Worker | None = None
        self._rounds_kept = 0  # on end, in which it was the oldest worker
        self._held: set[int] = set()  # jobs that are being done here
        self._doubtful: frozenset[int] = frozenset()  # ours by the queue's account only
        bells = database.bells
        self._app = App(connector=Connector(url, lambda: bells.are_closed))
        for name, task in tasks.items():
            self._register(name, task)

    @property
    def is_oldest(self) -> bool:
        """Whether it is the oldest of all workers: twice on end, so that others may show life."""
        return self._rounds_kept > 1

    async def work(self) -> None:
        """Take jobs until cancelled. A worker that falls is started again, under a new number."""
        task = asyncio.current_task()
        try:
            while not self._database.bells.are_closed:
                self._worker = self._new_worker()
                try:
                    await self._app.open_async()
                    await self._worker.run()  # type: ignore[no-untyped-call]  # theirs
                except Exception as fault:  # noqa: BLE001  # whatever it was: the next one tries
                    logger.warning("the worker fell: %s", fault.__cause__ or fault)
                self._worker = None
                if task is not None and task.cancelling():
                    return  # it fell while it was being stopped
                await asyncio.sleep(AGAIN_S)
        finally:
            await self._app.close_async()

    def stop(self) -> None:
        """Take no more jobs, and let those that are being done end."""
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]  # theirs

    def doubt(self) -> None:
        """Forget how the worker stood: the database cannot be asked."""
        self._rounds_kept = 0

    async def look(self) -> None:
        """Learn whether the worker counts as alive, what it has to do, and if it is the oldest.

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

    def _new_worker(self) -> Worker:
        return Worker(
            self._app,
            queues=list(self._app.tasks),
            name="weft",
            concurrency=self._at_once,
            fetch_job_polling_interval=POLL_S,
            shutdown_graceful_timeout=STOP_S,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=HEARTBEAT_S,
            stalled_worker_timeout=STALLED_S,
        )

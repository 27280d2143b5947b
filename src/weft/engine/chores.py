"""What happens to runs without their workers: they end, or their turn comes.

Everything here is a guarded write. Two nodes that do the same chore at once do
it once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from weft.domain.errors import Unavailable
from weft.domain.lifecycle import Cause
from weft.engine.drive import Engineering
from weft.engine.ending import end, promote, promote_next
from weft.store import runs as store
from weft.store.runs import RunKey

SLICE = 200

logger = logging.getLogger("weft.engine")


class Chores:
    """The chores of one database. `halt` is told of a run that its worker must leave alone."""

    def __init__(self, tools: Engineering, halt: Callable[[RunKey], None] = lambda _: None) -> None:
        self._tools = tools
        self._halt = halt

    async def end_runs(self) -> None:
        """Settle what was cancelled, and expire what is overdue."""
        await self.each(self._ending("settle"), "run_cancelling")
        await self.each(self._ending("expire"), "run_overdue", now=self._tools.now())

    async def promote_runs(self) -> None:
        """Give every thread that its run has left to the run that waits for it."""
        await self.each(self._promote, "run_promotable", is_long=True)

    async def promote_next(self, key: RunKey) -> None:
        """Give the run that waits behind `key` its turn, if it is its turn."""
        tools = self._tools
        await promote_next(tools.database, key, tools.now(), tools.run_expires_s)

    async def each(
        self,
        act: Callable[[RunKey], Awaitable[object]],
        name: str,
        *,
        is_long: bool = False,
        **params: int,
    ) -> None:
        """Act on all runs that a query finds, at once: their writes share commits.

        One run's trouble is its own: it is looked at again, and the others go on.
        """
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
            self._halt(key)
            await end(self._tools.database, key, cause, self._tools.now)
            await self.promote_next(key)

        return act

    async def _promote(self, key: RunKey) -> None:
        await promote(self._tools.database, key, self._tools.now(), self._tools.run_expires_s)

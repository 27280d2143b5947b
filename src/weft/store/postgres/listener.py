"""What happens on other nodes: their bells are heard here.

While the connection is lost nothing is heard: whoever listens is woken once it
is back, and looks for itself.
"""

import asyncio
import contextlib
from collections.abc import Callable

from psycopg import pq

from weft.domain.errors import Unavailable
from weft.store.bells import Bells
from weft.store.postgres.forms import Forms
from weft.store.postgres.link import PATIENCE_S, Link
from weft.store.postgres.pipe import POINT, Lost, Pipe, Question

LOOK_S = 1.0  # between looks at whether the connection still answers


class Listener:
    """Rings the bells that other nodes ring."""

    def __init__(self, url: str, forms: Forms, bells: Bells, is_own: Callable[[int], bool]) -> None:
        """`is_own` says of a backend's number whether this node writes by it, and has rung."""
        self.link = Link(url, "wake-ups", greet=self._greet)
        self._bells = bells
        self._is_own = is_own
        self._listen = Question(forms.own["listen"], [])
        self._alive = Question(forms.own["alive"], [])
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> Pipe:
        """Connect and listen. Raises: psycopg.Error."""
        pipe = await self.link.open()
        self._watching = asyncio.create_task(self._watch())
        return pipe

    def close(self) -> None:
        """Hear nothing more."""
        if self._watching is not None:
            self._watching.cancel()
        self.link.close()

    async def _greet(self, pipe: Pipe) -> None:
        pipe.on_notify = self._hear
        answer, _ = await asyncio.wait_for(pipe.ask([self._listen, POINT]), PATIENCE_S)
        if isinstance(answer, Exception):
            raise answer
        self._bells.ring_all()

    def _hear(self, heard: pq.PGnotify) -> None:
        if not self._is_own(heard.be_pid):
            self._bells.ring(heard.extra.decode())

    async def _watch(self) -> None:
        """Notice a connection that is silent because it is dead."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(Unavailable, Lost):
                await self.link.ask(await self.link.ready(), [self._alive, POINT])

"""Wake-ups: who waits for something in the database is told when it may have changed.

A bell carries no data. Whoever hears it reads the database; whoever listens
before reading misses nothing.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """What one listener hears."""

    __slots__ = ("_rung",)

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the listener, now or when it next waits."""
        self._rung.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait until the bell has rung since the last time; return False after `timeout_s`."""
        if not self._rung.is_set():
            try:
                # Not wait_for: until Python 3.12 it forgot a cancellation that came with a ring.
                async with asyncio.timeout(timeout_s):
                    await self._rung.wait()
            except TimeoutError:
                return False
        self._rung.clear()
        return True


class Bells:
    """The bells of one process, by topic."""

    def __init__(self) -> None:
        self.are_closed = False  # nothing more will be worth waiting for: the process stops
        self._listeners: dict[str, set[Bell]] = {}

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.are_closed = True
        self.ring_all()

    def ring_all(self) -> None:
        """Wake everybody: something may have happened that nobody heard."""
        for listeners in self._listeners.values():
            for bell in listeners:
                bell.ring()

    def ring(self, topic: str) -> None:
        """Wake everybody who listens to a topic."""
        for bell in self._listeners.get(topic, ()):
            bell.ring()

    @contextmanager
    def listening(self, topic: str) -> Iterator[Bell]:
        """Listen to a topic for as long as the context lasts."""
        bell = Bell()
        listeners = self._listeners.setdefault(topic, set())
        listeners.add(bell)
        try:
            yield bell
        finally:
            listeners.discard(bell)
            if not listeners:
                self._listeners.pop(topic, None)

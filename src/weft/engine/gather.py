"""What arrived while the last commit was written: batches that need no timer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

MOST = 1000  # items waiting before the source has to wait


async def batches(source: AsyncIterator[T], most: int = MOST) -> AsyncGenerator[list[T], None]:
    """Yield everything that `source` gave since the last time, in order, never empty.

    The source is read on while the caller works on a batch, and held when `most` items wait.
    Closing this closes the source. Raises: what the source raises, behind its last item.
    """
    waiting: list[T] = []
    arrived, taken = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async for item in source:
            waiting.append(item)
            arrived.set()
            while len(waiting) >= most:
                taken.clear()
                await taken.wait()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: arrived.set())
    try:
        while True:
            await arrived.wait()
            arrived.clear()
            if waiting:
                batch, waiting[:] = waiting[:], []
                taken.set()
                yield batch
            elif reading.done():
                reading.result()
                return
            if reading.done():
                arrived.set()
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await reading
        if isinstance(source, AsyncGenerator):
            await source.aclose()

"""The bytes of files: how they arrive, are read, and are removed when nothing refers to them.

Each content is kept once, known by its SHA-256, whoever sends it. Its life:

1. `arriving` notes a fresh location as an orphan, then takes the bytes there.
2. `Arrival.finish` makes them durable; `keep` is the statements that make the location the
   content's own and no orphan, in the same write as whatever refers to it. When the content was
   there already, the older bytes stay and these are removed.
3. Whoever lets go of a content says so in the same write (`blob_release`). `sweep` looks whether
   it was the last reference, makes the location an orphan, and removes the bytes of orphans.

Since a location is never used twice, removing can never hit what is being written. After a crash
every orphan is left over: `begin` hands them to `sweep`.
"""

import asyncio
import contextlib
import hashlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from weft.domain.errors import Unavailable
from weft.store.blobs import Blobs, Sink, Source, new_location
from weft.store.database import Database, Statement, Write

T = TypeVar("T")

THREADS = 4  # for reading, hashing and writing
PIECE_BYTES = 1024 * 1024  # of one hop to a thread
ARRIVES_WITHIN_S = 24 * 3600  # longer may no request take to bring its bytes
SLICE = 100  # contents looked at in one go

logger = logging.getLogger("weft.store")


class Content(NamedTuple):
    """Bytes that are durable; `sha256` is hexadecimal."""

    sha256: str
    location: str
    bytes: int


def keep(content: Content) -> Write:
    """The statements that let something refer to a content. Guard: it was not swept away."""
    params = {
        "sha256": content.sha256,
        "location": content.location,
        "bytes": content.bytes,
    }
    return (
        Statement("blob_insert", params),
        Statement("blob_is_there", params, is_guard=True),
        Statement("blob_adopt", params),
        Statement("blob_abandon", params),
    )


class Arrival:
    """Bytes on their way in. Memory: three pieces at most."""

    def __init__(
        self, threads: ThreadPoolExecutor, location: str, sink: Sink, *, with_md5: bool
    ) -> None:
        self.location = location
        self.bytes = 0
        self._threads = threads
        self._sink = sink
        self._hash = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
        self._waiting = bytearray()
        self._writing: asyncio.Future[None] | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    async def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes. While they are written the next may come.

        Raises: Unavailable when the disk cannot take them.
        """
        self.bytes += len(piece)
        self._waiting += piece
        if len(self._waiting) >= PIECE_BYTES:
            await self._hand_over()

    async def finish(self) -> Content:
        """Make durable what came and say what it is. Raises: Unavailable."""
        await self._hand_over()
        await self._settle()
        await _in_thread(self._threads, self._finish)
        return Content(self._hash.hexdigest(), self.location, self.bytes)

    @property
    def md5(self) -> str | None:
        """The MD5 of what was finished, hexadecimal, if it was asked for."""
        return None if self._md5 is None else self._md5.hexdigest()

    async def close(self) -> None:
        """Let go, finished or not, once no thread is writing."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
            self._writing.exception()  # whoever writes has been told, or has gone
        await _in_thread(self._threads, self._close)

    async def _hand_over(self) -> None:
        await self._settle()
        piece, self._waiting = self._waiting, bytearray()
        self._writing = asyncio.ensure_future(_in_thread(self._threads, self._take, piece))

    async def _settle(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    # --- in a thread ------------------------------------------------------------------------

    def _take(self, piece: bytearray) -> None:
        with self._lock:
            if not self._is_closed:  # whoever wrote was cancelled meanwhile
                self._hash.update(piece)
                if self._md5 is not None:
                    self._md5.update(piece)
                self._sink.write(piece)

    def _finish(self) -> None:
        with self._lock:
            self._sink.finish()

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._sink.close()


class Reading:
    """Bytes on their way out."""

    def __init__(self, threads: ThreadPoolExecutor, source: Source) -> None:
        self._threads = threads
        self._source = source

    async def pieces(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Yield bytes `start` to `stop` (exclusive). Raises: Unavailable."""
        at = start
        while at < stop:
            size = min(PIECE_BYTES, stop - at)
            piece = await _in_thread(self._threads, self._source.read, at, size)
            if not piece:
                raise Unavailable("The bytes of the file are fewer than they were.")
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Let go."""
        self._source.close()


class Contents:
    """The bytes of all files; the work with them is done in a few threads."""

    def __init__(self, database: Database, blobs: Blobs, now: Callable[[], int]) -> None:
        self._database = database
        self._blobs = blobs
        self._now = now
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="weft-files")

    async def begin(self) -> None:
        """Hand what a crash left to `sweep`. Nobody may be writing yet."""
        await self._database.write((Statement("blob_abandon_all", {}),))

    @asynccontextmanager
    async def arriving(self, *, with_md5: bool = False) -> AsyncIterator[Arrival]:
        """Take bytes. What is not kept (`keep`) when the block ends is removed.

        Raises: Unavailable when the disk cannot take them; TimeoutError after a day.
        """
        location = new_location()
        # Twice as late as the block may last: clocks may differ, never by a day.
        params = {"location": location, "remove_at": self._now() + 2 * ARRIVES_WITHIN_S}
        await self._database.write((Statement("blob_arrive", params),))
        arrival = None
        try:
            async with asyncio.timeout(ARRIVES_WITHIN_S):
                sink = await _in_thread(self._threads, self._blobs.create, location)
                arrival = Arrival(self._threads, location, sink, with_md5=with_md5)
                yield arrival
        finally:
            await asyncio.shield(self._abandon(location, arrival))

    async def _abandon(self, location: str, arrival: Arrival | None) -> None:
        """Give up a location; this does nothing to one that was kept."""
        if arrival is not None:
            with contextlib.suppress(Unavailable):  # whoever writes has been told
                await arrival.close()
        await self._database.write((Statement("blob_abandon", {"location": location}),))

    async def open(self, location: str) -> "Reading":
        """Open what lies at a location; it can be read also when it is removed meanwhile.

        Raises: FileNotFoundError; Unavailable.
        """
        source = await _in_thread(self._threads, self._blobs.open, location)
        return Reading(self._threads, source)

    @asynccontextmanager
    async def reading(
        self, location: str, start: int, stop: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give bytes `start` to `stop` (exclusive) in pieces, within the block. See `open`."""
        opened = await self.open(location)
        try:
            yield opened.pieces(start, stop)
        finally:
            opened.close()

    @asynccontextmanager
    async def path(self, location: str) -> AsyncIterator[Path]:
        """Give the bytes as a file on this machine, to be read only, within the block.

        It may be removed within the block too, when the file is deleted meanwhile.
        Raises: FileNotFoundError; Unavailable.
        """
        held = self._blobs.path(location)
        path = await _in_thread(self._threads, held.__enter__)
        try:
            yield path
        finally:
            await _in_thread(self._threads, held.__exit__, None, None, None)

    async def sweep(self) -> bool:
        """Remove a slice of what nothing refers to; say whether there was anything."""
        return await self._check_released() or await self._remove_orphans()

    async def _check_released(self) -> bool:
        released = await self._database.page("blob_released", {"limit": SLICE})
        names = ("blob_checked", "blob_hold", "blob_orphan_unused", "blob_delete_unused")
        checks = [
            Statement(name, {"sha256": sha256}) for (sha256,) in released.rows for name in names
        ]
        if checks:
            await self._database.write(tuple(checks), is_long=True)
        return bool(checks)

    async def _remove_orphans(self) -> bool:
        due = {"now": self._now(), "limit": SLICE}
        page = await self._database.page("blob_orphans_due", due)
        for (location,) in page.rows:
            await _in_thread(self._threads, self._blobs.remove, location)
        gone = [Statement("blob_orphan_removed", {"location": row[0]}) for row in page.rows]
        if gone:
            await self._database.write(tuple(gone))
        return bool(gone)

    async def close(self) -> None:
        """Wait for the threads."""
        await asyncio.to_thread(self._threads.shutdown)


async def _in_thread(threads: ThreadPoolExecutor, act: Callable[..., T], *arguments: object) -> T:
    """Act in a thread. Raises: FileNotFoundError; Unavailable for any other fault of the disk."""
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, act, *arguments)
    except FileNotFoundError:
        raise
    except OSError as fault:
        logger.error("the bytes of files cannot be reached: %s", fault)  # noqa: TRY400
        raise Unavailable(
            "The server cannot reach the bytes of files now; nothing was stored. Try again."
        ) from fault

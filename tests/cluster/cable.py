"""The way from the nodes to the database, which can be cut, or fall silent."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class Cable:
    """A proxy. Cut, it ends connections and takes none; silent, it keeps them and is deaf."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self.url = ""
        self.loop = asyncio.new_event_loop()
        self._is_cut = False
        self._is_silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """End every connection, and each new one at once."""
        self._is_cut = True
        self.loop.call_soon_threadsafe(self._drop)
        try:
            yield
        finally:
            self._is_cut = False

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Let nothing through for a while; what was sent meanwhile is lost with its connection."""
        self._is_silent = True
        try:
            yield
        finally:
            self.loop.call_soon_threadsafe(self._drop)
            self._is_silent = False

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = urlunsplit(self._to._replace(netloc=f"{self._to.username}@127.0.0.1:{port}"))
        ready.set()
        await stop.wait()
        server.close()
        self._drop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            if not self._is_cut:
                await self._pass_on(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to = await asyncio.open_connection(self._to.hostname, self._to.port)
        except OSError:
            return
        self._writers.add(to)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, to))
                group.create_task(self._copy(there, writer))
        finally:
            self._writers.discard(to)
            to.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self._is_silent:
                    writer.write(data)
                    await writer.drain()
        writer.transport.abort()


@contextmanager
def cable_to(url: str) -> Iterator[Cable]:
    """Lay a cable to a database."""
    cable = Cable(url)
    loop, ready, stop = cable.loop, threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(cable.serve(ready, stop),))
    thread.start()
    try:
        assert ready.wait(10)
        yield cable
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()

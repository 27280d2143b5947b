"""A file copied through the same server stack, and nothing else: what uploads are held against.

`POST /copy` writes a body to a file as it comes and syncs it; `GET /copy` sends that file. No
form, no hash, no database. Pieces are of the size that Weft uses, and go through a thread too.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from weft.api.app import Receive, Scope, Send
from weft.store.contents import PIECE_BYTES

COPY = "/copy"


class Copying:
    """The ASGI application."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the file, or give it back."""
        if scope["method"] == "POST":
            await self._take(receive)
            await _begin(send, 0)
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._give(send)

    async def _take(self, receive: Receive) -> None:
        waiting = bytearray()
        with self._file.open("wb", buffering=0) as file:
            more = True
            while more:
                message = await receive()
                waiting += message.get("body", b"")
                more = message.get("more_body", False)
                if len(waiting) >= PIECE_BYTES or not more:
                    piece, waiting = waiting, bytearray()
                    await _in_thread(lambda: file.write(piece))  # noqa: B023  # awaited at once
            await _in_thread(lambda: os.fsync(file.fileno()))

    async def _give(self, send: Send) -> None:
        with self._file.open("rb", buffering=0) as file:
            await _begin(send, self._file.stat().st_size)
            while piece := await _read(file):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _begin(send: Send, size: int) -> None:
    headers = [(b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _read(file: BinaryIO) -> bytes:
    return await asyncio.to_thread(file.read, PIECE_BYTES)


def _in_thread(act: Callable[[], object]) -> Awaitable[object]:
    return asyncio.to_thread(act)

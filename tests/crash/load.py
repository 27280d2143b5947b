"""Clients that write as fast as they are answered, and remember what was acknowledged."""

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """What a server said; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: Any


class Line:
    """One connection that is kept open. A server that dies ends it with ConnectionError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: str) -> "Line":
        """Connect to a server."""
        where = urlsplit(address)
        return cls(*await asyncio.open_connection(where.hostname, where.port))

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request and return the answer."""
        content = b"" if body is None else json.dumps(body).encode()
        self._writer.write(
            f"{method} /v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await self._writer.drain()
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").split("\r\n")[:-2]
            headers = dict(line.lower().split(": ", 1) for line in lines)
            answer = await self._reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError as fault:
            raise ConnectionResetError("the server has gone") from fault
        return Answer(int(status.split()[1]), headers, json.loads(answer))

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request that must succeed and return its JSON."""
        answer = await self.call(method, path, body)
        assert answer.status == 200, answer
        return answer.body

    def close(self) -> None:
        """Let go of the connection."""
        self._writer.close()

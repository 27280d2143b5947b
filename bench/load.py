"""Our own load generator, for machines without wrk: `python -m bench.load`.

Takes the requests file of `requests.lua` and reports the same fields. Keep-alive,
one request at a time on each connection, no pipelining. It does next to nothing
with an answer, so that it stays ahead of the server.
"""

import argparse
import asyncio
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
LAST_ANSWERS_S = 10.0


class _Tally:
    """What all connections share: the requests to send, and what came of them."""

    def __init__(self, prepared: list[bytes], start: float) -> None:
        self._prepared = prepared
        self._at = int(start * len(prepared))
        self.is_over = False
        self.latencies_ns: list[int] = []
        self.errors = 0

    def next(self) -> bytes:
        """Return the next request, round and round."""
        self._at = (self._at + 1) % len(self._prepared)
        return self._prepared[self._at]


class _Connection(asyncio.Protocol):
    """Sends a request, waits for its answer, sends the next."""

    def __init__(self, tally: _Tally) -> None:
        self._tally = tally
        self._buffer = b""
        self._sent_ns = 0
        self._transport: asyncio.Transport
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports have the methods, but not the class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count an answer when it is complete."""
        buffer = self._buffer + data if self._buffer else data
        head = buffer.find(_HEAD_END)
        length = _LENGTH.search(buffer, 0, head) if head >= 0 else None
        if length is None or len(buffer) < head + len(_HEAD_END) + int(length[1]):
            self._buffer = buffer
            return
        self._buffer = b""
        tally = self._tally
        tally.latencies_ns.append(time.perf_counter_ns() - self._sent_ns)
        if buffer[9:10] != b"2":
            tally.errors += 1
        if tally.is_over:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that ended while it had something to do."""
        if exc is not None or not self._tally.is_over:
            self._tally.errors += 1
        self.closed.set_result(None)

    def _send(self) -> None:
        self._sent_ns = time.perf_counter_ns()
        self._transport.write(self._tally.next())


def prepare(lines: Sequence[str], *, host: str, prefix: str, key: str) -> list[bytes]:
    """Return each "METHOD PATH BODY" as the bytes of an HTTP request."""
    prepared = []
    for line in lines:
        method, path, *rest = line.split(" ", 2)
        body = rest[0].encode() if rest else b""
        head = f"{method} {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}"
        if body:
            head += "\r\nContent-Type: application/json"
        if method != "GET":
            head += f"\r\nContent-Length: {len(body)}"
        prepared.append(head.encode() + _HEAD_END + body)
    return prepared


async def play(
    host: str, port: int, tally: _Tally, *, connections: int, seconds: float
) -> dict[str, int]:
    """Play requests for some seconds and return the fields of the report."""
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: _Connection(tally), host, port)
        for _ in range(connections)
    ]
    # What was sent while the connections opened belongs to no full load.
    tally.latencies_ns.clear()
    started_ns = time.perf_counter_ns()
    await asyncio.sleep(seconds)
    tally.is_over = True
    duration_ns = time.perf_counter_ns() - started_ns
    latencies = sorted(tally.latencies_ns)
    waiting = [connection.closed for _, connection in opened]
    _, hanging = await asyncio.wait(waiting, timeout=LAST_ANSWERS_S)
    return {
        "requests": len(latencies),
        "duration_us": duration_ns // 1000,
        "errors": tally.errors + len(hanging) + (not latencies),
        "p50_us": latencies[len(latencies) // 2] // 1000 if latencies else 0,
        "p99_us": latencies[len(latencies) * 99 // 100] // 1000 if latencies else 0,
    }


def main() -> None:
    """Play a file of requests and print the report as one line of JSON."""
    parser = argparse.ArgumentParser("bench.load")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("prefix")
    parser.add_argument("key")
    parser.add_argument("start", type=float)
    chosen = parser.parse_args()
    at = urlsplit(chosen.url)
    assert at.hostname is not None
    assert at.port is not None
    lines = chosen.file.read_text(encoding="utf-8").splitlines()
    tally = _Tally(
        prepare(lines, host=at.netloc, prefix=chosen.prefix, key=chosen.key), chosen.start
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(
            play(
                at.hostname, at.port, tally, connections=chosen.connections, seconds=chosen.seconds
            )
        )
    print(json.dumps(report))


if __name__ == "__main__":
    main()

"""Real sockets that fail on purpose: a server with a script, and a proxy that cuts connections."""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Sent(NamedTuple):
    """A request that came in. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """An answer of a script. Without a status the connection is closed instead."""

    status: int | None
    body: bytes = b"{}"
    headers: Mapping[str, str] = {}
    length: int | None = None  # to announce more than there is

    def as_bytes(self) -> bytes:
        """Return the answer as HTTP."""
        named = {"Content-Type": "application/json", **self.headers}
        lines = [
            f"HTTP/1.1 {self.status} Scripted",
            f"Content-Length: {self.length or len(self.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in named.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


LOST = Reply(None)  # the request is read, and the connection closed
SILENT = Reply(0)  # the request is read, and nothing happens


def failure(status: int, **headers: str) -> Reply:
    """Return an error as the service writes it."""
    error = {"message": "Scripted.", "type": "server_error", "param": None, "code": "x"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"error": error}).encode(), named)


class _Listener:
    """Accepts connections on the loopback and serves each in a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._one, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        # Either side may go away at any time, which is what this is for.
        with suppress(OSError):
            self._serve(connection)
        shut(connection)

    def close(self) -> None:
        """Stop, and wait until everything has stopped."""
        shut(self._socket)
        for connection in self._open:
            shut(connection)
        for thread in self._threads:
            thread.join()


def shut(connection: socket.socket) -> None:
    """Close a socket so that whoever waits for it in another thread wakes up."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


# --- a server with a script ---------------------------------------------------------------------


class Script:
    """What a server has to answer, in its order; the last answer is repeated."""

    def __init__(self, replies: Iterable[Reply]) -> None:
        self._replies = list(replies)
        self._lock = threading.Lock()
        self.sent: list[Sent] = []

    def serve(self, connection: socket.socket) -> None:
        """Answer requests until one is to be lost."""
        stream = connection.makefile("rb")
        with stream:
            while (request := _read(stream)) is not None:
                with self._lock:
                    self.sent.append(request)
                    reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
                if reply.status is None:
                    return
                if reply.status == 0:
                    stream.read(1)  # until the client has had enough
                    return
                connection.sendall(reply.as_bytes())
                if reply.length is not None:
                    return


def _read(stream: Any) -> Sent | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Sent(first[0], first[1], headers, body)


@contextmanager
def scripted(*replies: Reply) -> Iterator[tuple[str, Script]]:
    """Run a server that answers by a script; yield its address and the script."""
    script = Script(replies)
    listener = _Listener(script.serve)
    try:
        yield listener.address, script
    finally:
        listener.close()


# --- a proxy that cuts --------------------------------------------------------------------------


class Cutter:
    """Passes bytes on between clients and a server; cuts one connection at the n-th byte.

    Each connection takes the next of `cuts`: how many bytes of answers it lets through, None for
    all of them. Without any left, everything passes.
    """

    def __init__(self, target: str) -> None:
        at = urlsplit(target)
        self._target = (at.hostname, at.port)
        self.cuts: list[int | None] = []
        self.connections = 0
        self.open_count = 0
        self.passed = 0

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection."""
        self.connections += 1
        self.open_count += 1
        try:
            self._serve(connection)
        finally:
            self.open_count -= 1

    def _serve(self, connection: socket.socket) -> None:
        limit = self.cuts.pop(0) if self.cuts else None
        with socket.create_connection(self._target) as upstream:
            sender = threading.Thread(target=_pass_on, args=(connection, upstream))
            sender.start()
            try:
                self._answer(upstream, connection, limit)
            finally:
                shut(connection)
                shut(upstream)
                sender.join()

    def _answer(
        self, upstream: socket.socket, connection: socket.socket, limit: int | None
    ) -> None:
        left = limit
        while left is None or left > 0:
            piece = upstream.recv(65536)
            if not piece:
                return
            piece = piece if left is None else piece[:left]
            # Counted first: whoever has read the last byte may ask at once for the count.
            self.passed += len(piece)
            connection.sendall(piece)
            left = None if left is None else left - len(piece)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    shut(target)


@contextmanager
def cutting(target: str) -> Iterator[tuple[str, Cutter]]:
    """Run a proxy in front of a server; yield its address and the proxy."""
    cutter = Cutter(target)
    listener = _Listener(cutter.serve)
    try:
        yield listener.address, cutter
    finally:
        listener.close()

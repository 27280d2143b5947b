"""How httpx2 reaches an endpoint: HTTP/1.1 on asyncio and httptools, made for streams.

A streamed answer is thousands of small reads. httpx2's own transport spends about
70 us of CPU on each (cancel scopes, locks, a parser in Python), this one about
15. It does only what asking a model needs: one origin, requests whose
body is in memory, answers that are read piece by piece, connections that are kept.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from functools import cache
from typing import cast

import httptools
import httpx2

IDLE_CONNECTIONS = 100
IDLE_S = 30.0
MOST_HEADER_BYTES = 64 * 1024
# An answer that nobody reads is not taken in beyond this.
MOST_UNREAD_BYTES = 256 * 1024


class Transport(httpx2.AsyncBaseTransport):
    """Connections to the origin of `url`; `tls` replaces the system's trusted certificates.

    The extension `body` of a response is its `Body`, for those who find
    httpx2's generators too slow.
    """

    def __init__(self, url: httpx2.URL, tls: ssl.SSLContext | None = None) -> None:
        self._host = url.raw_host.decode("ascii")
        self._tls = (tls or _tls()) if url.scheme == "https" else None
        self._port = url.port or (443 if self._tls else 80)
        self._idle: list[_Connection] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and return the answer as soon as its headers are here.

        Raises: httpx2.TransportError.
        """
        timeouts = request.extensions["timeout"]
        while True:
            kept = self._kept()
            connection = kept or await self._connected(timeouts["connect"])
            try:
                await connection.send(request, timeouts["read"])
            except httpx2.RemoteProtocolError:
                if kept is None or connection.has_answered:
                    raise
                # The server closed a kept connection just now: it has not seen the request.
            else:
                body = Body(connection, self._idle)
                return httpx2.Response(
                    connection.status,
                    headers=connection.headers,
                    stream=body,
                    extensions={"body": body},
                )

    async def aclose(self) -> None:
        """Close the kept connections."""
        while self._idle:
            self._idle.pop().abort()

    def _kept(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh:
                return connection
            connection.abort()
        return None

    async def _connected(self, timeout_s: float) -> "_Connection":
        """Connect to the first address that answers."""
        addresses = await self._addresses(timeout_s)
        fault: OSError | None = None
        for address in addresses:
            try:
                # An address that does not answer must leave time for the next.
                async with asyncio.timeout(timeout_s / len(addresses)):
                    return await self._connected_to(address)
            except OSError as failed:  # also TimeoutError and ssl.SSLError
                fault = failed
        if isinstance(fault, TimeoutError):
            raise httpx2.ConnectTimeout("no connection in time") from fault
        raise httpx2.ConnectError("no connection") from fault

    async def _addresses(self, timeout_s: float) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                found = await loop.getaddrinfo(
                    self._host, self._port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
                )
        except TimeoutError as late:
            raise httpx2.ConnectTimeout("the name was not found in time") from late
        except OSError as unknown:
            raise httpx2.ConnectError("the name was not found") from unknown
        return list(dict.fromkeys(str(place[4][0]) for place in found))

    async def _connected_to(self, address: str) -> "_Connection":
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection,
            address,
            self._port,
            ssl=self._tls,
            server_hostname=self._host if self._tls else None,
        )
        return connection


class Body(httpx2.AsyncByteStream):
    """The body of an answer. Closing it keeps its connection if it was read to the end."""

    def __init__(self, connection: "_Connection", idle: "list[_Connection]") -> None:
        self._connection = connection
        self._idle = idle
        self._is_closed = False

    async def read(self) -> bytes:
        """Return what has come, at least one byte; nothing at the end.

        Raises: httpx2.TransportError.
        """
        return await self._connection.read()

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        while piece := await self._connection.read():
            yield piece

    async def aclose(self) -> None:
        """Give the connection back, or end it in the middle of the answer."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._connection.released() and len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(self._connection)
        else:
            self._connection.abort()


class _Connection(asyncio.Protocol):
    """One connection and the answer that is being read from it, if there is one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._idle_since = 0.0
        self._is_lost = False
        self._is_asked = False  # an answer may come
        self._watch: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._clear()

    def _clear(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_answered = False  # at least one byte came
        self._header_bytes = 0
        self._pieces: list[bytes] = []
        self._unread_bytes = 0
        self._is_paused = False
        self._has_headers = False
        self._is_complete = False
        self._ends_with_connection = False
        self._may_be_kept = False
        self._fault: Exception | None = None

    # --- for the transport ------------------------------------------------------------------

    @property
    def is_fresh(self) -> bool:
        """It is open, and was used recently enough to trust it."""
        return not self._is_lost and self._loop.time() - self._idle_since < IDLE_S

    async def send(self, request: httpx2.Request, timeout_s: float) -> None:
        """Send a request and wait for the headers of its answer.

        Raises: httpx2.TransportError, with the connection closed.
        """
        self._clear()
        self._is_asked = True
        self._timeout_s = timeout_s
        self._waiting_since = self._loop.time()
        self._watch = self._loop.call_later(timeout_s, self._check_silence)
        lines = [b"%s: %s\r\n" % pair for pair in request.headers.raw]
        head = b"%s %s HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)
        try:
            self._transport.write(b"".join([head, *lines, b"\r\n", await request.aread()]))
            while not self._has_headers:
                await self._more()
        except BaseException:
            self.abort()
            raise

    async def read(self) -> bytes:
        """Return what has come of the body; nothing at its end."""
        while not self._pieces:
            if self._is_complete:
                return b""
            await self._more()
        pieces, self._pieces = self._pieces, []
        self._unread_bytes = 0
        if self._is_paused and not self._is_lost:
            self._is_paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def released(self) -> bool:
        """End the reading and tell whether another request may be sent."""
        self._stop_watching()
        self._is_asked = False
        self._idle_since = self._loop.time()
        return self._is_complete and self._may_be_kept and not self._is_lost and not self._pieces

    def abort(self) -> None:
        """Close the connection at once."""
        self._stop_watching()
        self._transport.abort()

    # --- waiting ----------------------------------------------------------------------------

    async def _more(self) -> None:
        """Wait until something came. Raises: httpx2.TransportError, if nothing more can."""
        if self._fault is not None:
            raise self._fault
        self._waiter = self._loop.create_future()
        self._waiting_since = self._loop.time()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: Exception) -> None:
        if self._fault is None and not self._is_complete:
            self._fault = fault
            self._wake()

    def _check_silence(self) -> None:
        """Fail if the wait is too long. One timer for an answer is cheaper than one a read."""
        left_s = self._timeout_s
        if self._waiter is not None:
            left_s += self._waiting_since - self._loop.time()
        if left_s <= 0:
            self._fail(httpx2.ReadTimeout("silence"))
        else:
            self._watch = self._loop.call_later(left_s, self._check_silence)

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    # --- called by asyncio ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's have no common base

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if not self._is_asked:
            self.abort()
            return
        self.has_answered = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(httpx2.DecodingError("not HTTP"))
        if self._unread_bytes > MOST_UNREAD_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, fault: Exception | None) -> None:
        """Nothing more comes, which is how answers without a length end."""
        self._is_lost = True
        if self._has_headers and self._ends_with_connection and fault is None:
            self._is_complete = True
            self._wake()
        lost = httpx2.RemoteProtocolError("the connection was closed")
        lost.__cause__ = fault
        self._fail(lost)

    # --- called by the parser ---------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Another answer without a request is nothing to build upon."""
        if self._is_complete:
            self._may_be_kept = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MOST_HEADER_BYTES:
            raise httpx2.DecodingError("too many headers")
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The answer begins, unless it only says that one will follow."""
        self.status = self._parser.get_status_code()
        if self.status < httpx2.codes.OK:
            self.headers = []
            return
        names = {name.lower() for name, _ in self.headers}
        self._ends_with_connection = not names & {b"content-length", b"transfer-encoding"}
        self._may_be_kept = self._parser.should_keep_alive()
        self._has_headers = True

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(body)
        self._unread_bytes += len(body)

    def on_message_complete(self) -> None:
        """The answer is complete."""
        self._is_complete = self._has_headers


@cache
def _tls() -> ssl.SSLContext:
    """Return the system's trusted certificates; loading them takes long enough to share them."""
    context = httpx2.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context

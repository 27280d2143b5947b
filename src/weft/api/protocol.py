"""HTTP itself: uvicorn's protocol, mended where a client could lose or a stranger could win.

- What is not HTTP is refused in JSON with a request id, like everything else.
- An offer of another protocol is not taken up, and costs nothing. Java's own client offers HTTP/2
  with every request (`Upgrade: h2c`); uvicorn would take such a request for complete without
  its body. Here it is read again without the offer.
- Headers without end are refused before they fill the memory.
- When a connection ends, every request on it is told, so that none is answered into the void.
"""

import logging

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from weft.api.app import new_request_id
from weft.domain.errors import BadRequest
from weft.wire.errors import error_body

# Of one request, its first line included; what is read from the socket at once may come on top.
MAX_HEAD_BYTES = 64 * 1024

logger = logging.getLogger("weft.api")


class Protocol(HttpToolsProtocol):
    """One connection."""

    # What came since the last piece of HTTP that was complete.
    _pending_bytes = 0
    # The request that is being answered; others may have come right behind it and wait.
    _acting: RequestResponseCycle | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came from the socket."""
        self._unset_keepalive_if_required()
        self._pending_bytes += len(data)
        stack = [memoryview(data)]
        while stack and not self.transport.is_closing():
            stack += self._parse(stack.pop())
        if self._pending_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The headers are larger than {MAX_HEAD_BYTES} bytes.")

    def _parse(self, data: memoryview) -> tuple[memoryview, ...]:
        """Parse up to an offer; return what stands behind it and, on top, its request without."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self.parser.get_method() != b"CONNECT":
                return data[offer.args[0] :], memoryview(self._head_without_offer())
            self.send_400_response("This server is not a proxy.")
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        return ()

    def on_headers_complete(self) -> None:
        """Begin to act on a request."""
        self._pending_bytes = 0
        super().on_headers_complete()
        if self._acting is None:
            self._acting = self.cycle

    def on_response_complete(self) -> None:
        """Go on to the request that waits."""
        self._acting = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._pending_bytes = 0
        super().on_body(body)

    def _should_upgrade(self) -> bool:
        """Leave a request with an offer alone: it comes again without."""
        return True

    def _head_without_offer(self) -> bytes:
        """Return the head of the request that ended in an offer, for a new parser to read."""
        version = self.parser.get_http_version().encode("ascii")
        head = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection" and b"close" in value.lower():
                head.append(b"connection: close")
            elif name not in (b"connection", b"upgrade", b"http2-settings"):
                head.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as it was
        return b"\r\n".join((*head, b"\r\n"))

    def eof_received(self) -> None:
        """Let nobody answer any more: the loop closes the connection now."""
        self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let nobody answer any more."""
        self._hang_up()
        super().connection_lost(exc)

    def _hang_up(self) -> None:
        """Tell the request that is being answered; uvicorn tells only the one that came last."""
        for cycle in (self._acting, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read as a request, and close."""
        self._hang_up()
        body = error_body(BadRequest(msg)).encode("utf-8")
        request_id = new_request_id()
        logger.warning("%s refused: %s", request_id, msg)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nx-request-id: %b\r\nconnection: close\r\n\r\n%b"
            % (len(body), request_id.encode("ascii"), body)
        )
        self.transport.close()

"""HTTP itself: uvicorn's protocol, mended where a client could lose or a stranger could win.

- What is not HTTP is refused in JSON with a request id, like everything else.
- An offer of another protocol is not taken up, and costs nothing. Java's own client offers HTTP/2
  with every request (`Upgrade: h2c`); uvicorn would take such a request for complete without
  its body. Here it is read again without the offer.
- Headers without end are refused before they fill the memory.
"""

import logging

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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

    def data_received(self, data: bytes) -> None:
        """Parse what came from the socket."""
        self._unset_keepalive_if_required()
        self._pending_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._go_on_without(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            if self._pending_bytes > MAX_HEAD_BYTES:
                self.send_400_response(f"The headers are larger than {MAX_HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """Begin to act on a request."""
        self._pending_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._pending_bytes = 0
        super().on_body(body)

    def _should_upgrade(self) -> bool:
        """Leave a request with an offer alone: it comes again without."""
        return True

    def _go_on_without(self, rest: bytes) -> None:
        """Read the request that ended in an offer again, and what stood behind it."""
        if self.parser.get_method() == b"CONNECT":
            self.send_400_response("This server is not a proxy.")
            return
        version = self.parser.get_http_version().encode("ascii")
        head = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection" and b"close" in value.lower():
                head.append(b"connection: close")
            elif name not in (b"connection", b"upgrade", b"http2-settings"):
                head.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as it was
        self.data_received(b"\r\n".join((*head, b"\r\n")) + rest)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read as a request, and close."""
        body = error_body(BadRequest(msg)).encode("utf-8")
        request_id = new_request_id()
        logger.warning("%s refused: %s", request_id, msg)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nx-request-id: %b\r\nconnection: close\r\n\r\n%b"
            % (len(body), request_id.encode("ascii"), body)
        )
        self.transport.close()

"""What both shells know of httpx2: how it is set up, and what its exceptions mean."""

from functools import cache

import httpx2

from weft.client.errors import InvalidRequest, NoAnswer, Problem, TimedOut
from weft.client.request import Request
from weft.client.retry import Lost, Reply

CONNECT_S = 5.0

FAULTS = (httpx2.RequestError, httpx2.InvalidURL)
# Raised before anything of the request reached the server.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# The fault of the request itself: sending it again is of no use.
_NOT_A_REQUEST = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL)


def lost(fault: Exception, request: Request | None) -> Lost:
    """Return what an exception of httpx2 means for a call.

    Raises: InvalidRequest for what is no HTTP request at all.
    """
    where = f"{request.method} {request.url.partition('?')[0]}" if request else "the stream"
    if isinstance(fault, _NOT_A_REQUEST):
        raise InvalidRequest(where, [Problem("request", str(fault))]) from fault
    kind = TimedOut if isinstance(fault, httpx2.TimeoutException) else NoAnswer
    error = kind(f"No answer to {where}: {fault or type(fault).__name__}")
    error.__cause__ = fault
    return Lost(error, was_sent=not isinstance(fault, _NOT_SENT))


def reply_of(response: httpx2.Response, body: bytes = b"") -> Reply:
    """Return an answer as the core knows it."""
    return Reply(response.status_code, response.headers, body)


@cache
def timeout(seconds: float) -> httpx2.Timeout:
    """Return a timeout: so many seconds of silence, and fewer for a connection to be made."""
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_S))

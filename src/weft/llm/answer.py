"""Reads one answer of an endpoint, to its end or to the fault that ends it."""

import asyncio
from collections.abc import Callable

import httpx2

from weft.llm.faults import Blame, Fault
from weft.llm.model import Delta
from weft.llm.reply import BrokenCall, InStreamError, NotAChunk, Reply
from weft.llm.sse import Document, Events, Framing, TooLarge
from weft.llm.transport import Body

# How long the usage may take once the server has said why it stopped, and how long
# the end of the body may take after `[DONE]`: reading it saves the connection.
USAGE_S = 5.0
END_S = 0.5
ERROR_BODY_BYTES = 64 * 1024


class Answer:
    """One answer that is being read."""

    def __init__(self, response: httpx2.Response, blame: Blame) -> None:
        self._response = response
        self._body: Body = response.extensions["body"]
        self._blame = blame
        self._reply = Reply()
        self._framing: Framing | None = None
        self._first = b""
        self._ended = False
        self._fault: Fault | None = None

    async def more(self) -> list[Delta]:
        """Return the next deltas; none means that the answer is complete.

        Raises: Fault, after everything that came before it was returned.
        """
        deltas: list[Delta] = []
        while not deltas and not self._ended:
            if self._fault is not None:
                raise self._fault
            piece = await self._next()
            try:
                self._take(piece, deltas)
            except Fault as fault:
                self._fault = fault
            else:
                self._ended = not piece
        return deltas

    async def accepted(self, now: Callable[[], float]) -> None:
        """Check that this is an answer and not an error. Raises: Fault."""
        response = self._response
        if response.status_code != httpx2.codes.OK:
            said = await self._error_body()
            raise self._blame.status(response.status_code, response.headers, said, now())

    async def close(self) -> None:
        """End the call. A connection whose answer was read to the end is kept for the next."""
        await self._response.aclose()

    async def _error_body(self) -> bytes:
        """Return the body of an error, as far as it comes soon."""
        body = b""
        try:
            async with asyncio.timeout(USAGE_S):
                while len(body) < ERROR_BODY_BYTES and (piece := await self._next()):
                    body += piece
        except (Fault, TimeoutError):
            pass  # the status says enough
        return body[:ERROR_BODY_BYTES]

    async def _next(self) -> bytes:
        """Return the next piece of the body, nothing at its end."""
        try:
            if not self._reply.stopped:
                return await self._body.read()
            async with asyncio.timeout(END_S if self._reply.done else USAGE_S):
                return await self._body.read()
        except TimeoutError:
            return b""
        except httpx2.HTTPError as fault:
            if self._reply.stopped:
                return b""  # all that matters has come
            raise self._blame.transport(fault) from fault

    def _take(self, piece: bytes, deltas: list[Delta]) -> None:
        try:
            for payload in self._payloads(piece):
                self._reply.take(payload, deltas)
            if not piece:
                self._end(deltas)
        except NotAChunk as fault:
            # What a dying connection leaves of a chunk is no chunk either.
            raise (self._blame.garbage(fault.payload) if piece else self._blame.cut()) from fault
        except TooLarge as fault:
            raise self._blame.garbage(self._first) from fault
        except InStreamError as fault:
            raise self._blame.in_stream(fault.error) from fault
        except BrokenCall as fault:
            raise self._blame.broken_call(str(fault)) from fault

    def _payloads(self, piece: bytes) -> list[bytes]:
        if self._framing is None:
            # A document is told by its first character, not by its content type: many lie.
            self._first += piece.lstrip()
            if not self._first:
                return []
            self._framing = Document() if self._first.startswith(b"{") else Events()
            return self._framing.feed(self._first)
        return self._framing.feed(piece) if piece else self._framing.close()

    def _end(self, deltas: list[Delta]) -> None:
        if self._reply.stopped:
            deltas += self._reply.end()
        elif self._framing is None or self._reply.began or not self._framing.strange:
            raise self._blame.cut()
        else:
            raise self._blame.garbage(self._framing.strange)

"""A model server that behaves as told: real sockets, one behaviour for each request.

    async with Upstream() as upstream:
        upstream.play(failing(500), text("Hello"))   # the last one stays

A behaviour is a function of the `Call` that it answers, so a test can write its
own. Tests that are not asynchronous use `serving()`: the same in a thread.
"""

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Self

Behaviour = Callable[["Call"], Awaitable[None]]

USAGE: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


class Call:
    """One request, and how to answer it."""

    def __init__(
        self,
        path: str,
        headers: dict[str, str],
        body: Any,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self._reader, self._writer = streams
        self.keeps_connection = False

    @property
    def is_left(self) -> bool:
        """The client has closed the connection."""
        return self._reader.at_eof() or self._reader.exception() is not None

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and the headers."""
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{n}: {v}" for n, v in headers.items())]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def whole(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer, by default as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = {"content-type": "application/json", "content-length": str(len(data))}
        await self.head(status, {**length, **(headers or {})})
        await self.raw(data)
        self.keeps_connection = True

    async def begin(self) -> None:
        """Begin a stream."""
        await self.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})

    async def piece(self, data: bytes) -> None:
        """Send a piece of the stream, in one write."""
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, payload: Any) -> None:
        """Send one event of the stream."""
        await self.piece(event(payload))

    async def end(self) -> None:
        """End the stream as it should end; the connection stays."""
        await self.raw(b"0\r\n\r\n")
        self.keeps_connection = True

    async def until_left(self) -> None:
        """Wait until the client has closed the connection."""
        while not self.is_left:  # noqa: ASYNC110  # a StreamReader has no event for its end
            await asyncio.sleep(0.001)


class Upstream:
    """The server; `calls` are the requests that it saw, oldest first."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self._tls = tls
        self.connections = 0  # how many were opened
        self._script: list[Behaviour] = [text("Hello world")]
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    def play(self, *behaviours: Behaviour) -> None:
        """Answer the coming requests so, one after the other; the last one stays."""
        self._script = list(behaviours)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self._tls, backlog=1024
        )
        host, port = self._server.sockets[0].getsockname()
        self.url = f"{'https' if self._tls else 'http'}://{host}:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._answered(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which is its right
        except asyncio.CancelledError:
            pass  # the server is being closed; nobody waits for this task but `__aexit__`
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request and tell whether another may come on this connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.rstrip().split("\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        call = Call(request.split(" ")[1], headers, json.loads(body), (reader, writer))
        self.calls.append(call)
        behaviour = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        await behaviour(call)
        return call.keeps_connection


@contextmanager
def serving() -> Iterator[Upstream]:
    """Run a server in a thread, for tests that are not asynchronous."""
    upstream = Upstream()
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with upstream:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


# --- pieces of an answer ------------------------------------------------------------------------


def event(payload: Any) -> bytes:
    """Return one event: JSON, or bytes as they are."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return b"data: " + data + b"\n\n"


def chunk(
    delta: Mapping[str, Any] | None = None, *, finish: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Return a chunk as OpenAI sends it; a delta of None means no choice at all."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "fake",
        "choices": [] if delta is None else [choice],
        **fields,
    }


def words(said: str) -> list[str]:
    """Return a text as a model streams it: the spaces before the words."""
    first, *rest = said.split(" ")
    return [first, *(f" {word}" for word in rest)]


def part(
    index: int | None = None, call_id: str | None = None, name: str | None = None, said: str = ""
) -> dict[str, Any]:
    """Return a delta with a part of one tool call; what is None is left out."""
    function = {"name": name, "arguments": said}
    whole = {"index": index, "id": call_id, "type": "function" if call_id else None}
    call: dict[str, Any] = {n: v for n, v in whole.items() if v is not None}
    call["function"] = {n: v for n, v in function.items() if v is not None}
    return {"tool_calls": [call]}


# --- answers ------------------------------------------------------------------------------------


def stream(
    *payloads: Any, usage: Mapping[str, Any] | None = USAGE, every_s: float = 0
) -> Behaviour:
    """Stream payloads, then the usage and `[DONE]`. `every_s` is the time before each."""

    async def play(call: Call) -> None:
        await call.begin()
        for payload in payloads:
            if every_s:
                await asyncio.sleep(every_s)
            await call.event(payload)
        if usage is not None:
            await call.event(chunk(usage=usage))
        await call.event(b"[DONE]")
        await call.end()

    return play


def text(
    said: str,
    *,
    finish: str = "stop",
    usage: Mapping[str, Any] | None = USAGE,
    per_second: float = 0,
) -> Behaviour:
    """Answer with a text, a word a chunk; `per_second` is the rate, 0 as fast as possible."""
    deltas = [chunk({"role": "assistant", "content": ""})]
    deltas += [chunk({"content": word}) for word in words(said)]
    every_s = 1 / per_second if per_second else 0
    return stream(*deltas, chunk({}, finish=finish), usage=usage, every_s=every_s)


def calls(*functions: tuple[str, str], finish: str = "tool_calls") -> Behaviour:
    """Call functions (name, arguments), one after the other, arguments in two parts."""
    deltas: list[dict[str, Any]] = [chunk({"role": "assistant", "content": None})]
    for index, (name, arguments) in enumerate(functions):
        deltas.append(chunk(part(index, f"call_{index}", name)))
        half = len(arguments) // 2
        deltas += [chunk(part(index, said=said)) for said in (arguments[:half], arguments[half:])]
    return stream(*deltas, chunk({}, finish=finish))


def whole_calls(*functions: tuple[str, str]) -> Behaviour:
    """Call functions as Ollama does: whole, in one chunk, without index and id."""
    made = [{"function": {"name": name, "arguments": said}} for name, said in functions]
    return stream(chunk({"tool_calls": made}), chunk({}, finish="stop"))


def document(said: str) -> Behaviour:
    """Answer with one JSON document although a stream was asked for."""

    async def play(call: Call) -> None:
        message = {"role": "assistant", "content": said, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"object": "chat.completion", "choices": [choice], "usage": USAGE}
        await call.whole(200, body)

    return play


# --- misbehaviour -------------------------------------------------------------------------------


def failing(
    status: int,
    message: str = "The engine is on fire.",
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    """Answer with an error as OpenAI words it."""
    error = {"message": message, "type": "whatever", "param": None, "code": code}

    async def play(call: Call) -> None:
        await call.whole(status, {"error": error}, headers)

    return play


def limited(retry_after: str | None = None) -> Behaviour:
    """Refuse because of too many requests."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return failing(429, "Rate limit reached.", code="rate_limit_exceeded", headers=headers)


def too_long() -> Behaviour:
    """Refuse because the prompt does not fit."""
    message = "This model's maximum context length is 8192 tokens, but you sent 9000."
    return failing(400, message, code="context_length_exceeded")


def cut(*payloads: Any) -> Behaviour:
    """Close the connection in the middle of a stream, after these payloads."""

    async def play(call: Call) -> None:
        await call.begin()
        for payload in payloads:
            await call.event(payload)

    return play


def dropped() -> Behaviour:
    """Close the connection without an answer."""

    async def play(call: Call) -> None:
        call.keeps_connection = False

    return play


def silent(*payloads: Any) -> Behaviour:
    """Stop saying anything after these payloads, with the connection open."""

    async def play(call: Call) -> None:
        await call.begin()
        for payload in payloads:
            await call.event(payload)
        await call.until_left()

    return play


def raw(body: bytes, *, content_type: str = "text/event-stream", size: int = 1 << 20) -> Behaviour:
    """Answer with these bytes, in pieces of `size`, and close the connection (no length)."""

    async def play(call: Call) -> None:
        await call.head(200, {"content-type": content_type, "connection": "close"})
        for start in range(0, len(body), size):
            await call.raw(body[start : start + size])

    return play


def whole(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with this status and body."""

    async def play(call: Call) -> None:
        await call.whole(status, body, headers)

    return play

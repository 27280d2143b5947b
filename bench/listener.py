"""Listening to one stream as a client does: HTTP, frames, JSON, and missing nothing.

A `Listener` checks that tokens, and the events of a run, are numbered 1, 2, 3 and so on. It tells
its `Crowd` how long each token took from the model to here.
"""

import asyncio
import json
import re
import time
from typing import Any, cast

import httptools
import msgspec

from bench.crowd import Crowd
from bench.measure import Faulty
from bench.model_server import Speech, Token
from bench.process import Process, Server
from bench.server import TEXT

_EVENT = re.compile(rb"(?:: ping\n)*(?:id: (\d+)\n)?event: (\S+)\ndata: (.*)")


class Listener(asyncio.Protocol):
    """One connection, one question, and the stream that answers it."""

    def __init__(self, crowd: Crowd, request: bytes, speech: Speech) -> None:
        loop = asyncio.get_running_loop()
        self.began: asyncio.Future[None] = loop.create_future()  # something of the stream is here
        self.closed: asyncio.Future[None] = loop.create_future()
        self.tokens = 0  # heard, none twice
        self.faults: list[str] = []
        self.is_done = False
        self.first_ms = 0.0  # from the question to the first token
        self._crowd = crowd
        self._request = request
        self._speech = speech
        self._last = 0  # the number of the newest token
        self._schedule_ns = 0  # when the model sent the first token
        self._heard_ns = 0
        self._asked_ns = 0
        self._rest = b""
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport

    @property
    def missing(self) -> int:
        """How many tokens did not come, or only behind later ones."""
        return self._speech.tokens - self.tokens

    @property
    def lag_s(self) -> float:
        """How far the last token came behind the schedule of the model."""
        due_ns = self._schedule_ns + (self._speech.tokens - 1) * self._speech.interval_us * 1000
        return (self._heard_ns - due_ns) / 1e9

    @property
    def is_whole(self) -> bool:
        """Everything came, once and in order."""
        return self.is_done and not self.missing and not self.faults

    def require_whole(self) -> None:
        """Raise Faulty unless everything came."""
        if not self.is_whole:
            raise Faulty(f"a stream lacks {self.missing} tokens: {self.faults[:3]}")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        # uvloop's transports have the methods, but not the class.
        self._transport = cast("asyncio.Transport", transport)
        self._asked_ns = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def connection_lost(self, fault: Exception | None) -> None:
        """Be over."""
        if not self.is_done:
            self.faults.append(f"the stream broke: {fault} {self._rest[:300]!r}")
        for future in (self.began, self.closed):
            if not future.done():
                future.set_result(None)

    def abort(self) -> None:
        """Give up."""
        self._transport.abort()

    def on_body(self, body: bytes) -> None:
        """Take out the frames."""
        *frames, self._rest = (self._rest + body).split(b"\n\n")
        for frame in frames:
            self.take(frame)
        if frames and not self.began.done():
            self.began.set_result(None)

    def on_message_complete(self) -> None:
        """Part at the end of the stream."""
        if self._parser.get_status_code() != 200:
            self.faults.append(f"refused: {self._rest[:300]!r}")
        self._crowd.ended()
        self._transport.close()

    def take(self, frame: bytes) -> None:
        """Take in a frame."""
        raise NotImplementedError

    def hear(self, text: str) -> None:
        """Take in a token."""
        now_ns = time.monotonic_ns()
        token = Token.of(text)
        if token.number != self._last + 1:
            self.faults.append(f"token {token.number} came behind token {self._last}")
        if token.number <= self._last:
            return
        if self._last == 0:
            self._schedule_ns = token.sent_ns
            self.first_ms = (now_ns - self._asked_ns) / 1e6
        self._last = token.number
        self.tokens += 1
        self._heard_ns = now_ns
        self._crowd.heard(now_ns - token.sent_ns)


class _Content(msgspec.Struct):
    content: str = ""


class _Choice(msgspec.Struct):
    delta: _Content


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


class Direct(Listener):
    """Listens to the model itself."""

    _decode = msgspec.json.Decoder(_Chunk).decode

    @staticmethod
    def asking(server: Process, speech: Speech) -> bytes:
        """Return the request for a speech."""
        messages = [{"role": "user", "content": TEXT}]
        body = {"model": speech.model, "messages": messages, "stream": True}
        return request(server, "POST", "/v1/chat/completions", body)

    def take(self, frame: bytes) -> None:
        """Take in a chunk."""
        data = frame.removeprefix(b"data: ")
        if data == b"[DONE]":
            self.is_done = True
            return
        for choice in self._decode(data).choices:
            if choice.delta.content:
                self.hear(choice.delta.content)


class _Text(msgspec.Struct):
    value: str


class _Part(msgspec.Struct):
    text: _Text


class _Parts(msgspec.Struct):
    content: list[_Part]


class _Delta(msgspec.Struct):
    delta: _Parts


class Relayed(Listener):
    """Listens to a run."""

    events = 0
    _decode = msgspec.json.Decoder(_Delta).decode

    @staticmethod
    def asking(server: Server, assistant_id: str, speech: Speech) -> bytes:
        """Return the request for a run on a thread of its own that is answered by a speech."""
        thread = {"messages": [{"role": "user", "content": TEXT}]}
        body = {"assistant_id": assistant_id, "model": speech.model, "thread": thread}
        return request(server, "POST", "/v1/threads/runs", {**body, "stream": True})

    @staticmethod
    def asking_in(
        server: Server, thread_id: str, assistant_id: str, speech: Speech, **more: Any
    ) -> bytes:
        """Return the request for a run on a thread that is there."""
        body = {"assistant_id": assistant_id, "model": speech.model, **more, "stream": True}
        return request(server, "POST", f"/v1/threads/{thread_id}/runs", body)

    def take(self, frame: bytes) -> None:
        """Take in an event."""
        match = _EVENT.fullmatch(frame)
        if match is None:
            self.faults.append(f"not an event: {frame[:100]!r}")
            return
        number, name, data = match.groups()
        if name == b"done":
            self.is_done = True
            return
        self.events += 1
        if number is None or int(number) != self.events:
            self.faults.append(f"event {number!r} is not {self.events}")
        if name == b"thread.message.delta":
            for part in self._decode(data).delta.content:
                self.hear(part.text.value)
        elif name == b"thread.run.failed":
            self.faults.append(f"the run failed: {json.loads(data)['last_error']}")


def request(server: Process, method: str, path: str, body: object = None) -> bytes:
    """Return a request as bytes."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: {server.place[0]}:{server.place[1]}\r\n"
    if isinstance(server, Server):
        head += f"Authorization: Bearer {server.key}\r\n"
    if content:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content

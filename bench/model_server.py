"""A model without a mind: it streams numbered tokens at a set rate, `python -m bench.model_server`.

How it speaks is told by the name of the model that is asked for (`Speech.model`). The text of a
token is its number and the moment at which it was sent (`Token`), so that whoever hears it knows
what is missing and how long it took. It does next to nothing else: what it takes of the machine is
missing to those who are measured.
"""

import asyncio
import socket
import time
from typing import Any, NamedTuple, Self, cast

import httptools
import msgspec
import uvloop

BACKLOG = 4096
PREFIX = "speech"

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
# What the real ones send around a token, so that there is as much to read.
_CHUNK = (
    'data: {"id":"chatcmpl-0123456789012345678901234567","object":"chat.completion.chunk",'
    '"created":1760000000,"model":"gpt-4o-2024-08-06","service_tier":"default",'
    '"system_fingerprint":"fp_0123456789","choices":[%s],"usage":%s}\n\n'
)
_TOKEN = _CHUNK % (
    '{"index":0,"delta":{"content":"%s"},"logprobs":null,"finish_reason":null}',
    "null",
)
_END = (
    _CHUNK % ('{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}', "null")
    + _CHUNK % ("", '{"prompt_tokens":20,"completion_tokens":%d,"total_tokens":%d}')
    + "data: [DONE]\n\n"
)


class Token(NamedTuple):
    """What a token's text says."""

    number: int  # from 1
    sent_ns: int  # of the clock that all processes of a machine share

    @property
    def text(self) -> str:
        """The text."""
        return f"{self.number}@{self.sent_ns} "

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the token that a text is. Raises: ValueError."""
        number, sent_ns = text.split("@")
        return cls(int(number), int(sent_ns))


class Speech(NamedTuple):
    """How to speak: so many tokens, so far apart, the first at once.

    Speeches `together` wait for one another, and then begin at even distances within the time
    of one token.
    """

    tokens: int
    interval_us: int
    together: int = 1

    @property
    def model(self) -> str:
        """The name of the model that speaks so."""
        return f"{PREFIX}-{self.tokens}-{self.interval_us}-{self.together}"

    @property
    def duration_s(self) -> float:
        """How long it takes from the first token to the last."""
        return (self.tokens - 1) * self.interval_us / 1e6

    @classmethod
    def of(cls, model: str) -> Self:
        """Return how a model speaks. Raises: ValueError."""
        prefix, *numbers = model.split("-")
        if prefix != PREFIX or len(numbers) != len(cls._fields):
            raise ValueError(model)
        return cls(*map(int, numbers))


class _Asked(msgspec.Struct):
    model: str


_decode = msgspec.json.Decoder(_Asked).decode


class _Speaker(asyncio.Protocol):
    """One connection, and the speech on it."""

    def __init__(self, waiting: dict[Speech, "list[_Speaker]"]) -> None:
        self._waiting = waiting
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser: Any = httptools.HttpRequestParser(self)
        self._body = b""
        self._speech = Speech(0, 0)
        self._said = 0
        self._begun_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to be asked."""
        # uvloop's transports have the methods, but not the class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what was asked."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the question."""
        self._body += body

    def on_message_complete(self) -> None:
        """Begin to answer, or wait for the others."""
        self._speech = Speech.of(_decode(self._body).model)
        self._body, self._said = b"", 0
        self._transport.write(_HEAD)
        waiting = self._waiting.setdefault(self._speech, [])
        waiting.append(self)
        if len(waiting) == self._speech.together:
            del self._waiting[self._speech]
            begun_at = time.monotonic()
            step_s = self._speech.interval_us / 1e6 / len(waiting)
            for place, speaker in enumerate(waiting):
                speaker.begin(begun_at + place * step_s)

    def begin(self, begun_at: float) -> None:
        """Say the first token at this moment of the shared clock."""
        self._begun_at = begun_at
        self._say_when_due()

    def connection_lost(self, _: Exception | None) -> None:
        """Fall silent."""
        if self._timer is not None:
            self._timer.cancel()
        if self in self._waiting.get(self._speech, ()):
            self._waiting[self._speech].remove(self)

    def _say_when_due(self) -> None:
        due_at = self._begun_at + self._said * self._speech.interval_us / 1e6
        wait_s = max(0.0, due_at - time.monotonic())
        self._timer = self._loop.call_later(wait_s, self._say)

    def _say(self) -> None:
        self._said += 1
        said = _TOKEN % Token(self._said, time.monotonic_ns()).text
        tokens = self._speech.tokens
        if self._said < tokens:
            self._transport.write(_chunked(said))
            self._say_when_due()
        else:
            end = _END % (tokens, 20 + tokens)
            self._transport.write(_chunked(said) + _chunked(end) + b"0\r\n\r\n")


def _chunked(text: str) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text.encode("ascii"))


async def serve() -> None:
    """Speak on a free port until the process is ended; say at which address."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    waiting: dict[Speech, list[_Speaker]] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: _Speaker(waiting), sock=listening, backlog=BACKLOG
    )
    print(f"speaking at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())

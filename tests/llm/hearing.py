"""Asks a model and writes down what came: the deltas, the error, the waits and the calls."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any, Protocol

from msgspec import Struct

from tests.llm.upstream import Behaviour, Call, Upstream
from weft.llm.chat import ChatModel
from weft.llm.endpoint import Endpoint
from weft.llm.model import (
    ChatMessage,
    Delta,
    Finished,
    Model,
    ModelError,
    ModelRequest,
    RefusalDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

NOW = 1_767_225_600.0
DEADLINE_S = 20.0


class Heard(Struct):
    """What came of one request."""

    deltas: list[Delta]
    error: ModelError | None = None
    waits: list[float] = []
    seen: list[Call] = []
    connections: int = 0

    @property
    def text(self) -> str:
        """The text of the answer."""
        return "".join(delta.text for delta in self.deltas if isinstance(delta, TextDelta))

    @property
    def refusal(self) -> str:
        """The refusal."""
        return "".join(delta.text for delta in self.deltas if isinstance(delta, RefusalDelta))

    @property
    def calls(self) -> list[ToolCall]:
        """The tool calls, each put together; checks that the deltas are as promised."""
        calls: list[list[str]] = []
        for delta in self.deltas:
            if isinstance(delta, ToolCallDelta):
                if delta.index == len(calls):
                    assert delta.id
                    assert delta.name
                    calls.append([delta.id, delta.name, delta.arguments])
                else:
                    assert (delta.id, delta.name) == (None, None)
                    calls[delta.index][2] += delta.arguments
        return [ToolCall(*call) for call in calls]

    @property
    def usage(self) -> Usage | None:
        """The usage, if the model reported any."""
        return next((delta for delta in self.deltas if isinstance(delta, Usage)), None)

    @property
    def reason(self) -> str:
        """Why the model stopped; the last delta says so, and only the last."""
        assert not any(isinstance(delta, Finished) for delta in self.deltas[:-1])
        last = self.deltas[-1]
        assert isinstance(last, Finished)
        return last.reason

    @property
    def failure(self) -> tuple[str, str]:
        """The code and the message of the error."""
        assert self.error is not None, self.deltas
        return self.error.code, self.error.message


class Hear(Protocol):
    """Asks an upstream once."""

    def __call__(
        self, *behaviours: Behaviour, request: ModelRequest | None = None, **endpoint: Any
    ) -> Heard:
        """Return what was heard of an upstream that behaves so."""


def hear_of(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Hear:
    """Return `hear` for a way to run coroutines."""

    def hear(*behaviours: Behaviour, request: ModelRequest | None = None, **endpoint: Any) -> Heard:
        async def once() -> Heard:
            async with Upstream() as upstream:
                upstream.play(*behaviours)
                heard = Heard([])
                model = model_at(waits=heard.waits, **{"url": upstream.url} | endpoint)
                await listen(model, request or asked(), heard)
                await model.close()
                heard.seen, heard.connections = upstream.calls, upstream.connections
                return heard

        found = run(once())
        assert isinstance(found, Heard)
        return found

    return hear


def model_at(url: str, waits: list[float] | None = None, **endpoint: Any) -> ChatModel:
    """Return a model that notes how long it would wait between attempts, and goes on."""

    async def sleep(wait_s: float) -> None:
        if waits is not None:
            waits.append(wait_s)

    fields = {"match": "*", "url": url, "api_key": "sk-secret-key"} | endpoint
    return ChatModel(Endpoint(**fields), sleep=sleep, now=lambda: NOW, jitter=lambda: 0.0)


def asked(*words: str, **fields: Any) -> ModelRequest:
    """Return a request with messages of a user."""
    messages = [ChatMessage("user", text) for text in words or ("Hello",)]
    return ModelRequest(**{"model": "gpt-4o", "messages": messages, **fields})


async def listen(model: Model, request: ModelRequest, heard: Heard) -> None:
    """Write down all that a model answers."""
    try:
        async with asyncio.timeout(DEADLINE_S), aclosing(model.stream(request)) as deltas:
            async for delta in deltas:
                heard.deltas.append(delta)
    except ModelError as error:
        heard.error = error

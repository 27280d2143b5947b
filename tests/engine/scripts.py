"""Models that say what a test tells them to: implementations of the port, with no network.

A script is what a model does in one answer: deltas to yield, gates to wait at, exceptions to
raise, functions to call. The answers of one model come in the order in which they were told.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TypeAlias

from weft.llm.model import (
    Delta,
    Finished,
    FinishReason,
    Model,
    ModelError,
    ModelRequest,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

NAME = "scripted"
PATIENCE_S = 20  # who waits longer than this waits for something that never comes


class Gate:
    """A place where a model waits until the test lets it go on."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._opened = asyncio.Event()

    def open(self) -> None:
        """Let whoever waits here go on."""
        self._opened.set()

    async def wait(self) -> None:
        """Say that the model is here, and wait."""
        self._reached.set()
        await self._opened.wait()

    async def met(self) -> None:
        """Return when the model is here."""
        async with asyncio.timeout(PATIENCE_S):
            await self._reached.wait()


Item: TypeAlias = Delta | BaseException | Gate | Callable[[], None]
Script: TypeAlias = Sequence[Item]


class Scripted:
    """One model."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []
        self.answering = 0  # how many answers are being given at this moment
        self._is_silent = asyncio.Event()
        self.parting: Gate | None = None  # where an answer waits when it is broken off
        self._scripts: deque[Script] = deque()
        # What it answers when nobody told it anything.
        self.by_itself: Callable[[ModelRequest], Script] = lambda _: text("By myself.")

    def tell(self, *scripts: Script) -> None:
        """Add answers."""
        self._scripts.extend(scripts)

    async def silence(self) -> None:
        """Return when it has given all answers to their end, or was broken off."""
        async with asyncio.timeout(PATIENCE_S):
            await self._is_silent.wait()

    def tell_first(self, script: Script) -> None:
        """Add an answer ahead of the others."""
        self._scripts.appendleft(script)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Give the next answer."""
        self.requests.append(request)
        self.answering += 1
        self._is_silent.clear()
        parting = self.parting
        try:
            script = self._scripts.popleft() if self._scripts else self.by_itself(request)
            for item in script:
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, Gate):
                    await item.wait()
                elif isinstance(item, Delta):
                    yield item
                else:
                    item()
        finally:
            if parting is not None:
                await parting.wait()
            self.answering -= 1
            if not self.answering:
                self._is_silent.set()

    async def close(self) -> None:
        """Nothing is held."""


class Models:
    """The models of a house: the one that tests tell what to say, under one name."""

    def __init__(self) -> None:
        self.scripted = Scripted()
        self.instead: Model | None = None  # another one that answers to the name

    def find(self, model: str) -> Model:
        """Return it. Raises: ModelError for every other name."""
        if model != NAME:
            raise ModelError("server_error", f"No model endpoint is configured for {model}.")
        return self.instead or self.scripted


# --- what is often said ---------------------------------------------------------------------------

USAGE = Usage(prompt_tokens=100, completion_tokens=10, cached_tokens=4, reasoning_tokens=2)


def ending(reason: FinishReason = "stop", usage: Usage | None = USAGE) -> list[Item]:
    """The end of every answer."""
    return [*([usage] if usage else []), Finished(reason)]


def text(*pieces: str, reason: FinishReason = "stop", usage: Usage | None = USAGE) -> list[Item]:
    """An answer in so many pieces."""
    return [*map(TextDelta, pieces), *ending(reason, usage)]


def refusal(*pieces: str) -> list[Item]:
    """A refusal in so many pieces."""
    return [*map(RefusalDelta, pieces), *ending()]


def called(index: int, name: str, *arguments: str, call_id: str | None = None) -> list[Item]:
    """One call of a function, its arguments in so many pieces."""
    pieces = (ToolCallDelta(index, None, None, piece) for piece in arguments)
    return [ToolCallDelta(index, call_id or f"call_{name}_{index}", name, ""), *pieces]


def calls(*names: str, usage: Usage | None = USAGE) -> list[Item]:
    """Calls of functions, one after the other, with the arguments {"n": index}."""
    made: list[Item] = []
    for index, name in enumerate(names):
        made += called(index, name, '{"n"', f": {index}}}")
    return [*made, *ending("tool_calls", usage)]

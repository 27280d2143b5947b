"""Whatever happens in whatever order, a run ends once, its numbers are whole, its thread is free.

Hypothesis chooses what comes next: a client creates, cancels, submits, follows, or lets a run
wait; the model says a word, calls, ends or fails; time passes; the process dies. The clock stands
still unless it is turned, and each choice is carried out before the next one.
"""

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from tests.engine.house import EXPIRES_S, Event, House
from tests.engine.invariants import check
from tests.engine.scripts import Script, called, ending
from tests.property.profiles import FULL, examples
from weft.domain.errors import BadRequest
from weft.domain.lifecycle import ACTIVE, AT_REST, TERMINAL
from weft.llm.model import (
    Delta,
    ModelError,
    ModelRequest,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from weft.store.runs import RunKey

# What a model does in one go before it waits for the next choice.
SAYS: dict[str, Script] = {
    "a word": [TextDelta("rain ")],
    "three words": [TextDelta("a"), TextDelta("b"), TextDelta("c")],
    "a refusal": [RefusalDelta("no ")],
    "a call": called(0, "weather", "{}"),
    "half a call": called(0, "weather", '{"n"'),
}
ENDS: dict[str, Script] = {
    "stop": ending(),
    "without usage": ending(usage=None),
    "call": [*called(0, "time", "{}"), *ending("tool_calls", Usage(7, 3))],
    "two calls": [*called(0, "time", "{}"), *called(1, "weather", "[]"), *ending("tool_calls")],
    "length": ending("length"),
    "filter": ending("content_filter"),
    "error": [ModelError("server_error", "Oh.")],
    "bug": [ZeroDivisionError()],
}
CLIENT = ["create", "wait", "cancel", "submit", "follow", "break off", "say"]
FATE = ["a moment", "half the time", "all the time", "crash", "restart"]

# What moves a run on is chosen more often than what ends it.
OFTEN = [
    "a word",
    "three words",
    "a refusal",
    "a call",
    "stop",
    "call",
    "two calls",
    "create",
    "wait",
    "submit",
    "submit",
    "submit",
]
choices = st.lists(
    st.sampled_from([*OFTEN, *OFTEN, *OFTEN, *SAYS, *ENDS, *CLIENT, *FATE]),
    min_size=10,
    max_size=40,
)


class Mouth:
    """A model that waits for the test at each word, however many answers it gives at once."""

    def __init__(self) -> None:
        self.orders: asyncio.Queue[str] = asyncio.Queue()
        self.waiting = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:  # noqa: ARG002
        """Do as ordered until an order ends the answer. Calls are numbered as they come."""
        index = -1
        while True:
            self.waiting += 1
            try:
                order = await self.orders.get()
            finally:
                self.waiting -= 1
            for item in SAYS.get(order) or ENDS[order]:
                if isinstance(item, Exception):
                    raise item
                assert isinstance(item, Delta)
                if isinstance(item, ToolCallDelta):
                    index += item.id is not None
                    item = structs.replace(item, index=index)  # noqa: PLW2901
                yield item
            if order in ENDS:
                return

    async def close(self) -> None:
        """Nothing is held."""


class Follower:
    """A client that follows a run, loses its connection, and goes on behind what it saw."""

    def __init__(self, house: House, key: RunKey) -> None:
        self.key = key
        self.seen: list[Event] = []
        self._house = house
        self._task: asyncio.Task[None] | None = None

    def connect(self) -> None:
        """Follow, from where it was."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        after = self.seen[-1].number if self.seen else 0
        async for events in self._house.frames(self.key, after):
            self.seen += [event for event in events if event.name != "done"]

    async def break_off(self) -> None:
        """Lose the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def finish(self) -> None:
        """Go on to the end."""
        await self.break_off()
        self.connect()
        assert self._task is not None
        async with asyncio.timeout(20):
            await self._task


class Story:
    """One example, told choice by choice."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.mouth = Mouth()
        house.models.instead = self.mouth
        self.thread_id = ""
        self.keys: list[RunKey] = []
        self.followers: list[Follower] = []
        self._turn = itertools.count()

    async def tell(self, told: list[str]) -> None:
        """Carry out all choices, then bring everything to its end and hold it against the rules."""
        self.thread_id = await self.house.thread("What is the weather?")
        for choice in ["create", "follow", *told]:
            await self._choose(choice)
            await self._settle()
        await self._end()

    async def _choose(self, choice: str) -> None:
        if choice in SAYS or choice in ENDS:
            if self.mouth.waiting:
                self.mouth.orders.put_nowait(choice)
            return
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "create": self._create,
            "wait": self._wait,
            "cancel": self._cancel,
            "submit": self._submit,
            "follow": self._follow,
            "break off": self._break_off,
            "say": self._say,
            "a moment": lambda: self._pass(1),
            "half the time": lambda: self._pass(EXPIRES_S // 2),
            "all the time": lambda: self._pass(EXPIRES_S),
            "crash": lambda: self._fall(self.house.crash),
            "restart": lambda: self._fall(self.house.restart),
        }
        with contextlib.suppress(BadRequest):  # it was not the moment for that
            await acts[choice]()

    async def _create(self) -> None:
        self.keys.append(await self.house.start(self.thread_id))

    async def _wait(self) -> None:
        question = {"role": "user", "content": "And in Rome?"}
        key = await self.house.start(
            self.thread_id, queue_when_busy=True, additional_messages=[question]
        )
        self.keys.append(key)

    async def _active(self) -> RunKey:
        """Return the first run that has not ended, or the last one."""
        for key in self.keys:
            if (await self.house.run(key))["status"] in ACTIVE:
                return key
        return self.keys[-1]

    async def _cancel(self) -> None:
        # Now the active run, now one that waits.
        keys = [await self._active(), self.keys[-1]]
        await self.house.cancel(keys[next(self._turn) % 2])

    async def _submit(self) -> None:
        key = await self._active()
        if (await self.house.run(key))["status"] == "requires_action":
            await self.house.submit(key)
        else:
            await self.house.submit(key, {"call_unknown": "?"})

    async def _follow(self) -> None:
        follower = Follower(self.house, await self._active())
        follower.connect()
        self.followers.append(follower)

    async def _break_off(self) -> None:
        follower = self.followers[next(self._turn) % len(self.followers)]
        await follower.break_off()
        follower.connect()

    async def _say(self) -> None:
        await self.house.say(self.thread_id, "Hm.")

    async def _pass(self, seconds: int) -> None:
        self.house.turn_clock(seconds)

    async def _fall(self, fall: Callable[[], Awaitable[None]]) -> None:
        self.mouth.orders = asyncio.Queue()
        await fall()

    async def _settle(self) -> None:
        """Let what a choice set off come to a stop, or not quite: both are what happens."""
        patience = (0, 1, 5, 200, 200)[next(self._turn) % 5]
        for _ in range(patience):
            await asyncio.sleep(0.0002)
            if self.mouth.waiting and self.mouth.orders.empty():
                return
            if (await self.house.run(await self._active()))["status"] in AT_REST:
                return

    async def _end(self) -> None:
        """Let the time of each run run out in its turn, and look at what is there."""
        for key in self.keys:
            run = await self.house.status(key, *TERMINAL, "in_progress", "requires_action")
            if run["status"] not in TERMINAL:
                self.house.turn_clock(EXPIRES_S)
                await self.house.status(key, *TERMINAL)
        for key in self.keys:
            story = await check(self.house, key)
            assert story.open() == []
        for follower in self.followers:
            await follower.finish()
            assert follower.seen == await self.house.log(follower.key)
        await self.house.say(self.thread_id, "And now?")


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with an assistant, to begin each story with."""
    folder = tmp_path_factory.mktemp("furnished")

    async def furnish() -> Path:
        async with House(folder / "house") as house:
            pass
        return house.path

    return asyncio.run(furnish())


def tell(told: list[str], furnished: Path) -> None:
    """Tell one story in a house of its own."""

    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder:
            stood = shutil.copyfile(furnished, Path(folder) / "weft.db")
            async with House(Path(folder) / "house", stood) as house:
                await Story(house).tell(told)

    asyncio.run(live())


@examples(120)
@given(told=choices)
def test_a_run_ends_whatever_happens_in_whatever_order(told: list[str], furnished: Path) -> None:
    tell(told, furnished)


@pytest.mark.full
@examples(50 * FULL)
@given(told=choices)
def test_a_run_ends_whatever_happens_told_at_length(told: list[str], furnished: Path) -> None:
    tell(told, furnished)

"""A model server and Weft in front of it, to be listened to in turns: directly and through Weft."""

import asyncio
import json
import resource
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import uvloop

from bench.crowd import Crowd
from bench.listener import Direct, Listener, Relayed
from bench.model_server import Speech
from bench.process import MODEL, WEFT, Process, Server
from bench.stage import Stage

OPENED_AT_ONCE = 100  # connections
PATIENCE_S = 60.0  # beyond the time that the model takes to speak

T = TypeVar("T")


class Heard(NamedTuple):
    """What came of listening to a speech, or to many at once."""

    crowd: Crowd
    listeners: Sequence[Listener]

    @property
    def worst_lag_s(self) -> float:
        """How far the latest of the last tokens came behind the model's schedule."""
        return max(listener.lag_s for listener in self.listeners)

    @property
    def missing(self) -> int:
        """How many tokens did not come."""
        return sum(listener.missing for listener in self.listeners)

    @property
    def faulty(self) -> list[Listener]:
        """Those whose stream was not as it should be."""
        return [listener for listener in self.listeners if not listener.is_whole]

    def require_whole(self) -> None:
        """Raise Faulty unless everything came."""
        for listener in self.listeners:
            listener.require_whole()


class Relay(NamedTuple):
    """A model, and a server that asks it on behalf of an assistant."""

    model: Process
    server: Server
    assistant_id: str

    async def directly(self, speech: Speech, count: int = 1) -> Heard:
        """Listen to the model itself."""
        asking = Direct.asking(self.model, speech)
        crowd = Crowd(self.model)
        return await listened(crowd, speech, count, lambda: Direct(crowd, asking, speech))

    async def relayed(self, speech: Speech, count: int = 1) -> Heard:
        """Listen to runs, each on a thread of its own."""
        asking = Relayed.asking(self.server, self.assistant_id, speech)
        return await self.listened(asking, speech, count)

    async def listened(self, asking: bytes, speech: Speech, count: int = 1) -> Heard:
        """Listen to runs that are asked for so."""
        crowd = Crowd(self.server)
        return await listened(crowd, speech, count, lambda: Relayed(crowd, asking, speech))


async def listened(crowd: Crowd, speech: Speech, count: int, make: Callable[[], Listener]) -> Heard:
    """Listen with so many until all streams are over, or until that takes too long."""
    listeners = await opened(crowd, count, make)
    try:
        async with asyncio.timeout(speech.duration_s + PATIENCE_S):
            await asyncio.gather(*(asyncio.shield(listener.closed) for listener in listeners))
    except TimeoutError:
        for listener in listeners:
            listener.abort()
        await asyncio.gather(*(listener.closed for listener in listeners))
    return Heard(crowd, listeners)


async def opened(crowd: Crowd, count: int, make: Callable[[], Listener]) -> list[Listener]:
    """Connect so many listeners, some at a time: more would have to knock twice."""
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    while len(listeners) < count:
        some = [
            loop.create_connection(make, *crowd.place)
            for _ in range(min(OPENED_AT_ONCE, count - len(listeners)))
        ]
        listeners += [listener for _, listener in await asyncio.gather(*some)]
    return listeners


@contextmanager
def relay(stage: Stage, folder: Path | None = None) -> Iterator[Relay]:
    """Start both, Weft on a data folder, a new one unless given."""
    # A stream is a connection; both servers inherit this.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with (
        Process(MODEL, stage.new_path("model.log")) as model,
        Server(
            folder or stage.new_path("data"),
            WEFT,
            settings={"WEFT_MODEL_URL": f"{model.address}/v1"},
        ) as server,
    ):
        # Each run names its speech instead of this model.
        assistant = server.ask("POST", "/v1/assistants", json.dumps({"model": "speech"}))
        yield Relay(model, server, json.loads(assistant)["id"])


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run it on the loop that the servers use too."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)

"""Load on nodes that die, freeze, or lose their database; what clients see is a history."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from tests.cluster.clients import AGAIN_S, Client
from tests.cluster.history import Disturbed, History, Seen, read
from tests.cluster.processes import Node, Town

PATIENCE_S = 4.0  # for a node that died without a word
FROZEN_S = 8.0  # longer than a worker may be silent
SHARED_THREADS = 3


class Load(NamedTuple):
    """How much is done: so many clients, for so long."""

    clients: int
    duration_s: float


class Nodes:
    """Those that serve now. Who is killed comes back as a new process on another port."""

    def __init__(self, town: Town, count: int) -> None:
        self._town = town
        self.alive = [town.node(WEFT_LOG_LEVEL="warning") for _ in range(count)]

    def addresses(self) -> list[str]:
        """Where they serve, also one that just died."""
        return [node.server.address for node in self.alive]

    async def kill_one(self) -> None:
        """Kill one at random, and start another a moment later."""
        victim = random.choice(self.alive)  # noqa: S311
        victim.kill()
        await asyncio.sleep(AGAIN_S)
        started: Node = await asyncio.to_thread(self._town.node, WEFT_LOG_LEVEL="warning")
        self.alive[self.alive.index(victim)] = started

    async def freeze_one(self) -> None:
        """Let one at random miss some seconds, after which it believes to go on."""
        victim = random.choice(self.alive)  # noqa: S311
        victim.freeze()
        await asyncio.sleep(FROZEN_S)
        victim.thaw()


Disturb = Callable[[History, float], Awaitable[None]]


def killing(nodes: Nodes, every_s: float) -> Disturb:
    """Kill a node every so many seconds, give or take half; each third time freeze it instead.

    Each happens once at least, however short the time is.
    """

    async def disturb(history: History, until: float) -> None:
        acts = {"killed": nodes.kill_one, "frozen": nodes.freeze_one}
        for number, how in enumerate(itertools.cycle(("killed", "frozen", "killed"))):
            if number >= len(acts) and time.monotonic() > until:
                return
            await asyncio.sleep(every_s * random.uniform(0.5, 1.5))  # noqa: S311
            history.add(Disturbed(f"a node is {how}"))
            await acts[how]()

    return disturb


async def play(
    nodes: Nodes, load: Load, disturb: Disturb, folder: Path, patience_s: float = PATIENCE_S
) -> list[Seen]:
    """Let it all happen; return what was seen, and what there is in the end."""
    history = History(folder / "history.jsonl")
    clients = [
        Client(f"c{number}", nodes.addresses, history, patience_s) for number in range(load.clients)
    ]
    first = clients[0]
    assistant = (await first.ask("POST", "/assistants", {"model": "any"}, key="assistant"))["id"]
    shared = [(await first.make("thread", "/threads", {}))["id"] for _ in range(SHARED_THREADS)]
    until = time.monotonic() + load.duration_s
    await asyncio.gather(
        disturb(history, until),
        *(client.live(assistant, shared, until) for client in clients),
    )
    await first.find()
    for client in clients:
        await client.close()
    history.close()
    return read(history.path)

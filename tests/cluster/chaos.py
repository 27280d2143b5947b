"""Clients that never give up, on nodes that die or freeze one after the other; all is written down.

Every client asks a random node and, if that fails, another one, with the same Idempotency-Key. It
makes threads, messages and runs, streams the runs, cancels some, and reads threads in between.
"""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx2

from tests.cluster.checker import (
    TERMINAL,
    Acknowledged,
    Found,
    Kind,
    Listed,
    Object,
    Seen,
    Streamed,
)
from tests.cluster.processes import Node, Town

AGAIN_S = 0.05
GIVE_UP_S = 60.0  # no request may take longer, with all its tries
NO_ANSWER_S = 4.0  # of a node that died without a word
FROZEN_S = 8.0  # longer than a worker may be silent
SHARED_THREADS = 3
LAST = "done"

_FAULTS = (httpx2.TransportError, httpx2.StreamError)


class Load(NamedTuple):
    """How much is done: so many clients for so long; a node dies every `kill_every_s` or so."""

    clients: int
    duration_s: float
    kill_every_s: float


class Nodes:
    """Those that serve now. Who is killed comes back as a new process on another port."""

    def __init__(self, town: Town, count: int) -> None:
        self._town = town
        self.alive = [town.node(WEFT_LOG_LEVEL="warning") for _ in range(count)]
        self.kills = 0
        self.frozen = 0

    def any_address(self) -> str:
        """One of them, perhaps one that just died."""
        return random.choice(self.alive).server.address  # noqa: S311  # no secret

    async def kill_one(self) -> None:
        """Kill one at random, and start another a moment later."""
        victim = random.choice(self.alive)  # noqa: S311
        victim.kill()
        self.kills += 1
        await asyncio.sleep(AGAIN_S)
        started: Node = await asyncio.to_thread(self._town.node, WEFT_LOG_LEVEL="warning")
        self.alive[self.alive.index(victim)] = started

    async def freeze_one(self) -> None:
        """Let one at random miss some seconds, after which it believes to go on."""
        victim = random.choice(self.alive)  # noqa: S311
        self.frozen += 1
        victim.freeze()
        await asyncio.sleep(FROZEN_S)
        victim.thaw()


class Client:
    """Asks until it is answered, and writes down what it was told."""

    def __init__(self, name: str, nodes: Nodes, history: list[Seen]) -> None:
        self._name = name
        self._nodes = nodes
        self._history = history
        self._made = 0
        self._http = httpx2.AsyncClient(timeout=NO_ANSWER_S)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Ask until a node answers with something else than that it cannot."""

        async def once() -> Any:
            headers = {"Idempotency-Key": key} if key else {}
            address = f"{self._nodes.any_address()}/v1{path}"
            answer = await self._http.request(method, address, json=body, headers=headers)
            if answer.status_code >= 500:
                raise httpx2.ReadError(answer.text)
            return answer.json()

        return await self._until_answered(once)

    async def make(self, kind: Kind, path: str, body: dict[str, Any]) -> Any:
        """Make an object with a tag of its own."""
        self._made += 1
        tag = f"{self._name}-{self._made}"
        made = await self.ask("POST", path, {**body, "metadata": {"tag": tag}}, key=tag)
        assert "error" not in made, made
        self._history.append(Acknowledged(kind, tag, made["id"]))
        return made

    async def read(self, thread_id: str) -> None:
        """Read a thread from its beginning."""
        listed = await self.ask("GET", f"/threads/{thread_id}/messages?order=asc&limit=100")
        ids = tuple(message["id"] for message in listed["data"])
        self._history.append(Listed(thread_id, ids))

    async def stream(self, run: Any) -> None:
        """Follow a run to where it rests, over as many attachments as it takes."""
        self._history.append(Streamed(run["id"], await self.log(run), is_ended=True))

    async def log(self, run: Any) -> tuple[tuple[int, str], ...]:
        """Return the events of a run, each with its number and what it said in short."""
        events: list[tuple[int, str]] = []
        path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}?stream=true"

        async def once() -> None:
            headers = {"Last-Event-ID": str(events[-1][0])} if events else {}
            address = self._nodes.any_address() + path
            async with self._http.stream("GET", address, headers=headers) as answer:
                if answer.status_code != 200:
                    raise httpx2.ReadError("it cannot now")
                if not await _read_events(answer, events):
                    raise httpx2.ReadError("it broke off")

        await self._until_answered(once)
        return tuple(events)

    async def _until_answered(self, once: Callable[[], Awaitable[Any]]) -> Any:
        give_up_at = time.monotonic() + GIVE_UP_S
        while True:
            try:
                return await once()
            except _FAULTS:
                if time.monotonic() > give_up_at:
                    raise
                await asyncio.sleep(AGAIN_S)


async def _read_events(answer: httpx2.Response, events: list[tuple[int, str]]) -> bool:
    """Add the events of a stream; say whether it came to its end."""
    number, name = 0, ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            number = int(value)
        elif field == "event":
            name = value
        elif field == "data":
            if name == LAST:
                return True
            if name == "error":
                return False
            digest = hashlib.sha256(value.encode()).hexdigest()[:12]
            events.append((number, f"{name} {digest}"))
    return False


async def live(client: Client, assistant: str, shared: list[str], until: float) -> None:
    """Do what a client does, until the time is over."""
    while time.monotonic() < until:
        thread = await client.make("thread", "/threads", {})
        for where in (thread["id"], random.choice(shared)):  # noqa: S311
            message = {"role": "user", "content": "What is the weather?"}
            await client.make("message", f"/threads/{where}/messages", message)
            await client.read(where)
        runs = f"/threads/{thread['id']}/runs"
        run = await client.make("run", runs, {"assistant_id": assistant})
        waiting = {"assistant_id": assistant, "queue_when_busy": True}
        following = await client.make("run", runs, waiting)
        if random.random() < 0.2:  # noqa: S311
            await client.ask("POST", f"{runs}/{run['id']}/cancel")
        await asyncio.gather(client.stream(run), client.stream(following))
        await client.read(thread["id"])


async def kill(nodes: Nodes, load: Load, until: float) -> None:
    """Kill a node now and then; each third one is frozen instead."""
    while time.monotonic() + load.kill_every_s < until:
        await asyncio.sleep(load.kill_every_s * random.uniform(0.5, 1.5))  # noqa: S311
        if nodes.kills == 2 * nodes.frozen + 1:
            await nodes.freeze_one()
        else:
            await nodes.kill_one()


async def play(nodes: Nodes, load: Load) -> tuple[list[Seen], Found]:
    """Let it all happen; return what was seen, and what there is in the end."""
    history: list[Seen] = []
    clients = [Client(f"c{number}", nodes, history) for number in range(load.clients)]
    first = clients[0]
    assistant = (await first.ask("POST", "/assistants", {"model": "any"}, key="assistant"))["id"]
    shared = [(await first.make("thread", "/threads", {}))["id"] for _ in range(SHARED_THREADS)]
    until = time.monotonic() + load.duration_s
    await asyncio.gather(
        kill(nodes, load, until),
        *(live(client, assistant, shared, until) for client in clients),
    )
    found = await find(first)
    for client in clients:
        await client.close()
    return history, found


async def find(client: Client) -> Found:
    """Read all that is there, once every run has ended."""
    objects: list[Object] = []
    logs: dict[str, tuple[tuple[int, str], ...]] = {}
    for thread in await everything(client, "/threads?"):
        name = thread["id"]
        objects.append(Object("thread", name, name, thread["metadata"].get("tag")))
        for message in await everything(client, f"/threads/{name}/messages?"):
            tag = message["metadata"].get("tag")
            objects.append(Object("message", message["id"], name, tag))
        for run in await everything(client, f"/threads/{name}/runs?"):
            logs[run["id"]] = await client.log(run)
            ended = await client.ask("GET", f"/threads/{name}/runs/{run['id']}")
            assert ended["status"] in TERMINAL, json.dumps(ended)
            tag = run["metadata"].get("tag")
            objects.append(Object("run", run["id"], name, tag, ended["status"]))
    return Found(objects, logs)


async def everything(client: Client, path: str) -> list[Any]:
    """Return every object of a list, oldest first."""
    found: list[Any] = []
    while True:
        after = f"&after={found[-1]['id']}" if found else ""
        page = await client.ask("GET", f"{path}order=asc&limit=100{after}")
        found += page["data"]
        if not page["has_more"]:
            return found

"""Clients that never give up, whatever dies under them; all that they see is written down.

Every client asks a random node and, if that fails, another one, with the same Idempotency-Key. It
makes threads, messages and runs, streams the runs, leaves some streams and attaches again
elsewhere, cancels some runs, and reads threads in between.
"""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx2

from tests.cluster.checker import TERMINAL
from tests.cluster.history import (
    Acknowledged,
    Events,
    History,
    Kind,
    Listed,
    Log,
    Object,
    Refused,
    Streamed,
)

AGAIN_S = 0.05
GIVE_UP_S = 90.0  # no request may take longer, with all its tries
PAGE = 100
LAST = "done"
STREAMS = (3, 5, 8, 13)  # events after which some streams are left

_FAULTS = (httpx2.TransportError, httpx2.StreamError)


class Client:
    """Asks until it is answered, and writes down what it was told."""

    def __init__(
        self, name: str, addresses: Callable[[], Sequence[str]], history: History, patience_s: float
    ) -> None:
        """`addresses` are those of the nodes; one that says nothing for `patience_s` is left."""
        self._name = name
        self._addresses = addresses
        self._history = history
        self._made = 0
        self._http = httpx2.AsyncClient(timeout=patience_s)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    # --- asking ---------------------------------------------------------------------------------

    async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Ask until a node answers with something else than that it cannot."""

        async def once() -> Any:
            headers = {"Idempotency-Key": key} if key else {}
            address = f"{self._any_address()}/v1{path}"
            answer = await self._http.request(method, address, json=body, headers=headers)
            self._look_at(answer)
            return answer.json()

        return await self._until_answered(once)

    async def follow(self, path: str, body: Any, key: str) -> tuple[Any, Events]:
        """Make a run and follow it to where it rests, over as many attachments as it takes."""
        events: list[tuple[int, str]] = []
        made: list[Any] = []

        async def once() -> None:
            if made:
                await self.attach(made[0], events)
                return
            address = f"{self._any_address()}/v1{path}"
            headers = {"Idempotency-Key": key}
            async with self._http.stream("POST", address, json=body, headers=headers) as answer:
                await self._take(answer, events, made)

        await self._until_answered(once)
        return made[0], tuple(events)

    async def attach(self, run: Any, events: list[tuple[int, str]]) -> None:
        """Read on behind the events of a run, from any node. Raises when that broke off."""
        headers = {"Last-Event-ID": str(events[-1][0])} if events else {}
        path = f"/v1/threads/{run['thread_id']}/runs/{run['id']}?stream=true"
        async with self._http.stream("GET", self._any_address() + path, headers=headers) as answer:
            await self._take(answer, events, [])

    async def log(self, run: Any) -> Events:
        """Return the events of a run, from as few nodes as it takes."""
        events: list[tuple[int, str]] = []
        await self._until_answered(lambda: self.attach(run, events))
        return tuple(events)

    def _any_address(self) -> str:
        """One of the nodes, perhaps one that just died."""
        return random.choice(self._addresses())  # noqa: S311  # no secret

    def _look_at(self, answer: httpx2.Response) -> None:
        """Write down that a node cannot answer. Raises: httpx2.ReadError then."""
        if answer.status_code >= 500:
            self._history.add(Refused(answer.status_code, answer.headers.get("retry-after")))
            raise httpx2.ReadError("it cannot now")

    async def _take(
        self, answer: httpx2.Response, events: list[tuple[int, str]], made: list[Any]
    ) -> None:
        """Add the events of a stream. Raises: httpx2.ReadError unless it came to its end."""
        self._look_at(answer)
        assert answer.status_code == 200, await answer.aread()
        leaves_after = random.choice(STREAMS) if random.random() < 0.3 else 10**9  # noqa: S311
        number, name = 0, ""
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                number = int(value)
            elif field == "event":
                name = value
            elif field == "data":
                if name == LAST:
                    return
                if name == "error":
                    break
                if name == "thread.run.created":
                    made.append(json.loads(value))
                digest = hashlib.sha256(value.encode()).hexdigest()[:12]
                events.append((number, f"{name} {digest}"))
                leaves_after -= 1
                if not leaves_after:
                    break
        raise httpx2.ReadError("it broke off")

    async def _until_answered(self, once: Callable[[], Awaitable[Any]]) -> Any:
        give_up_at = time.monotonic() + GIVE_UP_S
        while True:
            try:
                return await once()
            except _FAULTS:
                if time.monotonic() > give_up_at:
                    raise
                await asyncio.sleep(AGAIN_S)

    # --- what it does ---------------------------------------------------------------------------

    def _tagged(self, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
        self._made += 1
        tag = f"{self._name}-{self._made}"
        return {**body, "metadata": {"tag": tag}}, tag

    async def make(self, kind: Kind, path: str, body: dict[str, Any]) -> Any:
        """Make an object with a tag of its own."""
        body, tag = self._tagged(body)
        made = await self.ask("POST", path, body, key=tag)
        assert "error" not in made, made
        self._history.add(Acknowledged(kind, tag, made["id"], time.monotonic()))
        return made

    async def make_streamed(self, path: str, body: dict[str, Any]) -> None:
        """Make a run whose answer is its stream."""
        body, tag = self._tagged({**body, "stream": True})
        run, events = await self.follow(path, body, tag)
        self._history.add(Acknowledged("run", tag, run["id"], time.monotonic()))
        self._history.add(Streamed(run["id"], events, is_ended=True))

    async def stream(self, run: Any) -> None:
        """Follow a run that was made before."""
        self._history.add(Streamed(run["id"], await self.log(run), is_ended=True))

    async def read(self, thread_id: str) -> None:
        """Read the newest messages of a thread."""
        asked_at = time.monotonic()
        listed = await self.ask("GET", f"/threads/{thread_id}/messages?order=desc&limit={PAGE}")
        ids = tuple(message["id"] for message in reversed(listed["data"]))
        is_whole = not listed["has_more"]
        self._history.add(Listed(thread_id, ids, is_whole, asked_at))

    async def live(self, assistant: str, shared: Sequence[str], until: float) -> None:
        """Do what a client does, until the time is over."""
        while time.monotonic() < until:
            thread = await self.make("thread", "/threads", {})
            for where in (thread["id"], random.choice(shared)):  # noqa: S311
                message = {"role": "user", "content": "What is the weather?"}
                await self.make("message", f"/threads/{where}/messages", message)
                await self.read(where)
            runs = f"/threads/{thread['id']}/runs"
            run = await self.make("run", runs, {"assistant_id": assistant})
            if random.random() < 0.2:  # noqa: S311
                await self.ask("POST", f"{runs}/{run['id']}/cancel")
            waiting = {"assistant_id": assistant, "queue_when_busy": True}
            await asyncio.gather(self.stream(run), self.make_streamed(runs, waiting))
            await self.read(thread["id"])

    async def find(self) -> None:
        """Write down all that is there, once every run has ended."""
        for thread in await self._everything("/threads?"):
            name = thread["id"]
            self._history.add(Object("thread", name, name, thread["metadata"].get("tag")))
            for message in await self._everything(f"/threads/{name}/messages?"):
                tag = message["metadata"].get("tag")
                self._history.add(Object("message", message["id"], name, tag))
            for run in await self._everything(f"/threads/{name}/runs?"):
                self._history.add(Log(run["id"], await self.log(run)))
                ended = await self.ask("GET", f"/threads/{name}/runs/{run['id']}")
                assert ended["status"] in TERMINAL, json.dumps(ended)
                tag = run["metadata"].get("tag")
                self._history.add(Object("run", run["id"], name, tag, ended["status"]))

    async def _everything(self, path: str) -> list[Any]:
        """Return every object of a list, oldest first."""
        found: list[Any] = []
        while True:
            after = f"&after={found[-1]['id']}" if found else ""
            page = await self.ask("GET", f"{path}order=asc&limit={PAGE}{after}")
            found += page["data"]
            if not page["has_more"]:
                return found

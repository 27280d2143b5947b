"""Making runs, following them event by event, and a model server that waits to be told."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx2

from tests.api.making import a_thread, an_assistant
from tests.contract.checker import Event, check_events
from tests.harness import EVENTS, Api
from tests.llm.upstream import Behaviour, Call, Upstream, chunk

DEMO = "weft-demo"
USER = {"role": "user", "content": "Hello"}
DONE = b"event: done\ndata: [DONE]\n\n"


class Modelled(NamedTuple):
    """A server whose models are played by a model server of the test."""

    api: Api
    upstream: Upstream


# --- making -----------------------------------------------------------------------------------


def a_function(name: str = "yarn_price", **parameters: str) -> dict[str, Any]:
    """Return a function tool; each parameter has the JSON type that it is given."""
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def a_demo(api: Api, **body: Any) -> str:
    """Make an assistant of the demo model and return its id."""
    return an_assistant(api, **{"model": DEMO, **body})


def a_run(api: Api, thread_id: str, assistant_id: str, **body: Any) -> Any:
    """Queue a run and return it as it was answered."""
    return api.ok("POST", runs_of(thread_id), {"assistant_id": assistant_id, **body})


def asking(api: Api, *functions: str, say: str | None = None) -> Any:
    """Return a run of the demo model that waits for the outputs of these functions."""
    assistant = a_demo(api, tools=[a_function(name, of="string") for name in functions])
    thread = a_thread(api, messages=[{"role": "user", "content": say or " and ".join(functions)}])
    return at_rest(api, a_run(api, thread, assistant))


def runs_of(thread_id: str) -> str:
    """Return the path of a thread's runs."""
    return f"/threads/{thread_id}/runs"


def path_of(run: Any) -> str:
    """Return the path of a run."""
    return f"{runs_of(run['thread_id'])}/{run['id']}"


def calls_of(run: Any) -> list[Any]:
    """Return the calls whose outputs a run waits for."""
    found: list[Any] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    return found


def outputs_for(run: Any, *outputs: str) -> dict[str, Any]:
    """Return the body that hands in an output for each call."""
    pairs = zip(calls_of(run), outputs, strict=True)
    return {"tool_outputs": [{"tool_call_id": call["id"], "output": out} for call, out in pairs]}


def said(message: Any) -> str:
    """Return the text of a message."""
    return "".join(part["text"]["value"] for part in message["content"])


def steps_of(api: Api, run: Any) -> list[Any]:
    """Return the steps of a run, oldest first."""
    found: list[Any] = api.ok("GET", f"{path_of(run)}/steps?order=asc")["data"]
    return found


def messages_of(api: Api, run: Any, **query: Any) -> list[Any]:
    """Return the messages of a run's thread, oldest first."""
    path = f"/threads/{run['thread_id']}/messages"
    found: list[Any] = api.ok("GET", path, params={"order": "asc", **query})["data"]
    return found


def at_rest(api: Api, run: Any) -> Any:
    """Follow a run to where it rests, and return it as it is then."""
    api.events("GET", path_of(run), params={"stream": "true"})
    return api.ok("GET", path_of(run))


# --- following --------------------------------------------------------------------------------


class Follower:
    """A stream that is read frame by frame."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._pieces = answer.iter_raw()
        self.received = b""
        self._read_to = 0

    def next(self) -> Event:
        """Wait for the next event and return it."""
        while (end := self.received.find(b"\n\n", self._read_to)) < 0:
            self.received += next(self._pieces)
        (event,) = check_events(self.received[self._read_to : end + 2], is_cut=True)
        self._read_to = end + 2
        return event

    def more(self) -> None:
        """Wait until something comes."""
        self.received += next(self._pieces)

    def until(self, name: str) -> list[Event]:
        """Read up to and with an event of a name."""
        found = [self.next()]
        while found[-1].name != name:
            found.append(self.next())
        return found

    def rest(self, *, is_cut: bool = False) -> list[Event]:
        """Read to the end, which must be `done`, or the connection's if it is cut."""
        try:
            for piece in self._pieces:
                self.received += piece
        except httpx2.RemoteProtocolError:
            assert is_cut, "the server broke the stream off"
        return check_events(self.received[self._read_to :], is_cut=is_cut)


@contextmanager
def following(
    api: Api,
    method: str,
    path: str,
    body: Any = None,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Follower]:
    """Open a stream; leaving the context closes the connection, wherever the stream stands."""
    with api.http.stream(
        method, api.prefix + path, json=body, params=params, headers=headers
    ) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == EVENTS
        yield Follower(answer)


@contextmanager
def another(api: Api) -> Iterator[Api]:
    """Open connections of one's own to the same server."""
    own = Api(str(api.http.base_url))
    try:
        yield own
    finally:
        own.close()


def names(events: list[Event]) -> list[str]:
    """Return the names of events; what is the same several times over stands once."""
    found: list[str] = []
    for event in events:
        if not found or found[-1] != event.name:
            found.append(event.name)
    return found


def text_of(events: list[Event]) -> str:
    """Return the text that events stream."""
    return "".join(
        part["text"]["value"]
        for event in events
        if event.name == "thread.message.delta"
        for part in event.data["delta"]["content"]
    )


# --- a model that waits -----------------------------------------------------------------------


class Gate:
    """Lets the pieces of an answer pass, as many as were asked for."""

    def __init__(self) -> None:
        self._open_for: float = 0

    def let(self, pieces: float = 1) -> None:
        """Let some more pieces pass."""
        self._open_for += pieces

    def open(self) -> None:
        """Let everything pass."""
        self._open_for = float("inf")

    async def wait(self, call: Call, number: int) -> None:
        """Wait for the turn of piece `number`, from 0, or for the client to go."""
        while self._open_for <= number and not call.is_left:  # noqa: ASYNC110  # other thread
            await asyncio.sleep(0.001)


def gated(*words: str, finish: str = "stop") -> tuple[Behaviour, Gate]:
    """Return an answer of some words, each of which waits at a gate, as does its end."""
    gate = Gate()

    async def play(call: Call) -> None:
        await call.begin()
        for number, word in enumerate(words):
            await gate.wait(call, number)
            await call.event(chunk({"content": word}))
        await gate.wait(call, len(words))
        await call.event(chunk({}, finish=finish))
        await call.event(b"[DONE]")
        await call.end()

    return play, gate

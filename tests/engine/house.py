"""All of Weft but HTTP, in one process: a real database file, the engine, models, clients.

Time stands still until a test turns the clock. A crash is what a power cut leaves: the files as
they are at that moment, and nothing that the process held.
"""

import asyncio
import itertools
import json
import shutil
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from tests.engine.scripts import NAME, PATIENCE_S, Models, Script
from weft.api.app import functions
from weft.api.call import Answer, Call, Rooms
from weft.api.stream import follow, followed
from weft.domain.ids import Ids
from weft.domain.lifecycle import AT_REST
from weft.engine.drive import Engineering
from weft.engine.indexing import Indexing, IndexingEngine
from weft.engine.worker import EmbeddedEngine
from weft.llm.tokens import Calibration
from weft.store import files
from weft.store import runs as store
from weft.store.blobs import FOLDER, Folder
from weft.store.contents import Contents, keep
from weft.store.database import Database
from weft.store.runs import ENGINE, RunKey
from weft.store.sqlite import Sqlite, connect, migrate
from weft.wire import events as wire_events
from weft.wire.form import Form
from weft.wire.operations import TABLE

P = "default"
NOW = 1_700_000_000
EXPIRES_S = 600
LOOK_S = 0.05  # what a bell announces does not wait for it

OPERATIONS = {operation.id: operation for operation in TABLE}
FUNCTIONS = functions()
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("weather", "time")
]


def now_us() -> int:
    """Return unix microseconds: ids are told apart by them, and no order is read from them."""
    return time.time_ns() // 1000


class Event(NamedTuple):
    """One frame of a stream."""

    number: int
    name: str
    data: Any


class Clock:
    """Unix seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        """Return the time."""
        return self.now


class House:
    """`async with House(folder)`: the engine works until the end of the block."""

    def __init__(self, folder: Path, stood: Path | None = None) -> None:
        """`stood` is the file of an earlier house to move in, with whatever it left."""
        self.clock = Clock()
        self.models = Models()
        self.calibration = Calibration()
        self.max_prompt_tokens = 100_000
        self._stood = stood
        self.database: Database
        self._lives = 1
        self._folders = (folder.with_name(f"{folder.name}-{n}") for n in itertools.count(1))
        self._ids = Ids(now_us)

    async def __aenter__(self) -> Self:
        if self._stood is None:
            self.path = next(self._folders) / "weft.db"
            self.path.parent.mkdir(parents=True)
            migrate(self.path)
            await self.open()
            await self.post("createAssistant", model=NAME, tools=TOOLS, instructions="Be brief.")
        else:
            self.path = self._stood
            await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Start: the database, then the engine."""
        self.database = await self.open_database()
        self.contents = Contents(self.database, Folder(self.path.parent / FOLDER), self.clock)
        self.rooms = Rooms(self.database, self.contents, self._ids, self.clock, (NAME,), EXPIRES_S)
        self.tools = Engineering(
            self.database,
            self.contents,
            self._ids,
            self.clock,
            self.models,
            self.calibration,
            self.max_prompt_tokens,
            EXPIRES_S,
        )
        self.open_engine()
        self.open_indexing()

    def open_indexing(self) -> None:
        """Start what indexes files."""
        tools = Indexing(self.database, self.contents)
        self.indexing = asyncio.create_task(IndexingEngine(tools, look_s=LOOK_S).work())

    async def stop_indexing(self) -> None:
        """Let only the indexing go."""
        self.indexing.cancel()
        await asyncio.gather(self.indexing, return_exceptions=True)

    async def open_database(self) -> Database:
        """Open the file."""
        return Sqlite(self.path)

    def open_engine(self) -> None:
        """Start an engine."""
        self.engine = asyncio.create_task(EmbeddedEngine(self.tools, look_s=LOOK_S).work())

    async def restart(self) -> None:
        """Stop in order and start again."""
        self.database.bells.close()  # streams end first
        await self.close()
        await self.open()

    async def close(self) -> None:
        """Stop in order."""
        await self.stop_engine()
        await self.stop_indexing()
        await self.contents.close()
        await self.database.close()

    async def stop_engine(self) -> None:
        """Let only the engine go."""
        self.engine.cancel()
        await asyncio.gather(self.engine, return_exceptions=True)

    async def crash(self) -> None:
        """Lose what the process held, and start again from what stands in the files."""
        self._lives += 1  # nobody is shown what this process still does
        stood = next(self._folders)
        shutil.copytree(self.path.parent, stood, ignore=shutil.ignore_patterns("*-shm"))
        self.database.bells.close()  # followers lose their connections
        await self.close()
        self.path = stood / "weft.db"
        await self.open()

    def turn_clock(self, seconds: int) -> None:
        """Let time pass; the engine looks."""
        self.clock.now += seconds
        self.database.bells.ring(ENGINE)

    # --- what a client does -------------------------------------------------------------------

    async def answer(
        self, operation_id: str, body: Any, query: dict[str, Any], path: dict[str, str]
    ) -> tuple[Answer, Call[Any]]:
        """Call an operation as the server does, once the request is in."""
        operation = OPERATIONS[operation_id]
        asked = None if operation.query is None else msgspec.convert(query, operation.query)
        assert not isinstance(operation.body, Form), "forms are for the server"
        taken = operation.body.decode(json.dumps(body).encode()) if operation.body else None
        call: Call[Any] = Call(self.rooms, P, path, asked, taken, {}, None)
        return await FUNCTIONS[operation_id](call), call

    async def keep(self, file_id: str, data: bytes) -> None:
        """Store a file."""
        async with self.contents.arriving() as arrival:
            await arrival.write(data)
            content = await arrival.finish()
            new = files.insert(
                P,
                file_id,
                content,
                purpose="vision",
                filename="image",
                created_at=self.clock.now,
                expires_at=None,
                now=self.clock.now,
                wire="{}",
            )
            await self.database.write((*keep(content), new))

    async def post(self, operation_id: str, /, **body: Any) -> Any:
        """Do what is no part of a thread."""
        answer, _ = await self.answer(operation_id, body, {}, {})
        return json.loads(answer.body)

    async def get(self, operation_id: str, key: RunKey, **query: Any) -> Any:
        """Read something of a run."""
        answer, _ = await self.answer(operation_id, None, query, _path(key))
        return json.loads(answer.body)

    async def thread(self, *questions: str) -> str:
        """Make a thread of a user's messages."""
        messages = [{"role": "user", "content": question} for question in questions]
        made = await self.post("createThread", messages=messages)
        return str(made["id"])

    async def say(self, thread_id: str, content: Any, role: str = "user") -> Any:
        """Append a message."""
        body = {"role": role, "content": content}
        answer, _ = await self.answer("createMessage", body, {}, {"thread_id": thread_id})
        return json.loads(answer.body)

    async def start(self, thread_id: str, *scripts: Script, **body: Any) -> RunKey:
        """Create a run, of which the model answers so."""
        self.models.scripted.tell(*scripts)
        body = {"assistant_id": await self.assistant_id(), **body}
        answer, _ = await self.answer("createRun", body, {}, {"thread_id": thread_id})
        return RunKey(thread_id, P, json.loads(answer.body)["id"])

    async def assistant_id(self) -> str:
        """The assistant of the house."""
        answer, _ = await self.answer("listAssistants", None, {}, {})
        return str(json.loads(answer.body)["data"][-1]["id"])

    async def ask(self, *scripts: Script, **body: Any) -> RunKey:
        """Create a run on a new thread."""
        return await self.start(await self.thread("What is the weather?"), *scripts, **body)

    async def cancel(self, key: RunKey) -> Any:
        """Cancel a run."""
        answer, _ = await self.answer("cancelRun", None, {}, _path(key))
        return json.loads(answer.body)

    async def submit(self, key: RunKey, outputs: dict[str, str] | None = None) -> int:
        """Hand in outputs, those asked for unless given; return where their stream begins."""
        if outputs is None:
            outputs = {call: f"output of {call}" for call in await self.wanted(key)}
        given = [{"tool_call_id": name, "output": said} for name, said in outputs.items()]
        body = {"tool_outputs": given, "stream": True}
        answer, call = await self.answer("submitToolOuputsToRun", body, {}, _path(key))
        wanted = (await followed(call, "submitToolOuputsToRun", answer)).follow
        assert wanted is not None
        return wanted.after

    async def change(self, key: RunKey, metadata: dict[str, str]) -> None:
        """Give a run metadata."""
        await self.answer("modifyRun", {"metadata": metadata}, {}, _path(key))

    async def wanted(self, key: RunKey) -> list[str]:
        """The ids of the calls that wait for outputs, none when nothing does."""
        action = (await self.run(key))["required_action"]
        if action is None:
            return []
        return [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread."""
        await self.answer("deleteThread", None, {}, {"thread_id": thread_id})

    # --- what a client sees -------------------------------------------------------------------

    async def run(self, key: RunKey) -> Any:
        """The run as it is."""
        return await self.get("getRun", key)

    async def steps(self, key: RunKey) -> list[Any]:
        """The steps of a run, oldest first."""
        listed = await self.get("listRunSteps", key, order="asc", limit=100)
        return list(listed["data"])

    async def runs(self, thread_id: str) -> list[Any]:
        """The runs of a thread, oldest first."""
        query = {"order": "asc", "limit": 100}
        answer, _ = await self.answer("listRuns", None, query, {"thread_id": thread_id})
        return list(json.loads(answer.body)["data"])

    async def messages(self, thread_id: str) -> list[Any]:
        """The messages of a thread, oldest first."""
        answer, _ = await self.answer(
            "listMessages", None, {"order": "asc", "limit": 100}, {"thread_id": thread_id}
        )
        return list(json.loads(answer.body)["data"])

    async def texts(self, thread_id: str) -> list[str]:
        """What was said in a thread, oldest first."""
        return ["".join(map(said, m["content"])) for m in await self.messages(thread_id)]

    async def follow(self, key: RunKey, after: int = 0) -> list[Event]:
        """Follow a run to where it rests, and return its events; the last one is `done`."""
        async with asyncio.timeout(PATIENCE_S):
            frames = [events async for events in self.frames(key, after)]
        return [event for events in frames for event in events]

    async def frames(self, key: RunKey, after: int = 0) -> AsyncGenerator[list[Event], None]:
        """Follow a run piece by piece, until it rests or the process dies."""
        life = self._lives
        async with aclosing(follow(self.rooms, key, after)) as following:
            async for piece in following:
                if self._lives > life:
                    return
                yield read(piece)

    async def rest(self, key: RunKey) -> Any:
        """Wait until a run rests, and return it."""
        events = await self.follow(key)
        assert events[-1].name == "done"
        run = await self.run(key)
        assert run["status"] in AT_REST
        return run

    async def status(self, key: RunKey, *wanted: str) -> Any:
        """Wait until a run has one of these statuses, and return it."""
        async with asyncio.timeout(PATIENCE_S):
            with self.database.bells.listening(key.topic) as bell:
                while (run := await self.run(key))["status"] not in wanted:
                    await bell.wait(PATIENCE_S)
        return run

    async def written(self, key: RunKey, least: int) -> None:
        """Wait until a run's log has so many events."""
        async with asyncio.timeout(PATIENCE_S):
            with self.database.bells.listening(key.topic) as bell:
                while await store.last_number(self.database, key) < least:
                    await bell.wait(PATIENCE_S)

    def rows(self, sql: str, *params: Any) -> list[Any]:
        """Read the file past the program."""
        connection = connect(self.path)
        try:
            return list(connection.execute(sql, params))
        finally:
            connection.close()

    def write(self, sql: str, *params: Any) -> None:
        """Write to the file past the program."""
        connection = connect(self.path)
        try:
            connection.execute(sql, params)
        finally:
            connection.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the file as another process would: nothing can be written for a while."""
        other = connect(self.path)
        try:
            other.execute("BEGIN IMMEDIATE")
            yield
        finally:
            other.close()

    async def log(self, key: RunKey) -> list[Event]:
        """Every event of a run up to now."""
        run = await self.run(key)
        rows, is_all = await store.events(self.database, key, 0, 100_000, 2**30)
        assert is_all
        frames = (wire_events.frames(r.number, r.name, r.data, 0, run) for r in rows)
        return [event for piece in frames for event in read(piece)]


def _path(key: RunKey) -> dict[str, str]:
    return {"thread_id": key.thread_id, "run_id": key.id}


def said(part: Any) -> str:
    """The text of one part of a message."""
    return str(part["text"]["value"] if part["type"] == "text" else part["refusal"])


def read(piece: bytes) -> list[Event]:
    """Read frames, which are whole; `done` has the number 0."""
    found = []
    assert piece.endswith((b"\n\n", b": ping\n")), piece[-50:]
    for block in piece.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = fields["data"]
        number = int(fields.get("id", 0))
        found.append(Event(number, fields["event"], data if number == 0 else json.loads(data)))
    return found


def names(events: list[Event]) -> list[str]:
    """The names of events, repeated deltas once."""
    return [name for name, _ in itertools.groupby(event.name for event in events)]

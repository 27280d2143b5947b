"""kill -9 while 64 connections write: what was acknowledged is there, and nothing by halves."""

import asyncio
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from tests import postgres
from tests.crash.load import Line
from tests.harness import Server

CONNECTIONS = 64
INITIAL = 3


class Known:
    """A thread as its client knows it: what was acknowledged, and what may have been stored."""

    def __init__(self, thread_id: str, texts: list[str]) -> None:
        self.id = thread_id
        self.texts = texts
        self.metadata: dict[str, str] = {}
        self.is_deleted = False
        # What was asked for and not answered: it may be there or not.
        self.maybe_text: str | None = None
        self.maybe_metadata: dict[str, str] | None = None
        self.is_maybe_deleted = False

    def check(self, thread: Any | None, texts: list[str]) -> None:
        """Hold what the server has against what is known; None: it has no such thread."""
        if self.is_deleted or thread is None:
            assert thread is None
            assert self.is_deleted or self.is_maybe_deleted
            return
        assert thread["metadata"] in (self.metadata, self.maybe_metadata)
        assert texts[: len(self.texts)] == self.texts
        rest = texts[len(self.texts) :]
        assert rest in ([], [self.maybe_text])


class Load:
    """Writers on connections of their own; `is_enough` is set after so many acknowledgements."""

    def __init__(self, address: str, enough: int) -> None:
        self.known: list[Known] = []
        self.acknowledged = 0
        self.is_enough = asyncio.Event()
        self._address = address
        self._enough = enough

    def _count(self) -> None:
        self.acknowledged += 1
        if self.acknowledged >= self._enough:
            self.is_enough.set()

    async def write(self, name: str) -> None:
        """Make threads and change them, one after another, until the server has gone."""
        line = await Line.open(self._address)
        try:
            for number in range(10**6):
                await self._live(line, f"{name}-{number}", number)
        except ConnectionError:
            pass
        finally:
            line.close()

    async def _live(self, line: Line, name: str, number: int) -> None:
        texts = [f"{name} message {n}" for n in range(INITIAL)]
        body = {"messages": [{"role": "user", "content": text} for text in texts]}
        made = await line.ok("POST", "/threads", body)
        known = Known(made["id"], texts)
        self.known.append(known)
        self._count()
        for appended in range(number % 4):
            known.maybe_text = f"{name} appended {appended}"
            message = {"role": "user", "content": known.maybe_text}
            await line.ok("POST", f"/threads/{known.id}/messages", message)
            known.texts.append(known.maybe_text)
            known.maybe_text = None
            self._count()
        if number % 3 == 0:
            known.maybe_metadata = {"of": name}
            await line.ok("POST", f"/threads/{known.id}", {"metadata": known.maybe_metadata})
            known.metadata = known.maybe_metadata
            self._count()
        if number % 5 == 0:
            known.is_maybe_deleted = True
            await line.ok("DELETE", f"/threads/{known.id}")
            known.is_deleted = True
            self._count()


async def write_until_killed(server: Server, enough: int) -> Load:
    """Let all connections write, and kill the server in the middle of it."""
    load = Load(server.address, enough)
    writers = [asyncio.create_task(load.write(f"w{n}")) for n in range(CONNECTIONS)]
    enough_written = asyncio.create_task(load.is_enough.wait())
    await asyncio.wait([enough_written, *writers], return_when=asyncio.FIRST_COMPLETED)
    assert load.is_enough.is_set()  # no writer ended before, with an error or without
    server.process.kill()
    await asyncio.gather(*writers)
    return load


async def texts_of(line: Line, thread_id: str) -> list[str]:
    """Return the texts of all messages of a thread, oldest first."""
    path = f"/threads/{thread_id}/messages?order=asc&limit=100"
    listed = await line.ok("GET", path)
    return [message["content"][0]["text"]["value"] for message in listed["data"]]


async def check_known(address: str, known: list[Known]) -> None:
    """Hold every thread that a client knows against what the server has."""
    waiting = iter(known)

    async def check() -> None:
        line = await Line.open(address)
        for one in waiting:
            found = await line.call("GET", f"/threads/{one.id}")
            assert found.status in (200, 404)
            if found.status == 404:
                one.check(None, [])
            else:
                one.check(found.body, await texts_of(line, one.id))
        line.close()

    await asyncio.gather(*(check() for _ in range(8)))


async def all_threads(address: str) -> list[str]:
    """Return the ids of all threads that the server lists."""
    line = await Line.open(address)
    ids: list[str] = []
    has_more = True
    while has_more:
        after = f"&after={ids[-1]}" if ids else ""
        page = await line.ok("GET", f"/threads?limit=100{after}")
        ids += [thread["id"] for thread in page["data"]]
        has_more = page["has_more"]
    line.close()
    return ids


# What must find nothing in the database itself.
HALF_THERE = (
    f"""SELECT thread.id FROM thread LEFT JOIN message ON thread_id = thread.id
    WHERE thread.deleted_at IS NULL GROUP BY thread.id HAVING count(message.id) < {INITIAL}""",
    "SELECT id FROM message WHERE thread_id NOT IN (SELECT id FROM thread)",
    """SELECT * FROM thread_metadata
    WHERE thread_id NOT IN (SELECT id FROM thread WHERE deleted_at IS NULL)""",
)


def check_file(path: Path) -> None:
    """Nothing is half there in the file itself, and it is sound."""
    connection = apsw.Connection(str(path))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for query in HALF_THERE:
            assert connection.execute(query).fetchall() == []
    finally:
        connection.close()


def check_postgres(url: str) -> None:
    """Nothing is half there in the database itself."""
    with psycopg.connect(url) as connection:
        for query in HALF_THERE:
            assert connection.execute(query.encode()).fetchall() == []


def kill_and_check(folder: Path, enough: int) -> None:
    """Write, kill, start again, and look at everything; the folder may hold older data."""
    server = Server(folder)
    load = asyncio.run(write_until_killed(server, enough))
    server.kill()
    with Server(folder) as again:
        asyncio.run(check_known(again.address, load.known))
        listed = asyncio.run(all_threads(again.address))
    alive = {one.id for one in load.known if not (one.is_deleted or one.is_maybe_deleted)}
    assert alive <= set(listed)
    assert len(listed) == len(set(listed))
    url = postgres.url_of(folder)
    if url is None:
        check_file(folder / "weft.db")
    else:
        check_postgres(url)
    assert "Traceback" not in server.log_path.read_text()


@pytest.fixture(params=["sqlite", "postgres"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data folder, or what stands for one on PostgreSQL."""
    folder = tmp_path / "data"
    return folder if request.param == "sqlite" else postgres.claim(folder)


def test_everything_acknowledged_survives_a_kill(folder: Path) -> None:
    kill_and_check(folder, enough=1500)


@pytest.mark.full
def test_everything_acknowledged_survives_many_kills(folder: Path) -> None:
    """At other moments each time, on the same folder."""
    for enough in (1, CONNECTIONS, 200, 333, 1000, 2000, 3000):
        kill_and_check(folder, enough)

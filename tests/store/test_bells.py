"""Wake-ups: none is lost, and a write rings whoever waits for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.conformance import P, append, thread
from weft.store import messages
from weft.store.bells import Bells
from weft.store.database import Database, Refused
from weft.store.sqlite import Sqlite, migrate

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database. What is tested here is one process: no other database is asked."""
    migrate(tmp_path / "weft.db")
    opened = Sqlite(tmp_path / "weft.db")
    yield opened
    await opened.close()


async def test_a_ring_ahead_of_the_wait_is_heard() -> None:
    bells = Bells()
    with bells.listening("a") as bell:
        bells.ring("a")
        bells.ring("a")
        assert await bell.wait(20)
        assert not await bell.wait(0)


async def test_a_ring_wakes_everybody_who_listens_to_its_topic_and_nobody_else() -> None:
    bells = Bells()
    with bells.listening("a") as one, bells.listening("a") as two, bells.listening("b") as other:
        waiting = [asyncio.create_task(bell.wait(20)) for bell in (one, two)]
        await asyncio.sleep(0)
        bells.ring("a")
        assert await asyncio.gather(*waiting) == [True, True]
        assert not await other.wait(0)
    bells.ring("a")  # nobody listens any more


async def test_who_is_told_to_stop_at_the_moment_of_a_ring_stops() -> None:
    """A task that forgot its cancellation would work for ever, and its process never end."""
    bells = Bells()

    async def listen() -> None:
        with bells.listening("a") as bell:
            while True:
                await bell.wait(20)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    bells.ring("a")
    listening.cancel()
    done, _ = await asyncio.wait([listening], timeout=5)
    assert done == {listening}
    assert listening.cancelled()


async def test_closing_wakes_everybody() -> None:
    bells = Bells()
    with bells.listening("a") as bell:
        bells.close()
        assert bells.are_closed
        assert await bell.wait(20)


async def test_a_write_rings_when_it_is_committed(database: Database) -> None:
    with database.bells.listening("a") as bell:
        writing = asyncio.ensure_future(database.write((thread("thread_a"),), wakes=("a",)))
        await asyncio.sleep(0)
        assert not await bell.wait(0)
        assert await bell.wait(20)
        assert await database.one("thread_get", {"id": "thread_a", "project": P}) is not None
        await writing


async def test_a_write_rings_although_nobody_waits_for_it_any_more(database: Database) -> None:
    """A worker that is stopped in the middle of a write leaves what it wrote to its followers."""
    with database.bells.listening("a") as bell:
        writing = asyncio.ensure_future(database.write((thread("thread_a"),), wakes=("a",)))
        await asyncio.sleep(0)
        writing.cancel()
        assert await bell.wait(20)
        assert await database.one("thread_get", {"id": "thread_a", "project": P}) is not None


async def test_a_write_that_is_refused_rings_nobody(database: Database) -> None:
    with database.bells.listening("a") as bell:
        refused = database.write(append("thread_none", "msg_a"), wakes=("a",))
        stored = database.write((thread("thread_a"),), wakes=("b",))
        assert isinstance(
            (await asyncio.gather(refused, stored, return_exceptions=True))[0], Refused
        )
        assert not await bell.wait(0)
    assert await messages.newest_date(database, P, "thread_a") == 0

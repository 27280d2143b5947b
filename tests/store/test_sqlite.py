"""What SQLite alone must keep: steps that do not grow, and other processes on the same file."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from tests.store.conformance import (
    NOW,
    P,
    append,
    initial,
    messages_of,
    numbered,
    pairs,
    thread,
    threads_of,
)
from weft.domain.errors import Unavailable
from weft.store import messages, threads
from weft.store.database import Database, Write
from weft.store.places import Bounds
from weft.store.sqlite import BUSY_MS, Sqlite, connect, migrate

pytestmark = pytest.mark.anyio

MANY = 3000


class Work:
    """Counts the steps of SQLite's machine: what a query costs, whatever the machine."""

    def __init__(self) -> None:
        self.steps = 0

    def watch(self, connection: apsw.Connection) -> None:
        """Count what a connection does from now on."""
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._add)

    def _add(self, event: dict[str, dict[str, int]]) -> None:
        self.steps += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]


@pytest.fixture
def work() -> Iterator[Work]:
    """The work of every connection that is opened during the test."""
    counted = Work()
    apsw.connection_hooks.append(counted.watch)
    yield counted
    apsw.connection_hooks.remove(counted.watch)


@pytest.fixture
async def database(work: Work, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database whose work is counted."""
    migrate(tmp_path / "weft.db")
    opened = Sqlite(tmp_path / "weft.db")
    yield opened
    await opened.close()


@pytest.fixture
def held(database: Database, tmp_path: Path) -> Iterator[apsw.Connection]:
    """A connection that holds the file of `database` as another process would."""
    other = connect(tmp_path / "weft.db")
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def conversation(thread_id: str, count: int, per_second: int = 100) -> Write:
    """A thread with messages, many of them in each second."""
    first = (
        initial(thread_id, name, n, NOW + n // per_second)
        for n, name in enumerate(numbered("msg", count))
    )
    return (thread(thread_id), *first)


async def test_a_page_costs_the_same_in_a_long_thread(database: Database, work: Work) -> None:
    await database.write(conversation("thread_short", 30))
    await database.write(conversation("thread_long", MANY))
    costs = {}
    for thread_id in ("thread_short", "thread_long"):
        work.steps = 0
        page = await messages_of(database, thread_id).ids(is_descending=True, limit=20)
        assert len(page) == 20
        costs[thread_id] = work.steps
    assert costs["thread_long"] == costs["thread_short"] > 0


async def test_an_append_costs_the_same_in_a_long_thread(database: Database, work: Work) -> None:
    """Also when all of its messages are of one second, which has to be counted on from."""
    await database.write(conversation("thread_short", 30, per_second=MANY))
    await database.write(conversation("thread_long", MANY, per_second=MANY))
    costs = {}
    for thread_id in ("thread_short", "thread_long"):
        work.steps = 0
        await database.write((append(thread_id, "msg_new"),))
        assert await messages.newest_date(database, P, thread_id) == NOW
        costs[thread_id] = work.steps
    assert 0 < costs["thread_long"] <= costs["thread_short"] + 10


@pytest.mark.parametrize("is_descending", [False, True])
async def test_a_search_walks_the_rarest_pair(
    database: Database, work: Work, is_descending: bool
) -> None:
    """Whichever is named first: one thread among many costs less than counting to RARE."""
    rare = numbered("thread", MANY)[MANY // 2]
    for thread_id in numbered("thread", MANY)[::50]:
        await database.write((thread(thread_id),))
    common = tuple(
        statement
        for thread_id in numbered("thread", MANY)
        for statement in pairs(thread_id, {"common": "x"})
    )
    await database.write((*common, *pairs(rare, {"rare": "y"})))
    bounds = Bounds.between(None, None, is_descending=is_descending, by=str)
    costs = []
    for wanted in ({"rare": "y"}, {"common": "x", "rare": "y"}, {"rare": "y", "common": "x"}):
        work.steps = 0
        page = await threads.search(database, P, wanted, bounds, limit=20, limit_bytes=10**6)
        assert [row[0] for row in page.rows] == [rare]
        costs.append(work.steps)
    assert costs[1] == costs[2]
    assert costs[1] < costs[0] + 10 * threads.RARE


async def test_another_process_that_holds_the_file_delays_writes_only(
    database: Database, held: apsw.Connection
) -> None:
    """Reads go on meanwhile, writes wait for their turn, and nobody is told an error."""
    waiting = asyncio.ensure_future(database.write((thread("thread_waiting"),)))
    async with asyncio.timeout(BUSY_MS / 1000 - 1):  # the loop itself never waits for the file
        for _ in range(20):
            await asyncio.sleep(0.001)  # turns of the loop, in which the write begins to wait
            assert await threads_of(database).ids() == []
            assert not waiting.done()
        held.execute("COMMIT")
        await waiting
    assert await threads_of(database).ids() == ["thread_waiting"]


@pytest.mark.full
async def test_a_file_that_is_held_too_long_is_said_to_all_at_once(
    database: Database, held: apsw.Connection
) -> None:
    """The wait is for the file, not for each write; afterwards it goes on."""
    writes = [database.write((thread(name),)) for name in numbered("thread", 50)]
    async with asyncio.timeout(3 * BUSY_MS / 1000):
        raised = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(fault) for fault in raised} == {Unavailable}
    held.execute("COMMIT")
    await database.write((thread("thread_after"),))
    assert await threads_of(database).ids() == ["thread_after"]

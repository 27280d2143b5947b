"""What SQLite alone must keep: steps that do not grow, and other processes on the same file."""

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Iterator
from pathlib import Path

import apsw
import pytest

from tests.store.conformance import (
    NOW,
    P,
    Stretch,
    append,
    initial,
    messages_of,
    numbered,
    pairs,
    thread,
    threads_of,
)
from tests.store.work import Work
from weft.domain.errors import Unavailable
from weft.store import messages, threads
from weft.store.database import Database, Write
from weft.store.places import Bounds
from weft.store.sqlite import BATCH_STATEMENTS, BUSY_MS, Sqlite, connect, migrate

pytestmark = pytest.mark.anyio

MANY = 3000
LATER = NOW + MANY


def is_level(costs: Collection[int]) -> bool:
    """Say whether costs are the same, but for a step that a page's edge may cost."""
    return min(costs) > 0 and max(costs) <= min(costs) + 10


class Places:
    """Notes for each statement whether the event loop's thread ran it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def watch(self, connection: apsw.Connection) -> None:
        """Note what a connection runs."""
        connection.exec_trace = self._note

    def begin(self) -> None:
        """Forget what was seen until now."""
        self.seen.clear()

    def _note(self, _: apsw.Cursor, sql: str, __: object) -> bool:
        self.seen.append((sql, threading.current_thread() is threading.main_thread()))
        return True


@pytest.fixture
def places() -> Iterator[Places]:
    """Where the statements of every connection run that is opened during the test."""
    noted = Places()
    apsw.connection_hooks.append(noted.watch)
    yield noted
    apsw.connection_hooks.remove(noted.watch)


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
    assert is_level(costs.values())


async def test_an_append_costs_the_same_in_a_long_thread(database: Database, work: Work) -> None:
    """Also when all of its messages are of one second, which has to be counted on from."""
    await database.write(conversation("thread_short", 30, per_second=MANY))
    await database.write(conversation("thread_long", MANY, per_second=MANY))
    costs = {}
    for thread_id in ("thread_short", "thread_long"):
        work.steps = 0
        await database.write(append(thread_id, "msg_new"))
        assert await messages.newest_date(database, P, thread_id) == NOW
        costs[thread_id] = work.steps
    assert is_level(costs.values())


async def test_the_messages_of_a_run_cost_the_same_in_a_long_thread(
    database: Database, work: Work
) -> None:
    for thread_id, count in (("thread_short", 10), ("thread_long", MANY)):
        await database.write(conversation(thread_id, count))
        for n in range(5):
            await database.write(append(thread_id, f"msg_{n}", LATER + n, run_id="run_1"))
    costs = {}
    for thread_id in ("thread_short", "thread_long"):
        listing = Stretch(database, "message_list_of_run", int, thread_id=thread_id, run_id="run_1")
        work.steps = 0
        assert len(await listing.ids()) == 5
        costs[thread_id] = work.steps
    assert is_level(costs.values())


async def test_a_page_of_threads_costs_the_same_wherever_it_begins(
    database: Database, work: Work
) -> None:
    await database.write(tuple(thread(name, NOW) for name in numbered("thread", MANY)))
    costs = []
    for after in (0, MANY // 2, MANY - 30):
        work.steps = 0
        place = (NOW, f"thread_{after:05d}")
        assert len(await threads_of(database).ids(after=place, limit=20)) == 20
        costs.append(work.steps)
    assert is_level(costs)


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
    assert is_level(costs[1:])
    assert costs[1] < costs[0] + 10 * threads.RARE


async def test_the_loop_never_waits_for_the_disk_or_for_much_work(
    places: Places, tmp_path: Path
) -> None:
    """Commits, long writes and searches run beside it; of short writes it takes one batch."""
    migrate(tmp_path / "weft.db")
    database = Sqlite(tmp_path / "weft.db")
    places.begin()
    await asyncio.gather(
        *(database.write((thread(name),)) for name in numbered("thread", BATCH_STATEMENTS + 50)),
        database.write((thread("thread_long"), *pairs("thread_long", {"long": "1"})), is_long=True),
        database.write(conversation("thread_large", BATCH_STATEMENTS)),
    )
    bounds = Bounds.between(None, None, is_descending=True, by=str)
    found = await threads.search(database, P, {"long": "1"}, bounds, limit=5, limit_bytes=99)
    assert [row[0] for row in found.rows] == ["thread_long"]
    await database.close()
    on_loop = [sql.split()[0] for sql, is_on_loop in places.seen if is_on_loop]
    assert "COMMIT" not in on_loop
    batches = " ".join(on_loop).split("BEGIN")[1:]
    assert [len(batch.split()) for batch in batches] == [BATCH_STATEMENTS, 50]
    beside = [sql for sql, is_on_loop in places.seen if not is_on_loop]
    assert sum("INTO thread_metadata" in sql for sql in beside) == 1
    assert sum("INTO message" in sql for sql in beside) == BATCH_STATEMENTS
    assert sum("AS rarest" in sql for sql in beside) == 1


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

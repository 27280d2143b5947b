"""What PostgreSQL alone must keep: connections that die, other nodes, values it cannot hold."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests import postgres
from tests.store.conformance import (
    NOW,
    P,
    append,
    messages_of,
    numbered,
    pairs,
    thread,
    threads_of,
)
from weft.domain.errors import Unavailable
from weft.store import runs, threads
from weft.store.database import Database, Refused, Unusable
from weft.store.places import Bounds
from weft.store.postgres import Postgres
from weft.store.postgres.schema import migrate
from weft.store.runs import RunKey

pytestmark = pytest.mark.anyio

PATIENCE_S = 30.0


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Postgres]:
    """A node's database."""
    database = await Postgres.opened(url)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Postgres]:
    """The database of one node."""
    async with opened(postgres_url) as one:
        yield one


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    """Ask past the program."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def counted(url: str, what: str) -> int:
    """Return what PostgreSQL has counted in a database."""
    query = f"SELECT {what} FROM pg_stat_database WHERE datname = current_database()"
    return int(ask(url, query)[0][0])


def end_connections(url: str) -> int:
    """Have PostgreSQL end every connection of the program; return how many there were."""
    return len(
        ask(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weft'"
            " AND datname = current_database()",
        )
    )


async def has_four(url: str) -> bool:
    """Say whether the program has each of its connections: two for reads, writes, wake-ups."""
    ((count,),) = ask(
        url,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'weft'"
        " AND datname = current_database()",
    )
    return bool(count == 4)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await is_so():  # noqa: ASYNC110  # it is a process's doing
            await asyncio.sleep(0.01)


async def grown(items: list[str]) -> None:
    """Wait until a list has 50 items more."""
    wanted = len(items) + 50

    async def is_so() -> bool:
        return len(items) >= wanted

    await until(is_so)


async def serves(database: Database) -> bool:
    """Say whether a database answers reads and writes."""
    try:
        await database.check()
        await database.write(pairs("thread_x", {}) or (thread(f"thread_{id(object())}_{NOW}"),))
    except Unavailable:
        return False
    except psycopg.errors.UniqueViolation:
        return True
    return True


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["a\0b", "\0", "\ufffe", "\ufffe0\0\ufffe1", "é\U0001f600", "$1 :id"]
)
async def test_any_text_comes_back_as_it_went(database: Postgres, text: str) -> None:
    """PostgreSQL's text has no NUL; Weft's has."""
    await database.write((thread("thread_a", wire=text), *pairs("thread_a", {"k": text})))
    await database.write((thread("thread_b"),))
    assert await threads.get(database, P, "thread_a") == text
    both = await asyncio.gather(*(threads.get(database, P, f"thread_{n}") for n in "ab"))
    assert both == [text, "<thread_b>"]
    bounds = Bounds.between(None, None, is_descending=False, by=str)
    found = await threads.search(database, P, {"k": text}, bounds, limit=5, limit_bytes=10**6)
    assert [row[1] for row in found.rows] == [text]


async def test_an_id_that_cannot_be_is_not_there(database: Postgres) -> None:
    await database.write((thread("thread_a"),))
    for odd in ("thread_a\0", "\0", 'a"b', "a\\", "{}", ",", "NULL", ""):
        asked = [threads.get(database, P, name) for name in ("thread_a", odd, "thread_a")]
        assert await asyncio.gather(*asked) == ["<thread_a>", None, "<thread_a>"]


async def test_a_number_that_is_too_large_is_the_fault_of_whoever_sent_it(
    database: Postgres,
) -> None:
    """Others that read at the same moment, and the same way, get what they asked for."""
    await database.write((thread("thread_a"),))
    key = RunKey("thread_a", P, "run_a")

    def deltas(after: int) -> Awaitable[Any]:
        return database.one("run_event_deltas_of", key.under(name="x", after=after))

    found = await asyncio.gather(
        deltas(1), deltas(2**80), deltas(1), threads.get(database, P, "thread_a"),
        return_exceptions=True,
    )  # fmt: skip
    assert found[0] is None
    assert isinstance(found[1], psycopg.DataError)
    assert list(found[2:]) == [None, "<thread_a>"]


async def test_what_is_read_at_one_moment_is_one_round_trip(
    database: Postgres, postgres_url: str
) -> None:
    await database.write(tuple(thread(name) for name in numbered("thread", 200)))
    await threads.get(database, P, "thread_00000")

    async def read_all() -> None:
        ids = numbered("thread", 200)
        found = await asyncio.gather(*(threads.get(database, P, name) for name in ids))
        assert found == [f"<{name}>" for name in ids]

    before = counted(postgres_url, "xact_commit")
    await read_all()
    assert counted(postgres_url, "xact_commit") - before < 100


# --- connections that die -----------------------------------------------------------------------


async def test_connections_that_end_are_made_anew(database: Postgres, postgres_url: str) -> None:
    await database.write((thread("thread_a"),))
    for _ in range(3):
        await until(lambda: has_four(postgres_url))
        end_connections(postgres_url)
        await until(lambda: serves(database))
        assert await threads.get(database, P, "thread_a") == "<thread_a>"


async def test_a_write_whose_connection_dies_is_stored_once_or_said_to_be_unsure(
    database: Postgres, postgres_url: str
) -> None:
    """Whoever got an answer can rely on it; nothing is stored twice, and nobody waits for ever."""
    stored: list[str] = []
    refused: list[str] = []
    stop = asyncio.Event()

    async def write(client: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            name = f"thread_{client}_{number}"
            try:
                await database.write((thread(name), *pairs(name, {"client": str(client)})))
            except Unavailable:
                refused.append(name)
                await asyncio.sleep(0.01)
            else:
                stored.append(name)

    clients = [asyncio.create_task(write(client)) for client in range(16)]
    for _ in range(10):
        await asyncio.to_thread(end_connections, postgres_url)
        await grown(stored)
    stop.set()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*clients)
    found = {name for (name,) in ask(postgres_url, "SELECT id FROM thread")}
    assert set(stored) <= found
    assert found - set(stored) <= set(refused)
    assert len(found) == ask(postgres_url, "SELECT count(*) FROM thread_metadata")[0][0]


async def test_a_batch_whose_process_is_ended_in_the_middle_is_written_again(
    postgres_url: str,
) -> None:
    """A lock holds it in the middle; whoever waits for it does not notice."""
    async with opened(postgres_url) as database, AsyncExitStack() as held:
        other = await psycopg.AsyncConnection.connect(postgres_url)
        held.push_async_callback(other.close)
        await database.write((thread("thread_a"),))
        await other.execute("SELECT 1 FROM thread FOR UPDATE")
        waiting = [
            asyncio.ensure_future(database.write(append("thread_a", f"msg_{n}", NOW + n)))
            for n in range(5)
        ]
        await until(lambda: waits_for_a_lock(postgres_url))
        ask(postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        await until(lambda: waits_for_a_lock(postgres_url))  # it tries again
        await other.rollback()
        assert await asyncio.gather(*waiting) == [None] * 5
        ids = await messages_of(database, "thread_a").ids()
        assert ids == [f"msg_{n}" for n in range(5)]


class Proxy:
    """Stands between the program and PostgreSQL, and may swallow answers."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self.is_swallowing = False
        self.has_passed = asyncio.Event()
        self._serving: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Yield the URL to connect to."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield urlunsplit(self._to._replace(netloc=f"weft@127.0.0.1:{port}"))
        finally:
            server.close()
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        there = await asyncio.open_connection(self._to.hostname, self._to.port)
        await asyncio.gather(self._forth(reader, there[1]), self._back(there[0], writer))

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = True
        while data := await reader.read(65536):
            if self.is_swallowing and not is_first:
                self.is_swallowing = False
                break
            writer.write(data)
            if self.is_swallowing:
                is_first = False
                self.has_passed.set()
        writer.close()


async def test_a_batch_that_was_stored_is_known_to_be_although_its_answer_was_lost(
    postgres_url: str,
) -> None:
    """The connection breaks behind the commit: it is not written twice, nor said to be lost."""
    proxy = Proxy(postgres_url)
    async with AsyncExitStack() as held:
        url = await held.enter_async_context(proxy.serving())
        database = await held.enter_async_context(opened(url))
        other = await psycopg.AsyncConnection.connect(postgres_url)
        held.push_async_callback(other.close)
        await database.write((thread("thread_a"),))
        await database.write(append("thread_a", "msg_a"))
        await other.execute("SELECT 1 FROM thread FOR UPDATE")
        proxy.is_swallowing = True
        waiting = asyncio.ensure_future(database.write(append("thread_a", "msg_b")))
        await proxy.has_passed.wait()  # the number of the transaction
        await until(lambda: waits_for_a_lock(postgres_url))
        await other.rollback()
        await waiting
        assert await messages_of(database, "thread_a").ids() == ["msg_a", "msg_b"]


async def waits_for_a_lock(url: str) -> bool:
    """Say whether somebody waits for a lock."""
    return bool(ask(url, "SELECT 1 FROM pg_locks WHERE NOT granted"))


# --- a server that goes away --------------------------------------------------------------------


@asynccontextmanager
async def on_own_server() -> AsyncIterator[tuple[postgres.Cluster, Postgres]]:
    """A database on a server that may be maltreated."""
    with postgres.cluster() as server:
        migrate(server.url)
        async with opened(server.url) as database:
            yield server, database


async def test_a_server_that_crashes_is_waited_for_and_lost_nothing() -> None:
    """Meanwhile everybody is told so at once; afterwards all goes on by itself."""
    async with on_own_server() as (server, database):
        stored = []
        for name in numbered("thread", 50):
            await database.write((thread(name),))
            stored.append(name)
        server.stop(signal.SIGQUIT)
        with pytest.raises(Unavailable):
            await database.write((thread("thread_lost"),))
        with pytest.raises(Unavailable):
            await database.check()
        await asyncio.to_thread(server.start)
        await until(lambda: serves(database))
        assert set(stored) <= set(await threads_of(database).ids(limit=1000))


async def test_a_server_that_stands_still_is_given_up_in_time() -> None:
    """A paused process answers nothing and closes nothing."""
    async with on_own_server() as (server, database):
        await database.write((thread("thread_a"),))
        with server.paused():
            async with asyncio.timeout(20):
                raised = await asyncio.gather(
                    threads.get(database, P, "thread_a"),
                    database.write((thread("thread_b"),)),
                    return_exceptions=True,
                )
        assert [type(fault) for fault in raised] == [Unavailable, Unavailable]
        await until(lambda: serves(database))
        assert await threads.get(database, P, "thread_a") == "<thread_a>"


# --- several nodes ------------------------------------------------------------------------------


async def test_a_bell_rings_on_every_node(postgres_url: str) -> None:
    async with opened(postgres_url) as one, opened(postgres_url) as other:
        with one.bells.listening("a") as here, other.bells.listening("a") as there:
            assert await there.wait(0) or True
            await one.write((thread("thread_a"),), wakes=("a",))
            assert await here.wait(PATIENCE_S)
            assert await there.wait(PATIENCE_S)
            assert await threads.get(other, P, "thread_a") == "<thread_a>"


async def test_who_listens_is_woken_when_its_connection_comes_back(
    database: Postgres, postgres_url: str
) -> None:
    with database.bells.listening("a") as bell:
        assert not await bell.wait(0)
        end_connections(postgres_url)
        assert await bell.wait(PATIENCE_S)


async def test_nodes_that_append_to_one_thread_agree_on_one_order(postgres_url: str) -> None:
    """Positions are counted in the statement that inserts: nothing fails, nothing is lost."""
    async with AsyncExitStack() as nodes:
        opened_nodes = [await nodes.enter_async_context(opened(postgres_url)) for _ in range(3)]
        await opened_nodes[0].write((thread("thread_a"), thread("thread_b")))
        writes = [
            node.write(append(f"thread_{name}", f"msg_{number}_{n}"))
            for n in range(40)
            for number, node in enumerate(opened_nodes)
            for name in "ab"
        ]
        assert set(await asyncio.gather(*writes)) == {None}
        for name in ("thread_a", "thread_b"):
            lists = [await messages_of(node, name).ids(limit=1000) for node in opened_nodes]
            assert len(set(lists[0])) == 120
            assert lists[0] == lists[1] == lists[2]


async def test_nodes_that_start_runs_in_one_thread_leave_one_active(postgres_url: str) -> None:
    async with opened(postgres_url) as one, opened(postgres_url) as other:
        for name in numbered("thread", 20):
            await one.write((thread(name),))
            keys = [RunKey(name, P, f"run_{n}") for n in range(8)]
            raised = await asyncio.gather(
                *(
                    node.write((runs.insert(key, created_at=1, expires_at=9, wire="{}"),))
                    for key, node in zip(keys, (one, other) * 4, strict=True)
                ),
                return_exceptions=True,
            )
            assert raised.count(None) == 1
            assert sum(isinstance(fault, Refused) for fault in raised) == 7


async def test_nodes_that_change_many_threads_at_once_never_wait_in_a_circle(
    postgres_url: str,
) -> None:
    """Each batch touches all threads, in an order of its own."""
    ids = numbered("thread", 30)
    async with opened(postgres_url) as one, opened(postgres_url) as other:
        await one.write(tuple(thread(name, wire="0") for name in ids))

        async def add_one(node: Postgres, name: str) -> None:
            while True:
                was = await threads.get(node, P, name)
                assert was is not None
                try:
                    await node.write((threads.replace(P, name, was, str(int(was) + 1)),))
                except Refused:
                    continue  # another was faster
                return

        for _ in range(3):
            await asyncio.gather(
                *(add_one(one, name) for name in ids),
                *(add_one(other, name) for name in reversed(ids)),
            )
        assert {await threads.get(one, P, name) for name in ids} == {"6"}
    assert counted(postgres_url, "deadlocks") == 0


async def test_a_database_that_is_not_there_is_said_in_one_line(postgres_url: str) -> None:
    with pytest.raises(Unusable, match=r"database weft_none cannot be used: .*does not exist"):
        await Postgres.opened(postgres.database_at(postgres_url, "weft_none"))

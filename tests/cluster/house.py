"""Nodes in one process: each has its own connections and its own engine, all share a PostgreSQL.

Time stands still until a test turns the clock, but for the queue: it goes by the database's.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import psycopg

from tests.engine.house import LOOK_S, TOOLS, Clock, House
from tests.engine.scripts import NAME, PATIENCE_S, Models
from weft.engine.cluster import DistributedEngine
from weft.engine.indexing import Indexing
from weft.engine.taking import Task
from weft.store.database import Database
from weft.store.postgres import Postgres


class Node(House):
    """One of them. Without a worker it takes requests only."""

    def __init__(
        self,
        url: str,
        folder: Path,
        clock: Clock,
        models: Models,
        *,
        has_worker: bool,
        tasks: Mapping[str, Task],
    ) -> None:
        super().__init__(folder)
        self.path = folder / "weft.db"  # beside it lie the bytes of files
        self.url = url
        self.clock = clock
        self.models = models
        self.has_worker = has_worker
        self.tasks = tasks

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def open_database(self) -> Database:
        """Connect."""
        return await Postgres.opened(self.url)

    def open_engine(self) -> None:
        """Start the engine, if the node has one."""
        indexing = Indexing(self.database, self.contents)
        self.distributed = DistributedEngine(
            self.tools, indexing, self.url, tasks=self.tasks, look_s=LOOK_S
        )
        work = self.distributed.work() if self.has_worker else asyncio.sleep(0)
        self.engine = asyncio.create_task(work)

    def open_indexing(self) -> None:
        """Start nothing: the engine's queue has the files too."""
        self.indexing = asyncio.create_task(asyncio.sleep(0))

    async def crash(self) -> None:
        """Lose what the process held; the database stays."""
        self._lives += 1
        self.database.bells.close()
        await self.close()
        await self.open()

    def rows(self, sql: str, *params: Any) -> list[Any]:
        """Read the database past the program."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql.replace("?", "%s").encode(), params).fetchall()

    def write(self, sql: str, *params: Any) -> None:
        """Write to the database past the program."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.replace("?", "%s").encode(), params)

    async def keeps_house(self) -> None:
        """Wait until this node keeps house."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.distributed.is_keeper():  # noqa: ASYNC110  # nothing announces it
                await asyncio.sleep(0.02)


class Nodes:
    """Makes nodes on one database."""

    def __init__(self, url: str, folder: Path, stack: AsyncExitStack) -> None:
        self.url = url
        self.folder = folder
        self.clock = Clock()
        self.models = Models()
        self._stack = stack

    async def node(
        self, *, has_worker: bool = True, tasks: Mapping[str, Task] | None = None
    ) -> Node:
        """Start a node, which knows some more tasks; it stops at the end of the test."""
        node = Node(
            self.url,
            self.folder,
            self.clock,
            self.models,
            has_worker=has_worker,
            tasks=tasks or {},
        )
        return await self._stack.enter_async_context(node)

    async def sql(self, statement: str, *params: object) -> list[tuple[object, ...]]:
        """Ask the database past the program."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            cursor = await connection.execute(statement.encode(), params)
            return await cursor.fetchall() if cursor.description else []

    async def until(self, statement: str, *params: object) -> None:
        """Wait until a query finds something."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.sql(statement, *params):  # noqa: ASYNC110  # nothing announces it
                await asyncio.sleep(0.02)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for the bytes of files."""
    with TemporaryDirectory(prefix="weft-") as name:
        yield Path(name)


@asynccontextmanager
async def nodes_on(url: str) -> AsyncIterator[Nodes]:
    """Open a place for nodes, with the assistant that all runs are of."""
    async with AsyncExitStack() as stack:
        nodes = Nodes(url, stack.enter_context(_folder()), stack)
        first = await nodes.node(has_worker=False)
        await first.post("createAssistant", model=NAME, tools=[], instructions="Be brief.")
        yield nodes


@asynccontextmanager
async def house_on(url: str) -> AsyncIterator[Node]:
    """Open a house like any other, but on PostgreSQL and with the distributed engine."""
    with _folder() as folder:
        async with Node(url, folder, Clock(), Models(), has_worker=True, tasks={}) as node:
            await node.post("createAssistant", model=NAME, tools=TOOLS, instructions="Be brief.")
            yield node

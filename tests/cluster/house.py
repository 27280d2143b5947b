"""Nodes in one process: each has its own connections and its own engine, all share a PostgreSQL.

Time stands still until a test turns the clock, but for the queue: it goes by the database's.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import psycopg

from tests.engine.house import EXPIRES_S, Clock, House
from tests.engine.scripts import NAME, PATIENCE_S, Models
from weft.api.call import Rooms
from weft.engine.cluster import DistributedEngine, Task
from weft.engine.drive import Engineering
from weft.store.postgres import Postgres


class Node(House):
    """One of them. Without a worker it takes requests only."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        models: Models,
        *,
        has_worker: bool,
        tasks: Mapping[str, Task],
    ) -> None:
        super().__init__(Path())
        self.url = url
        self.clock = clock
        self.models = models
        self.has_worker = has_worker
        self.tasks = tasks

    async def __aenter__(self) -> Self:
        self.database = await Postgres.opened(self.url)
        self.rooms = Rooms(self.database, self._ids, self.clock, (NAME,), EXPIRES_S)
        self.tools = Engineering(
            self.database,
            self._ids,
            self.clock,
            self.models,
            self.calibration,
            self.max_prompt_tokens,
            EXPIRES_S,
        )
        self.open_engine()
        return self

    def open_engine(self) -> None:
        """Start the engine, if the node has one."""
        self.distributed = DistributedEngine(self.tools, self.url, tasks=self.tasks)
        work = self.distributed.work() if self.has_worker else asyncio.sleep(0)
        self.engine = asyncio.create_task(work)

    async def keeps_house(self) -> None:
        """Wait until this node keeps house."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.distributed.is_keeper():  # noqa: ASYNC110  # nothing announces it
                await asyncio.sleep(0.02)


class Nodes:
    """Makes nodes on one database."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.url = url
        self.clock = Clock()
        self.models = Models()
        self._stack = stack

    async def node(
        self, *, has_worker: bool = True, tasks: Mapping[str, Task] | None = None
    ) -> Node:
        """Start a node, which knows some more tasks; it stops at the end of the test."""
        node = Node(self.url, self.clock, self.models, has_worker=has_worker, tasks=tasks or {})
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


@asynccontextmanager
async def nodes_on(url: str) -> AsyncIterator[Nodes]:
    """Open a place for nodes, with the assistant that all runs are of."""
    async with AsyncExitStack() as stack:
        nodes = Nodes(url, stack)
        first = await nodes.node(has_worker=False)
        await first.post("createAssistant", model=NAME, tools=[], instructions="Be brief.")
        yield nodes

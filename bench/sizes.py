"""What an object takes on each database: `python -m bench.sizes`.

Bytes on the disk, and processor time of the node and of the database. It writes them into
docs/scaling.md, with what `bench.sizing` computes from them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import httpx2
import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal
from tests.postgres import Cluster, cluster

from bench.model_server import Speech
from bench.process import MODEL, WEFT, Process
from bench.sizing import Cost, Figures, write
from bench.usage import database_s

AT_ONCE = 32
THREADS, MESSAGES, READS, RUNS = 4000, 12_000, 8000, 400
QUESTION = "How does the loom keep the weft straight when the warp is uneven? " * 6  # 396 bytes
# A run's own cost shows in the first; that of a token in what the others take beyond it.
ONE = Speech(tokens=1, interval_us=0)
SLOW = Speech(tokens=100, interval_us=20_000)
FAST = Speech(tokens=100, interval_us=4000)
OBJECTS = {"thread": ("thread", "thread_metadata"), "message": ("message",)}
OF_RUNS = {"run": ("run", "run_step"), "row": ("run_event",)}

Act = Callable[[int], Awaitable[Any]]


class Bench:
    """One node on one database, SQLite if it is no server."""

    def __init__(self, node: Process, server: Cluster | None, client: httpx2.AsyncClient) -> None:
        self._node = node
        self._server = server
        self._client = client
        self._threads: list[str] = []

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request, which must succeed."""
        answer = await self._client.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def stream(self, path: str, body: Any) -> None:
        """Send one request and read the stream that answers it."""
        async with self._client.stream("POST", path, json=body) as answer:
            assert answer.status_code == 200, await answer.aread()
            received = b"".join([piece async for piece in answer.aiter_raw()])
        assert b"event: thread.run.completed" in received

    def spent(self) -> tuple[float, float]:
        """Return the processor time so far, in seconds: of the node and of its server."""
        return self._node.cpu_s(), 0.0 if self._server is None else database_s(self._server)

    async def measured(self, count: int, act: Act) -> Cost:
        """Act so often, some at once, and return what it took."""
        numbers: Iterator[int] = iter(range(count))
        before = self.spent()

        async def some() -> None:
            for number in numbers:
                await act(number)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        after = self.spent()
        return Cost(*((b - a) / count * 1e6 for a, b in zip(before, after, strict=True)))

    def _thread(self, number: int) -> str:
        return f"/threads/{self._threads[number % THREADS]}"

    async def requests(self) -> dict[str, Cost]:
        """Return the cost of each operation that ends at once."""

        async def create(_: int) -> None:
            body = {"metadata": {"user": "u1"}}
            self._threads.append((await self.ask("POST", "/threads", body))["id"])

        async def append(number: int) -> None:
            said = {"role": "user", "content": QUESTION}
            await self.ask("POST", f"{self._thread(number)}/messages", said)

        async def read(number: int) -> None:
            await self.ask("GET", self._thread(number))

        async def listed(number: int) -> None:
            await self.ask("GET", f"{self._thread(number)}/messages")

        return {
            "create": await self.measured(THREADS, create),
            "append": await self.measured(MESSAGES, append),
            "read": await self.measured(READS, read),
            "list": await self.measured(READS, listed),
        }

    async def runs(self, speech: Speech) -> Cost:
        """Return the cost of a streamed run."""
        assistant = (await self.ask("POST", "/assistants", {"model": speech.model}))["id"]

        async def run(number: int) -> None:
            body = {"assistant_id": assistant, "stream": True}
            await self.stream(f"{self._thread(number)}/runs", body)

        return await self.measured(RUNS, run)


async def speak(bench: Bench, rows: Callable[[], int]) -> tuple[dict[str, Cost], dict[str, float]]:
    """Return the cost of a run and its tokens, and the rows of the log that each speech leaves."""
    costs = {}
    await bench.runs(ONE)  # what is made at a first run is no run's cost
    logged = {}
    for name, speech in (("one", ONE), ("slow", SLOW), ("fast", FAST)):
        before = rows()
        costs[name] = await bench.runs(speech)
        logged[name] = (rows() - before) / RUNS
    for name, speech in (("slow", SLOW), ("fast", FAST)):
        run, spoken = costs["one"], costs.pop(name)
        extra = ((s - r) / (speech.tokens - 1) for s, r in zip(spoken, run, strict=True))
        costs[f"{name} token"] = Cost(*extra)
    return costs, logged


class Postgres:
    """What stands on a server of PostgreSQL."""

    def __init__(self, server: Cluster) -> None:
        self.server = server
        self.settings = {"WEFT_DATABASE_URL": server.url, "WEFT_AUTO_MIGRATE": "true"}

    def _ask(self, query: Composed) -> int:
        with psycopg.connect(self.server.url) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def pack(self) -> None:
        """Give back what updates left behind."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute("VACUUM FULL")

    def count(self, table: str) -> int:
        """Return the rows of a table."""
        return self._ask(SQL("SELECT COUNT(*) FROM {}").format(Identifier(table)))

    def taken(self, table: str) -> int:
        """Return the bytes of a table with its indexes."""
        return self._ask(SQL("SELECT pg_total_relation_size({})").format(Literal(table)))


class Sqlite:
    """What stands in a file of SQLite."""

    server = None

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "weft.db")
        self.settings = {"WEFT_DATA_DIR": str(folder)}

    def _ask(self, query: str, *values: str) -> Any:
        with closing(apsw.Connection(self._path)) as connection:
            return connection.execute(query, values).get

    def pack(self) -> None:
        """Give back what updates left behind."""
        self._ask("VACUUM")

    def count(self, table: str) -> int:
        """Return the rows of a table."""
        return int(self._ask(f'SELECT COUNT(*) FROM "{table}"'))  # noqa: S608  a name of ours

    def taken(self, table: str) -> int:
        """Return the bytes of a table with its indexes."""
        return int(
            self._ask(
                "SELECT SUM(d.pgsize) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name "
                "WHERE s.tbl_name = ?",
                table,
            )
        )


def sizes(database: Postgres | Sqlite, kinds: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the bytes of a row of each kind."""
    database.pack()
    return {
        kind: sum(map(database.taken, tables)) / database.count(tables[0])
        for kind, tables in kinds.items()
    }


@contextmanager
def node_on(database: Postgres | Sqlite, folder: Path) -> Iterator[Process]:
    """Start a model and a node."""
    with Process(MODEL, folder / "model.log") as model:
        settings = {
            **database.settings,
            "WEFT_MODEL_URL": f"{model.address}/v1",
            "WEFT_LOG_LEVEL": "warning",
        }
        with Process(WEFT, folder / "node.log", settings) as node:
            yield node


async def measure(database: Postgres | Sqlite, node: Process) -> Figures:
    """Play against a node."""
    limits = httpx2.Limits(max_connections=AT_ONCE)
    async with httpx2.AsyncClient(
        base_url=f"{node.address}/v1", timeout=60, limits=limits
    ) as client:
        bench = Bench(node, database.server, client)
        costs = await bench.requests()
        rows = sizes(database, OBJECTS)
        spoken, logged = await speak(bench, lambda: database.count("run_event"))
        return Figures(costs | spoken, logged, rows | sizes(database, OF_RUNS))


def figures(database: Postgres | Sqlite, folder: Path) -> Figures:
    """Start everything and measure."""
    with node_on(database, folder) as node:
        return asyncio.run(measure(database, node))


def main() -> None:
    """Measure on both databases, and write the page."""
    with TemporaryDirectory() as folder, cluster() as server:
        small, large = Path(folder, "sqlite"), Path(folder, "postgresql")
        small.mkdir()
        large.mkdir()
        write(figures(Sqlite(small), small), figures(Postgres(server), large))


if __name__ == "__main__":
    main()

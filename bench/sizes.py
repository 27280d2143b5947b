"""What an object takes on PostgreSQL: `python -m bench.sizes`.

Bytes on the disk, and processor time of the node and of the database.
docs/scaling.md computes from these figures what an installation needs.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx2
import psycopg
from tests.postgres import Cluster, cluster

from bench.model_server import Speech
from bench.process import MODEL, WEFT, Process

AT_ONCE = 32
THREADS, MESSAGES, READS, RUNS = 4000, 12_000, 8000, 400
SPEECH = Speech(tokens=100, interval_us=20_000)
QUESTION = "How does the loom keep the weft straight when the warp is uneven? " * 6  # 396 bytes
TABLES = {
    "thread": ("thread", "thread_metadata"),
    "message": ("message",),
    "run": ("run", "run_step"),
    "log of a run": ("run_event",),
}

Act = Callable[[int], Awaitable[Any]]


class Cost(NamedTuple):
    """Processor time of one operation, in microseconds."""

    node_us: float
    database_us: float


def _ticks(pid: int, *, with_children: bool) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, stat[11 : 15 if with_children else 13]))


def database_s(server: Cluster) -> float:
    """Return the processor time of PostgreSQL: of those that live, and of those that ended."""
    assert server.process is not None
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
    ticks = _ticks(main, with_children=True)
    ticks += sum(_ticks(int(child), with_children=False) for child in children)
    return ticks / os.sysconf("SC_CLK_TCK")


class Bench:
    """One node on one database."""

    def __init__(self, node: Process, server: Cluster, client: httpx2.AsyncClient) -> None:
        self._node = node
        self._server = server
        self._client = client

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request, which must succeed."""
        answer = await self._client.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def stream(self, path: str, body: Any) -> None:
        """Send one request and read the stream that answers it."""
        async with self._client.stream("POST", path, json=body) as answer:
            async for _ in answer.aiter_raw():
                pass

    async def measured(self, count: int, act: Act) -> Cost:
        """Act so often, some at once, and return what it took."""
        await act(0)
        numbers: Iterator[int] = iter(range(1, count + 1))
        before = (self._node.cpu_s(), database_s(self._server))

        async def some() -> None:
            for number in numbers:
                await act(number)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        after = (self._node.cpu_s(), database_s(self._server))
        return Cost(*((b - a) / count * 1e6 for a, b in zip(before, after, strict=True)))


async def play(bench: Bench) -> dict[str, Cost]:
    """Return the cost of each operation."""
    threads: list[str] = []

    async def create(_: int) -> None:
        threads.append((await bench.ask("POST", "/threads", {"metadata": {"user": "u1"}}))["id"])

    costs = {"create a thread": await bench.measured(THREADS, create)}
    said = {"role": "user", "content": QUESTION}

    async def append(number: int) -> None:
        await bench.ask("POST", f"/threads/{threads[number % THREADS]}/messages", said)

    costs["append a message"] = await bench.measured(MESSAGES, append)

    async def read(number: int) -> None:
        await bench.ask("GET", f"/threads/{threads[number % THREADS]}")

    costs["read a thread"] = await bench.measured(READS, read)

    async def listed(number: int) -> None:
        await bench.ask("GET", f"/threads/{threads[number % THREADS]}/messages")

    costs["list its messages"] = await bench.measured(READS, listed)
    assistant = (await bench.ask("POST", "/assistants", {"model": SPEECH.model}))["id"]

    async def run(number: int) -> None:
        body = {"assistant_id": assistant, "stream": True}
        await bench.stream(f"/threads/{threads[number]}/runs", body)

    costs[f"a streamed run of {SPEECH.tokens} tokens"] = await bench.measured(RUNS, run)
    return costs


def sizes(url: str, counts: dict[str, int]) -> dict[str, float]:
    """Return the bytes of each kind of object, with its indexes."""
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        for kind, tables in TABLES.items():
            taken = sum(_size(connection, table) for table in tables)
            found[kind] = taken / counts[kind]
    return found


def _size(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute("SELECT pg_total_relation_size(%s::regclass)", (table,)).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def node_on(server: Cluster, folder: Path) -> Iterator[Process]:
    """Start a model and a node."""
    with Process(MODEL, folder / "model.log") as model:
        settings = {
            "WEFT_DATABASE_URL": server.url,
            "WEFT_AUTO_MIGRATE": "true",
            "WEFT_MODEL_URL": f"{model.address}/v1",
            "WEFT_LOG_LEVEL": "warning",
        }
        with Process(WEFT, folder / "node.log", settings) as node:
            yield node


async def measure(server: Cluster, node: Process) -> dict[str, Cost]:
    """Play against a node."""
    limits = httpx2.Limits(max_connections=AT_ONCE)
    async with httpx2.AsyncClient(
        base_url=f"{node.address}/v1", timeout=60, limits=limits
    ) as client:
        return await play(Bench(node, server, client))


def show(costs: dict[str, Cost], bytes_of: dict[str, float]) -> None:
    """Print both tables."""
    print("| operation | node, us of CPU | PostgreSQL, us of CPU |\n|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {cost.node_us:,.0f} | {cost.database_us:,.0f} |")
    print("\n| object | bytes with indexes |\n|---|---|")
    for kind, size in bytes_of.items():
        print(f"| {kind} | {size:,.0f} |")


def counts() -> dict[str, int]:
    """Return how many of each kind were made, with those ahead of the measurement."""
    return {
        "thread": THREADS + 1,
        "message": MESSAGES + 1 + RUNS + 1,
        "run": RUNS + 1,
        "log of a run": RUNS + 1,
    }


def main() -> None:
    """Start everything, measure, print."""
    with TemporaryDirectory() as folder, cluster() as server:
        with node_on(server, Path(folder)) as node:
            costs = asyncio.run(measure(server, node))
        show(costs, sizes(server.url, counts()))


if __name__ == "__main__":
    main()

"""The same server on PostgreSQL: against the floor, and runs against those on SQLite."""

import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.postgres import Cluster, cluster

from bench.cases.floor import APPENDED_TO, CREATE_EMPTY, MESSAGE, folder_with_threads
from bench.cases.runs import AT_5_MS, ONE_TOKEN, WARMING_UP
from bench.measure import Load, Request
from bench.process import Server
from bench.relay import Relay, relay, run
from bench.report import Result, Section, Target
from bench.server import FLOOR
from bench.stage import Side, Stage, median, p50, p99, rate, ratio, say
from bench.usage import database_s
from weft.config import Settings
from weft.main import copy_database
from weft.wire.shapes import encode

SECTION = Section(
    "On PostgreSQL",
    "One server and one PostgreSQL (fsync on) on the same machine, which the load shares. The "
    "floor is that of the same process. CPU is that of all of PostgreSQL's processes, and of the "
    "server, for each request.",
)
CONNECTIONS = (16, 64)
AT_LEAST_HALF = {64: Target.at_least(0.5)}


class _Kind(NamedTuple):
    title: str
    threads: Callable[[Stage], int]  # that are there
    requests: Callable[[list[str]], list[Request]]
    targets: Mapping[int, Target]


KINDS = (
    _Kind("POST /threads, empty", lambda _: 1, lambda _: [CREATE_EMPTY], AT_LEAST_HALF),
    _Kind(
        "GET /threads/{id}",
        lambda stage: stage.scale.threads,
        lambda ids: [Request("GET", f"/v1/threads/{one}") for one in ids],
        AT_LEAST_HALF,
    ),
    _Kind(
        "POST /threads/{id}/messages",
        lambda _: APPENDED_TO,
        lambda ids: [
            Request("POST", f"/v1/threads/{one}/messages", encode(MESSAGE)) for one in ids
        ],
        {},
    ),
)


def against_floor(stage: Stage) -> Iterator[Result]:
    """Measure each kind of request beside its floor."""
    for kind in KINDS:
        folder, ids = folder_with_threads(stage, kind.threads(stage))
        with cluster() as database:
            copied(folder, database)
            file = stage.requests(*kind.requests(ids))
            with Server(stage.new_path("data"), database_url=database.url) as server:
                for prefix in ("", FLOOR):
                    stage.side(server, file, connections=16, prefix=prefix)()
                for connections in CONNECTIONS:
                    yield _measured(stage, kind, connections, server, file, database)


def copied(folder: Path, database: Cluster) -> None:
    """Copy the database of a folder to PostgreSQL."""
    copy_database(
        Settings(data_dir=str(folder)), Settings(database_url=database.url), lambda *_: None
    )


class _Costly:
    """A side that also counts processor time."""

    def __init__(self, side: Side, database: Cluster, server: Server) -> None:
        self._side = side
        self._database = database
        self._server = server
        self.database_us: list[float] = []
        self.server_us: list[float] = []

    def __call__(self) -> Load:
        before = database_s(self._database), self._server.cpu_s()
        load = self._side()
        after = database_s(self._database), self._server.cpu_s()
        self.database_us.append((after[0] - before[0]) / load.requests * 1e6)
        self.server_us.append((after[1] - before[1]) / load.requests * 1e6)
        return load


def _measured(
    stage: Stage, kind: _Kind, connections: int, server: Server, file: Path, database: Cluster
) -> Result:
    costly = _Costly(stage.side(server, file, connections=connections), database, server)
    real, floor = stage.in_turns(
        f"{connections} connections, Weft on PostgreSQL / floor",
        costly,
        stage.side(server, file, connections=connections, prefix=FLOOR),
    )
    of_floor = ratio(real, floor, rate)
    cells = {
        "Request": kind.title,
        "Connections": str(connections),
        "Requests/s": f"{median(real, rate):,.0f}",
        "p50 ms": f"{median(real, p50):.2f}",
        "p99 ms": f"{median(real, p99):.2f}",
        "Server, us": f"{statistics.median(costly.server_us):.0f}",
        "PostgreSQL, us": f"{statistics.median(costly.database_us):.0f}",
        "Of the floor": str(of_floor),
    }
    return Result(SECTION, cells, of_floor.median, kind.targets.get(connections))


NODES = Section(
    "Two nodes beside one",
    "64 connections to one server, then 32 to each of two on the same PostgreSQL, in turns, all "
    "on the same machine: on two cores the nodes, PostgreSQL and the load share them.",
)


def nodes(stage: Stage) -> Iterator[Result]:
    """Measure empty threads made through two nodes beside one."""
    with ExitStack() as stack:
        url = stack.enter_context(cluster()).url
        one, other = (
            stack.enter_context(Server(stage.new_path("node"), database_url=url)) for _ in range(2)
        )
        file = stage.requests(CREATE_EMPTY)
        pool = stack.enter_context(ThreadPoolExecutor(2))
        whole = stage.side(one, file, connections=64)
        halves = [stage.side(node, file, connections=32) for node in (one, other)]

        def both() -> Load:
            first, second = pool.map(lambda half: half(), halves)
            return Load(
                first.requests + second.requests,
                max(first.seconds, second.seconds),
                max(first.p50_ms, second.p50_ms),
                max(first.p99_ms, second.p99_ms),
            )

        both()
        single, double = stage.in_turns("POST /threads, one node / two nodes", whole, both)
        of_one = ratio(double, single, rate)
        cells = {
            "What": "POST /threads, empty: two nodes of one",
            "Measured": f"{of_one}: {median(double, rate):,.0f} against "
            f"{median(single, rate):,.0f} a second",
        }
        yield Result(NODES, cells, of_one.median, None)


RUNS = Section(
    "Runs on PostgreSQL beside SQLite",
    "The same model and the same client, in turns; see Streamed runs.",
)


def runs(stage: Stage) -> Iterator[Result]:
    """How much longer a run takes on PostgreSQL: to its first token, and for each."""
    with cluster() as database, relay(stage) as lite, relay(stage, None, database.url) as large:
        for name, heard in (("First token", _first), (f"Each of {AT_5_MS.tokens} tokens", _each)):
            say(f"  {name} on SQLite / on PostgreSQL")
            on_sqlite, on_postgres = run(_in_turns(stage, lite, large, heard))
            added = statistics.median(
                one - other for one, other in zip(on_postgres, on_sqlite, strict=True)
            )
            figures = (
                f"{statistics.median(on_postgres):.2f} ms on PostgreSQL, "
                f"{statistics.median(on_sqlite):.2f} ms on SQLite"
            )
            cells = {"What": f"{name}: time added", "Measured": f"{added:.2f} ms: {figures}"}
            yield Result(RUNS, cells, added, None)


async def _first(pair: Relay) -> float:
    heard = await pair.relayed(ONE_TOKEN)
    heard.require_whole()
    return heard.listeners[0].first_ms


async def _each(pair: Relay) -> float:
    heard = await pair.relayed(AT_5_MS)
    heard.require_whole()
    return heard.crowd.mean_ms()


async def _in_turns(
    stage: Stage, lite: Relay, large: Relay, hear: Callable[[Relay], Awaitable[float]]
) -> tuple[list[float], list[float]]:
    rounds = stage.scale.first_tokens if hear is _first else stage.scale.rounds
    seen: tuple[list[float], list[float]] = ([], [])
    for _ in range(WARMING_UP + rounds):
        for pair, times in zip((lite, large), seen, strict=True):
            times.append(await hear(pair))
    return seen[0][WARMING_UP:], seen[1][WARMING_UP:]

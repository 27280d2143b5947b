"""PostgreSQL in trouble under a server: requests are told so, and all goes on by itself."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import postgres
from tests.api.making import a_thread, an_assistant
from tests.api.running import DEMO, USER, a_run, at_rest
from tests.crash.load import Line
from tests.harness import Server, api_of
from weft.store.postgres.schema import migrate

CONNECTIONS = 24
PATIENCE_S = 60.0


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL that may be maltreated."""
    with postgres.cluster() as server:
        migrate(server.url)
        yield server


class Load:
    """Clients that write without end, and try again when they are told that it cannot be now."""

    def __init__(self, address: str) -> None:
        self.appended: dict[str, list[str]] = {}  # thread -> ids of messages as acknowledged
        self.unsure = 0
        self.answered = 0
        self.stop = False
        self._address = address

    async def write(self) -> None:
        """Make a thread after another and append to it until told to stop."""
        line = await Line.open(self._address)
        while not self.stop:
            made = await self._insist(line, "/threads", {})
            ids = self.appended.setdefault(made["id"], [])
            for _ in range(5):
                body = {"role": "user", "content": f"{len(ids)}"}
                told = await self._insist(line, f"/threads/{made['id']}/messages", body)
                ids.append(told["id"])
        line.close()

    async def _insist(self, line: Line, path: str, body: Any) -> Any:
        while True:
            answer = await line.call("POST", path, body)
            self.answered += 1
            if answer.status == 200:
                return answer.body
            assert answer.status == 503, answer
            assert answer.headers["retry-after"] == "1"
            self.unsure += 1
            await asyncio.sleep(0.05)

    async def goes_on(self, count: int = 200) -> None:
        """Wait until so many more requests were answered."""
        wanted = self.answered + count
        async with asyncio.timeout(PATIENCE_S):
            while self.answered < wanted:  # noqa: ASYNC110  # other processes do it
                await asyncio.sleep(0.01)

    async def check(self) -> None:
        """Everything acknowledged is there, in the order in which its client was told."""
        line = await Line.open(self._address)
        for thread_id, ids in self.appended.items():
            listed = await line.ok("GET", f"/threads/{thread_id}/messages?order=asc&limit=100")
            found = [message["id"] for message in listed["data"]]
            assert len(found) == len(set(found))
            assert [one for one in found if one in set(ids)] == ids
        line.close()


async def through(load: Load, trouble: Any) -> None:
    """Let clients write all the while that the database is in trouble."""
    writers = [asyncio.create_task(load.write()) for _ in range(CONNECTIONS)]
    await load.goes_on()
    await trouble(load)
    load.stop = True
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*writers)
    await load.check()


def end_connections(url: str) -> None:
    """Have PostgreSQL end every connection of Weft."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weft'"
        )


def on(cluster: postgres.Cluster, tmp_path: Path) -> Server:
    """Start a server on a cluster."""
    return Server(tmp_path / "data", env={"WEFT_DATABASE_URL": cluster.url})


def test_connections_that_end_in_the_middle_of_batches_lose_nothing(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    async def trouble(load: Load) -> None:
        for _ in range(10):
            await asyncio.to_thread(end_connections, cluster.url)
            await load.goes_on()

    with on(cluster, tmp_path) as server:
        asyncio.run(through(Load(server.address), trouble))


def test_a_database_that_crashes_and_comes_back_is_found_again(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    """Meanwhile requests are answered with 503, at once; what was acknowledged is there."""

    async def trouble(load: Load) -> None:
        for how in (signal.SIGQUIT, signal.SIGINT):
            before = load.unsure
            await asyncio.to_thread(cluster.stop, how)
            await load.goes_on()
            assert load.unsure > before
            await asyncio.to_thread(cluster.start)
            wanted = sum(map(len, load.appended.values())) + 100
            async with asyncio.timeout(PATIENCE_S):
                while sum(map(len, load.appended.values())) < wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    with on(cluster, tmp_path) as server:
        asyncio.run(through(Load(server.address), trouble))


@pytest.mark.full
def test_a_database_that_stands_still_is_answered_for(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    """Paused for 20 s: everybody is told within ten, and again; then all goes on."""

    async def trouble(load: Load) -> None:
        with cluster.paused():
            await asyncio.sleep(20)  # the pause itself
            assert load.unsure > CONNECTIONS
        await load.goes_on(400)

    with on(cluster, tmp_path) as server:
        asyncio.run(through(Load(server.address), trouble))


def test_a_run_goes_on_when_the_database_is_back(cluster: postgres.Cluster, tmp_path: Path) -> None:
    with on(cluster, tmp_path) as server, api_of(server) as api:
        assistant = an_assistant(api, model=DEMO)
        threads = [a_thread(api, messages=[USER]) for _ in range(20)]
        made = [a_run(api, thread, assistant) for thread in threads]
        cluster.stop(signal.SIGQUIT)
        status, error = api.error("GET", f"/threads/{threads[0]}")
        assert (status, error["type"]) == (503, "server_error")
        cluster.start()
        deadline = time.monotonic() + PATIENCE_S
        while api.http.get(f"/v1/threads/{threads[0]}").status_code == 503:
            assert time.monotonic() < deadline
        assert {at_rest(api, run)["status"] for run in made} == {"completed"}
        assert at_rest(api, a_run(api, threads[0], assistant))["status"] == "completed"

"""The database goes away under load: clients are told to come again, and nothing is lost or twice.

Each outage lasts until some clients have been refused.
"""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cluster.cable import Cable, cable_to
from tests.cluster.chaos import Disturb, Load, Nodes, play
from tests.cluster.checker import anomalies
from tests.cluster.history import Disturbed, History
from tests.cluster.processes import town_on
from tests.cluster.test_chaos import ANSWER, tell
from tests.llm.upstream import text
from tests.postgres import Cluster, cluster
from weft.store.postgres.schema import migrate

PATIENCE_S = 15.0  # of a client, longer than a node's own with its database
REFUSALS = 3
OUTAGE_S = 60.0  # so long it may take until so many are refused
BETWEEN_S = 2.0  # of work
STANDSTILL_S = 20.0

# What happens, how, and for how many seconds at least.
Acts: TypeAlias = Sequence[tuple[str, AbstractContextManager[None], float]]


@contextmanager
def stopped(server: Cluster, how: signal.Signals) -> Iterator[None]:
    """Stop the server, and start it again."""
    server.stop(how)
    yield
    server.start()


def outages(acts: Acts) -> Disturb:
    """Let one outage follow another."""

    async def disturb(history: History, until: float) -> None:
        for what, act, least_s in acts:
            await asyncio.sleep(BETWEEN_S)
            history.add(Disturbed(what))
            refused, began = history.refusals, time.monotonic()
            await asyncio.to_thread(act.__enter__)
            async with asyncio.timeout(OUTAGE_S):
                # Nothing announces it.
                while (  # noqa: ASYNC110
                    history.refusals < refused + REFUSALS or time.monotonic() < began + least_s
                ):
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(act.__exit__, None, None, None)

    return disturb


def nothing_is_lost(
    cable: Cable,
    folder: Path,
    acts: Acts,
    duration_s: float,
) -> None:
    with town_on(cable.url, folder) as town:
        town.upstream.play(text(ANSWER, per_second=20))
        nodes = Nodes(town, 2)
        load = Load(clients=8, duration_s=duration_s)
        history = asyncio.run(play(nodes, load, outages(acts), folder, PATIENCE_S))
    ends = tell(history)
    assert anomalies(history) == []
    assert sum(isinstance(seen, Disturbed) for seen in history) == len(acts)
    assert ends["completed"]


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A PostgreSQL server to be maltreated, migrated."""
    with cluster() as running:
        migrate(running.url)
        yield running


@pytest.fixture
def cable(server: Cluster) -> Iterator[Cable]:
    """The way to it."""
    with cable_to(server.url) as laid:
        yield laid


def test_nothing_is_lost_when_the_database_crashes_or_is_cut_off_under_load(
    server: Cluster, cable: Cable, tmp_path: Path
) -> None:
    acts = [
        ("the database is cut off", cable.cut(), 1.0),
        ("the database crashes", stopped(server, signal.SIGQUIT), 0.0),
    ]
    nothing_is_lost(cable, tmp_path, acts, 10)


@pytest.mark.full
def test_nothing_is_lost_whatever_befalls_the_database_under_load(
    server: Cluster, cable: Cable, tmp_path: Path
) -> None:
    acts = [
        ("the database is restarted", stopped(server, signal.SIGINT), 0.0),
        ("the database stands still", server.paused(), STANDSTILL_S),
        ("the database is cut off", cable.cut(), 8.0),
        ("the way to the database falls silent", cable.silent(), 0.0),
        ("the database crashes", stopped(server, signal.SIGQUIT), 0.0),
    ]
    nothing_is_lost(cable, tmp_path, acts, 60)

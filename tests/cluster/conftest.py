"""Fixtures: a database of its own for each test, on the server's loop."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.cluster.house import Nodes, nodes_on
from tests.cluster.processes import Town, town_on


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that `weft serve` runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def url() -> Iterator[str]:
    """An empty, migrated PostgreSQL."""
    with postgres.database() as made:
        yield made


@pytest.fixture
async def nodes(url: str) -> AsyncIterator[Nodes]:
    """Nodes on that database, in this process."""
    async with nodes_on(url) as opened:
        yield opened


@pytest.fixture
def town(url: str, tmp_path: Path) -> Iterator[Town]:
    """Nodes on that database, as processes."""
    with town_on(url, tmp_path) as opened:
        yield opened

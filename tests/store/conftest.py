"""Fixtures: every test of the conformance suite runs on each database, on the server's loop."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.store.conformance import DATABASES, Opener
from tests.store.work import work as work  # a fixture
from weft.store.database import Database


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that `weft serve` runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(params=DATABASES)
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """How a database of one kind is opened."""
    with DATABASES[request.param]() as opener:
        yield opener


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A fresh PostgreSQL database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
async def database(opener: Opener, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database."""
    async with opener(tmp_path / "data") as opened:
        yield opened

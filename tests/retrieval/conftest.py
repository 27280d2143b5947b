"""Fixtures: a fresh database on the server's event loop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.conformance import DATABASES
from weft.store.database import Database


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that `weft serve` runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(params=DATABASES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database of each kind."""
    with DATABASES[request.param]() as opener:
        async with opener(tmp_path / "data") as opened:
            yield opened

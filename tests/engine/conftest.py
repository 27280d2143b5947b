"""Fixtures: a house of its own for each test, on the server's loop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine.house import House
from tests.store.work import work as work  # a fixture


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that `weft serve` runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A database, an engine that works on it, scripted models and a hand-turned clock."""
    async with House(tmp_path / "house") as opened:
        yield opened

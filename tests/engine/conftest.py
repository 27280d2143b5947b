"""Fixtures: a house of its own for each test, on the server's loop, with either engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import postgres
from tests.cluster.house import house_on
from tests.engine.house import House
from tests.store.work import work as work  # a fixture


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that `weft serve` runs on."""
    return "asyncio", {"use_uvloop": True}


# What holds for every engine; the rest maltreats SQLite's file.
ON_BOTH = {"test_turns", "test_ends", "test_waiting", "test_budgets", "test_followers"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let both engines tell the same stories."""
    if "engine_kind" in metafunc.fixturenames:
        is_both = metafunc.module.__name__.rpartition(".")[2] in ON_BOTH
        more = [pytest.param("distributed", marks=pytest.mark.full)] if is_both else []
        metafunc.parametrize("engine_kind", ["embedded", *more])


@pytest.fixture
async def house(engine_kind: str, tmp_path: Path) -> AsyncIterator[House]:
    """A database, an engine that works on it, scripted models and a hand-turned clock."""
    if engine_kind == "embedded":
        async with House(tmp_path / "house") as opened:
            yield opened
    else:
        with postgres.database() as url:
            async with house_on(url) as opened:
                yield opened

"""Fixtures: every test that talks to an upstream does so on both event loops."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from tests.llm.hearing import Hear, hear_of

Run = Callable[[Coroutine[Any, Any, Any]], Any]

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine to its end."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner.run


@pytest.fixture
def hear(run: Run) -> Hear:
    """Ask an upstream that behaves as told, and return what was heard."""
    return hear_of(run)

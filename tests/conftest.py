"""Fixtures: a real server for each worker, a fresh one where a test asks for it."""

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.harness import Api, Server, api_of


def pytest_configure() -> None:
    """Give the run, of which workers are a part, a place for the server that they share."""
    postgres.announce_run()


def pytest_unconfigure() -> None:
    """Leave nothing of it."""
    postgres.end_run()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server process for all tests of a worker that do not mind sharing."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    """The shared server's API without a key."""
    with api_of(server) as found:
        yield found

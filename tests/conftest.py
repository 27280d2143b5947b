"""Fixtures: a real server for each worker, a fresh one where a test asks for it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.harness import Api, Server, api_of
from tests.store.bucket_server import Buckets


def pytest_configure() -> None:
    """Give the run, of which workers are a part, a place for the server that they share."""
    postgres.announce_run()


def pytest_unconfigure() -> None:
    """Leave nothing of it."""
    postgres.end_run()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about SQLite's files when every server stands on PostgreSQL."""
    if postgres.is_everywhere():
        left_out = [item for item in items if item.get_closest_marker("sqlite")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def store_kind(request: pytest.FixtureRequest) -> str:
    """Which database the shared servers stand on."""
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session")
def new_folder(store_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a data folder, or what stands for one on PostgreSQL."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "data"
        return postgres.claim(folder) if store_kind == "postgres" else folder

    return make


@pytest.fixture(scope="session")
def server(new_folder: Callable[[str], Path]) -> Iterator[Server]:
    """One server process for all tests of a worker that do not mind sharing."""
    with Server(new_folder("server")) as running:
        yield running


@pytest.fixture(scope="session")
def buckets() -> Iterator[Buckets]:
    """An S3-compatible store; this process knows its keys as a server would."""
    with Buckets() as running:
        before = dict(os.environ)
        os.environ.update(running.environment)
        yield running
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    """The shared server's API without a key."""
    with api_of(server) as found:
        yield found

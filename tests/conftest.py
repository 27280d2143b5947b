"""Fixtures: a real server for each worker, a fresh one where a test asks for it."""

import os
from collections.abc import Iterator

import pytest

from tests.harness import Api, Server, api_of
from tests.store.bucket_server import Buckets


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server process for all tests of a worker that do not mind sharing."""
    with Server(tmp_path_factory.mktemp("server") / "data") as running:
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

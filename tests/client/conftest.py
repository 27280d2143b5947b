"""Clients of the shared server, and an assistant that answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.slow import Slow
from tests.harness import Server
from tests.llm.upstream import serving
from weft import Client


@pytest.fixture
def url(server: Server) -> str:
    """Where the shared server's API stands."""
    return f"{server.address}/v1"


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """A client of the shared server."""
    with Client(url) as found:
        yield found


@pytest.fixture
def assistant_id(client: Client) -> str:
    """An assistant of the built-in model."""
    return client.create_assistant(body={"model": "weft-demo"}).id


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    """A server of the test's own with a slow model."""
    with serving() as upstream:
        found = Slow(tmp_path, upstream)
        yield found
        found.close()

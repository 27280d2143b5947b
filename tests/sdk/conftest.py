"""The official SDK against a server that asks for a key, with a record of what was sent."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import httpx2
import openai
import pytest

from tests.harness import Server, weft
from tests.sdk import facts

Real: TypeAlias = Callable[[Any], Any]


class Door(NamedTuple):
    """Where a server is, and a key that it takes."""

    address: str
    key: str


@pytest.fixture(autouse=True)
def _deprecations_of_the_sdk_are_expected() -> Iterator[None]:
    """Let pass what the SDK says of the methods that Weft is for; other warnings stay errors."""
    with warnings.catch_warnings():
        for text in (
            r"The Assistants API is deprecated in favor of the Responses API\Z",
            r"deprecated\Z",
        ):
            warnings.filterwarnings("ignore", text, DeprecationWarning)
        yield


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One server with a key for all SDK tests of a worker."""
    data_dir = tmp_path_factory.mktemp("sdk") / "data"
    made = weft("keys", "create", "--data-dir", str(data_dir), cwd=data_dir.parent)
    with Server(data_dir) as server:
        yield Door(server.address, made.stdout.strip())


@pytest.fixture(scope="session")
def real(door: Door) -> Real:
    """Gives facts with the identifiers of files and of a store that are there."""
    with openai.OpenAI(base_url=f"{door.address}/v1", api_key=door.key) as client:
        names = {
            name: client.files.create(file=(f"{name}.txt", b"Good day."), purpose="assistants").id
            for name in facts.FILES
        }
        names[facts.STORE] = client.vector_stores.create().id
    return lambda value: facts.renamed(value, names)


@pytest.fixture
def sent() -> list[httpx2.Request]:
    """Every request that the test's client sent, retries too."""
    return []


def check_azure(sent: list[httpx2.Request], key: str) -> None:
    """Check that requests went out as Azure's client sends them: so Weft took them as they are."""
    assert sent
    for request in sent:
        assert request.url.path.startswith("/openai/")
        assert not request.url.path.startswith("/openai/v1/")
        assert request.url.params["api-version"] == "2024-05-01-preview"
        assert request.headers["api-key"] == key
        assert "authorization" not in request.headers

"""Servers: one in which nothing may change, and one with keys of two projects."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.keys import create_key
from tests.api.making import a_file, a_message, a_thread, an_assistant
from tests.api.running import Modelled
from tests.harness import Api, Server, api_of
from tests.llm.upstream import serving

MAX_BODY_BYTES = 2_000_000

# What must be the same on every database; `WEFT_TEST_DATABASE=postgres` tries all the others too.
ON_BOTH = {
    *("threads", "messages", "lists", "restore", "assistants", "idempotency", "isolation"),
    *("concurrency", "runs", "run_life", "run_repeats", "waiting_runs", "stream", "reattach"),
    *("files", "uploads", "vector_stores", "references"),
    *("search_isolation", "citations", "downloads"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what must be the same on every database on each."""
    name = metafunc.module.__name__.rpartition(".test_")[2]
    if name in ON_BOTH and "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", ["sqlite", "postgres"], indirect=True, scope="session")


class Untouched(NamedTuple):
    """A server with one object of each kind, in which nothing may change."""

    api: Api
    address: str
    thread: str
    message: str
    assistant: str

    def named(self, text: str) -> str:
        """Return a text with `{thread}`, `{message}` and `{assistant}` replaced by the ids."""
        for kind in ("thread", "message", "assistant"):
            text = text.replace(f"{{{kind}}}", getattr(self, kind))
        return text

    def stored(self) -> list[bytes]:
        """Return everything that the server holds, to the byte."""
        return [
            self.api.call("GET", path).content
            for path in ("/threads", f"/threads/{self.thread}/messages", "/assistants")
        ]


@pytest.fixture(scope="session")
def _untouched(new_folder: Callable[[str], Path]) -> Iterator[Untouched]:
    folder = new_folder("untouched")
    with Server(folder, "--max-body-bytes", str(MAX_BODY_BYTES)) as server, api_of(server) as api:
        thread = a_thread(api, metadata={f"k{index}": "v" for index in range(16)})
        message = a_message(api, thread, metadata={f"k{index}": "v" for index in range(16)})
        yield Untouched(api, server.address, thread, message, an_assistant(api))


@pytest.fixture
def untouched(_untouched: Untouched) -> Iterator[Untouched]:
    """Hold what the server has afterwards against what it had before."""
    before = _untouched.stored()
    yield _untouched
    assert _untouched.stored() == before


@pytest.fixture
def files(api: Api) -> list[str]:
    """Three files on the shared server."""
    return [a_file(api, name=f"{number}.txt") for number in range(3)]


class Projects(NamedTuple):
    """The same server, as two projects see it."""

    server: Server
    one: Api
    other: Api


@pytest.fixture(scope="session")
def projects(new_folder: Callable[[str], Path]) -> Iterator[Projects]:
    """A server with keys; its two projects know nothing of each other."""
    folder = new_folder("projects")
    keys = [create_key(folder, project).key for project in ("one", "other")]
    with (
        Server(folder) as server,
        api_of(server, key=keys[0]) as one,
        api_of(server, key=keys[1]) as other,
    ):
        yield Projects(server, one, other)


@pytest.fixture(scope="session")
def _modelled(new_folder: Callable[[str], Path]) -> Iterator[Modelled]:
    folder = new_folder("modelled")
    with serving() as upstream:
        env = {"WEFT_MODEL_URL": upstream.url, "WEFT_MODEL_API_KEY": "sk-upstream"}
        with Server(folder, env=env) as server, api_of(server) as api:
            yield Modelled(api, upstream)


@pytest.fixture
def modelled(_modelled: Modelled) -> Modelled:
    """A server whose models are played by a model server: tell it what to play."""
    _modelled.upstream.calls.clear()
    return _modelled

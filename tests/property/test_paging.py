"""Paging, between the functions of the API and a real database, against a plain Python list."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.profiles import examples
from tests.property.shelf import Shelf, UnknownCursor, Wire
from weft.api.call import Call, Rooms
from weft.api.messages import list_messages
from weft.api.threads import list_threads
from weft.domain.errors import NotFound
from weft.domain.ids import Ids
from weft.store import messages, threads
from weft.store.blobs import FOLDER, Folder
from weft.store.contents import Contents
from weft.store.database import Write
from weft.store.sqlite import Sqlite, migrate
from weft.wire.messages import ListMessagesQuery
from weft.wire.threads import ListThreadsQuery

NOW = 10


class Store:
    """A database in a file and the event loop that it lives on; a project for each example."""

    def __init__(self, folder: Path) -> None:
        path = folder / "weft.db"
        migrate(path)
        self._runner = asyncio.Runner()
        self._projects = itertools.count()
        self.database = self._runner.run(self._opened(path))
        contents = Contents(self.database, Folder(folder / FOLDER), lambda: NOW)
        self.rooms = Rooms(self.database, contents, Ids(lambda: 0), lambda: NOW)

    @staticmethod
    async def _opened(path: Path) -> Sqlite:
        return Sqlite(path)

    def new_project(self) -> str:
        """Return the name of a project that has nothing yet."""
        return f"project{next(self._projects)}"

    def write(self, *write: Any) -> None:
        """Commit."""
        statements: Write = write
        self._runner.run(self.database.write(statements))

    def listed(self, function: Any, project: str, path: dict[str, str], query: Any) -> Any:
        """Return the page that a function of the API answers, or None for an unknown cursor."""
        call: Call[None] = Call(self.rooms, project, path, query, None, {}, None)
        try:
            return json.loads(self._runner.run(function(call)).body)
        except NotFound:
            return None

    def close(self) -> None:
        """Release everything."""
        self._runner.run(self.database.close())
        self._runner.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One database for all examples."""
    opened = Store(tmp_path_factory.mktemp("paging"))
    yield opened
    opened.close()


# Few seconds and few ids, so that objects meet in one second and cursors meet objects.
_dates = st.integers(0, 3)
_names = st.sampled_from("abcdXY01_-")


_runs = st.sampled_from([None, None, "run_a", "run_b"])


def _queries(prefix: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    cursor = st.one_of(st.none(), st.none(), _names.map(lambda name: prefix + name))
    query = st.fixed_dictionaries(
        {
            "limit": st.integers(1, 6),
            "order": st.sampled_from(["asc", "desc"]),
            "after": cursor,
            "before": cursor,
        }
    )
    return st.lists(query, min_size=1, max_size=12)


def expected(shelf: Shelf, query: dict[str, Any], **where: Any) -> Wire | None:
    """Return the page that the plain list gives, or None for an unknown cursor."""
    try:
        return shelf.page(**query, **where)
    except UnknownCursor:
        return None


@examples(150)
@given(
    made=st.lists(st.tuples(_names, _dates, _runs), unique_by=lambda made: made[0], min_size=3),
    gone=st.sets(_names, max_size=3),
    queries=_queries("msg_"),
    run_id=_runs,
)
def test_pages_of_messages_are_those_of_a_plain_list(
    store: Store,
    made: list[tuple[str, int, str | None]],
    gone: set[str],
    queries: list[dict[str, Any]],
    run_id: str | None,
) -> None:
    project, shelf = store.new_project(), Shelf()
    store.write(threads.insert(project, "thread_a", 0, NOW, "{}"))
    for name, at, run in made:
        put_message(store, project, shelf, {"id": f"msg_{name}", "created_at": at, "run_id": run})
    for message_id in shelf.things.keys() & {f"msg_{name}" for name in gone}:
        store.write(messages.delete(project, "thread_a", message_id, NOW))
        shelf.change(message_id, None)
    for query in queries:
        asked = msgspec.convert({**query, "run_id": run_id}, ListMessagesQuery)
        answer = store.listed(list_messages, project, {"thread_id": "thread_a"}, asked)
        page = expected(shelf, query, where=lambda wire: run_id in (None, wire["run_id"]))
        assert answer == page, query


_metadata = st.dictionaries(st.sampled_from("xy"), st.sampled_from("01"), max_size=2)


@examples(150)
@given(
    made=st.dictionaries(_names, st.tuples(_dates, _metadata), min_size=3),
    gone=st.sets(_names, max_size=3),
    queries=_queries("thread_"),
    wanted=st.one_of(st.none(), _metadata),
)
def test_pages_of_threads_and_of_searches_are_those_of_a_plain_list(
    store: Store,
    made: dict[str, tuple[int, dict[str, str]]],
    gone: set[str],
    queries: list[dict[str, Any]],
    wanted: dict[str, str] | None,
) -> None:
    project, shelf = store.new_project(), Shelf()
    for name, (at, metadata) in made.items():
        put_thread(store, project, shelf, {"id": f"thread_{name}", "created_at": at}, metadata)
    for thread_id in shelf.things.keys() & {f"thread_{name}" for name in gone}:
        drop_thread(store, project, shelf, thread_id)
    pairs = (wanted or {}).items()
    for query in queries:
        asked = msgspec.convert({**query, "metadata": wanted}, ListThreadsQuery)
        answer = store.listed(list_threads, project, {}, asked)
        page = expected(shelf, query, where=lambda wire: pairs <= wire["metadata"].items())
        assert answer == page, query


def put_message(store: Store, project: str, shelf: Shelf, message: Wire) -> None:
    """Store a message as restoring one does."""
    restore = messages.restore(
        project,
        "thread_a",
        message["id"],
        created_at=message["created_at"],
        run_id=message["run_id"],
        now=NOW,
        wire=json.dumps(message),
    )
    store.write(*restore)
    shelf.put(message)


def put_thread(
    store: Store, project: str, shelf: Shelf, thread: Wire, metadata: dict[str, str]
) -> None:
    """Store a thread that is found by its metadata."""
    thread["metadata"] = metadata
    at, thread_id = thread["created_at"], thread["id"]
    store.write(
        threads.insert(project, thread_id, at, NOW, json.dumps(thread)),
        *threads.index_metadata(project, thread_id, at, old={}, new=metadata),
    )
    shelf.put(thread, rank=thread_id)


def drop_thread(store: Store, project: str, shelf: Shelf, thread_id: str) -> None:
    """Delete a thread as the API does."""
    at, _, wire = shelf.things[thread_id]
    assert wire is not None
    store.write(
        threads.delete(project, thread_id, json.dumps(wire), NOW),
        *threads.index_metadata(project, thread_id, at, old=wire["metadata"], new={}),
    )
    shelf.change(thread_id, None)

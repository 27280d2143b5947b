"""Deleting a thread with very many messages, through the real server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.harness import Api, Server, api_of
from weft.store.sweep import SLICE

COUNTS = [20 * SLICE, pytest.param(100 * SLICE, marks=pytest.mark.full)]
PATIENCE_S = 60.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Api]:
    """A server of its own, whose file stands in tmp_path/data."""
    with Server(tmp_path / "data") as server, api_of(server) as api:
        yield api
    assert "Traceback" not in server.log_path.read_text()


@contextmanager
def looked_into(path: Path) -> Iterator[apsw.Connection]:
    """Read the server's file beside it."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute("PRAGMA query_only = ON")
    yield connection
    connection.close()


def rows_of(connection: apsw.Connection, thread_id: str) -> int:
    """Return how many rows of a thread's messages there are, hidden or not."""
    query = "SELECT count(*) FROM message WHERE thread_id = ?"
    found: Any = connection.execute(query, (thread_id,)).fetchone()
    return int(found[0])


def put_back(api: Api, thread_id: str, count: int) -> None:
    """Restore a thread with many messages: one request, one transaction."""
    messages = [{"role": "user", "content": f"message {n}"} for n in range(count)]
    api.ok("POST", "/threads", {"id": thread_id, "metadata": {"k": "v"}, "messages": messages})


def check_hidden(api: Api, thread_id: str, known: str) -> None:
    """A deleted thread is found in no way."""
    assert api.error("GET", f"/threads/{thread_id}")[0] == 404
    assert api.error("GET", f"/threads/{thread_id}/messages")[0] == 404
    assert [thread["id"] for thread in api.ok("GET", "/threads")["data"]] == [known]
    assert api.ok("GET", "/threads?metadata[k]=v")["data"] == []


@pytest.mark.parametrize("count", COUNTS)
def test_a_thread_with_many_messages_is_swept_beside_other_requests(
    own: Api, tmp_path: Path, count: int
) -> None:
    """It is hidden at once; others read and write while it is half gone; no row is left."""
    known = own.ok("POST", "/threads", {})["id"]
    put_back(own, "thread_many", count)
    with looked_into(tmp_path / "data" / "weft.db") as connection:
        assert rows_of(connection, "thread_many") == count
        own.ok("DELETE", "/threads/thread_many")
        check_hidden(own, "thread_many", known)
        seen = set()
        give_up_at = time.monotonic() + PATIENCE_S
        while left := rows_of(connection, "thread_many"):
            own.ok("GET", f"/threads/{known}")
            own.ok("POST", f"/threads/{known}/messages", {"role": "user", "content": "x"})
            seen.add(left)
            assert time.monotonic() < give_up_at
        assert len(seen - {count}) >= 3  # it went in slices, and others were answered between
        assert {left % SLICE for left in seen} == {0}
    check_hidden(own, "thread_many", known)


@pytest.mark.parametrize("count", COUNTS)
def test_an_id_is_free_again_right_after_its_thread_was_deleted(
    own: Api, tmp_path: Path, count: int
) -> None:
    put_back(own, "thread_many", count)
    own.ok("DELETE", "/threads/thread_many")
    put_back(own, "thread_many", 2)
    listed = own.ok("GET", "/threads/thread_many/messages?order=asc")["data"]
    texts = [message["content"][0]["text"]["value"] for message in listed]
    assert texts == ["message 0", "message 1"]
    with looked_into(tmp_path / "data" / "weft.db") as connection:
        assert rows_of(connection, "thread_many") == 2
    status, error = own.error("POST", "/threads", {"id": "thread_many"})
    assert (status, error["code"]) == (400, "already_exists")

"""Deleting: content, passages and references are gone from the disk, not only from answers."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.api.making import a_thread, everything, ids
from tests.api.running import USER, a_demo, a_run, at_rest, gated
from tests.api.storing import a_file, a_store, an_indexed_store, counts, found, wait_for_index
from tests.crash.stored import check, count, is_swept, lying, rows
from tests.harness import Api, Server, api_of, within
from tests.llm.upstream import calls, serving, text

PATIENCE_S = 60.0
SEARCH = [{"type": "file_search"}]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Server, Api]]:
    """A server of one's own, whose folder can be looked into."""
    with Server(tmp_path / "data") as server, api_of(server) as api:
        yield server, api


def swept(server: Server) -> Path:
    """Return the folder of a server once nothing is left to clear away, and look it through."""
    assert within(PATIENCE_S, lambda: is_swept(server.data_dir))
    check(server.data_dir)
    return server.data_dir


def traces(folder: Path, secret: str) -> list[str]:
    """Return the tables and files in which a text still stands.

    Single words stay in the index of words until SQLite merges its parts: they find nothing.
    """
    left = [
        path.name
        for path in (folder / "files").rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'chunk_term_data'"
    for (table,) in rows(folder, tables):
        if any(
            secret in str(value)
            for row in rows(folder, f'SELECT * FROM "{table}"')
            for value in row
        ):
            left.append(table)
    return left


def secret_file(api: Api, name: str = "secret.txt") -> tuple[str, str]:
    """Upload a file with a word that stands nowhere else; return its id and the word."""
    word = f"word{uuid.uuid4().hex}"
    return a_file(api, f"The {word} is in the shed. " * 200, name), word


def test_nothing_of_a_deleted_file_is_left_anywhere(own: tuple[Server, Api]) -> None:
    """In two stores, with its text and its name; a neighbour stays whole."""
    server, api = own
    file, word = secret_file(api, "the-hidden-name.txt")
    other = a_file(api, "A neighbour.", "other.txt")
    stores = [an_indexed_store(api, file, other) for _ in range(2)]
    assert "chunk" in traces(server.data_dir, word)
    assert found(api, stores[0], word)[0]["file_id"] == file
    api.ok("DELETE", f"/files/{file}")
    folder = swept(server)
    assert traces(folder, word) == []
    assert traces(folder, "the-hidden-name") == []
    assert len(lying(folder)) == 1
    for store in stores:
        assert found(api, store, word) == []
        assert api.ok("GET", f"/vector_stores/{store}")["file_counts"] == counts(completed=1)
        assert ids(everything(api, f"/vector_stores/{store}/files")) == [other]
        assert [each["file_id"] for each in found(api, store, "neighbour")] == [other]


def test_nothing_of_a_deleted_store_is_left_but_its_files(own: tuple[Server, Api]) -> None:
    server, api = own
    file, word = secret_file(api)
    store = an_indexed_store(api, file, name="a name to forget")
    api.ok("POST", f"/vector_stores/{store}/file_batches", {"file_ids": [file]})
    api.ok("DELETE", f"/vector_stores/{store}")
    folder = swept(server)
    tables = (
        "chunk",
        "chunk_file",
        "chunk_store",
        "chunk_term_docsize",
        "vector_store_file",
        "file_batch",
        "file_batch_file",
    )
    assert within(PATIENCE_S, lambda: not any(count(folder, table) for table in tables))
    assert traces(folder, "a name to forget") == []
    assert word in api.call("GET", f"/files/{file}/content").text


def test_a_file_taken_out_of_a_store_is_left_in_the_other(own: tuple[Server, Api]) -> None:
    server, api = own
    file, word = secret_file(api)
    one, other = (an_indexed_store(api, file) for _ in range(2))
    api.ok("DELETE", f"/vector_stores/{one}/files/{file}")
    before = count(server.data_dir, "chunk_file")
    folder = swept(server)
    assert (before, count(folder, "chunk_file")) == (1, 1)
    assert found(api, one, word) == []
    assert found(api, other, word)[0]["file_id"] == file


def long_text(word: str) -> str:
    """Return a text that takes a while to be indexed."""
    return f"The {word} is in the shed, behind the third loom from the door. " * 40_000


@pytest.mark.parametrize("what", ["store", "file", "file in store", "batch"])
def test_what_is_deleted_while_it_is_indexed_leaves_nothing(
    own: tuple[Server, Api], what: str
) -> None:
    server, api = own
    file = a_file(api, long_text("needle"), "long.txt")
    store = a_store(api)
    batch = api.ok("POST", f"/vector_stores/{store}/file_batches", {"file_ids": [file]})["id"]
    assert within(PATIENCE_S, lambda: count(server.data_dir, "chunk") > 0)
    if what == "store":
        api.ok("DELETE", f"/vector_stores/{store}")
    elif what == "file":
        api.ok("DELETE", f"/files/{file}")
    elif what == "file in store":
        api.ok("DELETE", f"/vector_stores/{store}/files/{file}")
    else:
        ended = api.ok("POST", f"/vector_stores/{store}/file_batches/{batch}/cancel")
        assert ended["file_counts"] == counts(cancelled=1)
    if what != "store":
        assert found(api, store, "needle") == []
    assert within(PATIENCE_S, lambda: count(server.data_dir, "chunk") == 0)
    folder = swept(server)
    assert count(folder, "chunk_file") == 0
    assert len(lying(folder)) == (what != "file")
    # The server goes on to index.
    other = an_indexed_store(api, a_file(api, "After all."))
    assert len(found(api, other, "after all")) == 1


def test_a_file_deleted_during_the_search_of_a_run_harms_no_run(tmp_path: Path) -> None:
    """The model is asked to answer when the passage is gone: the run ends, the citation stays."""
    with serving() as upstream:
        env = {"WEFT_MODEL_URL": upstream.url, "WEFT_MODEL_API_KEY": "sk-upstream"}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            file, word = secret_file(api)
            store = an_indexed_store(api, file)
            stores = {"file_search": {"vector_store_ids": [store]}}
            assistant = a_demo(api, model="any", tools=SEARCH, tool_resources=stores)
            answering, gate = gated("It is ", "in the shed", "【1:0†secret.txt】", ".")
            upstream.play(calls(("file_search", f'{{"query": "{word}"}}')), answering)
            thread = a_thread(api, messages=[{"role": "user", "content": "Where?"}])
            run = a_run(api, thread, assistant)
            gate.let(2)
            assert within(PATIENCE_S, lambda: len(upstream.calls) == 2)
            assert word in str(upstream.calls[1].body)
            api.ok("DELETE", f"/files/{file}")
            api.ok("DELETE", f"/vector_stores/{store}")
            gate.open()
            ended = at_rest(api, run)
            assert (ended["status"], ended["last_error"]) == ("completed", None)
            # And the next run has nothing to search.
            upstream.play(text("No idea."))
            assert at_rest(api, a_run(api, thread, assistant))["status"] == "completed"
            assert "tools" not in upstream.calls[-1].body


def set_back(folder: Path, sql: str) -> None:
    """Change a database whose server does not run."""
    connection = apsw.Connection(str(folder / "weft.db"))
    connection.execute(sql)
    connection.close()


def test_a_store_that_has_expired_says_so_everywhere_and_lets_go_of_its_passages(
    tmp_path: Path,
) -> None:
    """Its date is set back in the database, as if its days had passed."""
    folder = tmp_path / "data"
    days = {"anchor": "last_active_at", "days": 1}
    with Server(folder) as server, api_of(server) as api:
        file, word = secret_file(api)
        store = an_indexed_store(api, file, expires_after=days)
        shown = api.ok("GET", f"/vector_stores/{store}")
        assert shown["expires_at"] == shown["last_active_at"] + 86400
        resources = {"file_search": {"vector_store_ids": [store]}}
        thread = a_thread(
            api, messages=[{"role": "user", "content": "Where?"}], tool_resources=resources
        )
        assistant = a_demo(api, tools=SEARCH, tool_resources=resources)
        plain = a_demo(api, tools=SEARCH)
    set_back(folder, "UPDATE vector_store SET expires_at = 1000, last_active_at = 1000 - 86400")
    with Server(folder) as server, api_of(server) as api:
        path = f"/vector_stores/{store}"
        assert api.ok("GET", path)["status"] == "expired"
        has_expired = f"Vector store '{store}' has expired."
        for where, body in (
            ("/search", {"query": word}),
            ("/files", {"file_id": file}),
            ("/file_batches", {"file_ids": [file]}),
            ("", {"expires_after": None}),
        ):
            status, error = api.error("POST", path + where, body)
            assert (status, error["message"], error["type"]) == (
                400,
                has_expired,
                "invalid_request_error",
            )
        attachment = {"file_id": file, "tools": SEARCH}
        message = {"role": "user", "content": "And this?", "attachments": [attachment]}
        before = api.ok("GET", f"/threads/{thread}/messages")
        assert (
            api.error("POST", f"/threads/{thread}/messages", message)[1]["message"] == has_expired
        )
        is_expired = (400, f"Vector store {store} is expired.")
        empty = a_thread(api, messages=[{"role": "user", "content": "Where?"}])
        for of, who in ((thread, plain), (empty, assistant)):
            status, error = api.error("POST", f"/threads/{of}/runs", {"assistant_id": who})
            assert (status, error["message"]) == is_expired
        status, error = api.error(
            "POST",
            "/threads/runs",
            {"assistant_id": assistant, "thread": {"messages": [USER]}},
        )
        assert (status, error["message"]) == is_expired
        assert api.ok("GET", f"/threads/{thread}/messages") == before
        assert api.ok("GET", f"/threads/{thread}/runs")["data"] == []
        assert within(PATIENCE_S, lambda: count(folder, "chunk") == 0)
        swept(server)
        assert word in api.call("GET", f"/files/{file}/content").text


def test_what_uses_a_store_puts_its_expiry_off(tmp_path: Path) -> None:
    """A new file, a search and a run do; reading it does not."""
    folder = tmp_path / "data"
    days = {"anchor": "last_active_at", "days": 2}
    with Server(folder) as server, api_of(server) as api:
        file, word = secret_file(api)
        store = an_indexed_store(api, file, expires_after=days)
        resources = {"file_search": {"vector_store_ids": [store]}}
        assistant = a_demo(api, tools=SEARCH, tool_resources=resources)
    uses: dict[str, Any] = {
        "search": lambda api: found(api, store, word),
        "file": lambda api: api.ok("POST", f"/vector_stores/{store}/files", {"file_id": file}),
        "run": lambda api: at_rest(
            api,
            a_run(api, a_thread(api, messages=[{"role": "user", "content": "?"}]), assistant),
        ),
        "reading": lambda api: api.ok("GET", f"/vector_stores/{store}/files"),
    }
    for what, use in uses.items():
        back = "last_active_at = last_active_at - 86400, expires_at = expires_at - 86400"
        set_back(folder, f"UPDATE vector_store SET {back}")
        with Server(folder) as server, api_of(server) as api:
            before = api.ok("GET", f"/vector_stores/{store}")
            use(api)
            after = wait_for_index(api, store)
            assert after["expires_at"] == after["last_active_at"] + 2 * 86400
            moved = after["last_active_at"] - before["last_active_at"]
            assert (moved >= 86400) is (what != "reading"), what

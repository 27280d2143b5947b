"""`weft copy`: everything, both ways, also in two goes; and never over something else."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import psycopg
import pytest

from tests import postgres
from tests.api.making import a_message, a_thread
from tests.api.running import USER, a_demo, a_run, at_rest, path_of
from tests.harness import Api, Server, api_of, weft
from tests.store.conformance import NOW, numbered
from tests.store.test_chunks import SPACE, put, unit
from weft.retrieval.words import by_impact
from weft.store import copying, vector_stores
from weft.store.chunks import FileKey, Index, NewChunk
from weft.store.copying import TABLES
from weft.store.database import Database, Unusable
from weft.store.folder import database_in
from weft.store.opening import side_of_copy
from weft.store.postgres import Postgres
from weft.store.sqlite import Sqlite, connect, migrate

EMPTY = 0


class Place(NamedTuple):
    """Where a database is: `url` as the command takes it."""

    url: str
    flags: tuple[str, str]


@pytest.fixture
def here(tmp_path: Path) -> Place:
    """A database in a folder."""
    return Place(f"sqlite:///{tmp_path / 'here'}", ("--data-dir", str(tmp_path / "here")))


@pytest.fixture
def there() -> Iterator[Place]:
    """A database on PostgreSQL, empty."""
    with postgres.database("template0") as url:
        yield Place(url, ("--database-url", url))


def seen(api: Api) -> list[Any]:
    """Return everything that clients can see."""
    threads = api.ok("GET", "/threads", params={"limit": 100})["data"]
    found: list[Any] = [threads, api.ok("GET", "/assistants")]
    for thread in threads:
        found.append(api.ok("GET", f"/threads/{thread['id']}/messages"))
        runs = api.ok("GET", f"/threads/{thread['id']}/runs")
        found.append(runs)
        for run in runs["data"]:
            found.append(api.ok("GET", f"{path_of(run)}/steps"))
            found.append(api.events("GET", path_of(run), params={"stream": "true"}))
    return found


def served(place: Place, tmp_path: Path) -> Server:
    """Start a server on a database."""
    return Server(tmp_path / "unused", *place.flags)


def live(api: Api) -> None:
    """Make something of everything."""
    assistant = a_demo(api)
    for number, text in enumerate(("a\0b", "\ufffe0", "é \U0001f600", "plain")):
        thread = a_thread(api, metadata={"number": str(number), "odd": "\ufffe"})
        a_message(api, thread, text)
        at_rest(api, a_run(api, thread, assistant))
    headers = {"Idempotency-Key": "once"}
    api.ok("POST", "/threads", {"messages": [USER]}, headers=headers)
    api.ok("DELETE", f"/threads/{a_thread(api)}")


def test_everything_goes_there_and_back(here: Place, there: Place, tmp_path: Path) -> None:
    with served(here, tmp_path) as server, api_of(server) as api:
        live(api)
        before = seen(api)
    made = weft("keys", "create", "--project", "shop", *here.flags, cwd=tmp_path).stdout.strip()
    said = weft("copy", here.url, there.url, cwd=tmp_path).stdout
    assert re.fullmatch(r"Copied \d\d+ rows; both databases were read and are the same.*\n", said)
    # The key is there too: it is asked for, and another project sees nothing.
    with served(there, tmp_path) as server, api_of(server) as stranger:
        status, _ = stranger.error("GET", "/threads")
        assert status == 401
        with api_of(server, key=made) as shop:
            assert shop.ok("GET", "/threads")["data"] == []
    own = weft("keys", "create", *there.flags, cwd=tmp_path).stdout.strip()
    with served(there, tmp_path) as server, api_of(server, key=own) as api:
        assert seen(api) == before
        first = {"Idempotency-Key": "once"}
        again = api.ok("POST", "/threads", {"messages": [USER]}, headers=first)
        assert len(api.ok("GET", "/threads", params={"limit": 100})["data"]) == len(before[0])
        assert again["id"] in [thread["id"] for thread in before[0]]
    back = Place(f"sqlite:///{tmp_path / 'back'}", ("--data-dir", str(tmp_path / "back")))
    weft("copy", there.url, back.url, cwd=tmp_path)
    with served(back, tmp_path) as server, api_of(server, key=own) as api:
        assert seen(api) == before
        at_rest(api, a_run(api, a_thread(api, messages=[USER]), a_demo(api)))


def filled(folder: Path, count: int) -> None:
    """Make a database of so many threads."""
    path = database_in(folder)
    migrate(path)
    connection = connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO thread (id, project, created_at, inserted_at, wire) "
            "VALUES (?, 'p', ?, ?, ?)",
            ((name, NOW, NOW, f"<{name}>" * 20) for name in numbered("thread", count)),
        )
    connection.close()


def copied(url: str) -> int:
    """Return how many threads a database on PostgreSQL has."""
    with psycopg.connect(url) as connection:
        try:
            found = connection.execute("SELECT count(*) FROM thread").fetchone()
        except psycopg.errors.UndefinedTable:
            return EMPTY
    assert found is not None
    return int(found[0])


def test_a_copy_that_was_killed_goes_on_and_nobody_starts_on_it_before(
    here: Place, there: Place, tmp_path: Path
) -> None:
    filled(tmp_path / "here", 60_000)
    command = [sys.executable, "-m", "weft", "copy", here.url, there.url]
    own = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    process = subprocess.Popen(command, cwd=tmp_path, env=own)
    while not copied(there.url):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert EMPTY < copied(there.url) < 60_000
    done = weft("serve", "--port", "0", *there.flags, cwd=tmp_path, status=1)
    assert "This database is an unfinished copy. Run weft copy again" in done.stderr
    filled(tmp_path / "other", 3)
    done = weft("copy", f"sqlite:///{tmp_path / 'other'}", there.url, cwd=tmp_path, status=1)
    assert "The target holds an unfinished copy of sqlite in" in done.stderr
    assert "Copied 60,000 rows" in weft("copy", here.url, there.url, cwd=tmp_path).stdout
    assert copied(there.url) == 60_000
    assert weft("keys", "list", *there.flags, cwd=tmp_path).stdout.startswith("No key yet")


def test_a_target_that_is_not_empty_is_left_alone(
    here: Place, there: Place, tmp_path: Path
) -> None:
    filled(tmp_path / "here", 10)
    weft("copy", here.url, there.url, cwd=tmp_path)
    done = weft("copy", here.url, there.url, cwd=tmp_path, status=1)
    assert done.stderr == "weft: The target is not empty: a copy needs a database of its own.\n"
    assert copied(there.url) == 10


def test_a_server_that_runs_on_either_side_is_named(
    here: Place, there: Place, tmp_path: Path
) -> None:
    filled(tmp_path / "here", 10)
    with served(here, tmp_path):
        done = weft("copy", here.url, there.url, cwd=tmp_path, status=1)
        assert "is in use by another Weft server" in done.stderr
    weft("migrate", *there.flags, cwd=tmp_path)
    with served(there, tmp_path):
        done = weft("copy", here.url, there.url, cwd=tmp_path, status=1)
        assert "connections of Weft servers use the database: stop them." in done.stderr


def test_what_is_not_the_same_at_the_end_is_found(
    here: Place, there: Place, tmp_path: Path
) -> None:
    """A row that somebody changes behind the back of the copy."""
    filled(tmp_path / "here", 10)

    def spoil(what: str, table: str, done: int, total: int) -> None:
        if (what, table, done) == ("copied", "thread", total):
            with psycopg.connect(there.url) as connection:
                connection.execute("UPDATE thread SET wire = 'x' WHERE id = 'thread_00003'")

    with (
        side_of_copy(tmp_path / "here", None, is_target=False) as source,
        side_of_copy(tmp_path, there.url, is_target=True) as target,
        pytest.raises(Unusable, match="The copy of thread is not the same: 10 rows with the hash"),
    ):
        copying.copy(source, target, "test", spoil, lambda _text: [])


def test_every_table_is_copied_by_its_key(tmp_path: Path) -> None:
    migrate(tmp_path / "weft.db")
    connection = apsw.Connection(str(tmp_path / "weft.db"))
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    derived = {name for (name,) in names if str(name).startswith(("chunk_term", "chunk_posting"))}
    derived.add("chunk_bits")
    assert {name for (name,) in names} - derived == {*TABLES, "weft_migration"}
    for table, key in TABLES.items():
        unique = connection.execute(
            "SELECT group_concat(c.name) FROM pragma_index_list(?) AS i, pragma_index_info(i.name) "
            'AS c WHERE i."unique" GROUP BY i.name',
            (table,),
        ).fetchall()
        keys = connection.execute(
            "SELECT group_concat(name) FROM pragma_table_info(?) WHERE pk", (table,)
        ).fetchall()
        assert ",".join(key) in {columns for (columns,) in unique + keys}, table
    connection.close()


@pytest.mark.anyio
async def test_passages_are_found_in_a_copy_and_in_the_copy_of_the_copy(
    there: Place, tmp_path: Path
) -> None:
    """By their words and by their vectors; numbers go on where they were."""
    here, back = tmp_path / "here", tmp_path / "back"
    migrate(database_in(here))
    await found_after_more(Sqlite(database_in(here)), 1)
    weft("copy", f"sqlite:///{here}", there.url, cwd=tmp_path)
    await found_after_more(await Postgres.opened(there.url), 2)
    weft("copy", there.url, f"sqlite:///{back}", cwd=tmp_path)
    await found_after_more(Sqlite(database_in(back)), 3)


async def found_after_more(database: Database, count: int) -> None:
    """Put one more file into a database and find all that are there."""
    made = by_impact(f"wool number{count}")
    passage = NewChunk(0, 0, 9, f"wool number{count}", made, unit(1, -count))
    stored = vector_stores.insert("shop", "vs_a", NOW, None, "{}")
    file = vector_stores.NewFile(f"file-{count}", 800, 400, "{}")
    if count == 1:
        await database.write((stored,))
    await database.write(vector_stores.add("shop", "vs_a", [file], NOW + count))
    await put(database, FileKey("shop", "vs_a", f"file-{count}"), passage)
    index = Index(database, "shop", "vs_a")
    weights = {term: 1.0 for terms in by_impact("wool") for term in terms}
    everything = await index.by_terms(weights, files=None, limit=10)
    assert len(everything) == count
    near = await index.by_vector(SPACE, unit(1, -1), files=None, limit=10, candidates=10)
    assert [one.score for one in near] == sorted((one.score for one in near), reverse=True)
    assert len(near) == count
    store = await vector_stores.get(database, "shop", "vs_a")
    assert store is not None
    assert store.in_progress == count
    await database.close()

"""What the conformance suite cannot see: rows that are left, and work that is not done."""

from pathlib import Path
from typing import Any

import pytest

from tests.store.conformance import P
from tests.store.test_chunks import chunk, key, put, sweep, texts, unit
from tests.store.work import Work
from weft.store import chunks
from weft.store.folder import database_in
from weft.store.sqlite import Sqlite, connect, migrate

pytestmark = pytest.mark.anyio

TABLES = (
    *("chunk", "chunk_vector", "chunk_bits", "chunk_term", "chunk_posting", "chunk_file"),
    *("chunk_garbage", "chunk_store_garbage", "chunk_store"),
)


def rows(path: Path) -> dict[str, Any]:
    """Return how many rows each table has."""
    connection = connect(path)
    found = {}
    for table in TABLES:
        ((found[table],),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    connection.close()
    return found


async def test_sweeping_leaves_no_row_of_what_was_removed(tmp_path: Path) -> None:
    path = database_in(tmp_path / "data")
    migrate(path)
    database = Sqlite(path)
    for number in range(3):
        await put(database, key(f"file-{number}"), chunk(0, {"wool": 1}, unit(1)))
        await put(database, key(f"file-{number}"), chunk(0, {"weft": 1}, unit(1)), attempt=2)
    await database.write(chunks.remove_file(key("file-0")))
    await database.write(chunks.remove_store(P, "vs_a"))
    await sweep(database)
    await database.close()
    assert rows(path) == dict.fromkeys(TABLES, 0)


async def test_a_search_does_no_work_for_what_stands_in_other_stores(
    tmp_path: Path, work: Work
) -> None:
    """Counted in steps of SQLite's machine, for full text and vectors."""
    path = database_in(tmp_path / "data")
    migrate(path)
    database = Sqlite(path)
    made = [chunk(n, {"wool": 1, f"n{n}": 1}, unit(1, n)) for n in range(20)]
    await put(database, key("file-1"), *made)

    async def steps() -> int:
        before = work.steps
        assert len(await texts(database, "wool")) == 10
        index = chunks.Index(database, P, "vs_a")
        await index.term_counts(["wool"])
        await index.by_vector("model 8", unit(1), files=None, limit=10, candidates=20)
        return work.steps - before

    alone = await steps()
    for number in range(200):
        await put(database, key("file-1", store=f"vs_{number}"), *made)
    # The index has more parts to look into, which grow with the logarithm of what is in it.
    assert await steps() < 8 * alone
    await database.close()

"""Copying everything from one database to another, of whichever kind.

Rows go in the order of their keys, a slice at a time, each slice one transaction. So
a copy that was interrupted goes on behind the last row that is there. At the end
both databases are read once more and held against each other, row by row. While a
copy is unfinished a mark stands in the target, and no server starts on it. What each
database finds passages by is its own, and is made anew from them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

import apsw

from weft.store.chunks import Place, index_terms
from weft.store.database import Params, Row, Unusable
from weft.store.folder import FolderLock, database_in
from weft.store.migrations import UnfinishedCopy
from weft.store.sql import frames, statements
from weft.store.sqlite import DIALECT, connect, migrate

SLICE = 2000

# Every table, and what its rows are known and sorted by.
TABLES: Mapping[str, Sequence[str]] = {
    "api_key": ("id",),
    "assistant": ("id", "project"),
    "thread": ("id", "project"),
    "thread_metadata": ("project", "key", "value", "created_at", "thread_id"),
    "message": ("id", "thread_id", "project"),
    "run": ("thread_id", "project", "id"),
    "run_step": ("thread_id", "project", "run_id", "id"),
    "run_event": ("thread_id", "project", "run_id", "number"),
    "idempotency": ("project", "key"),
    "blob": ("sha256",),
    "blob_released": ("sha256",),
    "blob_orphan": ("location",),
    "file": ("id", "project"),
    "upload": ("id", "project"),
    "upload_part": ("upload_id", "project", "id"),
    # Ahead of their stores, whose counts come with them: a trigger would count the files again.
    "vector_store_file": ("vector_store_id", "project", "file_id"),
    "vector_store": ("id", "project"),
    "file_batch": ("vector_store_id", "project", "id"),
    "file_batch_file": ("vector_store_id", "project", "batch_id", "position"),
    "run_search": ("thread_id", "project", "run_id", "call_id"),
    "chunk_store": ("number",),
    "chunk_file": ("number",),
    "chunk": ("id",),
    "chunk_vector": ("id",),
    "chunk_garbage": ("number",),
    "chunk_store_garbage": ("number",),
}

# Of a table: rows copied or compared so far, and how many there are.
Progress: TypeAlias = Callable[[str, str, int, int], None]

# The terms of a passage by their impacts: retrieval's, which this package does not know.
Terms: TypeAlias = Callable[[str], Sequence[Sequence[str]]]


class Side(Protocol):
    """One of the two databases, open for a copy; nobody else uses it meanwhile."""

    def columns(self, table: str) -> list[str]:
        """Return the names of a table's columns, sorted."""
        ...

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        ...

    def last(self, table: str) -> Row | None:
        """Return the greatest key of a table."""
        ...

    def rows(self, table: str, columns: Sequence[str], after: Row | None) -> list[Row]:
        """Return the next slice of rows behind a key, None for the first."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Store rows, all or none."""
        ...

    def unindexed(self) -> list[Row]:
        """Return the next slice of (id, store, text) of the chunks without full text."""
        ...

    def index(self, terms: Sequence[Params]) -> None:
        """Store the terms of chunks, all or none."""
        ...

    def index_vectors(self) -> None:
        """Make what vectors are found by."""
        ...

    def mark(self) -> str | None:
        """Return from where an unfinished copy comes, or None."""
        ...

    def set_mark(self, source: str | None) -> None:
        """Say from where a copy comes that has begun; None when it is finished."""
        ...


def copy(source: Side, target: Side, name: str, progress: Progress, terms: Terms) -> int:
    """Copy everything and return the number of rows; `name` is how the source is known.

    `progress` is called with what is done ("copied", "compared"), the table, rows done and in all.
    Raises: Unusable when the target holds something else, or what was copied is not the same.
    """
    mark = target.mark()
    if mark is None:
        if any(target.count(table) for table in TABLES):
            raise Unusable("The target is not empty: a copy needs a database of its own.")
        target.set_mark(name)
    elif mark != name:
        raise Unusable(f"The target holds an unfinished copy of {mark}. Finish that, or empty it.")
    for table, key in TABLES.items():
        _copy_table(source, target, table, key, progress)
    total = sum(_compare(source, target, table, key, progress) for table, key in TABLES.items())
    _index(target, terms, progress)
    target.set_mark(None)
    return total


def _index(target: Side, terms: Terms, progress: Progress) -> None:
    """Make what finds the passages, behind what an interrupted copy has made of it."""
    target.index_vectors()
    done, total = 0, target.count("chunk")
    while rows := target.unindexed():
        target.index([index_terms(Place(store, 0), id_, terms(text)) for id_, store, text in rows])
        done += len(rows)
        progress("indexed", "chunk", done, total)


def _copy_table(
    source: Side, target: Side, table: str, key: Sequence[str], progress: Progress
) -> None:
    columns = source.columns(table)
    if columns != target.columns(table):
        raise Unusable(f"The table {table} has other columns there: bring both up to date first.")
    places = [columns.index(name) for name in key]
    total, done = source.count(table), target.count(table)
    after = target.last(table)
    while rows := source.rows(table, columns, after):
        target.insert(table, columns, rows)
        after = tuple(rows[-1][place] for place in places)
        done += len(rows)
        progress("copied", table, done, total)


def _compare(source: Side, target: Side, table: str, key: Sequence[str], progress: Progress) -> int:
    """Hold a table against its copy and return the number of its rows. Raises: Unusable."""
    total = source.count(table)
    found = []
    for side in (source, target):
        digest, done = hashlib.sha256(), 0
        for rows in _slices(side, table, key):
            for row in rows:
                digest.update(repr(row).encode("utf-8", "surrogatepass"))
            done += len(rows)
            if side is target:
                progress("compared", table, done, total)
        found.append((done, digest.hexdigest()))
    if found[0] != found[1]:
        raise Unusable(
            f"The copy of {table} is not the same: {found[0][0]} rows with the hash "
            f"{found[0][1][:12]}, there {found[1][0]} with {found[1][1][:12]}."
        )
    return total


def _slices(side: Side, table: str, key: Sequence[str]) -> Iterator[list[Row]]:
    columns = side.columns(table)
    places = [columns.index(name) for name in key]
    after = None
    while rows := side.rows(table, columns, after):
        yield rows
        after = tuple(rows[-1][place] for place in places)


def query(name: str, table: str, columns: Sequence[str] = (), values: Sequence[str] = ()) -> str:
    """Return one of the statements of a copy; `values` are the signs that stand for values."""
    key = TABLES[table]
    return frames("copying")[name].format(
        table=table,
        columns=", ".join(columns),
        key=", ".join(key),
        descending=", ".join(f"{name} DESC" for name in key),
        values=", ".join(values),
        limit=SLICE,
    )


@contextmanager
def continued(*, is_target: bool) -> Iterator[None]:
    """Let a target be what an unfinished copy has left: it was brought up to date then."""
    try:
        yield
    except UnfinishedCopy:
        if not is_target:
            raise


class SqliteSide:
    """A side on SQLite."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        """See `Side.columns`."""
        return sorted(str(name) for (name,) in self._all(query("columns", table)))

    def count(self, table: str) -> int:
        """See `Side.count`."""
        return int(self._all(query("count", table))[0][0])

    def last(self, table: str) -> Row | None:
        """See `Side.last`."""
        return next(iter(self._all(query("last", table))), None)

    def rows(self, table: str, columns: Sequence[str], after: Row | None) -> list[Row]:
        """See `Side.rows`."""
        if after is None:
            return self._all(query("first_slice", table, columns))
        return self._all(query("slice", table, columns, "?" * len(after)), after)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See `Side.insert`."""
        with self._connection:
            insert = query("insert", table, columns, "?" * len(columns))
            self._connection.executemany(insert, rows)

    def unindexed(self) -> list[Row]:
        """See `Side.unindexed`."""
        return self._all(frames("copying")["unindexed"].format(key="rowid", limit=SLICE))

    def index(self, terms: Sequence[Params]) -> None:
        """See `Side.index`."""
        with self._connection:
            self._connection.executemany(statements(DIALECT)["chunk_index_terms"], terms)

    def index_vectors(self) -> None:
        """See `Side.index_vectors`."""
        signs = frames("copying")["index_vectors"].format(signs="vec_quantize_binary")
        self._connection.execute(signs)

    def mark(self) -> str | None:
        """See `Side.mark`."""
        found = self._all(frames("copying")["marker"])
        return str(found[0][0]) if found else None

    def set_mark(self, source: str | None) -> None:
        """See `Side.set_mark`."""
        if source is None:
            self._connection.execute(frames("copying")["unmark"])
        else:
            self._connection.execute(frames("copying")["mark"].format(value="?"), (source,))

    def _all(self, sql: str, values: Row = ()) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()


@contextmanager
def sqlite_side(folder: Path, *, is_target: bool) -> Iterator[Side]:
    """Open the database in a folder for a copy, brought up to date.

    Raises: Unusable, folder.FolderHeld, migrations.MigrationError.
    """
    with FolderLock(folder, "weft copy"):
        path = database_in(folder)
        with continued(is_target=is_target):
            migrate(path)
        connection = connect(path)
        try:
            yield SqliteSide(connection)
        finally:
            connection.close()

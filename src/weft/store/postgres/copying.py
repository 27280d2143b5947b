"""PostgreSQL as a side of a copy."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from weft.store.copying import SLICE, Side, continued, query
from weft.store.database import Params, Row, Unusable
from weft.store.postgres.forms import DIALECT, Form, from_stored, to_stored
from weft.store.postgres.schema import Connection, migrate, opened
from weft.store.sql import frames, statements


class PostgresSide:
    """A side on PostgreSQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> list[str]:
        """See `Side.columns`."""
        found = self._connection.execute(query("first_slice", table, ["*"]))
        return sorted(column.name for column in found.description or ())

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
        numbers = [f"${number}" for number in range(1, len(after) + 1)]
        return self._all(query("slice", table, columns, numbers), after)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """See `Side.insert`."""
        bulk = query("bulk", table, columns)
        with self._connection.transaction(), self._connection.cursor().copy(bulk) as pouring:
            for row in rows:
                pouring.write_row([_poured(value) for value in row])

    def unindexed(self) -> list[Row]:
        """See `Side.unindexed`."""
        return self._all(frames("copying")["unindexed"].format(key="id", limit=SLICE))

    def index(self, terms: Sequence[Params]) -> None:
        """See `Side.index`."""
        form = Form("chunk_index_terms", statements(DIALECT)["chunk_index_terms"])
        with self._connection.transaction(), self._connection.cursor() as cursor:
            values = [[to_stored(each[name]) for name in form.parameters] for each in terms]
            cursor.executemany(form.text, values)

    def index_vectors(self) -> None:
        """See `Side.index_vectors`."""
        self._connection.execute(frames("copying")["index_vectors"].format(signs="weft_signs"))

    def mark(self) -> str | None:
        """See `Side.mark`."""
        found = self._all(frames("copying")["marker"])
        return str(found[0][0]) if found else None

    def set_mark(self, source: str | None) -> None:
        """See `Side.set_mark`."""
        if source is None:
            self._connection.execute(frames("copying")["count_on"])
            self._connection.execute(frames("copying")["settle"])
            self._connection.execute(frames("copying")["unmark"])
        else:
            self._connection.execute(frames("copying")["mark"].format(value="$1"), (source,))

    def _all(self, text: str, values: Row = ()) -> list[Row]:
        stored = [to_stored(value) for value in values]
        found = self._connection.execute(text, stored).fetchall()
        return [tuple(_drawn(value) for value in row) for row in found]


def _poured(value: Any) -> Any:
    """Return a value as it is stored; bytes are the numbers of a vector."""
    if isinstance(value, bytes):
        return list(struct.unpack(f"<{len(value) // 4}f", value))
    return to_stored(value)


def _drawn(value: Any) -> Any:
    """Return the value that `_poured` was given."""
    if isinstance(value, list):
        return struct.pack(f"<{len(value)}f", *value)
    return from_stored(value)


@contextmanager
def postgres_side(url: str, *, is_target: bool) -> Iterator[Side]:
    """Open a database for a copy, brought up to date.

    Raises: Unusable also while servers are connected; migrations.MigrationError.
    """
    with continued(is_target=is_target):
        migrate(url)
    with opened(url) as connection:
        (servers,) = connection.execute(frames("copying")["in_use"]).fetchone() or (0,)
        if servers:
            raise Unusable(f"{servers} connections of Weft servers use the database: stop them.")
        yield PostgresSide(connection)

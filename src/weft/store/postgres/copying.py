"""PostgreSQL as a side of a copy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from weft.store.copying import Side, continued, query
from weft.store.database import Row, Unusable
from weft.store.postgres.forms import from_stored, to_stored
from weft.store.postgres.schema import Connection, migrate, opened
from weft.store.sql import frames


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
                pouring.write_row([to_stored(value) for value in row])

    def mark(self) -> str | None:
        """See `Side.mark`."""
        found = self._all(frames("copying")["marker"])
        return str(found[0][0]) if found else None

    def set_mark(self, source: str | None) -> None:
        """See `Side.set_mark`."""
        if source is None:
            self._connection.execute(frames("copying")["settle"])
            self._connection.execute(frames("copying")["unmark"])
        else:
            self._connection.execute(frames("copying")["mark"].format(value="$1"), (source,))

    def _all(self, text: str, values: Row = ()) -> list[Row]:
        stored = [to_stored(value) for value in values]
        found = self._connection.execute(text, stored).fetchall()
        return [tuple(from_stored(value) for value in row) for row in found]


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

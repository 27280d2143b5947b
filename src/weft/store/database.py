"""What Weft asks of a database.

A write is a value: `Statement`s in order, none of which needs Python between
them. That is what lets a database put all writes that wait at one moment into
one transaction. A statement that is a guard must return a row; when one does
not, the whole write is refused and nothing of it is stored.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from weft.store.bells import Bells

Row: TypeAlias = tuple[Any, ...]
Params: TypeAlias = Mapping[str, Any]


class Statement(NamedTuple):
    """One named statement of a write and its parameters."""

    name: str
    params: Params
    is_guard: bool = False


Write: TypeAlias = tuple[Statement, ...]


class Page(NamedTuple):
    """Rows in the order of the query; `is_cut` says that a limit of bytes left some out."""

    rows: list[Row]
    is_cut: bool


class Refused(Exception):
    """A guard returned no row: nothing of the write was stored.

    `guard` is the name of the statement; a second read finds out which error it is.
    """

    def __init__(self, guard: str) -> None:
        super().__init__(guard)
        self.guard = guard


class Unusable(Exception):
    """The database could not be opened, brought up to date or copied; the message says why."""


class Database(Protocol):
    """One database, used from one event loop.

    What `write` returned from is committed: it survives the death of the process and of the
    machine. Reads see every write that was answered before. Every method raises
    `domain.errors.Unavailable` when the database cannot serve; nothing was stored then.
    """

    bells: Bells

    async def one(self, name: str, params: Params) -> Row | None:
        """Return the first row of a short query, or None."""
        ...

    async def page(
        self, name: str, params: Params, *, limit_bytes: int | None = None, is_long: bool = False
    ) -> Page:
        """Return rows until the texts in the last column exceed `limit_bytes` (one row at least).

        `is_long` keeps a query that may visit many rows from delaying others.
        """
        ...

    async def write(
        self, write: Write, *, is_long: bool = False, wakes: tuple[str, ...] = ()
    ) -> None:
        """Commit all statements or none, then ring the bells of `wakes`.

        `is_long` keeps a write that touches many rows from delaying reads.
        Raises: Refused when a guard returned no row.
        """
        ...

    async def check(self) -> None:
        """Return if the database answers; raise Unavailable if not."""
        ...

    async def close(self) -> None:
        """Finish the writes that wait, then release everything."""
        ...

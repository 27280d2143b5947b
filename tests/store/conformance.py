"""What the conformance suite needs of a database: a fresh one, and its writing opened again.

The suite knows nothing else about a database than the `Database` protocol. Another one joins by an
entry in `DATABASES`.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from typing import TypeAlias

from tests import postgres
from weft.store import messages, threads
from weft.store.database import Database, Page, Statement, Write
from weft.store.folder import database_in
from weft.store.places import Bounds, Place
from weft.store.postgres import Postgres
from weft.store.postgres.writes import BATCH_STATEMENTS as POSTGRES_BATCH
from weft.store.sqlite import BATCH_STATEMENTS, Sqlite, migrate

# Opens the database that a folder stands for, brought up to date; closes it in the end.
Opener: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Database]]

P = "shop"  # the project of most tests
NOW = 1_700_000_000
# The most statements that any of the databases takes at once.
LARGEST_BATCH = max(BATCH_STATEMENTS, POSTGRES_BATCH)


@asynccontextmanager
async def _sqlite(folder: Path) -> AsyncIterator[Database]:
    path = database_in(folder)
    migrate(path)
    database = Sqlite(path)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def _sqlites() -> Iterator[Opener]:
    yield _sqlite


@contextmanager
def _postgreses() -> Iterator[Opener]:
    made: dict[Path, str] = {}
    with ExitStack() as dropping:

        @asynccontextmanager
        async def open_one(folder: Path) -> AsyncIterator[Database]:
            if folder not in made:
                made[folder] = dropping.enter_context(postgres.database())
            database = await Postgres.opened(made[folder])
            try:
                yield database
            finally:
                await database.close()

        yield open_one


# For each kind how databases of it are opened; what was made is gone at the end of the context.
DATABASES: Mapping[str, Callable[[], AbstractContextManager[Opener]]] = {
    "sqlite": _sqlites,
    "postgres": _postgreses,
}


# --- what tests write and read, in few words --------------------------------------------------


def thread(
    thread_id: str, created_at: int = NOW, wire: str | None = None, project: str = P
) -> Statement:
    """A new thread; its wire form says its id unless it is given."""
    return threads.insert(project, thread_id, created_at, created_at, wire or f"<{thread_id}>")


def pairs(
    thread_id: str, metadata: Mapping[str, str], created_at: int = NOW, project: str = P
) -> Write:
    """The statements that make a thread findable."""
    return threads.index_metadata(project, thread_id, created_at, old={}, new=metadata)


def append(
    thread_id: str,
    message_id: str,
    created_at: int = NOW,
    *,
    wire: str | None = None,
    run_id: str | None = None,
    project: str = P,
) -> Write:
    """The last message of a thread."""
    return messages.append(
        project,
        thread_id,
        message_id,
        created_at=created_at,
        run_id=run_id,
        now=created_at,
        wire=wire or f"<{message_id}>",
    )


def initial(
    thread_id: str, message_id: str, position: int, created_at: int = NOW, wire: str = "<first>"
) -> Statement:
    """A message that a thread begins with."""
    return messages.insert(
        P,
        thread_id,
        message_id,
        created_at=created_at,
        position=position,
        run_id=None,
        now=created_at,
        wire=wire,
    )


def put_back(
    thread_id: str, message_id: str, created_at: int = NOW, *, wire: str | None = None
) -> Write:
    """A restored message."""
    return messages.restore(
        P,
        thread_id,
        message_id,
        created_at=created_at,
        run_id=None,
        now=NOW,
        wire=wire or f"<{message_id}>",
    )


async def place_of(
    database: Database, statement: str, object_id: str, **params: str
) -> Place | None:
    """Return where an object stands in its list, as a cursor finds it."""
    row = await database.one(statement, {"id": object_id, "project": P, **params})
    return None if row is None else (row[0], row[1])


class Stretch:
    """One list of a database, to be read in stretches."""

    def __init__(
        self, database: Database, statements: str, by: type[int | str], **params: str | None
    ) -> None:
        """`statements` is the common part of the names that end in _asc and _desc."""
        self._database = database
        self._statements = statements
        self._by = by
        self._params = {"project": P, **params}

    async def page(
        self,
        *,
        is_descending: bool = False,
        after: Place | None = None,
        before: Place | None = None,
        limit: int = 100,
        limit_bytes: int | None = None,
    ) -> Page:
        """Return a page of (id, wire)."""
        bounds = Bounds.between(after, before, is_descending=is_descending, by=self._by)
        return await self._database.page(
            f"{self._statements}_{'desc' if is_descending else 'asc'}",
            {"limit": limit, **self._params, **bounds.params},
            limit_bytes=limit_bytes,
        )

    async def ids(
        self,
        *,
        is_descending: bool = False,
        after: Place | None = None,
        before: Place | None = None,
        limit: int = 100,
    ) -> list[str]:
        """Return the ids of a page."""
        page = await self.page(is_descending=is_descending, after=after, before=before, limit=limit)
        return ids_of(page)


def messages_of(database: Database, thread_id: str) -> Stretch:
    """The messages of a thread."""
    return Stretch(database, "message_list", int, thread_id=thread_id)


def threads_of(database: Database) -> Stretch:
    """The threads of the project."""
    return Stretch(database, "thread_list", str)


def ids_of(page: Page) -> list[str]:
    """Return the ids of a page of (id, wire)."""
    return [row[0] for row in page.rows]


def numbered(prefix: str, count: int) -> Sequence[str]:
    """Return ids that sort as they are counted."""
    return [f"{prefix}_{number:05d}" for number in range(count)]

"""Which database: PostgreSQL by its URL, or SQLite in the data folder.

PostgreSQL's driver is imported only when it is asked for: it comes with `weft[postgres]`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft.store.copying import Side, sqlite_side
from weft.store.database import Database, Unusable
from weft.store.folder import database_in
from weft.store.sqlite import Sqlite, migrate


async def open_database(folder: Path, url: str | None) -> Database:
    """Open the database at a PostgreSQL URL, else the one in a folder; it must be up to date.

    Raises: Unusable.
    """
    if url is None:
        return Sqlite(database_in(folder))
    _require_driver()
    from weft.store.postgres import Postgres

    return await Postgres.opened(url)


def bring_up_to_date(folder: Path, url: str | None) -> list[str]:
    """Apply the migrations that a database needs and return their names.

    Raises: migrations.MigrationError when the database is of a newer version; Unusable.
    """
    if url is None:
        return migrate(database_in(folder))
    _require_driver()
    from weft.store.postgres import schema

    return schema.migrate(url)


def pending_steps(url: str) -> list[str]:
    """Return the names of the migrations that a PostgreSQL database still needs.

    Raises: migrations.MigrationError when the database is of a newer version; Unusable.
    """
    _require_driver()
    from weft.store.postgres import schema

    return schema.pending_steps(url)


def shown(url: str) -> str:
    """Return what may be shown of a URL: where the database is, never a password."""
    _require_driver()
    from weft.store.postgres import schema

    return schema.shown(url)


def look_at_postgres(url: str) -> Iterator[tuple[str, bool, str]]:
    """Yield what was looked at, whether it is well, and what it says.

    Raises: migrations.MigrationError, Unusable.
    """
    _require_driver()
    from weft.store.postgres import looking

    yield from looking.look(url)


def files_without_vectors(url: str, space: str) -> int:
    """Return how many files in vector stores on PostgreSQL have no vectors of this space.

    Raises: migrations.MigrationError, Unusable.
    """
    _require_driver()
    from weft.store.postgres import looking

    return looking.files_without_vectors(url, space)


@contextmanager
def side_of_copy(folder: Path, url: str | None, *, is_target: bool) -> Iterator[Side]:
    """Open a database for `copying.copy`.

    Raises: Unusable, folder.FolderHeld, migrations.MigrationError.
    """
    if url is None:
        with sqlite_side(folder, is_target=is_target) as side:
            yield side
        return
    _require_driver()
    from weft.store.postgres.copying import postgres_side

    with postgres_side(url, is_target=is_target) as side:
        yield side


def _require_driver() -> None:
    try:
        import psycopg
    except ImportError as fault:
        raise Unusable(
            "PostgreSQL needs a driver that is not installed here: pip install 'weft[postgres]'."
        ) from fault
    del psycopg

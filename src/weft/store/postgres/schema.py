"""Migrations: applied once each, by whichever node comes first; the others wait."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg import conninfo

from weft.store.database import Unusable
from weft.store.migrations import Migration, migrations, pending
from weft.store.postgres.forms import DIALECT, Form
from weft.store.postgres.link import one_line
from weft.store.postgres.pipe import CONNECT_S, KEEPALIVE
from weft.store.sql import frames

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


def migrate(url: str, steps: Sequence[Migration] | None = None) -> list[str]:
    """Bring a database up to date and return the names of the steps applied.

    `steps` are those of this version unless given. Each is one transaction with its own entry.
    Raises: migrations.MigrationError when the database is of a newer version; Unusable.
    """
    own = steps is None
    steps = migrations(DIALECT) if steps is None else steps
    done: list[str] = []
    with opened(url) as connection:
        for step in pending(steps, _applied(connection)):
            with connection.transaction():
                run(connection, "migration_lock")
                if step not in pending(steps, _applied(connection)):
                    continue  # another node was faster
                run(connection, "migration_table")
                connection.execute(step.sql.encode())
                run(
                    connection,
                    "migration_insert",
                    number=step.number,
                    name=step.name,
                    sha256=step.sha256,
                    applied_at=int(time.time()),
                )
                done.append(_name(step))
        if own and not done:
            with connection.transaction():
                run(connection, "migration_lock")
                run(connection, "use_pgvector")
    return done


def pending_steps(url: str) -> list[str]:
    """Return the names of the steps that a database still needs.

    Raises: migrations.MigrationError when the database is of a newer version; Unusable.
    """
    with opened(url) as connection:
        return missing(connection)


def missing(connection: Connection) -> list[str]:
    """Return the same on a connection."""
    return [_name(step) for step in pending(migrations(DIALECT), _applied(connection))]


def shown(url: str) -> str:
    """Return what may be shown of a URL: where the database is, never a password."""
    try:
        found = conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "postgresql (the URL cannot be read)"
    host = f"{found.get('host', 'localhost')}:{found.get('port', 5432)}"
    return f"postgresql at {host}, database {found.get('dbname', '(default)')}"


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """Open a connection for a tool. Raises: Unusable."""
    try:
        with psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_S,
            application_name="weft tool",
            cursor_factory=psycopg.RawCursor,
            **KEEPALIVE,
        ) as connection:
            yield connection
    except (psycopg.OperationalError, psycopg.ProgrammingError) as fault:
        raise Unusable(f"{shown(url)} cannot be used: {one_line(fault)}.") from fault


def _applied(connection: Connection) -> Mapping[int, str]:
    """Return the steps that a database has, number -> sha256."""
    if not run(connection, "migration_known")[0][0]:
        return {}
    return dict(run(connection, "migration_applied"))


def run(connection: Connection, name: str, /, **params: Any) -> list[tuple[Any, ...]]:
    """Run one of the store's own statements and return its rows."""
    form = Form(name, frames(DIALECT)[name])
    cursor = connection.execute(form.text, [params[name] for name in form.parameters])
    return cursor.fetchall() if cursor.description else []


def _name(step: Migration) -> str:
    return f"{step.number:04d}_{step.name}"

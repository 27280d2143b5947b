"""What `weft doctor` finds of a PostgreSQL database, which it does not change."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from weft.store.postgres.schema import Connection, missing, opened, run, shown

OLDEST = 150_000  # the server_version_num of PostgreSQL 15
SLOW_MS = 5.0
ROUNDS = 20


class Look(NamedTuple):
    """One thing that was looked at. `is_well` is False for what must be mended."""

    what: str
    is_well: bool
    says: str


def look(url: str) -> Iterator[Look]:
    """Yield what was found. Raises: store.database.Unusable."""
    with opened(url) as connection:
        yield _server(url, connection)
        yield _round_trip(connection)
        steps = missing(connection)
        says = f"needs {', '.join(steps)}: weft migrate" if steps else "the tables are up to date"
        yield Look("migrations", not steps, says)
        yield _safety(connection)
        if not steps:
            yield _keys(connection)
            yield _vectors(connection)


def _server(url: str, connection: Connection) -> Look:
    (version, number, encoding), *_ = run(connection, "server")
    is_well = number >= OLDEST and encoding == "UTF8"
    return Look("database", is_well, f"{shown(url)}: version {version}, {encoding}")


def _round_trip(connection: Connection) -> Look:
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        run(connection, "backend")
        times.append(time.perf_counter() - begun)
    median_ms = sorted(times)[ROUNDS // 2] * 1000
    says = f"{median_ms:.2f} ms there and back; every read and write waits for one of these"
    return Look("distance", median_ms < SLOW_MS, says)


def _safety(connection: Connection) -> Look:
    ((fsync, full_page_writes, commit),) = run(connection, "safety")
    is_well = fsync == "on" and full_page_writes == "on"
    says = f"fsync {fsync}, full_page_writes {full_page_writes}, synchronous_commit {commit}"
    if commit == "off":
        says += " (Weft's own connections turn it on)"
    return Look("safety", is_well, says if is_well else f"{says}: a power cut may lose all")


def _keys(connection: Connection) -> Look:
    ((every, active),) = run(connection, "keys")
    if not every:
        return Look("keys", True, "none: open to this machine only")
    return Look("keys", active > 0, f"{active} active of {every}")


def _vectors(connection: Connection) -> Look:
    ((installed, available, is_used),) = run(connection, "pgvector")
    if installed and is_used:
        return Look("vectors", True, f"compared by pgvector {installed}")
    says = "compared without pgvector, which is slower: "
    if installed or available:
        return Look("vectors", True, says + "CREATE EXTENSION vector, then weft migrate")
    return Look("vectors", True, says + "the server does not have it")


def files_without_vectors(url: str, space: str) -> int:
    """Return how many files in stores have no vectors of this space; 0 before there are tables.

    Raises: migrations.MigrationError, store.database.Unusable.
    """
    with opened(url) as connection:
        if missing(connection):
            return 0
        ((count,),) = run(connection, "files_without_vectors", space=space)
        return int(count)

"""The schema on PostgreSQL: applied once, whoever starts; equal to SQLite's; to be distributed."""

import re
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import apsw
import psycopg
import pytest

from tests import postgres
from tests.harness import weft
from tests.store.test_migrations import step
from weft.store.database import Unusable
from weft.store.migrations import MigrationError, migrations
from weft.store.postgres.forms import DIALECT
from weft.store.postgres.looking import look
from weft.store.postgres.schema import migrate, pending_steps
from weft.store.sqlite import migrate as migrate_sqlite

FIRST = step(1, "CREATE TABLE one (value TEXT);")
SECOND = step(2, "CREATE TABLE two (value TEXT); INSERT INTO two SELECT value FROM one;")
BROKEN = step(2, "CREATE TABLE two (value TEXT); INSERT INTO nowhere VALUES (1);")

# Small, and the same on every node: what a distributed database would copy to each.
SMALL = {"assistant", "api_key", "weft_migration"}
# Procrastinate's queue stays on one node, as it is.
QUEUE = "procrastinate%"
# Sharded by its own key: who asks knows that and nothing else.
BY_KEY = {"idempotency"}
# What each table of files and vector stores would be distributed by; chunks by their number.
BY_OTHERS = {
    "blob_orphan": "location",
    "upload_part": "upload_id",
    **dict.fromkeys(("blob", "blob_released"), "sha256"),
    **dict.fromkeys(("file", "upload", "vector_store"), "id"),
    **dict.fromkeys(("chunk", "chunk_term", "chunk_vector", "chunk_bits"), "id"),
    **dict.fromkeys(("vector_store_file", "file_batch", "file_batch_file"), "vector_store_id"),
}
# A row for each file or store: small beside the chunks, and numbered.
NUMBERED = {"chunk_store", "chunk_file", "chunk_garbage", "chunk_store_garbage"}
KEYS = {
    *(("chunk", "id"), ("chunk_vector", "id"), ("chunk_bits", "id")),
    *((table, "number") for table in NUMBERED),
}
# A file in a vector store takes a number once; its chunks count on from there. Its store counts.
ALLOWED = {
    *("chunk_file_number_seq", "chunk_store_number_seq"),
    *("vector_store_file_added", "vector_store_file_changed"),
}
# Full text differs: virtual tables there, one column with an index here.
FULL_TEXT = ("chunk_term", "chunk_posting")


@pytest.fixture
def empty_url() -> Iterator[str]:
    """A database in which nothing is yet."""
    with postgres.database("template0") as url:
        yield url


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def run(url: str, sql: str) -> None:
    """Change a database behind the back of Weft."""
    with psycopg.connect(url) as connection:
        connection.execute(sql.encode())


def tables(url: str) -> set[str]:
    """Return the names of the tables."""
    found = rows(
        url,
        "SELECT tablename FROM pg_tables "
        f"WHERE schemaname = 'public' AND tablename NOT LIKE '{QUEUE}'",
    )
    return {name for (name,) in found}


def test_the_steps_are_those_of_sqlite() -> None:
    names = [(one.number, one.name) for one in migrations(DIALECT) if "queue" not in one.name]
    assert names == [(one.number, one.name) for one in migrations("sqlite")]


def test_tables_and_columns_are_those_of_sqlite(postgres_url: str, tmp_path: Path) -> None:
    migrate_sqlite(tmp_path / "weft.db")
    connection = apsw.Connection(str(tmp_path / "weft.db"))
    found = connection.execute(
        'SELECT t.name, c.name, c."notnull" FROM sqlite_schema t, pragma_table_info(t.name) c '
        "WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' "
        "AND t.name NOT LIKE 'chunk_term%' AND t.name NOT LIKE 'chunk_posting%'"
    ).fetchall()
    connection.close()
    same = rows(
        postgres_url,
        "SELECT table_name, column_name, CAST(is_nullable = 'NO' AS int) "
        "FROM information_schema.columns "
        f"WHERE table_schema = 'public' AND table_name NOT LIKE '{QUEUE}'",
    )
    assert {row for row in same if row[0] not in ("weft_migration", *FULL_TEXT)} == {
        # SQLite's numbers of rows are never NULL, and it does not say so.
        (table, column, int(is_set or (table, column) in KEYS))
        for table, column, is_set in found
        if table != "weft_migration"
    }


def test_a_fresh_database_gets_every_step_and_its_hash(empty_url: str) -> None:
    steps = migrations(DIALECT)
    names = [f"{one.number:04d}_{one.name}" for one in steps]
    assert pending_steps(empty_url) == names
    assert migrate(empty_url) == names
    found = rows(empty_url, "SELECT number, name, sha256 FROM weft_migration ORDER BY number")
    assert found == [(one.number, one.name, one.sha256) for one in steps]
    assert pending_steps(empty_url) == []
    assert migrate(empty_url) == []


def test_a_step_that_was_changed_afterwards_is_refused(empty_url: str) -> None:
    migrate(empty_url, [FIRST])
    changed = FIRST._replace(sha256="0" * 64)
    with pytest.raises(MigrationError, match=r"Migration 1 \(test1\) is not the one that this"):
        migrate(empty_url, [changed, SECOND])
    assert tables(empty_url) == {"weft_migration", "one"}


def test_a_step_that_fails_leaves_nothing_of_itself(empty_url: str) -> None:
    migrate(empty_url, [FIRST])
    for _ in range(2):
        with pytest.raises(Unusable, match="nowhere"):
            migrate(empty_url, [FIRST, BROKEN])
        assert tables(empty_url) == {"weft_migration", "one"}
    assert migrate(empty_url, [FIRST, SECOND]) == ["0002_test2"]


def test_of_many_nodes_that_start_at_once_one_applies_each_step(empty_url: str) -> None:
    together = threading.Barrier(6)

    def start() -> list[str]:
        together.wait(60)
        return migrate(empty_url)

    with ThreadPoolExecutor(6) as nodes:
        applied = [node.result() for node in [nodes.submit(start) for _ in range(6)]]
    names = [f"{one.number:04d}_{one.name}" for one in migrations(DIALECT)]
    assert sorted(name for done in applied for name in done) == names


def test_a_server_refuses_to_start_until_it_may_migrate(empty_url: str, tmp_path: Path) -> None:
    at = ("--database-url", empty_url)
    for command in (["serve", "--port", "0"], ["keys", "list"]):
        done = weft(*command, *at, cwd=tmp_path, status=1)
        assert re.match(r"weft: The database needs 0001_threads, .* weft migrate;", done.stderr)
    assert tables(empty_url) == set()
    assert "applied 0001_threads" in weft("migrate", *at, cwd=tmp_path).stdout
    assert weft("migrate", *at, cwd=tmp_path).stdout == "The database is up to date.\n"
    assert "No key yet" in weft("keys", "list", *at, cwd=tmp_path).stdout
    run(empty_url, "INSERT INTO weft_migration VALUES (9999, 'future', 'x', 0)")
    done = weft("serve", "--port", "0", *at, cwd=tmp_path, status=1)
    assert "migration 9999, which this version of Weft does not know" in done.stderr


def test_what_cannot_be_reached_is_said_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://weft:topsecret@127.0.0.1:1/weft"
    done = weft("serve", "--port", "0", "--database-url", url, cwd=tmp_path, status=1)
    assert done.stderr.startswith("weft: postgresql at 127.0.0.1:1, database weft cannot be used")
    assert done.stderr.count("\n") == 1
    assert "topsecret" not in done.stderr + done.stdout


def test_text_sorts_by_its_bytes(postgres_url: str) -> None:
    """Whatever the locale of the database: a key or a sorted column has the collation C."""
    found = rows(
        postgres_url,
        "SELECT c.relname, a.attname FROM pg_index AS i "
        "JOIN pg_class AS c ON c.oid = i.indrelid "
        "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
        f"WHERE n.nspname = 'public' AND c.relname NOT LIKE '{QUEUE}' AND a.attcollation NOT IN "
        "(0, (SELECT oid FROM pg_collation WHERE collname = 'C'))",
    )
    assert found == []


# --- what lets the tables be distributed by thread ----------------------------------------------


def unique_indexes(url: str) -> list[tuple[str, str, list[str]]]:
    """Return (table, index, columns) of every unique index."""
    return [
        (table, index, columns)
        for table, index, columns in rows(
            url,
            "SELECT t.relname, x.relname, array_agg(a.attname::text) FROM pg_index AS i "
            "JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid "
            "JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey) "
            "JOIN pg_namespace AS n ON n.oid = t.relnamespace "
            f"WHERE i.indisunique AND n.nspname = 'public' AND t.relname NOT LIKE '{QUEUE}' "
            "GROUP BY 1, 2",
        )
    ]


def keeps_apart(table: str) -> str:
    """Return the column by which a table would be distributed."""
    own = "id" if table == "thread" else "key" if table in BY_KEY else "thread_id"
    return BY_OTHERS.get(table, own)


def obstacles(url: str) -> list[str]:
    """Return what would keep a database from being distributed by thread."""
    found = [
        f"{index} of {table} cannot be kept on one shard: {columns}"
        for table, index, columns in unique_indexes(url)
        if table not in SMALL | NUMBERED and keeps_apart(table) not in columns
    ]
    for kind, name, where in (
        ("pg_constraint", "conname", "contype = 'f'"),
        ("pg_sequences", "sequencename", "TRUE"),
        ("pg_trigger", "tgname", "NOT tgisinternal"),
    ):
        query = f"SELECT {name} FROM {kind} WHERE {where} AND {name} NOT LIKE '{QUEUE}'"
        found += [f"{kind} has {it}" for (it,) in rows(url, query) if it not in ALLOWED]
    return found


def test_every_hot_table_can_be_distributed_by_its_thread(postgres_url: str) -> None:
    """No unique index goes across threads, no row points into another table, no sequence is hot."""
    assert obstacles(postgres_url) == []
    keyed = {table for table, _, _ in unique_indexes(postgres_url)}
    assert keyed == tables(postgres_url), "a table without a primary key"


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        ("CREATE UNIQUE INDEX planted ON message (id)", "planted of message cannot be"),
        ("ALTER TABLE run ADD COLUMN n BIGSERIAL", "pg_sequences has run_n_seq"),
        (
            (
                "ALTER TABLE message ADD CONSTRAINT planted FOREIGN KEY (thread_id, project) "
                "REFERENCES thread (id, project)"
            ),
            "pg_constraint has planted",
        ),
        (
            (
                "CREATE TRIGGER planted BEFORE INSERT ON run FOR EACH ROW "
                "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
            "pg_trigger has planted",
        ),
    ],
)
def test_what_would_keep_it_on_one_server_is_found(
    empty_url: str, planted: str, expected: str
) -> None:
    migrate(empty_url)
    run(empty_url, planted)
    (found,) = obstacles(empty_url)
    assert found.startswith(expected)


# --- vectors --------------------------------------------------------------------------------------


def test_vectors_are_compared_alike_with_pgvector_and_without(empty_url: str) -> None:
    """A role that may not make the extension gets tables that work; once it is there it is used."""
    role = "weft_plain_" + secrets.token_hex(4)
    run(empty_url, f"CREATE ROLE {role} LOGIN")
    run(empty_url, f"GRANT ALL ON SCHEMA public TO {role}")
    at = urlsplit(empty_url)
    plain = urlunsplit(at._replace(netloc=f"{role}@{at.netloc.rpartition('@')[2]}"))
    cosine = (
        "SELECT weft_cosine(ARRAY[0.6, 0.8]::real[], ARRAY[1, 0]::real[]), "
        "weft_cosine(ARRAY[0, 0]::real[], ARRAY[1, 0]::real[])"
    )
    try:
        migrate(plain)
        looks = {what: says for what, _, says in look(plain)}
        assert looks["vectors"].endswith("CREATE EXTENSION vector, then weft migrate")
        assert rows(plain, cosine) == [(pytest.approx(0.6), None)]
        run(empty_url, "CREATE EXTENSION vector")
        assert migrate(plain) == []
        assert {what: says for what, _, says in look(plain)}["vectors"].startswith(
            "compared by pgvector"
        )
        assert rows(plain, cosine) == [(pytest.approx(0.6), None)]
    finally:
        run(empty_url, f"DROP OWNED BY {role} CASCADE")
        run(empty_url, f"DROP ROLE {role}")

"""Every statement on PostgreSQL: understood in each form, and none walks a table or sorts one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest

from tests import postgres
from weft.store.postgres.forms import DIALECT, Form, Forms
from weft.store.sql import frames, statements

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

NAMES = sorted(statements(DIALECT))
FILLING = Path(__file__).with_name("filling.sql")
WALKS = {"Seq Scan", "Bitmap Heap Scan", "Sort", "Incremental Sort", "Materialize"}

QUEUE = {
    *("worker_standing", "worker_clear", "job_clear", "job_drop"),
    *("run_unattended", "vector_store_file_unattended"),
}

# What may be walked whole, and why.
WALKED = {
    ("key_any", "Index Only Scan of api_key"): "its first row",
    ("key_list", "Seq Scan of api_key"): "an operator asks for all of a few keys",
    ("key_list", "Sort"): "the same",
    ("run_queued", "Index Scan of run"): "the index holds nothing else",
    ("run_cancelling", "Index Scan of run"): "the same",
    ("run_in_progress", "Index Scan of run"): "the same",
    ("run_promotable", "Index Scan of run"): "the same, once a second",
    ("run_promotable", "Index Only Scan of run"): "the same, until the rows have been counted",
    ("job_clear", "Index Scan of procrastinate_jobs"): "the index holds nothing else",
    ("run_unattended", "Index Scan of run"): "the two indexes hold nothing else",
    ("run_queued", "Index Only Scan of run"): "as a guard it would be the same",
    ("run_cancelling", "Index Only Scan of run"): "the same",
    ("run_in_progress", "Index Only Scan of run"): "the same",
    ("blob_released", "Index Only Scan of blob_released"): "it holds what is to be looked at",
    ("sweep_next_chunk_file", "Index Only Scan of chunk_garbage"): "its first row",
    ("sweep_next_chunk_store", "Index Only Scan of chunk_store_garbage"): "its first row",
    ("vector_store_file_queue", "Index Scan of vector_store_file"): "the index holds nothing else",
    ("vector_store_file_unattended", "Index Scan of vector_store_file"): "the same",
    ("vector_store_file_enqueue", "Sort"): "the files that were added",
    ("chunk_search_text", "Sort"): "a ranking looks at all that match",
    ("chunk_search_vector", "Sort"): "the same",
    ("files_exist", "Sort"): "the files that are named",
    # Until the rows have been counted, what is to be indexed seems to be next to nothing.
    ("vector_store_stop", "Index Scan of vector_store_file"): "what is to be indexed",
    ("vector_store_file_enqueue", "Index Scan of vector_store_file"): "the same",
    ("vector_store_file_job", "Index Scan of vector_store_file"): "the same",
    ("vector_store_file_claim", "Index Scan of vector_store_file"): "the same",
    ("vector_store_file_fence", "Index Scan of vector_store_file"): "the same",
    ("vector_store_file_finish", "Index Scan of vector_store_file"): "the same",
    ("file_batch_cancel", "Index Scan of vector_store_file"): "the same",
}


@pytest.fixture(scope="module", params=["grown", "analyzed"])
def filled(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A database with rows, right after they came or when PostgreSQL has counted them."""
    with (
        postgres.database() as url,
        psycopg.connect(
            url, autocommit=True, cursor_factory=psycopg.RawCursor, prepare_threshold=None
        ) as connection,
    ):
        connection.execute(frames(DIALECT)["settings"].encode())
        connection.execute(FILLING.read_bytes())
        if request.param == "analyzed":
            connection.execute("ANALYZE")
        yield connection


@pytest.fixture(scope="module")
def forms(filled: Connection) -> Forms:
    """The statements with the types of their parameters."""
    known = Forms()
    for name, form in known.plain.items():
        filled.execute(b"PREPARE found AS " + form.text)
        types = filled.execute(
            "SELECT parameter_types::oid[] FROM pg_prepared_statements WHERE name = 'found'"
        ).fetchone()
        filled.execute("DEALLOCATE found")
        assert types is not None, name
        form.learn(types[0])
    return known


def forms_of(forms: Forms, name: str) -> Iterator[Form]:
    """Yield each form that a statement may be asked in."""
    text = statements(DIALECT)[name]
    yield forms.plain[name]
    if text.startswith("SELECT") or "RETURNING" in text:
        yield forms.guard(name)
    if text.startswith("SELECT") and forms.can_be_many(name):
        yield forms.many(name)
    if name.endswith(("_asc", "_desc", "_event_list")):
        yield forms.page(name)


def nodes(plan: Any) -> Iterator[Any]:
    """Yield every step of a plan."""
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def walks(connection: Connection, form: Form) -> list[str]:
    """Return the steps of a form's plan that visit a whole table or index, or sort."""
    connection.execute(b"PREPARE found AS " + form.text)
    count = form.text.count(b"$") and max(
        number for number in range(1, 30) if b"$%d" % number in form.text
    )
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    try:
        asked = f"EXPLAIN (FORMAT JSON) EXECUTE found{arguments}"
        row = connection.execute(asked.encode()).fetchone()
    finally:
        connection.execute("DEALLOCATE found")
    assert row is not None
    found = []
    for node in nodes(row[0][0]["Plan"]):
        kind, table = node["Node Type"], node.get("Relation Name")
        is_open = kind.startswith("Index") and "Index Cond" not in node
        if kind in WALKS or is_open:
            found.append(f"{kind} of {table}" if table else kind)
    return found


def test_a_walk_would_be_noticed(filled: Connection) -> None:
    """The check below is able to fail."""
    assert walks(filled, Form("x", "SELECT id FROM thread WHERE wire = :wire")) == [
        "Seq Scan of thread"
    ]
    ordered = Form("x", "SELECT id FROM thread WHERE id = :id ORDER BY wire")
    assert walks(filled, ordered) == ["Sort"]


@pytest.mark.parametrize("name", NAMES)
def test_no_statement_walks_a_table_or_sorts(filled: Connection, forms: Forms, name: str) -> None:
    for form in forms_of(forms, name):
        found = walks(filled, form)
        assert [step for step in found if (name, step) not in WALKED] == [], form.name


def test_the_lock_on_threads_looks_each_of_them_up(filled: Connection, forms: Forms) -> None:
    assert walks(filled, forms.own["lock_threads"]) == []


def test_the_dialect_has_what_the_other_one_has() -> None:
    """The queue is PostgreSQL's alone: SQLite's one process needs none."""
    assert set(NAMES) - QUEUE == set(statements("sqlite"))
    assert set(NAMES) > QUEUE

"""The named statements: each is used, each is there, none walks a table."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import weft
from weft.store.sql import statements
from weft.store.sqlite import DIALECT, connect, migrate

SOURCE = Path(weft.__file__).parent
NAMES = sorted(statements(DIALECT))
EVERYWHERE = {*NAMES, *statements("postgres")}

# What may be walked whole, and why.
WALKED = {
    ("thread_metadata_count", "SCAN found"): "at most as many rows as the count may reach",
    ("thread_search_asc", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the at most 16 pairs asked for",
    ("thread_search_desc", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the same",
    ("key_any", "SCAN api_key USING COVERING INDEX sqlite_autoindex_api_key_2"): "its first row",
    ("key_list", "SCAN api_key"): "an operator asks for all of a few keys",
    ("key_list", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("run_queued", "SCAN run USING COVERING INDEX run_queue"): "the index holds nothing else",
    ("run_cancelling", "SCAN run USING COVERING INDEX run_cancelling"): "the same",
    ("run_in_progress", "SCAN run USING COVERING INDEX run_in_progress"): "the same",
    ("run_promotable", "SCAN waiting USING INDEX run_waiting"): "the same, once a second",
    ("run_insert", "SCAN last"): "one row: the thread's last message",
    ("run_insert_waiting", "SCAN last"): "the same",
    ("run_event_append", "SCAN CONSTANT ROW"): "a SELECT without a table",
    ("run_event_stands_at", "SCAN CONSTANT ROW"): "the same",
    ("run_step_insert", "SCAN CONSTANT ROW"): "the same",
    ("job_enqueue", "SCAN CONSTANT ROW"): "the same",
    ("vector_store_file_enqueue", "SCAN CONSTANT ROW"): "the same",
    ("vector_store_file_add", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the files that are added",
    ("file_batch_add", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the same",
    ("vector_store_file_still_in", "SCAN CONSTANT ROW"): "a SELECT without a table",
    ("vector_store_file_still_in", "SCAN json_each VIRTUAL TABLE INDEX 1:"): "a file's stores",
    ("file_names", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the files asked for",
    (
        "vector_store_file_queue",
        "SCAN vector_store_file USING INDEX vector_store_file_queue",
    ): "the index holds nothing else",
    ("files_exist", "SCAN CONSTANT ROW"): "the same",
    ("files_exist", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the files asked for",
    ("files_missing", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the same",
    ("blob_release_parts", "USE TEMP B-TREE FOR DISTINCT"): "the parts of one upload",
    ("blob_released", "SCAN blob_released"): "it holds what is to be looked at, and nothing else",
    ("sweep_next_chunk_file", "SCAN chunk_garbage"): "its first row",
    ("sweep_next_chunk_store", "SCAN chunk_store_garbage"): "its first row",
    ("chunk_term_counts", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the terms of a query",
    ("chunk_term_counts", "SCAN counted VIRTUAL TABLE INDEX 259:"): "the row of one term",
    ("chunk_search_text", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the terms of a query",
    ("chunk_search_text", "SCAN posting VIRTUAL TABLE INDEX 263:"): "the list of one term",
    ("chunk_search_text", "SCAN json_each VIRTUAL TABLE INDEX 1:"): "the files asked for",
    ("chunk_search_text", "USE TEMP B-TREE FOR GROUP BY"): "a ranking looks at all that match",
    ("chunk_search_text", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("chunk_search_vector", "SCAN json_each VIRTUAL TABLE INDEX 1:"): "the files asked for",
    ("chunk_search_vector", "SCAN near"): "the candidates",
    ("chunk_search_vector", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("chunk_get", "SCAN wanted VIRTUAL TABLE INDEX 1:"): "the chunks asked for",
    ("sweep_chunk_terms", "SCAN chunk_term VIRTUAL TABLE INDEX 0:="): "one row id at a time",
}


def trees() -> Iterator[ast.Module]:
    """Yield every module of the program."""
    for path in SOURCE.rglob("*.py"):
        yield ast.parse(path.read_text(encoding="utf-8"))


def texts_in(tree: ast.AST) -> Iterator[str]:
    """Yield the string constants below a node; an f-string as a pattern of what it may become."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w*"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.escape(node.value)


def named_in_calls() -> set[str]:
    """Return the texts that stand where a call takes the name of a statement."""
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            if name in ("one", "page") or getattr(function, "id", "") == "Statement":
                first = node.args[0]
                choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                found |= {choice.value for choice in choices if isinstance(choice, ast.Constant)}
    return {name for name in found if isinstance(name, str)}


def test_every_statement_is_used() -> None:
    texts = {text for tree in trees() for text in texts_in(tree)}
    unused = [name for name in EVERYWHERE if not any(re.fullmatch(text, name) for text in texts)]
    assert unused == []


def test_every_name_that_a_call_gives_is_a_statement() -> None:
    named = named_in_calls()
    assert len(named) > 30
    assert named - EVERYWHERE == set()


def test_a_list_and_its_reverse_differ_in_their_direction_only() -> None:
    for name in NAMES:
        if name.endswith("_desc"):
            ascending = statements(DIALECT)[name.removesuffix("_desc") + "_asc"]
            assert statements(DIALECT)[name].replace(" DESC", "") == ascending


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    """A connection to a fresh database."""
    migrate(tmp_path / "weft.db")
    opened = connect(tmp_path / "weft.db")
    yield opened
    opened.close()


def walks(connection: apsw.Connection, sql: str) -> list[str]:
    """Return the steps of a query's plan that visit a whole table or sort what they found."""
    params = dict.fromkeys(re.findall(r":(\w+)", sql))
    plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", params)]
    return [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step]


def test_a_walk_would_be_noticed(connection: apsw.Connection) -> None:
    """The check below is able to fail."""
    assert walks(connection, "SELECT id FROM thread WHERE wire = :wire") == ["SCAN thread"]
    ordered = "SELECT id FROM thread WHERE id = :id ORDER BY wire"
    assert walks(connection, ordered) == ["USE TEMP B-TREE FOR ORDER BY"]


@pytest.mark.parametrize("name", NAMES)
def test_no_statement_walks_a_table_or_sorts(connection: apsw.Connection, name: str) -> None:
    found = walks(connection, statements(DIALECT)[name])
    assert [step for step in found if (name, step) not in WALKED] == []


def test_the_walks_that_are_allowed_are_still_there(connection: apsw.Connection) -> None:
    """An exception that nothing needs any more would hide the next walk."""
    found = {
        (name, step) for name in NAMES for step in walks(connection, statements(DIALECT)[name])
    }
    assert found == set(WALKED)

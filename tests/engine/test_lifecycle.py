"""The life of a run: the table, the types, the schema and the queries say the same."""

import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from weft.domain.lifecycle import (
    ACTIVE,
    AT_REST,
    CAUSES,
    FORGETS_EXPIRY,
    STAMPS,
    STATUSES,
    TABLE,
    TERMINAL,
    Cause,
    NotPossible,
    Status,
    after,
    allows,
)
from weft.store.migrations import migrations
from weft.store.sql import statements
from weft.store.sqlite import DIALECT, connect, migrate
from weft.wire.runs import RunObject, advance, stored_run

SCHEMA = next(step.sql for step in migrations(DIALECT) if step.name == "runs")
# Other objects have statuses of their own.
SQL = {name: sql for name, sql in statements(DIALECT).items() if re.search(r"\brun\b", sql)}
RUN = (
    '{"id":"run_1","created_at":1,"assistant_id":"asst_1","thread_id":"thread_1","expires_at":601,'
    '"model":"m","instructions":null,"tools":[],"tool_resources":{},"metadata":{},"temperature":1,'
    '"top_p":1,"reasoning_effort":null,"max_completion_tokens":null,"max_prompt_tokens":null,'
    '"truncation_strategy":{"type":"auto"},"response_format":"auto","tool_choice":"auto",'
    '"parallel_tool_calls":true,"status":"%s","started_at":%s}'
)

every_pair = pytest.mark.parametrize(
    ("status", "cause"), [(status, cause) for status in STATUSES for cause in CAUSES]
)


def a_run(status: Status) -> RunObject:
    """Return a run that has a status."""
    return stored_run.decode(RUN % (status, "null"))


def quoted(text: str) -> set[str]:
    """Return the words in single quotes."""
    return set(re.findall(r"'(\w+)'", text))


@every_pair
def test_a_cause_leads_where_the_table_says_and_nowhere_else(status: Status, cause: Cause) -> None:
    if (status, cause) in TABLE:
        assert after(status, cause) == TABLE[status, cause]
        assert status in allows(cause)
    else:
        with pytest.raises(NotPossible) as refusal:
            after(status, cause)
        assert (refusal.value.status, refusal.value.cause) == (status, cause)
        assert str(refusal.value) == f"a run that is {status} cannot {cause}"
        assert status not in allows(cause)


@every_pair
def test_a_run_takes_the_stamps_of_its_new_status(status: Status, cause: Cause) -> None:
    before = a_run(status)
    if (status, cause) not in TABLE:
        with pytest.raises(NotPossible):
            advance(before, cause, 100)
        assert before == a_run(status)
        return
    changed = advance(before, cause, 100)
    assert before == a_run(status)  # a run is replaced, not changed
    new = TABLE[status, cause]
    assert changed.status == new
    stamps = ("started_at", "completed_at", "failed_at", "cancelled_at")
    assert {name for name in stamps if getattr(changed, name) == 100} == (
        {STAMPS[new]} if new in STAMPS else set()
    )
    assert changed.expires_at == (None if new in FORGETS_EXPIRY else 601)


def test_only_terminal_statuses_lead_nowhere() -> None:
    assert {status for status, _ in TABLE} == ACTIVE
    assert set(STATUSES) == ACTIVE | TERMINAL
    assert set() == ACTIVE & TERMINAL
    assert {"requires_action"} == AT_REST - TERMINAL


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_reached_and_reaches_an_end(status: Status) -> None:
    def reached(start: set[str], forward: bool) -> set[str]:
        found = set(start)
        while True:
            edges = {(a, b) if forward else (b, a) for (a, _), b in TABLE.items()}
            more = {b for a, b in edges if a in found} - found
            if not more:
                return found
            found |= more

    assert status in reached({"queued"}, forward=True)
    assert status in reached(set(TERMINAL), forward=False)


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_every_active_status_can_be_cancelled_or_is_and_expires(status: Status) -> None:
    assert after(status, "expire") == "expired"
    assert status == "cancelling" or after(status, "cancel") == "cancelling"
    # Whatever a worker may meet, it can end: nothing is in_progress for ever.
    assert status != "in_progress" or after(status, "fail") == "failed"


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_can_happen(cause: Cause) -> None:
    assert allows(cause)


# --- the schema and the statements ----------------------------------------------------------------


def test_the_check_of_the_schema_lists_the_statuses() -> None:
    (check,) = re.findall(r"status\s+TEXT\s+NOT NULL CHECK \(status IN \((.*?)\)\)", SCHEMA, re.S)
    assert quoted(check) == set(STATUSES)


def test_the_index_that_locks_a_thread_lists_the_active_statuses() -> None:
    (index,) = re.findall(r"CREATE UNIQUE INDEX run_active ON run (.*?);", SCHEMA, re.S)
    assert quoted(index) == ACTIVE
    assert "is_waiting = 0" in index


def test_every_list_of_statuses_in_a_statement_is_that_of_the_active_ones() -> None:
    lists = [
        (name, quoted(found))
        for name, sql in SQL.items()
        for found in re.findall(r"status IN \((.*?)\)", sql, re.S)
    ]
    assert len(lists) >= 5
    assert [entry for entry in lists if entry[1] != ACTIVE] == []


def test_every_status_that_a_statement_names_is_one() -> None:
    named = {
        status for sql in (*SQL.values(), SCHEMA) for status in re.findall(r"status = '(\w+)'", sql)
    }
    assert {"queued", "in_progress", "cancelling"} <= named <= set(STATUSES)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[apsw.Connection]:
    """A connection to a fresh database."""
    migrate(tmp_path / "weft.db")
    opened = connect(tmp_path / "weft.db")
    yield opened
    opened.close()


def insert(connection: apsw.Connection, run_id: str, status: str, is_waiting: int = 0) -> None:
    """Write the row of a run, past every statement of the program."""
    connection.execute(
        "INSERT INTO run (thread_id, project, id, created_at, status, is_waiting, sees_at, "
        "sees_position, wire) VALUES ('thread_1', 'p', ?, 1, ?, ?, 0, 0, '')",
        (run_id, status, is_waiting),
    )


def test_the_schema_takes_every_status_and_no_other(connection: apsw.Connection) -> None:
    for number, status in enumerate(STATUSES):
        insert(connection, f"run_{number}", status, is_waiting=1)
    for unknown in ("paused", "", "Queued"):
        with pytest.raises(apsw.ConstraintError):
            insert(connection, "run_x", unknown)


@pytest.mark.parametrize("status", STATUSES)
def test_a_second_run_is_locked_out_by_an_active_one_only(
    connection: apsw.Connection, status: Status
) -> None:
    insert(connection, "run_1", status)
    if status in ACTIVE:
        with pytest.raises(apsw.ConstraintError):
            insert(connection, "run_2", "queued")
    else:
        insert(connection, "run_2", "queued")
    insert(connection, "run_3", "queued", is_waiting=1)

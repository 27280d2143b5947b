"""Migrations: once each, in order, all or nothing, and never over the head of another version."""

import hashlib
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import apsw
import pytest

from tests.harness import weft
from weft.store.database import Unusable
from weft.store.migrations import Migration, MigrationError, migrations
from weft.store.sqlite import DIALECT, migrate


def step(number: int, sql: str) -> Migration:
    """A step that no version of Weft has."""
    return Migration(number, f"test{number}", sql, hashlib.sha256(sql.encode()).hexdigest())


FIRST = step(1, "CREATE TABLE one (value TEXT) STRICT;")
SECOND = step(2, "CREATE TABLE two (value TEXT) STRICT; INSERT INTO two SELECT value FROM one;")
BROKEN = step(2, "CREATE TABLE two (value TEXT) STRICT; INSERT INTO nowhere VALUES (1);")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database is to be."""
    return tmp_path / "weft.db"


@contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """Open a file as any SQLite tool would."""
    connection = apsw.Connection(str(path))
    yield connection
    connection.close()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return what a query finds in a file."""
    with opened(path) as connection:
        return list(connection.execute(query))


def tables(path: Path) -> set[object]:
    """Return the names of the tables of a file."""
    return {row[0] for row in rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")}


def run(path: Path, sql: str) -> None:
    """Change a file behind the back of Weft."""
    with opened(path) as connection:
        connection.execute(sql)


def test_the_steps_of_this_version_are_numbered_without_a_gap() -> None:
    steps = migrations(DIALECT)
    assert [one.number for one in steps] == list(range(1, len(steps) + 1))


def test_a_fresh_file_gets_every_step_and_its_hash(path: Path) -> None:
    steps = migrations(DIALECT)
    assert migrate(path) == [f"{one.number:04d}_{one.name}" for one in steps]
    found = rows(path, "SELECT number, name, sha256 FROM weft_migration ORDER BY number")
    assert found == [(one.number, one.name, one.sha256) for one in steps]
    assert {"thread", "message", "assistant", "api_key"} <= tables(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing to copy


def test_a_file_that_is_up_to_date_is_left_alone(path: Path) -> None:
    assert migrate(path) != []
    before = path.read_bytes()
    assert migrate(path) == []
    assert path.read_bytes() == before


def test_a_step_that_was_changed_afterwards_is_refused(path: Path) -> None:
    migrate(path, [FIRST])
    changed = FIRST._replace(sql="-- other", sha256=hashlib.sha256(b"-- other").hexdigest())
    with pytest.raises(MigrationError, match=r"Migration 1 \(test1\) is not the one that this"):
        migrate(path, [changed, SECOND])
    assert tables(path) == {"weft_migration", "one"}


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    migrate(path, [FIRST, SECOND])
    with pytest.raises(MigrationError, match=r"migration 2, which .* newer version"):
        migrate(path, [FIRST])


def test_the_server_and_its_tools_name_a_newer_version_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    weft("keys", "list", "--data-dir", str(folder), cwd=tmp_path)
    run(folder / "weft.db", "INSERT INTO weft_migration VALUES (9999, 'future', 'x', 0)")
    for command in (["serve", "--port", "0"], ["keys", "list"]):
        done = weft(*command, "--data-dir", str(folder), cwd=tmp_path, status=1)
        assert done.stderr.startswith("weft: The database has migration 9999, which this version")
        assert done.stderr.count("\n") == 1


def test_a_step_on_a_file_with_data_copies_it_first(path: Path) -> None:
    migrate(path, [FIRST])
    run(path, "INSERT INTO one VALUES ('kept')")
    assert migrate(path, [FIRST, SECOND]) == ["0002_test2"]
    assert rows(path, "SELECT value FROM two") == [("kept",)]
    copy = path.with_name("weft.db.before-0002")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert tables(copy) == {"weft_migration", "one"}
    assert rows(copy, "SELECT value FROM one") == [("kept",)]
    assert rows(copy, "SELECT number FROM weft_migration") == [(1,)]


def test_several_steps_at_once_make_one_copy(path: Path) -> None:
    migrate(path, [FIRST])
    third = step(3, "CREATE TABLE three (value TEXT) STRICT;")
    assert migrate(path, [FIRST, SECOND, third]) == ["0002_test2", "0003_test3"]
    names = {file.name for file in path.parent.iterdir()}
    assert names == {"weft.db", "weft.db.before-0002"}


def test_a_copy_left_by_an_attempt_that_died_is_made_anew(path: Path) -> None:
    """It must not stop the start, and it may be of an older state."""
    migrate(path, [FIRST])
    copy = path.with_name("weft.db.before-0002")
    copy.write_bytes(b"left over")
    run(path, "INSERT INTO one VALUES ('kept')")
    assert migrate(path, [FIRST, SECOND]) == ["0002_test2"]
    assert rows(copy, "SELECT value FROM one") == [("kept",)]


def test_a_step_that_fails_leaves_nothing_of_itself(path: Path) -> None:
    migrate(path, [FIRST])
    for _ in range(2):  # the second attempt meets what the first one left
        with pytest.raises(apsw.SQLError, match="no such table: nowhere"):
            migrate(path, [FIRST, BROKEN])
        assert tables(path) == {"weft_migration", "one"}
    assert migrate(path, [FIRST, SECOND]) == ["0002_test2"]


def test_the_steps_before_the_one_that_fails_are_kept(path: Path) -> None:
    with pytest.raises(apsw.SQLError):
        migrate(path, [FIRST, BROKEN])
    assert rows(path, "SELECT number FROM weft_migration") == [(1,)]
    assert tables(path) == {"weft_migration", "one"}


def start_often(folder: Path, together: Barrier, said: "SimpleQueue[tuple[int, str]]") -> None:
    """Bring ten files up to date, each at the same moment as the others who do this."""
    for number in range(10):
        together.wait(60)
        for name in migrate(folder / f"{number}.db", [FIRST, SECOND]):
            said.put((number, name))


@pytest.mark.parametrize("before", [[], [FIRST]])
def test_of_many_that_start_at_once_one_applies_each_step(
    tmp_path: Path, before: list[Migration]
) -> None:
    """The server and `weft keys create`, started together, meet on the same file."""
    for number in range(10):
        if before:
            migrate(tmp_path / f"{number}.db", before)
    context = multiprocessing.get_context("spawn")
    said: SimpleQueue[tuple[int, str]] = context.SimpleQueue()
    arguments = (tmp_path, context.Barrier(3), said)
    starting = [context.Process(target=start_often, args=arguments) for _ in range(3)]
    for process in starting:
        process.start()
    for process in starting:
        process.join()
    assert [process.exitcode for process in starting] == [0, 0, 0]
    applied = []
    while not said.empty():
        applied.append(said.get())
    said.close()
    names = ["0001_test1", "0002_test2"][len(before) :]
    assert sorted(applied) == [(number, name) for number in range(10) for name in names]


def test_what_is_no_database_is_said_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "weft.db").write_bytes(b"This is a letter, not a database. " * 100)
    with pytest.raises(Unusable, match=r"weft\.db cannot be used: file is not a database"):
        migrate(folder / "weft.db")
    for command in (["serve", "--port", "0"], ["backup", "copy.db"]):
        done = weft(*command, "--data-dir", str(folder), cwd=tmp_path, status=1)
        assert "weft.db cannot be used" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "copy.db").exists()

"""`weft backup`: a sound copy of a living database under its name, or nothing."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from tests.api.making import a_file
from tests.harness import Api, Server, api_of, weft
from weft.store.sqlite import backup, migrate

ROUNDS = 3


@contextmanager
def writing(server: Server) -> Iterator[list[str]]:
    """Write threads with two messages each, one after another; yield the ids as they are made."""
    made: list[str] = []
    is_over = threading.Event()
    body = {"messages": [{"role": "user", "content": "first"}, {"role": "user", "content": "x"}]}

    def write() -> None:
        with api_of(server) as api:
            while not is_over.is_set():
                made.append(api.ok("POST", "/threads", body)["id"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield made
    finally:
        is_over.set()
        writer.join()


@contextmanager
def read(path: Path) -> Iterator[apsw.Connection]:
    """Open a copy as from a medium that takes no writes: nothing may be needed beside it."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    yield connection
    connection.close()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A database of some 200 pages that nobody uses."""
    path = tmp_path / "data" / "weft.db"
    path.parent.mkdir()
    migrate(path)
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE ballast AS SELECT randomblob(800000) AS bytes")
    connection.close()
    return path


def test_a_copy_of_a_living_database_is_whole(tmp_path: Path) -> None:
    """It holds all that was acknowledged before it began, and no thread by halves."""
    with Server(tmp_path / "data") as server, writing(server) as made:
        for number in range(ROUNDS):
            known = len(made)
            copy = tmp_path / f"copy-{number}.db"
            said = weft("backup", str(copy), "--data-dir", str(tmp_path / "data"), cwd=tmp_path)
            assert f"Wrote {copy} ({copy.stat().st_size:,} bytes), checked." in said.stdout
            assert copy.stat().st_mode & 0o777 == 0o600
            with read(copy) as found:
                assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                ids = {row[0] for row in found.execute("SELECT id FROM thread")}
                assert set(made[:known]) <= ids
                halves = "SELECT thread_id FROM message GROUP BY 1 HAVING count(*) <> 2"
                assert found.execute(halves).fetchall() == []
        assert len(made) > known > 0  # it was written all the time
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"data", "data.log", *(f"copy-{number}.db" for number in range(ROUNDS))}


def test_a_copy_shows_the_moment_at_which_it_began(small: Path, tmp_path: Path) -> None:
    """However much is written meanwhile, it comes to its end, and holds nothing of that."""
    writer = apsw.Connection(str(small))
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("INSERT INTO ballast SELECT randomblob(12000000)")
    seen: list[int] = []

    def write(done: int, total: int) -> None:
        seen.append(done)
        assert len(seen) < 20
        writer.execute("INSERT INTO ballast VALUES (randomblob(9000)), ('later')")

    backup(small, tmp_path / "copy.db", write)
    writer.close()
    assert len(seen) > 1
    assert seen == sorted(seen)
    with read(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT count(*) FROM ballast").fetchall() == [(2,)]
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_server_runs_on_a_copy(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, api_of(server) as api:
        made = api.ok("POST", "/threads", {"metadata": {"k": "v"}})
        weft("backup", "copy.db", "--data-dir", str(tmp_path / "data"), cwd=tmp_path)
    (tmp_path / "again").mkdir()
    shutil.move(tmp_path / "copy.db", tmp_path / "again" / "weft.db")
    with Server(tmp_path / "again") as server, api_of(server) as api:
        assert api.ok("GET", "/threads?metadata[k]=v")["data"][0]["id"] == made["id"]
        write_one(api)


def test_a_copy_brings_the_bytes_of_its_files(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, api_of(server) as api:
        one, same, gone = (a_file(api, data) for data in (b"one", b"one", b"gone"))
        api.ok("DELETE", f"/files/{gone}")
        said = weft("backup", "copy.db", "--data-dir", str(tmp_path / "data"), cwd=tmp_path)
        assert "copy.db.files with the bytes of" in said.stdout
        for file_id in (one, same):
            api.ok("DELETE", f"/files/{file_id}")
    (tmp_path / "again").mkdir()
    shutil.move(tmp_path / "copy.db", tmp_path / "again" / "weft.db")
    shutil.move(tmp_path / "copy.db.files", tmp_path / "again" / "files")
    with Server(tmp_path / "again") as server, api_of(server) as api:
        assert len(api.ok("GET", "/files")["data"]) == 2
        for file_id in (one, same):
            assert api.call("GET", f"/files/{file_id}/content").content == b"one"


def test_a_copy_is_whole_while_files_come_and_go(tmp_path: Path) -> None:
    is_over = threading.Event()

    def change() -> None:
        with api_of(server) as api:
            while not is_over.is_set():
                api.ok("DELETE", f"/files/{a_file(api, os.urandom(1000))}")

    with Server(tmp_path / "data") as server, api_of(server) as api:
        for number in range(20):
            a_file(api, bytes([number]) * 1000)
        changing = threading.Thread(target=change)
        changing.start()
        try:
            for number in range(ROUNDS):
                copy = tmp_path / f"{number}.db"
                weft("backup", str(copy), "--data-dir", str(tmp_path / "data"), cwd=tmp_path)
                below = copy.with_name(f"{copy.name}.files")
                with read(copy) as found:
                    rows = found.execute("SELECT location, sha256 FROM blob").fetchall()
                    blobs = {str(row[0]): row[1] for row in rows}
                lying = {str(path.relative_to(below)): path for path in below.glob("*/*")}
                assert set(lying) == set(blobs)
                for location, path in lying.items():
                    assert hashlib.sha256(path.read_bytes()).hexdigest() == blobs[location]
        finally:
            is_over.set()
            changing.join()


def write_one(api: Api) -> None:
    """Write something; it must succeed."""
    api.ok("POST", "/threads", {})


def test_a_copy_never_overwrites(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    done = weft("backup", str(target), "--data-dir", str(small.parent), cwd=tmp_path, status=1)
    assert done.stderr == f"weft: {target} exists already; nothing was written\n"
    assert target.read_text() == "precious"
    assert {file.name for file in tmp_path.iterdir()} == {"data", "copy.db"}


def test_of_two_copies_to_one_name_the_first_to_end_stands(small: Path, tmp_path: Path) -> None:
    """The other one changes nothing: neither the finished copy nor the unfinished one."""
    target = tmp_path / "copy.db"
    ended: list[bytes] = []

    def overtake(done: int, total: int) -> None:
        if not ended:
            backup(small, target)
            ended.append(target.read_bytes())

    with pytest.raises(FileExistsError):
        backup(small, target, overtake)
    assert [target.read_bytes()] == ended
    assert {file.name for file in tmp_path.iterdir()} == {"data", "copy.db"}


def test_a_copy_that_is_interrupted_leaves_nothing(small: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(small, tmp_path / "copy.db", interrupt)
    assert {file.name for file in tmp_path.iterdir()} == {"data"}


def test_a_copy_that_finds_no_room_leaves_nothing_and_says_why(small: Path, tmp_path: Path) -> None:
    """The limit of 100 KiB for a file is the shell's, and as real as a full disk."""
    command = f"ulimit -f 100; exec {sys.executable} -m weft backup copy.db --data-dir data"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("weft: The database ")
    assert done.stderr.count("\n") == 1
    assert {file.name for file in tmp_path.iterdir()} == {"data"}
    with read(small) as source:
        assert source.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_there_must_be_something_to_copy_and_a_place_to_copy_it_to(
    small: Path, tmp_path: Path
) -> None:
    done = weft("backup", "copy.db", "--data-dir", "nowhere", cwd=tmp_path, status=1)
    assert done.stderr == "weft: There is no database in nowhere: nothing to back up.\n"
    assert not (tmp_path / "nowhere").exists()
    done = weft("backup", "no/copy.db", "--data-dir", str(small.parent), cwd=tmp_path, status=1)
    assert done.stderr.startswith("weft: ")
    assert done.stderr.count("\n") == 1

"""The data folder: closed to others, and held by one server at a time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Server, api_of, weft
from weft.store.folder import FolderHeld, FolderLock, database_in


@pytest.fixture
def open_umask() -> Iterator[None]:
    """The most careless umask there is."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return path.stat().st_mode & 0o777


@pytest.mark.usefixtures("open_umask")
def test_everything_in_the_folder_is_the_owners_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Server(folder) as server, api_of(server) as api:
        api.ok("POST", "/threads", {})
        weft("keys", "create", "--data-dir", str(folder), cwd=tmp_path)
        modes = {file.name: mode(file) for file in folder.iterdir()}
        assert mode(folder) == 0o700
    assert modes == dict.fromkeys(("weft.db", "weft.db-wal", "weft.db-shm", "weft.lock"), 0o600)
    assert {mode(file) for file in folder.iterdir()} == {0o600}


@pytest.mark.usefixtures("open_umask")
def test_a_folder_that_a_tool_makes_first_is_as_closed(tmp_path: Path) -> None:
    weft("keys", "create", "--data-dir", "data", cwd=tmp_path)
    assert mode(tmp_path / "data") == 0o700
    assert {mode(file) for file in (tmp_path / "data").iterdir()} == {0o600}


def test_a_second_server_names_the_first_and_leaves_it_alone(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, api_of(server) as api:
        made = api.ok("POST", "/threads", {})["id"]
        done = weft("serve", "--port", "0", "--data-dir", "data", cwd=tmp_path, status=1)
        holder = f"process {server.process.pid} at {server.address}"
        assert done.stderr == (
            f"weft: data is in use by another Weft server ({holder}). Stop that one, or give "
            "this one a folder of its own with --data-dir.\n"
        )
        assert done.stdout == ""
        assert api.ok("GET", f"/threads/{made}")["id"] == made


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_folder_is_free_when_its_server_has_ended(tmp_path: Path, end: str) -> None:
    first = Server(tmp_path / "data")
    with api_of(first) as api:
        made = api.ok("POST", "/threads", {})["id"]
    getattr(first, end)()
    with Server(tmp_path / "data") as second, api_of(second) as api:
        assert api.ok("GET", f"/threads/{made}")["id"] == made


def test_a_server_that_ends_as_asked_leaves_one_file_of_data(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, api_of(server) as api:
        api.ok("POST", "/threads", {})
    assert {file.name for file in (tmp_path / "data").iterdir()} == {"weft.db", "weft.lock"}


def test_the_lock_is_taken_once_and_given_back(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "data", "the first"):
        with pytest.raises(FolderHeld, match=r"in use by another Weft server \(the first\)"):
            FolderLock(tmp_path / "data", "the second")
        with pytest.raises(FolderHeld, match=r"\(the first\)"):
            FolderLock(tmp_path / "data", "the third")
    with FolderLock(tmp_path / "data", "the second"):
        assert (tmp_path / "data" / "weft.lock").read_text() == "the second\n"
    assert (tmp_path / "data" / "weft.lock").read_text() == ""


def test_a_database_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = database_in(tmp_path / "data")
    path.write_bytes(b"something")
    assert database_in(tmp_path / "data").read_bytes() == b"something"


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = weft("serve", "--port", "0", "--data-dir", "file", cwd=tmp_path, status=1)
    assert done.stderr.startswith("weft: ")
    assert done.stderr.count("\n") == 1

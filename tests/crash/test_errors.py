"""The disk reports an error at the n-th change of a file, for every n: the answer is the truth."""

import asyncio
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.crash.operations import OPERATIONS, State, apply, prepare, state_of
from tests.store.conformance import thread
from weft.domain.errors import Unavailable
from weft.store.database import Refused, Write
from weft.store.sqlite import Sqlite

# The other ones are made of the same parts.
TELLING = {"create a thread under a key", "write together with one that is refused"}
NAMES = [
    name if name in TELLING else pytest.param(name, marks=pytest.mark.full) for name in OPERATIONS
]

AFTERWARDS: Write = (thread("thread_afterwards"),)


class FailingFiles(apsw.VFS):
    """The machine's file system, which fails from the n-th change on, once or until mended."""

    def __init__(self) -> None:
        self.real = apsw.vfs_names()[0]  # the default one comes first
        self.left = 0  # changes that still succeed; nothing fails while it is 0
        self.is_lasting = False
        self.failed = 0
        super().__init__("failing", self.real, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name
        """Open a file."""
        return FailingFile(self, name, flags)

    def count(self) -> None:
        """Count a change. Raises: what the operating system would say, when it is the n-th."""
        if self.left == 0:
            return
        self.left -= 1
        if self.left == 0:
            self.failed += 1
            self.left = 1 if self.is_lasting else 0
            raise apsw.FullError("no space left") if self.is_lasting else apsw.IOError("I/O error")


class FailingFile(apsw.VFSFile):
    """One file."""

    def __init__(self, files: FailingFiles, name: Any, flags: list[int]) -> None:
        self._files = files
        super().__init__(files.real, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        """Write, or fail in the middle of it."""
        try:
            self._files.count()
        except apsw.Error:
            super().xWrite(data[: len(data) // 2], offset)
            raise
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Sync, or fail ahead of it."""
        self._files.count()
        super().xSync(flags)


@pytest.fixture
def files() -> Iterator[FailingFiles]:
    """The file system under everything that the test opens."""
    failing = FailingFiles()
    yield failing
    failing.unregister()


async def attempt(path: Path, name: str, files: FailingFiles, number: int) -> list[bool]:
    """Do an operation while the n-th change fails; say which of its writes were acknowledged."""
    operation = OPERATIONS[name]
    database = Sqlite(path)
    try:
        files.left = number
        waiting = (database.write(write, is_long=operation.is_long) for write in operation.writes)
        raised = await asyncio.gather(*waiting, return_exceptions=True)
        files.left = 0
        await database.write(AFTERWARDS)
    finally:
        await database.close()
    assert {type(fault) for fault in raised} <= {type(None), Refused, Unavailable}
    return [fault is None for fault in raised]


def state_with(folder: Path, name: str, stored: list[bool]) -> State:
    """Return the state that a database is in when just these writes were done, and one more."""
    path = folder / "".join("+" if is_stored else "-" for is_stored in stored) / "weft.db"
    if not path.exists():
        shutil.copytree(folder / "before", path.parent)
        for write in itertools.compress(OPERATIONS[name].writes, stored):
            asyncio.run(apply(path, (write,)))
        asyncio.run(apply(path, (AFTERWARDS,)))
    return state_of(path)


@pytest.mark.parametrize("is_lasting", [False, True], ids=["one error", "no space left"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_acknowledged_is_stored_and_nothing_else(
    name: str, is_lasting: bool, files: FailingFiles, tmp_path: Path
) -> None:
    """Whatever fails, and the same database goes on as soon as the disk does."""
    prepare(tmp_path / "before" / "weft.db", OPERATIONS[name])
    files.is_lasting = is_lasting
    for number in itertools.count(1):
        files.failed = 0
        path = tmp_path / str(number) / "weft.db"
        shutil.copytree(tmp_path / "before", path.parent)
        stored = asyncio.run(attempt(path, name, files, number))
        assert state_of(path) == state_with(tmp_path, name, stored)
        if files.failed == 0:
            break
    assert number > 4  # a commit is a header, frames and a sync at least

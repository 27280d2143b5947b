"""A process that dies at the n-th statement, or in the n-th change of a file, for every n.

    python -m tests.crash.dying statements|files OPERATION FOLDER

FOLDER/before holds the database that the operation starts from. For each n a child of its own
works on a copy, FOLDER/<n>/stood, and is killed; the first child that comes to its end is the
last. It leaves FOLDER/<n>/acknowledged once its write has returned, and FOLDER/<n>/synced holds
the files as they were last synced: what a power cut would have left in the worst case.

Nothing of Weft is replaced: SQLite itself calls the tracer and the file system of this module.
"""

import asyncio
import itertools
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import apsw

from tests.crash.operations import OPERATIONS, STEPS
from weft.store.sqlite import Sqlite, migrate

MIGRATION = "migrate"

Acknowledge: TypeAlias = Callable[[], None]


class Countdown:
    """Kills the process at the n-th call, once it is armed."""

    def __init__(self, left: int) -> None:
        self._left = left
        self.is_armed = False

    def is_due(self) -> bool:
        """Count a call and say whether it is the last one."""
        if self.is_armed:
            self._left -= 1
        return self.is_armed and self._left <= 0

    @staticmethod
    def die() -> None:
        """End as a power cut ends: no handler, no flush, no goodbye."""
        os.kill(os.getpid(), signal.SIGKILL)


def watch_statements(countdown: Countdown) -> None:
    """Let SQLite ask ahead of every statement of every connection."""

    def tracer(cursor: Any, sql: str, bindings: Any) -> bool:
        if countdown.is_due():
            countdown.die()
        return True

    apsw.connection_hooks.append(lambda connection: connection.set_exec_trace(tracer))


class DyingFiles(apsw.VFS):
    """The machine's file system, which dies in the middle of a write or ahead of a sync."""

    def __init__(self, countdown: Countdown, synced: Path) -> None:
        self.countdown = countdown
        self.synced = synced
        self.real = apsw.vfs_names()[0]  # the default one comes first
        super().__init__("dying", self.real, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name
        """Open a file."""
        return DyingFile(self, name, flags)


class DyingFile(apsw.VFSFile):
    """One file. A write that is the last one is torn: its first half reaches the file."""

    def __init__(self, files: DyingFiles, name: Any, flags: list[int]) -> None:
        self._files = files
        self._path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        super().__init__(files.real, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        """Write, or half of it."""
        is_last = self._files.countdown.is_due()
        super().xWrite(data[: len(data) // 2] if is_last else data, offset)
        if is_last:
            self._files.countdown.die()

    def xTruncate(self, size: int) -> None:  # noqa: N802
        """Cut the file, or die ahead of it."""
        if self._files.countdown.is_due():
            self._files.countdown.die()
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """Sync, or die ahead of it."""
        if self._files.countdown.is_due():
            self._files.countdown.die()
        super().xSync(flags)
        shutil.copyfile(self._path, self._files.synced / self._path.name)


async def write(path: Path, name: str, countdown: Countdown, acknowledge: Acknowledge) -> None:
    """Do the operation and say when it was acknowledged."""
    operation = OPERATIONS[name]
    database = Sqlite(path)
    countdown.is_armed = True
    waiting = (database.write(write, is_long=operation.is_long) for write in operation.writes)
    await asyncio.gather(*waiting, return_exceptions=True)
    acknowledge()
    await database.close()


def work(mode: str, name: str, folder: Path, countdown: Countdown) -> None:
    """Do the operation in a process that may not see its end."""
    path = folder / "stood" / "weft.db"
    acknowledge = (folder / "acknowledged").touch
    if mode == "statements":
        watch_statements(countdown)
        files = None
    else:
        files = DyingFiles(countdown, folder / "synced")
    if name == MIGRATION:
        countdown.is_armed = True
        migrate(path, STEPS)
        acknowledge()
    else:
        asyncio.run(write(path, name, countdown, acknowledge))
    del files  # SQLite kept none of it: it had to live until here


def in_child(act: Callable[[], None]) -> bool:
    """Act in a process of its own; say whether it came to its end."""
    return came_to_its_end(begin_child(act))


def begin_child(act: Callable[[], None]) -> int:
    """Begin to act in a process of its own, and return its id."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001  # whatever it was, the child must end here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def came_to_its_end(child: int) -> bool:
    """Wait for a process; say whether it ended by itself."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status != 0:
        raise SystemExit(f"the child failed with status {status}")
    return True


def main(mode: str, name: str, root: Path) -> None:
    """Die at every n that there is."""
    for number in itertools.count(1):
        folder = root / str(number)
        for kind in ("stood", "synced"):
            shutil.copytree(root / "before", folder / kind)
        countdown = Countdown(number)
        if in_child(lambda: work(mode, name, folder, countdown)):  # noqa: B023  # called at once
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

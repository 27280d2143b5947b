"""The data folder: where a server on SQLite keeps everything, and who holds it.

The folder is 0700, what is in it 0600. One server holds the lock for as long as
it lives (the system lets go when it dies); tools such as `weft keys` and
`weft backup` work beside it.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

DATABASE = "weft.db"
LOCK = "weft.lock"


class FolderHeld(Exception):
    """Another server holds the folder; the message names it."""


def database_in(folder: Path) -> Path:
    """Return the path of the database, made with its folder if it is not there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / DATABASE
    # SQLite gives its -wal and -shm files the mode of the database.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


class FolderLock:
    """Held while a server runs on the folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        """Take the folder for `holder`, which is how a second server will name this one.

        Raises: FolderHeld.
        """
        database_in(folder)
        self._file = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(self._file, 1000, 0).decode("utf-8", "replace").strip()
            os.close(self._file)
            raise FolderHeld(
                f"{folder} is in use by another Weft server ({other or 'it did not say which'}). "
                "Stop that one, or give this one a folder of its own with --data-dir."
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{holder}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the folder."""
        os.ftruncate(self._file, 0)
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

"""The room for bytes: what it must do, and a folder that does it.

A location is a name that is used once. Bytes at a location count only when a row
of the table `blob` has it, which is committed after `Sink.finish`; so nothing here
needs to be complete or absent by itself. Everything blocks and is called from
threads (`contents` does that).
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

FOLDER = "files"  # in the data folder


class Sink(Protocol):
    """Takes bytes for a location."""

    def write(self, piece: bytes | bytearray) -> None:
        """Take the next bytes."""
        ...

    def finish(self) -> None:
        """Return when everything written survives the death of the machine."""
        ...

    def close(self) -> None:
        """Let go, finished or not. It may be called again."""
        ...


class Source(Protocol):
    """Gives the bytes of a location, also when it is removed meanwhile."""

    def read(self, start: int, size: int) -> bytes:
        """Return `size` bytes from `start` on, fewer only at the end."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class Blobs(Protocol):
    """Where bytes lie. Every method may raise OSError."""

    def create(self, location: str) -> Sink:
        """Begin to write at a location that was never used."""
        ...

    def open(self, location: str) -> Source:
        """Open what lies at a location. Raises: FileNotFoundError."""
        ...

    def path(self, location: str) -> AbstractContextManager[Path]:
        """Give the bytes as a file of this machine, to be read only, for as long as it is held.

        Raises: FileNotFoundError.
        """
        ...

    def remove(self, location: str) -> None:
        """Remove what lies at a location, if there is anything."""
        ...


def new_location() -> str:
    """Return a location that nobody has used: two characters, a slash, and 32 of chance."""
    name = secrets.token_hex(16)
    return f"{name[:2]}/{name}"


class Folder:
    """`Blobs` in a folder of this machine: 0700, its files 0600."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, location: str) -> Sink:
        """See `Blobs.create`."""
        path = self._root / location
        if not path.parent.is_dir():
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(self._root.parent)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _sync(self._root)
        return _FileSink(path)

    def open(self, location: str) -> Source:
        """See `Blobs.open`."""
        return _FileSource(self._root / location)

    @contextmanager
    def path(self, location: str) -> Iterator[Path]:
        """See `Blobs.path`."""
        path = self._root / location
        path.stat()
        yield path

    def remove(self, location: str) -> None:
        """See `Blobs.remove`."""
        (self._root / location).unlink(missing_ok=True)


class _FileSink:
    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        new = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        self._file = os.fdopen(os.open(path, new, 0o600), "wb", buffering=0)

    def write(self, piece: bytes | bytearray) -> None:
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) or 0 :]

    def finish(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
        _sync(self._folder)

    def close(self) -> None:
        self._file.close()


class _FileSource:
    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)

    def read(self, start: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, start)

    def close(self) -> None:
        self._file.close()


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

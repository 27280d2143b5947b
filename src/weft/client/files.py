"""Files: given in several ways, read while they are sent; received under their name when whole."""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, cast

PIECE = 1 << 18  # bytes of a file that are read at a time
MEDIA_TYPE = "application/octet-stream"
WAYS = "bytes, a pathlib.Path, an open file or (name, bytes)"


class File(NamedTuple):
    """A file to send as a part of a form, under a name and with a type of your own.

    `content` is bytes, a path or an open file.
    """

    name: str
    content: bytes | Path | IO[Any]
    media_type: str = MEDIA_TYPE


def is_file(value: Any) -> bool:
    """Say whether a value of a form stands for a file."""
    if isinstance(value, bytes | bytearray | Path) or hasattr(value, "read"):
        return True
    # (name, content) and (name, content, type), which a `File` is too.
    is_named = isinstance(value, tuple) and len(value) in (2, 3) and isinstance(value[0], str)
    return is_named and is_file(value[1])


def file_of(value: Any) -> File:
    """Return the file that a value stands for, named as it is named itself.

    Raises: OSError for an open file that cannot be read.
    """
    if isinstance(value, tuple):
        name, content, *more = value
        return File(name, _content(content), *more)
    if isinstance(value, Path):
        return File(value.name, value)
    return File(Path(str(getattr(value, "name", "upload"))).name, _content(value))


def _content(value: Any) -> bytes | Path | IO[bytes]:
    """Return what can be read more than once; what cannot is read now."""
    if isinstance(value, Path):
        return value
    if isinstance(value, io.BufferedIOBase) and value.seekable():
        return cast("IO[bytes]", value)
    if hasattr(value, "read"):
        value = value.read()
    return value.encode() if isinstance(value, str) else bytes(value)


class Form:
    """The bytes of a form. Its files are read anew whenever it is gone through.

    An open file is taken from where it stands to its end.
    Raises: OSError for a file that is not there, or became shorter since.
    """

    def __init__(self, parts: Sequence[bytes | Path | IO[bytes]]) -> None:
        self._parts = [(part, *_extent(part)) for part in parts]
        self.size = sum(size for _, _, size in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        for part, start, size in self._parts:
            if isinstance(part, bytes):
                yield part
            elif isinstance(part, Path):
                with part.open("rb") as opened:
                    yield from _pieces(opened, size)
            else:
                part.seek(start)
                yield from _pieces(part, size)


def _extent(part: bytes | Path | IO[bytes]) -> tuple[int, int]:
    """Return where a part begins and how many bytes it has."""
    if isinstance(part, bytes):
        return 0, len(part)
    if isinstance(part, Path):
        return 0, part.stat().st_size
    start = part.tell()
    return start, part.seek(0, io.SEEK_END) - start


def _pieces(opened: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield as many bytes as were announced, also of a file that somebody still writes to."""
    left = size
    while left:
        piece = opened.read(min(PIECE, left))
        if not piece:
            raise OSError(f"{getattr(opened, 'name', 'a file')} became shorter while it was sent")
        left -= len(piece)
        yield piece


class Arriving:
    """A file that is being received: it has its name when it is whole, and is nothing if it fails.

    Something that is there and is no file, such as a device, is written to as it is.
    """

    def __init__(self, path: Path) -> None:
        self._target = path
        self._is_whole = False
        is_plain = path.is_file() or not path.exists()
        self._path = path.with_name(f".{path.name}.{os.urandom(4).hex()}") if is_plain else path
        self._file = self._path.open("wb")
        self._size = 0

    def begin(self) -> None:
        """Expect the first byte, also after others came."""
        if self._size:
            self._file.seek(0)
            self._file.truncate()
            self._size = 0

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._size += self._file.write(piece)

    def end(self) -> None:
        """Know that there are no more."""
        self._is_whole = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._path == self._target:
            return
        if self._is_whole:
            self._path.replace(self._target)
        else:
            self._path.unlink()

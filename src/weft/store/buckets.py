"""`Blobs` in a bucket of any S3-compatible store, through obstore.

An upload is one multipart upload of 5 MB parts, so that memory stays small. The
bucket's address is the setting `files_url`; keys, region and endpoint are what
every S3 tool reads (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL`, ...).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from weft.store.blobs import Sink, Source

PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes
BLOCK_BYTES = 4 * 1024 * 1024  # of one request while reading


@contextmanager
def _reached() -> Iterator[None]:
    """Say what went wrong as the disk would say it."""
    try:
        yield
    except NotFoundError as fault:
        raise FileNotFoundError(str(fault)) from fault
    except BaseError as fault:
        raise OSError(f"the bucket: {str(fault).partition(chr(10))[0]}") from fault


class Bucket:
    """See `Blobs`. What is removed while it is read breaks off there."""

    def __init__(self, url: str) -> None:
        """Use the bucket and prefix of `s3://BUCKET/PREFIX`. Raises: OSError."""
        with _reached():
            self._store = S3Store.from_url(url)

    def create(self, location: str) -> Sink:
        """See `Blobs.create`."""
        return _BucketSink(self._store, location)

    def open(self, location: str) -> Source:
        """See `Blobs.open`."""
        with _reached():
            size = obstore.head(self._store, location)["size"]
        return _BucketSource(self._store, location, size)

    @contextmanager
    def path(self, location: str) -> Iterator[Path]:
        """See `Blobs.path`: a copy that lasts as long as the block, and has no name to be left."""
        source = self.open(location)
        with tempfile.TemporaryFile() as file:
            at = 0
            while piece := source.read(at, BLOCK_BYTES):
                at += file.write(piece)
            file.seek(0)
            yield Path(f"/dev/fd/{file.fileno()}")

    def remove(self, location: str) -> None:
        """See `Blobs.remove`."""
        try:
            with _reached():
                obstore.delete(self._store, location)
        except FileNotFoundError:
            pass  # other stores than S3 itself tell


@contextmanager
def _written() -> Iterator[None]:
    """Say the same of writing: what is not found then is the bucket itself."""
    try:
        with _reached():
            yield
    except FileNotFoundError as fault:
        raise OSError(f"the bucket cannot be written to: {fault}") from fault


class _BucketSink:
    def __init__(self, store: S3Store, location: str) -> None:
        self._is_open = True
        with _written():
            self._writer: Any = obstore.open_writer(
                store, location, buffer_size=PART_BYTES, max_concurrency=1
            )

    def write(self, piece: bytes | bytearray) -> None:
        with _written():
            self._writer.write(bytes(piece))

    def finish(self) -> None:
        with _written():
            self._is_open = False
            self._writer.close()

    def close(self) -> None:
        """Complete also what nobody wants: what is there then is removed as an orphan."""
        if self._is_open:
            self.finish()


class _BucketSource:
    """Reads ahead: a request for each piece would be slow."""

    def __init__(self, store: S3Store, location: str, size: int) -> None:
        self._store = store
        self._location = location
        self._size = size
        self._at = 0
        self._block = b""

    def read(self, start: int, size: int) -> bytes:
        end = min(start + size, self._size)
        found = b""
        while start < end:
            if not self._at <= start < self._at + len(self._block):
                self._fetch(start)
            piece = self._block[start - self._at : end - self._at]
            found += piece
            start += len(piece)
        return found

    def _fetch(self, start: int) -> None:
        length = min(BLOCK_BYTES, self._size - start)
        with _reached():
            block = obstore.get_range(self._store, self._location, start=start, length=length)
        self._at, self._block = start, block.to_bytes()

    def close(self) -> None:
        self._block = b""

"""What writing and searching the passages of vector stores is made of.

A file is indexed by attempts. The chunks of an attempt are written in slices and
found by nobody until it is published; that takes the place of what was published
before. What is removed or left behind is no longer found at once, and cleared
away in slices by the keeper (`sweep_chunks`).

A chunk belongs to one project and one vector store, and every query names both.
"""

from collections.abc import Mapping
from typing import NamedTuple

from weft.store.database import Database, Statement, Write


class FileKey(NamedTuple):
    """A file in a vector store."""

    project: str
    vector_store_id: str
    file_id: str


def begin(key: FileKey, attempt: int, *, filename: str, space: str | None) -> Write:
    """Make room for the chunks of an attempt; older attempts can write no more.

    `space` names what the vectors can be compared with: the model and its dimensions.
    Guard: no attempt with this or a higher number was begun.
    """
    raise NotImplementedError


def publish(key: FileKey, attempt: int, attributes: Mapping[str, str | float | bool]) -> Write:
    """Let the chunks of an attempt be found, and nothing else of the file any more.

    Guard: the attempt was begun and nobody took its place.
    """
    raise NotImplementedError


def set_attributes(key: FileKey, attributes: Mapping[str, str | float | bool]) -> Statement:
    """Keep new attributes of a file for searches: part of the write that changes them."""
    raise NotImplementedError


def remove_file(key: FileKey) -> Write:
    """Let nothing of a file be found any more: part of the write that takes it out of a store."""
    raise NotImplementedError


def remove_store(project: str, vector_store_id: str) -> Write:
    """Let nothing of a vector store be found any more: part of the write that deletes it."""
    raise NotImplementedError


async def texts_of(database: Database, key: FileKey) -> list[str]:
    """Return the published chunks' texts of a file, in order and with their overlaps."""
    raise NotImplementedError


async def sweep_chunks(database: Database) -> bool:
    """Clear away one slice of what cannot be found any more; say if there was anything to do."""
    raise NotImplementedError

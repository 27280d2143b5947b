"""What writing and reading files is made of. Their bytes: `contents`."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from weft.store.contents import Content
from weft.store.database import Database, Statement, Write


class Stored(NamedTuple):
    """What a file is and where its bytes lie; `filename` is what a client said, never a path."""

    filename: str
    bytes: int
    sha256: str
    location: str
    purpose: str


def insert(
    project: str,
    file_id: str,
    content: Content,
    *,
    purpose: str,
    filename: str,
    created_at: int,
    expires_at: int | None,
    now: int,
    wire: str,
) -> Statement:
    """A new file. It goes behind `contents.keep`, which makes sure that its bytes are there."""
    return Statement(
        "file_insert",
        {
            "id": file_id,
            "project": project,
            "created_at": created_at,
            "purpose": purpose,
            "filename": filename,
            "bytes": content.bytes,
            "sha256": content.sha256,
            "expires_at": expires_at,
            "now": now,
            "wire": wire,
        },
    )


def delete(project: str, file_id: str, now: int) -> Write:
    """Erase a file and let go of its bytes; its place stays a cursor for a day.

    Guard (`file_delete`): it is there.
    """
    params = {"id": file_id, "project": project, "now": now}
    return (
        Statement("file_release", params),
        Statement("file_delete", params, is_guard=True),
    )


def exist(project: str, file_ids: Iterable[str]) -> Statement:
    """A guard (`files_exist`): every one of the files is there; `missing` says which are not."""
    ids = json.dumps(list(file_ids))
    return Statement("files_exist", {"project": project, "ids": ids}, is_guard=True)


async def missing(database: Database, project: str, file_ids: Iterable[str]) -> list[str]:
    """Return those of the files that are not there, each once, in the order given."""
    ids = json.dumps(list(file_ids))
    page = await database.page("files_missing", {"project": project, "ids": ids}, is_long=True)
    return list(dict.fromkeys(file_id for (file_id,) in page.rows))


async def names(database: Database, project: str, file_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of those of the files that are there."""
    params = {"project": project, "ids": json.dumps(list(file_ids))}
    page = await database.page("file_names", params, is_long=True)
    return dict(page.rows)


async def get(database: Database, project: str, file_id: str) -> str | None:
    """Return the wire form of a file, or None."""
    row = await database.one("file_get", {"id": file_id, "project": project})
    return row[0] if row else None


async def stored(database: Database, project: str, file_id: str) -> Stored | None:
    """Return what is needed to read a file, or None. Its bytes may be gone a moment later."""
    row = await database.one("file_content", {"id": file_id, "project": project})
    return Stored(*row) if row else None

"""What writing and reading uploads is made of: files that arrive in parts."""

from typing import NamedTuple

from weft.store.contents import Content
from weft.store.database import Database, Statement, Write

OVERDUE = 100  # uploads looked at in one go


class Part(NamedTuple):
    """A part that has arrived, and where its bytes lie."""

    id: str
    bytes: int
    location: str


def insert(
    project: str,
    upload_id: str,
    *,
    size_bytes: int,
    expires_at: int,
    file_expires_after_s: int | None,
    now: int,
    wire: str,
) -> Statement:
    """A new upload, pending."""
    return Statement(
        "upload_insert",
        {
            "id": upload_id,
            "project": project,
            "created_at": now,
            "bytes": size_bytes,
            "expires_at": expires_at,
            "file_expires_after_s": file_expires_after_s,
            "wire": wire,
        },
    )


def insert_part(project: str, upload_id: str, part_id: str, content: Content) -> Statement:
    """A part of an upload, behind `contents.keep`. Guard: the upload is pending."""
    return Statement(
        "upload_part_insert",
        {
            "upload_id": upload_id,
            "project": project,
            "id": part_id,
            "bytes": content.bytes,
            "sha256": content.sha256,
        },
        is_guard=True,
    )


def end(project: str, upload_id: str, status: str, now: int, wire: str) -> Write:
    """End an upload and let go of its parts. Guard (`upload_end`): it is pending."""
    params = {"id": upload_id, "project": project, "status": status, "now": now, "wire": wire}
    parts = {"upload_id": upload_id, "project": project}
    return (
        Statement("upload_end", params, is_guard=True),
        Statement("blob_release_parts", parts),
        Statement("upload_parts_delete", parts),
    )


async def get(database: Database, project: str, upload_id: str) -> tuple[str, int | None] | None:
    """Return the wire form of an upload, and after how many seconds its file expires, or None."""
    row = await database.one("upload_get", {"id": upload_id, "project": project})
    return (row[0], row[1]) if row else None


async def parts(database: Database, project: str, upload_id: str) -> dict[str, Part]:
    """Return the parts of a pending upload by their ids."""
    page = await database.page("upload_parts", {"upload_id": upload_id, "project": project})
    return {row[0]: Part(*row) for row in page.rows}


async def overdue(database: Database, now: int) -> list[tuple[str, str, str]]:
    """Return pending uploads whose time is over, as (project, id, wire): a slice of them."""
    page = await database.page("upload_overdue", {"now": now, "limit": OVERDUE})
    return [(row[0], row[1], row[2]) for row in page.rows]

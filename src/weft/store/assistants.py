"""What writing and reading assistants is made of."""

from weft.store.database import Database, Statement


def insert(project: str, assistant_id: str, now: int, wire: str) -> Statement:
    """A new assistant."""
    return Statement(
        "assistant_insert",
        {"id": assistant_id, "project": project, "created_at": now, "now": now, "wire": wire},
    )


def replace(project: str, assistant_id: str, was: str, wire: str) -> Statement:
    """Another wire form in the place of `was`. Guard: it is still `was`."""
    return Statement(
        "assistant_replace",
        {"id": assistant_id, "project": project, "was": was, "wire": wire},
        is_guard=True,
    )


def delete(project: str, assistant_id: str, now: int) -> Statement:
    """Erase an assistant; its place stays a cursor for a day. Guard: it is there."""
    return Statement(
        "assistant_delete", {"id": assistant_id, "project": project, "now": now}, is_guard=True
    )


async def get(database: Database, project: str, assistant_id: str) -> str | None:
    """Return the wire form of an assistant, or None."""
    row = await database.one("assistant_get", {"id": assistant_id, "project": project})
    return row[0] if row else None

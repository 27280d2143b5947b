"""What writing and reading messages is made of."""

from typing import Any

from weft.store.database import Database, Statement, Write


def insert(
    project: str,
    thread_id: str,
    message_id: str,
    *,
    created_at: int,
    position: int,
    run_id: str | None,
    now: int,
    wire: str,
) -> Statement:
    """A message of a thread that the same write makes."""
    params = _params(project, thread_id, message_id, created_at, run_id, now, wire)
    params["position"] = position
    return Statement("message_insert", params)


def append(
    project: str,
    thread_id: str,
    message_id: str,
    *,
    created_at: int,
    run_id: str | None,
    now: int,
    wire: str,
    is_waiting: bool = False,
) -> Write:
    """The last message of a thread. Guard: the thread is there, no message is newer.

    It is refused while a run is active, unless it comes with a run that waits (`is_waiting`).
    """
    params = _params(project, thread_id, message_id, created_at, run_id, now, wire)
    guard = "message_may_wait" if is_waiting else "message_may_append"
    return Statement(guard, params, is_guard=True), Statement("message_append", params)


def restore(
    project: str,
    thread_id: str,
    message_id: str,
    *,
    created_at: int,
    run_id: str | None,
    now: int,
    wire: str,
) -> Write:
    """A message with its own id and date. Guards: the thread is there, the id is free."""
    params = _params(project, thread_id, message_id, created_at, run_id, now, wire)
    return (
        Statement("thread_alive", params, is_guard=True),
        Statement("message_restore", params, is_guard=True),
    )


def replace(project: str, thread_id: str, message_id: str, was: str, wire: str) -> Statement:
    """Another wire form in the place of `was`. Guard: it is still `was`."""
    return Statement(
        "message_replace",
        {"thread_id": thread_id, "project": project, "id": message_id, "was": was, "wire": wire},
        is_guard=True,
    )


def delete(project: str, thread_id: str, message_id: str, now: int) -> Statement:
    """Erase a message; its place stays a cursor for a day. Guard: it is there."""
    return Statement(
        "message_delete",
        {"thread_id": thread_id, "project": project, "id": message_id, "now": now},
        is_guard=True,
    )


async def get(database: Database, project: str, thread_id: str, message_id: str) -> str | None:
    """Return the wire form of a message, or None."""
    row = await database.one(
        "message_get", {"thread_id": thread_id, "project": project, "id": message_id}
    )
    return row[0] if row else None


async def newest_date(database: Database, project: str, thread_id: str) -> int:
    """Return the date of the newest message of a thread, 0 if there is none."""
    row = await database.one("message_newest_date", {"thread_id": thread_id, "project": project})
    return (row[0] or 0) if row else 0


def _params(
    project: str,
    thread_id: str,
    message_id: str,
    created_at: int,
    run_id: str | None,
    now: int,
    wire: str,
) -> dict[str, Any]:
    return {
        "thread_id": thread_id,
        "project": project,
        "id": message_id,
        "created_at": created_at,
        "run_id": run_id,
        "now": now,
        "wire": wire,
    }

"""What writing and reading threads is made of."""

import json
from collections.abc import Mapping

from weft.store.database import Database, Page, Statement, Write
from weft.store.places import Bounds

# Counting how common a pair is stops here: further on it does not matter which comes first.
RARE = 1000


def insert(project: str, thread_id: str, created_at: int, now: int, wire: str) -> Statement:
    """A new thread."""
    return Statement(
        "thread_insert",
        {"id": thread_id, "project": project, "created_at": created_at, "now": now, "wire": wire},
    )


def restore(project: str, thread_id: str, created_at: int, now: int, wire: str) -> Statement:
    """A thread with its own id. Guard: the id is free, or its thread is deleted and swept."""
    return Statement(
        "thread_restore",
        {"id": thread_id, "project": project, "created_at": created_at, "now": now, "wire": wire},
        is_guard=True,
    )


def replace(project: str, thread_id: str, was: str, wire: str) -> Statement:
    """Another wire form in the place of `was`. Guard: it is still `was`."""
    return Statement(
        "thread_replace",
        {"id": thread_id, "project": project, "was": was, "wire": wire},
        is_guard=True,
    )


def delete(project: str, thread_id: str, was: str, now: int) -> Statement:
    """Hide a thread and everything under it. Guard: it is still `was`."""
    return Statement(
        "thread_delete",
        {"id": thread_id, "project": project, "was": was, "now": now},
        is_guard=True,
    )


def index_metadata(
    project: str,
    thread_id: str,
    created_at: int,
    *,
    old: Mapping[str, str],
    new: Mapping[str, str],
) -> Write:
    """The statements that make a thread findable by `new` instead of `old` pairs."""
    if not old and not new:
        return ()
    gone = old.items() - new.items()
    come = new.items() - old.items()
    return tuple(
        Statement(
            name,
            {
                "project": project,
                "key": key,
                "value": value,
                "created_at": created_at,
                "thread_id": thread_id,
            },
        )
        for name, pairs in (("thread_metadata_delete", gone), ("thread_metadata_insert", come))
        for key, value in pairs
    )


async def get(database: Database, project: str, thread_id: str) -> str | None:
    """Return the wire form of a thread, or None."""
    row = await database.one("thread_get", {"id": thread_id, "project": project})
    return row[0] if row else None


async def search(
    database: Database,
    project: str,
    metadata: Mapping[str, str],
    bounds: Bounds,
    *,
    limit: int,
    limit_bytes: int,
) -> Page:
    """Return threads (id, wire) that have every pair of `metadata`, which must not be empty.

    The rarest pair leads, so the cost is that of the smallest set. It runs beside the loop:
    two common pairs that rarely meet are a long walk.
    """
    pairs = list(metadata.items())
    if len(pairs) > 1:
        counts = {}
        for key, value in pairs:
            row = await database.one(
                "thread_metadata_count",
                {"project": project, "key": key, "value": value, "most": RARE},
            )
            counts[key] = row[0] if row else 0
        pairs.sort(key=lambda pair: counts[pair[0]])
    (key, value), *others = pairs
    return await database.page(
        "thread_search_desc" if bounds.is_descending else "thread_search_asc",
        {
            "project": project,
            "key": key,
            "value": value,
            "others": json.dumps(others),
            "limit": limit,
            **bounds.params,
        },
        limit_bytes=limit_bytes,
        is_long=True,
    )

"""What repeating a request safely is made of."""

from typing import NamedTuple

from weft.store.database import Database, Statement

KEPT_S = 24 * 3600


class Remembered(NamedTuple):
    """The first answer that was given under a key."""

    request_hash: str
    status: int
    answer: str


def remember(
    project: str, key: str, request_hash: str, status: int, answer: str, now: int
) -> Statement:
    """Keep an answer for 24 hours, in the write that it answers for. Guard: the key is free."""
    return Statement(
        "idempotency_insert",
        {
            "project": project,
            "key": key,
            "request_hash": request_hash,
            "status": status,
            "answer": answer,
            "now": now,
            "expired_at": now - KEPT_S,
        },
        is_guard=True,
    )


async def recall(database: Database, project: str, key: str, now: int) -> Remembered | None:
    """Return the first answer under a key of the last 24 hours, or None."""
    row = await database.one(
        "idempotency_get", {"project": project, "key": key, "expired_at": now - KEPT_S}
    )
    return Remembered(*row) if row else None

"""API keys: kept as hashes, each belonging to a project."""

import hashlib
from typing import NamedTuple

from weft.store.database import Database, Statement

PREFIX = "sk-weft-"
RANDOM_CHARACTERS = 40  # 238 bits: nobody can guess it, so one round of SHA-256 protects it


class KeyInfo(NamedTuple):
    """What may be shown of a key. Instants are unix seconds."""

    id: str
    project: str
    name: str
    hint: str
    created_at: int
    revoked_at: int | None


def hashed(key: str) -> str:
    """Return the form in which a key is stored."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def insert(key_id: str, key: str, project: str, name: str, now: int) -> Statement:
    """A new key; only its hash and its last four characters are stored."""
    return Statement(
        "key_insert",
        {
            "id": key_id,
            "project": project,
            "name": name,
            "hash": hashed(key),
            "hint": key[-4:],
            "now": now,
        },
    )


def revoke(key_id: str, now: int) -> Statement:
    """Revoke a key. Guard: it is there and not revoked yet."""
    return Statement("key_revoke", {"id": key_id, "now": now}, is_guard=True)


async def project_of(database: Database, key: str) -> str | None:
    """Return the project of a key, or None if it is unknown or revoked."""
    row = await database.one("key_project", {"hash": hashed(key)})
    return row[0] if row else None


async def any_exist(database: Database) -> bool:
    """Say whether a key has ever been made."""
    return await database.one("key_any", {}) is not None


async def all_keys(database: Database) -> list[KeyInfo]:
    """Return every key, oldest first."""
    page = await database.page("key_list", {})
    return [KeyInfo(*row) for row in page.rows]

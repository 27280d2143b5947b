"""Repeating a POST safely: the same `Idempotency-Key` gets the first answer.

The answer is kept in the same transaction as what it answers for, so there is
no moment at which one exists without the other. Only a success is kept.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping

from weft.api.call import Answer, IdempotencyKey
from weft.domain.errors import BadRequest
from weft.store import idempotency as store
from weft.store.contents import Content
from weft.store.database import Database, Refused
from weft.wire.shapes import encode

MAX_KEY = 255


def key_of(
    headers: Mapping[bytes, bytes], method: str, path: str, raw: bytes
) -> IdempotencyKey | None:
    """Return the key of a request with the hash of what it came with, or None.

    Raises: BadRequest when the key is empty or too long.
    """
    key = _given(headers)
    if key is None or method != "POST":
        return None
    hashed = hashlib.sha256(b"\n".join((method.encode(), path.encode(), raw)))
    return IdempotencyKey(key, hashed.hexdigest())


def key_of_form(
    headers: Mapping[bytes, bytes], path: str, body: object, content: Content
) -> IdempotencyKey | None:
    """Return the same for a form, hashed by what it means: its boundary is different each time.

    Raises: BadRequest when the key is empty or too long.
    """
    meant = f"{encode(body)}\n{content.sha256}"
    return key_of(headers, "POST", path, meant.encode())


def _given(headers: Mapping[bytes, bytes]) -> str | None:
    given = headers.get(b"idempotency-key")
    if given is None:
        return None
    key = given.decode("latin-1").strip()
    if not key:
        raise BadRequest.string_length("Idempotency-Key", "minimum", 1, 0)
    if len(key) > MAX_KEY:
        raise BadRequest.string_length("Idempotency-Key", "maximum", MAX_KEY, len(key))
    return key


class Repeats:
    """Gives the first answer again; twins that run at the same moment wait for each other."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now
        self._running: dict[tuple[str, str], asyncio.Event] = {}

    async def once(
        self, project: str, key: IdempotencyKey, act: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Return the answer kept under the key, or act.

        Raises: BadRequest when the key came with another request; whatever `act` raises.
        """
        place = (project, key.key)
        while (running := self._running.get(place)) is not None:
            await running.wait()
        self._running[place] = asyncio.Event()
        try:
            kept = await self._recall(project, key)
            if kept is not None:
                return kept
            try:
                return await act()
            except Refused as refused:
                if refused.guard != "idempotency_insert":
                    raise
            # Another node was first, within this moment.
            kept = await self._recall(project, key)
            if kept is None:
                raise BadRequest.idempotency_key_reused(key.key)
            return kept
        finally:
            self._running.pop(place).set()

    async def _recall(self, project: str, key: IdempotencyKey) -> Answer | None:
        kept = await store.recall(self._database, project, key.key, self._now())
        if kept is None:
            return None
        if kept.request_hash != key.request_hash:
            raise BadRequest.idempotency_key_reused(key.key)
        return Answer(kept.answer, kept.status)

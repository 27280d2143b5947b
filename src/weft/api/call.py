"""A call of an operation, and its answer."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from weft.domain.ids import Ids
from weft.store import idempotency
from weft.store.database import Database, Statement

B = TypeVar("B", covariant=True)

Headers = tuple[tuple[bytes, bytes], ...]


class Rooms(NamedTuple):
    """What every function may use. `now` gives unix seconds."""

    database: Database
    ids: Ids
    now: Callable[[], int]


class Answer(NamedTuple):
    """A JSON body, its status and headers of its own."""

    body: str
    status: int = 200
    headers: Headers = ()


class IdempotencyKey(NamedTuple):
    """The Idempotency-Key of a request, and the hash of what it came with."""

    key: str
    request_hash: str


class Call(Generic[B]):
    """One request that was let in and checked."""

    __slots__ = ("body", "idempotency_key", "path", "project", "query", "rooms")

    def __init__(
        self,
        rooms: Rooms,
        project: str,
        path: dict[str, str],
        query: Any,
        body: B,
        idempotency_key: IdempotencyKey | None,
    ) -> None:
        self.rooms = rooms
        self.project = project
        self.path = path
        self.query = query
        self.body = body
        self.idempotency_key = idempotency_key

    async def commit(
        self, answer: Answer, *statements: Statement, wakes: tuple[str, ...] = ()
    ) -> Answer:
        """Store what was done, with the answer if it may be asked for again, and return it.

        Raises: store.database.Refused when a guard refused; nothing is stored then.
        """
        if self.idempotency_key is not None:
            remembered = idempotency.remember(
                self.project,
                *self.idempotency_key,
                answer.status,
                answer.body,
                self.rooms.now(),
            )
            statements = (*statements, remembered)
        await self.rooms.database.write(statements, wakes=wakes)
        return answer

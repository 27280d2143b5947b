"""A call of an operation, and its answer."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from weft.domain.ids import Ids
from weft.store import idempotency
from weft.store.database import Database, Statement
from weft.store.runs import RunKey

B = TypeVar("B", covariant=True)

Headers = tuple[tuple[bytes, bytes], ...]


class Rooms(NamedTuple):
    """What every function may use. `now` gives unix seconds; a run has `run_expires_s`."""

    database: Database
    ids: Ids
    now: Callable[[], int]
    model_names: tuple[str, ...] = ()
    run_expires_s: int = 600


class Follow(NamedTuple):
    """Instead of the body: the events of a run behind the event `after`, as they happen."""

    key: RunKey
    after: int


class Answer(NamedTuple):
    """A body, JSON for all but people, its status and headers of its own."""

    body: str
    status: int = 200
    headers: Headers = ()
    follow: Follow | None = None
    content_type: bytes = b"application/json"


class IdempotencyKey(NamedTuple):
    """The Idempotency-Key of a request, and the hash of what it came with."""

    key: str
    request_hash: str


class Call(Generic[B]):
    """One request that was let in and checked."""

    __slots__ = ("body", "headers", "idempotency_key", "path", "project", "query", "rooms")

    def __init__(
        self,
        rooms: Rooms,
        project: str,
        path: dict[str, str],
        query: Any,
        body: B,
        headers: Mapping[bytes, bytes],
        idempotency_key: IdempotencyKey | None,
    ) -> None:
        self.rooms = rooms
        self.project = project
        self.path = path
        self.query = query
        self.body = body
        self.headers = headers
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

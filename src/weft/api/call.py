"""A call of an operation, and its answer."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from weft.domain.errors import BadRequest, NotFound
from weft.domain.ids import Ids
from weft.llm.embeddings import Embedder
from weft.store import files, idempotency, vector_stores
from weft.store.contents import Content, Contents, Reading
from weft.store.database import Database, Refused, Statement
from weft.store.runs import RunKey

B = TypeVar("B", covariant=True)

MANY_FILES = 100  # to look for more takes longer than the loop may wait

Headers = tuple[tuple[bytes, bytes], ...]


class Rooms(NamedTuple):
    """What every function may use. `now` gives unix seconds; a run has `run_expires_s`."""

    database: Database
    contents: Contents
    ids: Ids
    now: Callable[[], int]
    model_names: tuple[str, ...] = ()
    run_expires_s: int = 600
    embedder: Embedder | None = None


class Follow(NamedTuple):
    """Instead of the body: the events of a run behind the event `after`, as they happen.

    `has_passages`: steps show the text of what their searches found.
    """

    key: RunKey
    after: int
    has_passages: bool = False


class Download(NamedTuple):
    """Instead of the body: the bytes of a file from `start` to `stop` (exclusive)."""

    reading: Reading
    start: int
    stop: int


class Answer(NamedTuple):
    """A body, JSON for all but people, its status and headers of its own."""

    body: str
    status: int = 200
    headers: Headers = ()
    follow: Follow | None = None
    download: Download | None = None
    content_type: bytes = b"application/json"


class IdempotencyKey(NamedTuple):
    """The Idempotency-Key of a request, and the hash of what it came with."""

    key: str
    request_hash: str


class Call(Generic[B]):
    """One request that was let in and checked.

    `content` is the file that came with it, durable; only what `commit` stores makes it stay.
    `file_ids` and `vector_store_ids` are what the body refers to: it must be there when it is
    stored.
    """

    __slots__ = (
        "body",
        "content",
        "file_ids",
        "headers",
        "idempotency_key",
        "path",
        "project",
        "query",
        "rooms",
        "vector_store_ids",
    )

    def __init__(
        self,
        rooms: Rooms,
        project: str,
        path: dict[str, str],
        query: Any,
        body: B,
        headers: Mapping[bytes, bytes],
        idempotency_key: IdempotencyKey | None,
        content: Content | None = None,
    ) -> None:
        self.rooms = rooms
        self.project = project
        self.path = path
        self.query = query
        self.body = body
        self.headers = headers
        self.idempotency_key = idempotency_key
        self.content = content
        self.file_ids: list[str] = []
        self.vector_store_ids: list[str] = []

    @property
    def arrived(self) -> Content:
        """The file that came with the request."""
        assert self.content is not None  # noqa: S101  # operations with a form always have one
        return self.content

    async def commit(
        self, answer: Answer, *statements: Statement, wakes: tuple[str, ...] = ()
    ) -> Answer:
        """Store what was done, with the answer if it may be asked for again, and return it.

        Raises: store.database.Refused when a guard refused, BadRequest when a file is not there
        that the body refers to, NotFound when a vector store is not; nothing is stored then.
        """
        if self.vector_store_ids:
            alive = (vector_stores.alive(self.project, each) for each in self.vector_store_ids)
            statements = (*alive, *statements)
        is_long = len(self.file_ids) > MANY_FILES
        if self.file_ids:
            statements = (files.exist(self.project, self.file_ids), *statements)
        if self.idempotency_key is not None:
            remembered = idempotency.remember(
                self.project,
                *self.idempotency_key,
                answer.status,
                answer.body,
                self.rooms.now(),
            )
            statements = (*statements, remembered)
        try:
            await self.rooms.database.write(statements, is_long=is_long, wakes=wakes)
        except Refused as refused:
            raise await self._explained(refused) from None
        return answer

    async def _explained(self, refused: Refused) -> Refused | BadRequest | NotFound:
        """Return what is missing of what the body refers to, or the refusal of another guard."""
        database = self.rooms.database
        if refused.guard == "files_exist":
            return BadRequest.files_missing(
                await files.missing(database, self.project, self.file_ids)
            )
        if refused.guard == "vector_store_alive":
            for store_id in self.vector_store_ids:
                if await vector_stores.get(database, self.project, store_id) is None:
                    return NotFound.object("vector store", store_id)
        return refused

"""What writing and searching the passages of vector stores is made of.

A file is indexed by attempts. The chunks of an attempt are written in slices and
found by nobody until it is published; that takes the place of what was published
before. What is removed or left behind is no longer found at once, and cleared
away in slices by the keeper (`sweep_chunks`).

A chunk belongs to one project and one vector store, and every query names both.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from weft.store.database import Database, Statement, Write

Attributes: TypeAlias = Mapping[str, str | float | bool]

IMPACTS = 8  # how finely the index tells what a term says about a chunk
MOST_CHUNKS = 1 << 20  # of one file
SLICE = 500  # chunks, or files of a store, that one transaction clears away

_NOTHING = -1  # no attempt has this number


class FileKey(NamedTuple):
    """A file in a vector store."""

    project: str
    vector_store_id: str
    file_id: str

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a statement about the file."""
        return self._asdict()


class Place(NamedTuple):
    """The database's numbers for a vector store and for an attempt at one of its files."""

    store: int
    number: int


class NewChunk(NamedTuple):
    """A chunk to be written; `position` counts from 0 within the file.

    `terms` holds for each impact from 1 to `IMPACTS` the terms that have it; no term has a space
    in it or stands twice. `vector` is float32 and of the space that the attempt began with.
    """

    position: int
    start: int
    end: int
    text: str
    terms: Sequence[Sequence[str]]
    vector: bytes | None


class Counts(NamedTuple):
    """What of a vector store can be found: chunks, files with vectors of a space, all files."""

    chunks: int
    files_in_space: int
    files: int


class Scored(NamedTuple):
    """A chunk that was found, by its number."""

    id: int
    score: float


class ChunkRow(NamedTuple):
    """A chunk as it is shown; `attributes` is JSON."""

    id: int
    file_id: str
    filename: str
    attributes: str
    start: int
    end: int
    text: str


# --- writing ----------------------------------------------------------------------------------


def begin(key: FileKey, attempt: int, *, filename: str, space: str | None) -> Write:
    """Make room for the chunks of an attempt; older unpublished attempts can write no more.

    `attempt` counts from 1. `space` names what the vectors can be compared with: the model and
    its dimensions.
    Guard: no attempt with this or a higher number was begun.
    """
    store = {"project": key.project, "vector_store_id": key.vector_store_id}
    params = {**key.params, "attempt": attempt, "filename": filename, "space": space}
    return (
        Statement("chunk_store_add", store),
        Statement("chunk_file_begin", params, is_guard=True),
        *_discard(key, attempt, is_published=False),
    )


def append(place: Place, chunks: Sequence[NewChunk]) -> Write:
    """Write the next chunks of an attempt.

    Guard: it was begun, is not published, and nobody took its place.
    Raises: ValueError for more than a file may have: the next number is another file's.
    """
    if chunks and chunks[-1].position >= MOST_CHUNKS:
        raise ValueError(f"a file has at most {MOST_CHUNKS:,} chunks")
    grow = {"number": place.number, "count": len(chunks)}
    return (
        Statement("chunk_file_grow", grow, is_guard=True),
        *(statement for chunk in chunks for statement in _insert(place, chunk)),
    )


def _insert(place: Place, chunk: NewChunk) -> Iterable[Statement]:
    number = place.number * MOST_CHUNKS + chunk.position
    shown = {"id": number, "start": chunk.start, "end": chunk.end, "text": chunk.text}
    yield Statement("chunk_insert", shown)
    yield Statement("chunk_index_terms", index_terms(place, number, chunk.terms))
    if chunk.vector is not None:
        vector = {"id": number, "vector": chunk.vector}
        yield Statement("chunk_index_vector", vector)
        yield Statement("chunk_index_bits", vector)


def index_terms(place: Place, number: int, terms: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the parameters of `chunk_index_terms` for the chunk with a number."""
    said = {
        f"terms_{impact}": " ".join(f"{place.store}_{term}" for term in found)
        for impact, found in enumerate(terms, 1)
    }
    return {"id": number, **said}


def publish(key: FileKey, attempt: int, attributes: Attributes) -> Write:
    """Let the chunks of an attempt be found, and nothing else of the file any more.

    Guard: the attempt was begun and nobody took its place.
    """
    params = {**key.params, "attempt": attempt, "attributes": json.dumps(attributes)}
    return (
        Statement("chunk_file_publish", params, is_guard=True),
        *_discard(key, attempt, is_published=True),
    )


def set_attributes(key: FileKey, attributes: Attributes) -> Statement:
    """Keep new attributes of a file for searches: part of the write that changes them."""
    return Statement("chunk_file_attributes", {**key.params, "attributes": json.dumps(attributes)})


def remove_file(key: FileKey) -> Write:
    """Let nothing of a file be found any more: part of the write that takes it out of a store."""
    return _discard(key, _NOTHING, is_published=True)


def remove_store(project: str, vector_store_id: str) -> Write:
    """Let nothing of a vector store be found any more: part of the write that deletes it."""
    params = {"project": project, "vector_store_id": vector_store_id}
    return (Statement("chunk_store_discard", params), Statement("chunk_store_remove", params))


def _discard(key: FileKey, but: int, *, is_published: bool) -> Write:
    """Make garbage of all attempts but one; of those that are published only if it is said."""
    params = {**key.params, "attempt": but, "is_published": int(is_published)}
    return (Statement("chunk_file_discard", params), Statement("chunk_file_remove", params))


# --- reading ----------------------------------------------------------------------------------


async def place_of(database: Database, key: FileKey, attempt: int) -> Place | None:
    """Return where an attempt writes, or None when it was not begun or another took its place."""
    row = await database.one("chunk_file_number", {**key.params, "attempt": attempt})
    return None if row is None else Place(*row)


async def texts_of(database: Database, key: FileKey) -> list[tuple[int, int, str]]:
    """Return (start, end, text) of a file's published chunks, in order and with their overlaps."""
    page = await database.page("chunk_texts", key.params, is_long=True)
    return [(start, end, text) for start, end, text in page.rows]


class Index:
    """The published chunks of one vector store of a project. Every call may be long."""

    def __init__(self, database: Database, project: str, vector_store_id: str) -> None:
        self._database = database
        self._params = {"project": project, "vector_store_id": vector_store_id}

    async def counts(self, space: str | None) -> Counts:
        """Return how much there is to be found."""
        page = await self._page("chunk_count", space=space)
        return Counts(*page[0])

    async def attributes(self) -> list[tuple[str, str]]:
        """Return (file_id, attributes as JSON) of every file."""
        return [(file_id, found) for file_id, found in await self._page("chunk_files")]

    async def term_counts(self, terms: Iterable[str]) -> dict[str, int]:
        """Return in how many chunks each of the terms stands; those in none are left out."""
        return dict(await self._page("chunk_term_counts", terms=json.dumps(list(terms))))

    async def by_terms(
        self, weights: Mapping[str, float], *, files: Sequence[str] | None, limit: int
    ) -> list[Scored]:
        """Return the chunks with the largest sums of weight * impact over the terms they have.

        `files` are the ids of the files to look at; None stands for all.
        """
        rows = await self._page(
            "chunk_search_text",
            terms=json.dumps(list(weights.items())),
            files=None if files is None else json.dumps(files),
            limit=limit,
        )
        return [Scored(*row) for row in rows]

    async def by_vector(
        self, space: str, vector: bytes, *, files: Sequence[str] | None, limit: int, candidates: int
    ) -> list[Scored]:
        """Return the chunks of a space with the nearest vectors; the score is the cosine.

        The best `candidates` by a coarse measure are compared exactly. `files` as in `by_terms`.
        """
        rows = await self._page(
            "chunk_search_vector",
            space=space,
            vector=vector,
            files=None if files is None else json.dumps(files),
            limit=limit,
            candidates=candidates,
        )
        # A vector of zeros is near to nothing.
        return [Scored(*row) for row in rows if row[1] is not None]

    async def get(self, ids: Sequence[int]) -> dict[int, ChunkRow]:
        """Return chunks by their numbers, without those that are gone meanwhile."""
        rows = await self._page("chunk_get", ids=json.dumps(ids))
        return {row[0]: ChunkRow(*row) for row in rows}

    async def _page(self, name: str, **params: Any) -> list[Any]:
        page = await self._database.page(name, {**self._params, **params}, is_long=True)
        return page.rows


# --- clearing away ----------------------------------------------------------------------------

_OF_FILE = (
    "sweep_chunk_terms",
    "sweep_chunk_vectors",
    "sweep_chunk_bits",
    "sweep_chunks",
    "sweep_mark_chunk_file",
)
_OF_STORE = ("sweep_chunk_store_files", "sweep_chunk_files", "sweep_mark_chunk_store")


async def sweep_chunks(database: Database) -> bool:
    """Clear away one slice of what cannot be found any more; say if there was anything to do."""
    names: tuple[str, ...] = _OF_FILE
    row = await database.one("sweep_next_chunk_file", {})
    if row is None:
        names = _OF_STORE
        row = await database.one("sweep_next_chunk_store", {})
    if row is None:
        return False
    params = {"number": row[0], "slice": SLICE}
    await database.write(tuple(Statement(name, params) for name in names), is_long=True)
    return True

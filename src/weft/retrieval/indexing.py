"""Puts a file into the index of a vector store: read, cut, embed, write in slices."""

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

from msgspec import Struct

from weft.llm.embeddings import Embedder
from weft.retrieval.chunking import AUTO_MAX_TOKENS, AUTO_OVERLAP_TOKENS
from weft.retrieval.extract import passages_of
from weft.retrieval.passages import Passage
from weft.store import chunks
from weft.store.chunks import FileKey, NewChunk
from weft.store.database import Database, Refused, Write

AT_ONCE = 256  # passages that are embedded together
TOLD_EVERY = 8 * AT_ONCE  # passages: so often the log says how far a long file is
SLICE = 64  # of them are written in one transaction: others come between


logger = logging.getLogger("weft.indexing")


class Superseded(Exception):
    """Another attempt began, or the file or its store was removed: this one must end."""


class Indexed(Struct, frozen=True):
    """A file whose chunks are written but not found yet: commit `store.chunks.publish` next.

    `usage_bytes` is what the chunks take: their texts as UTF-8 and their vectors.
    """

    chunks: int
    usage_bytes: int


async def index(
    database: Database,
    embedder: Embedder | None,
    key: FileKey,
    attempt: int,
    path: Path,
    filename: str,
    *,
    max_tokens: int = AUTO_MAX_TOKENS,
    overlap_tokens: int = AUTO_OVERLAP_TOKENS,
    fence: Write = (),
) -> Indexed:
    """Write the chunks of a file for one attempt of its job.

    `attempt` counts from 1. Nothing of it is found before `chunks.publish(key, attempt,
    attributes)` is committed, which belongs into the write that sets the file's status to
    completed; until then what an earlier attempt published is found. A higher `attempt` takes over
    from a lower one. `fence` is put in front of every write: guards that refuse when the job is no
    longer this worker's or the file no longer in the store. Safe to cancel at any moment; what a
    dead attempt left is cleared away when the next begins or the file is removed.

    Raises: extract.Unreadable for the file's fault; llm.model.ModelError when the embeddings
        endpoint fails for good; Superseded; domain.errors.Unavailable.
    """
    space = None if embedder is None else await embedder.space()
    begin = chunks.begin(key, attempt, filename=filename, space=space)
    await _write(database, (*fence, *begin))
    place = await chunks.place_of(database, key, attempt)
    if place is None:
        raise Superseded
    written, usage_bytes, began = 0, 0, time.perf_counter()
    async with aclosing(passages_of(path, filename, max_tokens, overlap_tokens)) as found:
        async for passages in _gathered(found):
            vectors: Sequence[bytes | None] = [None] * len(passages)
            if embedder is not None:
                vectors = await embedder.embed([passage.text for passage in passages])
            made = _chunks(passages, vectors, written)
            for first in range(0, len(made), SLICE):
                part = made[first : first + SLICE]
                await _write(database, (*fence, *chunks.append(place, part)))
            written += len(made)
            if written // TOLD_EVERY > (written - len(made)) // TOLD_EVERY:
                took_s = time.perf_counter() - began
                logger.info("%s: %d passages so far in %.1f s", key.file_id, written, took_s)
            usage_bytes += sum(len(one.text.encode()) + len(one.vector or b"") for one in made)
    return Indexed(written, usage_bytes)


async def _write(database: Database, write: Write) -> None:
    try:
        await database.write(write, is_long=True)
    except Refused as fault:
        raise Superseded from fault


async def _gathered(found: AsyncIterator[list[Passage]]) -> AsyncIterator[list[Passage]]:
    """Put batches together until they are worth a request for vectors."""
    waiting: list[Passage] = []
    async for batch in found:
        waiting += batch
        if len(waiting) >= AT_ONCE:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _chunks(
    passages: Sequence[Passage], vectors: Sequence[bytes | None], first: int
) -> list[NewChunk]:
    return [
        NewChunk(number, passage.start, passage.end, passage.text, passage.terms, vector)
        for number, (passage, vector) in enumerate(zip(passages, vectors, strict=True), first)
    ]

"""Puts a file into the index of a vector store: extract, cut, embed, write in slices."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct

from weft.llm.embeddings import Embedder
from weft.retrieval.chunking import AUTO_MAX_TOKENS, AUTO_OVERLAP_TOKENS
from weft.store.chunks import FileKey
from weft.store.database import Database


class Superseded(Exception):
    """Another attempt began, or the file or its store was removed: this one must end."""


class Indexed(Struct, frozen=True):
    """A file whose chunks are written but not found yet: commit `store.chunks.publish` next.

    `usage_bytes` is what they take: texts and vectors.
    """

    usage_bytes: int
    chunks: int


class Progress(Struct, frozen=True):
    """How far an index job is: chunks written so far."""

    chunks: int


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
    on_progress: Callable[[Progress], Awaitable[None]] | None = None,
) -> Indexed:
    """Write the chunks of a file for one attempt of its job.

    Nothing of it is found before `chunks.publish(key, attempt, attributes)` is committed, which
    belongs into the write that sets the file's status to completed; until then what an earlier
    attempt published is found. A higher `attempt` takes over from a lower one, and what a dead
    attempt left is cleared away by the keeper. Safe to repeat and to cancel at any moment.

    Raises: extract.Unreadable for the file's fault; llm.model.ModelError when the embeddings
        endpoint fails for good; Superseded; domain.errors.Unavailable.
    """
    raise NotImplementedError

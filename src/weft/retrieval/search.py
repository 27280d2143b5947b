"""Finds the passages of vector stores that answer a question, best first.

Two rankings are fused by their ranks (reciprocal rank fusion): full text
(BM25), and the nearness of vectors where an endpoint for embeddings is
configured and the files were indexed with its model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from weft.llm.embeddings import Embedder
from weft.store.database import Database


class Ranking(Struct, frozen=True, kw_only=True):
    """`ranking_options`: the least score, and how much each of the two rankings weighs.

    The weights are those of `hybrid_search` (embedding_weight and text_weight), at least 0, not
    both 0.
    """

    score_threshold: float = 0.0
    embedding_weight: float = 1.0
    text_weight: float = 1.0


class Found(Struct, frozen=True, kw_only=True):
    """A passage. `score` is 0 to 1; `start` and `end` count characters of the file's text."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, str | float | bool]
    text: str
    start: int
    end: int
    vector_store_id: str


async def search(
    database: Database,
    embedder: Embedder | None,
    project: str,
    vector_store_ids: Sequence[str],
    queries: Sequence[str],
    *,
    limit: int,
    ranking: Ranking = Ranking(),  # noqa: B008  # frozen
    filters: Mapping[str, Any] | None = None,
) -> list[Found]:
    """Return at most `limit` passages of the stores that are the project's own, best first.

    Several queries are one question said in several ways. An embeddings endpoint that fails is
    logged, and the ranking is full text alone then: a search always has an answer.
    `filters` as in `filters.holds`; a file that does not meet them takes nobody's place.

    Raises: domain.errors.Unavailable.
    """
    raise NotImplementedError

"""Finds the passages of vector stores that answer a question, best first.

Two rankings are fused by their ranks (reciprocal rank fusion): full text
(BM25), and the nearness of vectors where an endpoint for embeddings is
configured and the files were indexed with its model.
"""

import asyncio
import json
import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from weft.llm.embeddings import Embedder
from weft.llm.model import ModelError
from weft.retrieval.filters import holds
from weft.retrieval.words import query_terms
from weft.store.chunks import ChunkRow, Index, Scored
from weft.store.database import Database

RANKED = 100  # how deep a ranking goes before it is fused, at least
CANDIDATES = 400  # vectors that are compared exactly, at least
RANK_CONSTANT = 60  # of reciprocal rank fusion: how little the first place differs from the next
MOST_TERMS = 64  # of a query
MOST_POSTINGS = 60_000  # entries of the lists of full text that one query reads
EMBEDDING_S = 15.0  # a search does not wait longer for its vector

logger = logging.getLogger("weft.retrieval")


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


# A chunk among all stores of a search: the place of its store in the list, and its number.
_Chunk: TypeAlias = tuple[int, int]


class _Query(NamedTuple):
    terms: list[str]
    space: str | None
    vector: bytes | None


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
    indexes = [Index(database, project, store) for store in dict.fromkeys(vector_store_ids)]
    files = [await _files(index, filters) for index in indexes]
    asked = await _asked(embedder if ranking.embedding_weight else None, queries)
    places = list(zip(indexes, files, strict=True))
    depth = max(RANKED, limit * 2)
    rankings: list[tuple[float, list[_Chunk]]] = []
    for query in asked:
        by_terms = [await _by_terms(*found, query, depth) for found in places]
        rankings.append((ranking.text_weight, _merged(by_terms)[:depth]))
        if query.vector is not None:
            near = [await _by_vector(*found, query, depth) for found in places]
            rankings.append((ranking.embedding_weight, _merged(near)[:depth]))
    fused = [one for one in _fused(rankings) if one[0] >= ranking.score_threshold][:limit]
    return await _shown(indexes, list(dict.fromkeys(vector_store_ids)), fused)


async def _files(index: Index, filters: Mapping[str, Any] | None) -> list[str] | None:
    """Return the files that meet the filters; None stands for all."""
    if filters is None:
        return None
    files = await index.attributes()
    return await asyncio.to_thread(_meeting, files, filters)


def _meeting(files: Sequence[tuple[str, str]], filters: Mapping[str, Any]) -> list[str]:
    return [file_id for file_id, attributes in files if holds(filters, json.loads(attributes))]


async def _asked(embedder: Embedder | None, queries: Sequence[str]) -> list[_Query]:
    """Return the queries as the index knows them."""
    vectors: Sequence[bytes | None] = [None] * len(queries)
    space = None
    if embedder is not None:
        try:
            async with asyncio.timeout(EMBEDDING_S):
                vectors = await embedder.embed(queries, attempts=2)
                space = await embedder.space()
        except (ModelError, TimeoutError) as fault:
            logger.warning("a search goes by full text alone: %s", fault or "no vector in time")
    return [
        _Query(query_terms(query)[:MOST_TERMS], space, vector)
        for query, vector in zip(queries, vectors, strict=True)
    ]


async def _by_terms(
    index: Index, files: Sequence[str] | None, query: _Query, limit: int
) -> list[Scored]:
    if not query.terms:
        return []
    found = await index.term_counts(query.terms)
    counts = await index.counts(None)
    return await index.by_terms(_weights(found, counts.chunks), files=files, limit=limit)


def _weights(found: Mapping[str, int], chunks: int) -> dict[str, float]:
    """Return how much each term tells: the rarer, the more (BM25's inverse document frequency).

    Terms that stand nearly everywhere are left out where the others suffice: they tell little
    and their lists are the long ones.
    """
    weights: dict[str, float] = {}
    left = MOST_POSTINGS
    for term, count in sorted(found.items(), key=lambda one: one[1]):
        left -= count
        if weights and left < 0:
            break
        weights[term] = math.log1p((max(chunks - count, 0) + 0.5) / (count + 0.5))
    return weights


async def _by_vector(
    index: Index, files: Sequence[str] | None, query: _Query, limit: int
) -> list[Scored]:
    if query.space is None or query.vector is None:
        return []
    candidates = max(CANDIDATES, limit * 4)
    return await index.by_vector(
        query.space, query.vector, files=files, limit=limit, candidates=candidates
    )


def _merged(found: Sequence[Sequence[Scored]]) -> list[_Chunk]:
    """Return the chunks of several stores as one ranking."""
    scored = [(-one.score, at, one.id) for at, ones in enumerate(found) for one in ones]
    return [(at, number) for _, at, number in sorted(scored)]


def _fused(rankings: Sequence[tuple[float, Sequence[_Chunk]]]) -> list[tuple[float, _Chunk]]:
    """Return the chunks of all rankings with their scores, best first.

    The score is 1 for what is first everywhere.
    """
    most = sum(weight for weight, _ in rankings) / (RANK_CONSTANT + 1)
    scores: defaultdict[_Chunk, float] = defaultdict(float)
    for weight, ranked in rankings:
        for rank, chunk in enumerate(ranked, 1):
            scores[chunk] += weight / (RANK_CONSTANT + rank) / most
    return sorted(((score, chunk) for chunk, score in scores.items()), key=lambda one: -one[0])


async def _shown(
    indexes: Sequence[Index], stores: Sequence[str], fused: Sequence[tuple[float, _Chunk]]
) -> list[Found]:
    rows: dict[_Chunk, ChunkRow] = {}
    for at, index in enumerate(indexes):
        own = [number for _, (store, number) in fused if store == at]
        rows |= {(at, number): row for number, row in (await index.get(own)).items()}
    return [
        Found(
            file_id=row.file_id,
            filename=row.filename,
            score=min(score, 1.0),
            attributes=json.loads(row.attributes),
            text=row.text,
            start=row.start,
            end=row.end,
            vector_store_id=stores[chunk[0]],
        )
        for score, chunk in fused
        if (row := rows.get(chunk)) is not None
    ]

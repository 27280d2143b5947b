"""Finds the passages of vector stores that answer a question, best first.

A passage is scored in two ways: by full text (BM25, as a part of what the query's
terms could reach at most), and by its vector (the cosine), where an endpoint for
embeddings is configured and the file was indexed with its model. The score is the
weighted mean of both, from 0 to 1; fusing by ranks was measured to be worse
(docs/decisions.md), and its scores say nothing that a threshold could hold on to.
"""

import asyncio
import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from weft.llm.embeddings import Embedder
from weft.llm.model import ModelError
from weft.retrieval.filters import holds
from weft.retrieval.words import query_terms
from weft.store.chunks import IMPACTS, ChunkRow, Index
from weft.store.database import Database

RANKED = 100  # how deep each of the two rankings goes, at least
CANDIDATES = 400  # vectors that are compared exactly, at least
SMALL = 10_000  # chunks of a store in which even words that stand everywhere are looked up
MOST_TERMS = 64  # of a query
MOST_POSTINGS = 40_000  # entries of the lists of full text that one query reads
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
_Scores: TypeAlias = dict[_Chunk, float]


class _Place(NamedTuple):
    """A store of a search, and the files to look at; None stands for all."""

    at: int
    chunks: Index
    files: list[str] | None


class _Query(NamedTuple):
    text: str
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

    None comes twice because its file is in two of the stores.
    Several queries are one question said in several ways. An embeddings endpoint that fails is
    logged, and the ranking is full text alone then: a search always has an answer.
    `filters` as in `filters.holds`; a file that does not meet them takes nobody's place.

    Raises: domain.errors.Unavailable.
    """
    stores = list(dict.fromkeys(vector_store_ids))
    indexes = [Index(database, project, store) for store in stores]
    places = [_Place(at, index, await _files(index, filters)) for at, index in enumerate(indexes)]
    depth = max(RANKED, limit * 2)
    scores: _Scores = {}
    for query in await _asked(embedder if ranking.embedding_weight else None, queries):
        for chunk, score in (await _scored(places, query, ranking, depth)).items():
            scores[chunk] = max(score, scores.get(chunk, 0.0))
    best = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))
    kept = [chunk for chunk in best if scores[chunk] >= ranking.score_threshold]
    shown = await _shown(places, stores, kept[: limit * len(stores)], scores)
    # A file that is in several stores says the same in each.
    told: dict[tuple[str, int, int], Found] = {}
    for one in shown:
        told.setdefault((one.file_id, one.start, one.end), one)
    return list(told.values())[:limit]


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
    return [_Query(text, space, vector) for text, vector in zip(queries, vectors, strict=True)]


async def _scored(places: Sequence[_Place], query: _Query, ranking: Ranking, depth: int) -> _Scores:
    """Return the chunks that either way puts in front, with their scores."""
    by_terms: _Scores = {}
    near: _Scores = {}
    for place in places:
        if ranking.text_weight or query.vector is None:
            by_terms |= await _by_terms(place, query, depth)
        near |= await _by_vector(place, query, depth)
    if query.vector is None:
        return by_terms
    # What full text alone found is at most as near as the last that vectors found.
    least = min(near.values(), default=0.0)
    whole = ranking.text_weight + ranking.embedding_weight
    return {
        chunk: (
            ranking.text_weight * by_terms.get(chunk, 0.0)
            + ranking.embedding_weight * near.get(chunk, least)
        )
        / whole
        for chunk in by_terms | near
    }


async def _by_terms(place: _Place, query: _Query, limit: int) -> _Scores:
    chunks = (await place.chunks.counts(query.space)).chunks
    terms = query_terms(query.text, has_common=chunks <= SMALL)[:MOST_TERMS]
    weights = _weights(await place.chunks.term_counts(terms), chunks)
    most = sum(weights.values()) * IMPACTS
    found = await place.chunks.by_terms(weights, files=place.files, limit=limit)
    return {(place.at, one.id): one.score / most for one in found}


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


async def _by_vector(place: _Place, query: _Query, limit: int) -> _Scores:
    if query.space is None or query.vector is None:
        return {}
    candidates = max(CANDIDATES, limit * 4)
    found = await place.chunks.by_vector(
        query.space, query.vector, files=place.files, limit=limit, candidates=candidates
    )
    return {(place.at, one.id): min(max(one.score, 0.0), 1.0) for one in found}


async def _shown(
    places: Sequence[_Place], stores: Sequence[str], kept: Sequence[_Chunk], scores: _Scores
) -> list[Found]:
    rows: dict[_Chunk, ChunkRow] = {}
    for at, index, _ in places:
        own = [number for store, number in kept if store == at]
        rows |= {(at, number): row for number, row in (await index.get(own)).items()}
    return [
        Found(
            file_id=row.file_id,
            filename=row.filename,
            score=scores[chunk],
            attributes=json.loads(row.attributes),
            text=row.text,
            start=row.start,
            end=row.end,
            vector_store_id=stores[chunk[0]],
        )
        for chunk in kept
        if (row := rows.get(chunk)) is not None
    ]

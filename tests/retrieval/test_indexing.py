"""Indexing a file: repeated, cut off, overtaken, refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.llm import upstream as up
from tests.llm.upstream import Call, Upstream
from tests.retrieval.vectors import DIMENSIONS, embedder_at, embeddings
from weft.llm.embeddings import Embedder
from weft.llm.model import ModelError
from weft.retrieval.extract import Unreadable
from weft.retrieval.indexing import TOLD_EVERY, Indexed, Superseded, index
from weft.store import chunks
from weft.store.chunks import FileKey, Index
from weft.store.database import Database, Statement

pytestmark = pytest.mark.anyio

KEY = FileKey("shop", "vs_a", "file-1")
LONG = "".join(f"Sentence number {number} is about wool. " for number in range(6000))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of many chunks."""
    found = tmp_path / "blob"
    found.write_text(LONG, encoding="utf-8")
    return found


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A server that gives vectors."""
    async with Upstream() as opened:
        opened.play(embeddings())
        yield opened


@pytest.fixture
async def embedder(upstream: Upstream) -> AsyncIterator[Embedder]:
    """Who asks it."""
    opened = embedder_at(upstream)
    yield opened
    await opened.close()


async def make(
    database: Database, path: Path, attempt: int, embedder: Embedder | None = None
) -> Indexed:
    """Index the file in small chunks."""
    return await index(
        database, embedder, KEY, attempt, path, "a.txt", max_tokens=100, overlap_tokens=20
    )


async def found(database: Database) -> int:
    """Return how many chunks are found."""
    return (await Index(database, "shop", "vs_a").counts(None)).chunks


async def test_a_file_is_found_once_it_is_published_and_its_size_is_told(
    database: Database, path: Path, embedder: Embedder
) -> None:
    made = await make(database, path, 1, embedder)
    assert await found(database) == 0
    await database.write(chunks.publish(KEY, 1, {}))
    texts = await chunks.texts_of(database, KEY)
    assert await found(database) == len(texts) == made.chunks > 512
    assert all(LONG[start:end] == text for start, end, text in texts)
    assert "Sentence number 5999" in texts[-1][2]
    size = sum(len(text) for _, _, text in texts) + 4 * DIMENSIONS * len(texts)
    assert made.usage_bytes == size


async def test_every_chunk_has_the_vector_of_its_own_text(
    database: Database, path: Path, embedder: Embedder
) -> None:
    await make(database, path, 1, embedder)
    await database.write(chunks.publish(KEY, 1, {}))
    own, space = Index(database, "shop", "vs_a"), await embedder.space()
    for start, _, text in (await chunks.texts_of(database, KEY))[::60]:
        (vector,) = await embedder.embed([text])
        (hit,) = await own.by_vector(space, vector, files=None, limit=1, candidates=50)
        assert hit.score == pytest.approx(1, abs=1e-5)
        assert (await own.get([hit.id]))[hit.id].start == start


async def test_an_attempt_may_be_repeated_after_it_was_cut_off(
    database: Database, path: Path, upstream: Upstream, embedder: Embedder
) -> None:
    """A worker dies in the middle; the next attempt writes everything once."""
    await embedder.space()
    asked = asyncio.Event()

    async def stall(call: Call) -> None:
        asked.set()
        await call.until_left()

    upstream.play(embeddings(), embeddings(), embeddings(), embeddings(), stall)
    first = asyncio.create_task(make(database, path, 1, embedder))
    await asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await found(database) == 0
    upstream.play(embeddings())
    made = await make(database, path, 2, embedder)
    await database.write(chunks.publish(KEY, 2, {}))
    assert await found(database) == made.chunks
    while await chunks.sweep_chunks(database):
        pass
    assert len(await chunks.texts_of(database, KEY)) == made.chunks


async def test_an_attempt_that_was_overtaken_ends_and_writes_no_more(
    database: Database, path: Path, upstream: Upstream, embedder: Embedder
) -> None:
    await embedder.space()
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def wait(call: Call) -> None:
        asked.set()
        await let_go.wait()
        await embeddings()(call)

    upstream.play(wait)
    first = asyncio.create_task(make(database, path, 1, embedder))
    await asked.wait()
    made = await make(database, path, 2)
    await database.write(chunks.publish(KEY, 2, {}))
    let_go.set()
    with pytest.raises(Superseded):
        await first
    assert await found(database) == made.chunks


async def test_a_fence_that_refuses_ends_the_attempt(database: Database, path: Path) -> None:
    """The guard of the job stands in front of every write."""
    fence = (Statement("thread_alive", {"thread_id": "none", "project": "shop"}, is_guard=True),)
    with pytest.raises(Superseded):
        await index(database, None, KEY, 1, path, "a.txt", fence=fence)
    assert await chunks.place_of(database, KEY, 1) is None


async def test_a_file_without_text_leaves_nothing_to_be_found(
    database: Database, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    with pytest.raises(Unreadable):
        await index(database, None, KEY, 1, empty, "a.txt")
    assert await found(database) == 0


async def test_an_endpoint_that_fails_for_good_ends_the_attempt_with_its_reason(
    database: Database, path: Path, upstream: Upstream, embedder: Embedder
) -> None:
    upstream.play(embeddings(), up.failing(401))
    with pytest.raises(ModelError) as caught:
        await make(database, path, 1, embedder)
    assert "401" in caught.value.message


async def test_the_log_says_how_far_a_long_file_is(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "long"
    path.write_text(LONG * 5, encoding="utf-8")
    with caplog.at_level("INFO", "weft.indexing"):
        done = await index(
            database, None, KEY, 1, path, "long.txt", max_tokens=100, overlap_tokens=0
        )
    said = [record.getMessage() for record in caplog.records if "so far" in record.getMessage()]
    expected = range(TOLD_EVERY, done.chunks + 1, TOLD_EVERY)
    assert len(expected) > 0
    assert [line.partition(" in ")[0] for line in said] == [
        f"file-1: {count} passages so far" for count in expected
    ]

"""Searches from files to passages: ranking, limits, filters, isolation, failing endpoints."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.llm import upstream as up
from tests.llm.upstream import Upstream
from tests.retrieval.vectors import DIMENSIONS, embedder_at, embeddings
from weft.llm.embeddings import Embedder
from weft.retrieval.indexing import index
from weft.retrieval.search import Found, Ranking, search
from weft.store import chunks
from weft.store.chunks import FileKey
from weft.store.database import Database

pytestmark = pytest.mark.anyio

LOOMS = {
    "carding": "Carding combs the wool before it is spun into yarn on a wheel.",
    "weaving": "The weft is carried through the shed of the warp by the shuttle.",
    "dyeing": "Indigo is fermented in a vat; the cloth turns blue in the air.",
    "knitting": "Two needles and one thread: knitting needs no loom at all.",
}


class Shelf:
    """Vector stores of a database, filled from texts."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self._folder = folder
        self._attempts = 0

    async def put(
        self,
        file_id: str,
        text: str,
        *,
        store: str = "vs_a",
        project: str = "shop",
        attributes: Mapping[str, str | float | bool] | None = None,
        embedder: Embedder | None = None,
        **how: Any,
    ) -> None:
        """Index a text as a file and publish it."""
        path = self._folder / "blob"
        path.write_text(text, encoding="utf-8")
        self._attempts += 1
        key = FileKey(project, store, file_id)
        await index(self.database, embedder, key, self._attempts, path, f"{file_id}.txt", **how)
        await self.database.write(chunks.publish(key, self._attempts, attributes or {}))

    async def ask(
        self,
        *queries: str,
        stores: Sequence[str] = ("vs_a",),
        project: str = "shop",
        limit: int = 10,
        embedder: Embedder | None = None,
        **how: Any,
    ) -> list[Found]:
        """Search."""
        return await search(self.database, embedder, project, stores, queries, limit=limit, **how)

    async def files(self, *queries: str, **how: Any) -> list[str]:
        """Return the ids of the files that a search finds, best first."""
        return [found.file_id for found in await self.ask(*queries, **how)]


@pytest.fixture
def shelf(database: Database, tmp_path: Path) -> Shelf:
    """A shelf without anything."""
    return Shelf(database, tmp_path)


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


async def test_the_passage_that_answers_comes_first_with_its_place(shelf: Shelf) -> None:
    for name, text in LOOMS.items():
        await shelf.put(name, text, attributes={"name": name, "page": 3})
    found = await shelf.ask("What does the shuttle carry?")
    assert found[0] == Found(
        file_id="weaving",
        filename="weaving.txt",
        score=found[0].score,
        attributes={"name": "weaving", "page": 3},
        text=LOOMS["weaving"],
        start=0,
        end=len(LOOMS["weaving"]),
        vector_store_id="vs_a",
    )
    assert 0 < found[0].score <= 1


async def test_offsets_are_those_of_the_files_text(shelf: Shelf) -> None:
    text = "".join(f"Sentence {number} speaks of wool. " for number in range(300))
    await shelf.put("long", text, max_tokens=100, overlap_tokens=20)
    found = await shelf.ask("sentence 250")
    assert all(text[one.start : one.end] == one.text for one in found)
    assert "Sentence 250" in found[0].text


async def test_a_query_without_a_word_finds_nothing(shelf: Shelf) -> None:
    await shelf.put("a", LOOMS["weaving"])
    for query in ("", "   ", "?!", "*", '""'):
        assert await shelf.ask(query) == []
    assert await shelf.ask("zebra") == []
    assert await shelf.ask() == []


@pytest.mark.parametrize(
    "query",
    [
        *('"weft', "weft OR shop", "NOT weft", "weft*", "weft NEAR/2 shed", "1: weft"),
        *(
            "{weft}",
            "weft AND (",
            "'; DROP TABLE chunk; --",
            "weft\0shed",
            "^weft + shed",
            "1_weft",
            "\ud800",
        ),
    ],
)
async def test_a_query_is_words_and_never_syntax(shelf: Shelf, query: str) -> None:
    """It finds what its words find, in the asker's store only."""
    await shelf.put("a", LOOMS["weaving"])
    await shelf.put("b", LOOMS["weaving"] + " shop", store="vs_b")
    assert await shelf.files(query) in (["a"], [])
    assert await shelf.files("weft") == ["a"]


async def test_vectors_find_what_words_do_not(shelf: Shelf, embedder: Embedder) -> None:
    """Here by the first letters of words; full text knows only words."""
    for name, text in LOOMS.items():
        await shelf.put(name, text, embedder=embedder)
    assert await shelf.files("fermentation") == []
    assert (await shelf.files("fermentation", embedder=embedder))[0] == "dyeing"


async def test_the_weights_decide_between_text_and_vectors(
    shelf: Shelf, embedder: Embedder
) -> None:
    """One file has the word, the other only words that begin like it."""
    await shelf.put("word", "threads and a great many other things besides", embedder=embedder)
    await shelf.put("like", "threader threadbare", embedder=embedder)

    async def first(**weights: float) -> str:
        found = await shelf.files("threads", embedder=embedder, ranking=Ranking(**weights))
        return found[0]

    assert await first(text_weight=1, embedding_weight=0) == "word"
    assert await first(text_weight=0, embedding_weight=1) == "like"
    assert await first(text_weight=9, embedding_weight=1) == "word"


async def test_scores_are_between_0_and_1_fall_and_are_held_to_the_threshold(
    shelf: Shelf, embedder: Embedder
) -> None:
    for name, text in LOOMS.items():
        await shelf.put(name, text, embedder=embedder)
    for asker in (None, embedder):
        found = await shelf.ask("wool yarn and the weft of a loom", embedder=asker)
        scores = [one.score for one in found]
        assert len(scores) >= 3
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        limit = scores[1]
        kept = await shelf.ask(
            "wool yarn and the weft of a loom",
            ranking=Ranking(score_threshold=limit),
            embedder=asker,
        )
        assert kept == [one for one in found if one.score >= limit]


async def test_the_limit_is_kept(shelf: Shelf) -> None:
    for number in range(12):
        await shelf.put(f"f{number}", f"wool number {number}")
    assert len(await shelf.ask("wool", limit=5)) == 5
    assert len(await shelf.ask("wool", limit=50)) == 12


async def test_several_queries_are_one_question(shelf: Shelf) -> None:
    for name, text in LOOMS.items():
        await shelf.put(name, text)
    found = await shelf.files("indigo vat", "knitting needles")
    assert set(found[:2]) == {"dyeing", "knitting"}
    assert len(found) == len(set(found))


async def test_several_stores_are_searched_as_one(shelf: Shelf) -> None:
    await shelf.put("a", "wool wool wool", store="vs_a")
    await shelf.put("b", "wool and many other words that say nothing at all", store="vs_b")
    found = await shelf.ask("wool", stores=["vs_b", "vs_a", "vs_b", "vs_none"])
    assert [(one.file_id, one.vector_store_id) for one in found] == [("a", "vs_a"), ("b", "vs_b")]


async def test_a_passage_of_a_file_in_two_stores_is_one_result(shelf: Shelf) -> None:
    """As when a thread and its assistant have the same file: it takes no other's place."""
    for store in ("vs_a", "vs_b"):
        for name, text in LOOMS.items():
            await shelf.put(name, text, store=store, attributes={"in": store})
    two = await shelf.ask("wool loom", stores=("vs_a", "vs_b"), limit=2)
    assert [one.file_id for one in two] == await shelf.files("wool loom", limit=2)
    assert len({one.file_id for one in two}) == 2
    assert {one.vector_store_id for one in two} == {"vs_a"}  # the first that was named


async def test_another_projects_stores_are_empty(shelf: Shelf, embedder: Embedder) -> None:
    await shelf.put("a", "wool", embedder=embedder)
    await shelf.put("b", "wool", project="other", embedder=embedder)
    for project, own in (("shop", ["a"]), ("other", ["b"]), ("third", [])):
        assert await shelf.files("wool", project=project, embedder=embedder) == own


async def test_filtered_files_take_nobodys_place(shelf: Shelf, embedder: Embedder) -> None:
    """The best hundreds are of files that the filter leaves out."""
    filler = "wool wool wool. " * 40
    for number in range(8):
        await shelf.put(
            f"no{number}",
            filler * 12,
            attributes={"kind": "no"},
            embedder=embedder,
            max_tokens=100,
            overlap_tokens=50,
        )
    await shelf.put("yes", "something on wool", attributes={"kind": "yes"}, embedder=embedder)
    only = {"type": "eq", "key": "kind", "value": "yes"}
    for asker in (None, embedder):
        assert await shelf.files("wool", filters=only, embedder=asker) == ["yes"]
        assert "yes" not in await shelf.files("wool wool wool", embedder=asker)


async def test_changed_attributes_count_at_once(shelf: Shelf) -> None:
    await shelf.put("a", "wool", attributes={"kind": "old"})
    key = FileKey("shop", "vs_a", "a")
    await shelf.database.write((chunks.set_attributes(key, {"kind": "new"}),))
    only = {"type": "eq", "key": "kind", "value": "new"}
    (found,) = await shelf.ask("wool", filters=only)
    assert found.attributes == {"kind": "new"}


async def test_an_endpoint_that_fails_leaves_full_text(
    shelf: Shelf, upstream: Upstream, embedder: Embedder
) -> None:
    await shelf.put("a", "wool", embedder=embedder)
    upstream.play(up.failing(401))
    assert await shelf.files("wool", embedder=embedder) == ["a"]
    upstream.play(embeddings(dimensions=32))
    assert await shelf.files("wool", embedder=embedder) == ["a"]


async def test_files_of_another_model_are_found_by_their_text(
    shelf: Shelf, upstream: Upstream, embedder: Embedder
) -> None:
    """Vectors of two models are never compared, whatever their dimensions."""
    await shelf.put("old", "wool and weft", embedder=embedder)
    await shelf.put("none", "wool and warp")
    other = embedder_at(upstream, match="another")
    try:
        await shelf.put("new", "wool and warp, weft, woof", embedder=other)
        assert set(await shelf.files("wool", embedder=other)) == {"old", "new", "none"}
        assert await shelf.files("woolen", embedder=other) == ["new"]
        assert await shelf.files("woolen", embedder=embedder) == ["old"]
    finally:
        await other.close()


async def test_a_text_without_meaning_for_the_model_does_no_harm(
    shelf: Shelf, upstream: Upstream, embedder: Embedder
) -> None:
    """Some models give zeros; such a vector is near to nothing."""
    zeros = [{"index": 0, "embedding": [0.0] * DIMENSIONS}]
    await embedder.space()
    upstream.play(embeddings(data=zeros))
    await shelf.put("a", "wool", embedder=embedder)
    assert await shelf.files("wool", embedder=embedder) == ["a"]
    upstream.play(embeddings())
    assert await shelf.files("wool", embedder=embedder) == ["a"]

"""The chunks of vector stores: what is found, by whom, and when no more."""

import json
import math
import struct
from collections.abc import Mapping, Sequence

import pytest

from tests.store.conformance import P
from weft.store import chunks
from weft.store.chunks import IMPACTS, MOST_CHUNKS, FileKey, Index, NewChunk
from weft.store.database import Database, Refused

pytestmark = pytest.mark.anyio

SPACE = "model 8"


def key(file_id: str, *, store: str = "vs_a", project: str = P) -> FileKey:
    """A file in a store."""
    return FileKey(project, store, file_id)


def unit(*numbers: float) -> bytes:
    """A vector of eight dimensions and length 1."""
    whole = [*numbers, *[0.0] * (8 - len(numbers))]
    length = math.hypot(*whole) or 1.0
    return struct.pack("<8f", *(number / length for number in whole))


def chunk(position: int, said: Mapping[str, int], vector: bytes | None = None) -> NewChunk:
    """A chunk whose terms have these impacts; its text names them."""
    groups: list[list[str]] = [[] for _ in range(IMPACTS)]
    for term, impact in said.items():
        groups[impact - 1].append(term)
    text = " ".join(said)
    return NewChunk(position, position * 10, position * 10 + len(text), text, groups, vector)


async def write(database: Database, file: FileKey, attempt: int, *made: NewChunk) -> None:
    """Write the chunks of an attempt without publishing them."""
    space = SPACE if made and made[0].vector else None
    await database.write(chunks.begin(file, attempt, filename=f"{file.file_id}.txt", space=space))
    place = await chunks.place_of(database, file, attempt)
    assert place is not None
    await database.write(chunks.append(place, made))


async def put(database: Database, file: FileKey, *made: NewChunk, attempt: int = 1) -> None:
    """Write chunks and publish them."""
    await write(database, file, attempt, *made)
    await database.write(chunks.publish(file, attempt, {"name": file.file_id}))


async def texts(
    database: Database,
    *terms: str,
    store: str = "vs_a",
    project: str = P,
    files: Sequence[str] | None = None,
    limit: int = 10,
) -> list[str]:
    """Return the texts that a search by terms finds, best first."""
    index = Index(database, project, store)
    found = await index.by_terms(dict.fromkeys(terms, 1.0), files=files, limit=limit)
    rows = await index.get([one.id for one in found])
    return [rows[one.id].text for one in found]


async def near(
    database: Database,
    vector: bytes,
    *,
    space: str = SPACE,
    store: str = "vs_a",
    project: str = P,
    files: Sequence[str] | None = None,
) -> list[str]:
    """Return the texts with the nearest vectors."""
    index = Index(database, project, store)
    found = await index.by_vector(space, vector, files=files, limit=10, candidates=20)
    rows = await index.get([one.id for one in found])
    return [rows[one.id].text for one in found]


async def test_chunks_come_in_the_order_of_their_sums(database: Database) -> None:
    await put(
        database,
        key("file-1"),
        chunk(0, {"wool": 2}),
        chunk(1, {"wool": 8, "weft": 1}),
        chunk(2, {"weft": 3, "wool": 3}),
        chunk(3, {"silk": 8}),
    )
    assert await texts(database, "wool") == ["wool weft", "weft wool", "wool"]
    assert await texts(database, "wool", limit=1) == ["wool weft"]
    index = Index(database, P, "vs_a")
    found = await index.by_terms({"wool": 0.5, "weft": 2.0}, files=None, limit=10)
    assert [one.score for one in found] == [3 * 2.0 + 3 * 0.5, 8 * 0.5 + 2.0, 2 * 0.5]
    assert await index.term_counts(["wool", "weft", "gold"]) == {"wool": 3, "weft": 2}


async def test_a_chunk_is_shown_with_its_file_and_place(database: Database) -> None:
    await put(database, key("file-1"), chunk(0, {"wool": 1}), chunk(1, {"weft": 1}))
    index = Index(database, P, "vs_a")
    (found,) = await index.by_terms({"weft": 1.0}, files=None, limit=10)
    (row,) = (await index.get([found.id])).values()
    assert row == (found.id, "file-1", "file-1.txt", '{"name": "file-1"}', 10, 14, "weft")
    assert await chunks.texts_of(database, key("file-1")) == [(0, 4, "wool"), (10, 14, "weft")]


async def test_vectors_come_in_the_order_of_their_cosine(database: Database) -> None:
    made = [chunk(n, {f"w{n}": 1}, unit(math.cos(n), math.sin(n))) for n in range(4)]
    await put(database, key("file-1"), *made)
    assert await near(database, unit(1, 0)) == ["w0", "w1", "w2", "w3"]
    assert await near(database, unit(math.cos(3), math.sin(3))) == ["w3", "w2", "w1", "w0"]
    found = await Index(database, P, "vs_a").by_vector(
        SPACE, unit(1, 0), files=None, limit=4, candidates=4
    )
    assert [one.score for one in found] == pytest.approx([math.cos(n) for n in range(4)], abs=1e-5)


async def test_vectors_of_another_model_are_never_compared(database: Database) -> None:
    """Their files are still found by their text."""
    await put(database, key("file-1"), chunk(0, {"wool": 1}, unit(1)))
    assert await near(database, unit(1), space="other 8") == []
    assert await near(database, unit(1)) == await texts(database, "wool") == ["wool"]
    counts = await Index(database, P, "vs_a").counts("other 8")
    assert counts == (1, 0, 1)


async def test_nothing_of_another_project_or_store_is_ever_found(database: Database) -> None:
    """The same ids, the same words, the same vectors: each sees its own only."""
    places = [(P, "vs_a"), (P, "vs_b"), ("other", "vs_a"), ("other", "vs_b")]
    for number, (project, store) in enumerate(places):
        own = key("file-1", store=store, project=project)
        await put(database, own, chunk(0, {"wool": 1, f"own{number}": 1}, unit(1)))
    for number, (project, store) in enumerate(places):
        own_text = [f"wool own{number}"]
        assert await texts(database, "wool", project=project, store=store) == own_text
        assert await near(database, unit(1), project=project, store=store) == own_text
        index = Index(database, project, store)
        assert await index.term_counts(["wool"]) == {"wool": 1}
        (found,) = await index.by_terms({"wool": 1.0}, files=None, limit=10)
        for other in places:
            rows = await Index(database, *other).get([found.id])
            assert bool(rows) == (other == (project, store))


@pytest.mark.parametrize(
    "term",
    ['"', "'", "*", "wool*", "NOT", "a OR b", "1_wool", "chunk_term:wool", "(", "^wool", "\0", "%"],
)
async def test_a_term_is_never_anything_but_a_term(database: Database, term: str) -> None:
    await put(database, key("file-1"), chunk(0, {"wool": 1}))
    await put(database, key("file-1", store="vs_b"), chunk(0, {"wool": 1}))
    assert await texts(database, term) == []
    assert await Index(database, P, "vs_a").term_counts([term]) == {}


async def test_files_narrow_a_search_before_its_limit(database: Database) -> None:
    for number in range(30):
        file = key(f"file-{number:02}")
        await put(database, file, chunk(0, {"wool": 8 - number // 4, f"n{number}": 1}, unit(1)))
    wanted = ["file-28", "file-29", "file-77"]
    assert await texts(database, "wool", files=wanted, limit=2) == ["wool n28", "wool n29"]
    assert sorted(await near(database, unit(1), files=wanted)) == ["wool n28", "wool n29"]
    assert await texts(database, "wool", files=[]) == []
    assert await near(database, unit(1), files=[]) == []


# --- the life of a file -----------------------------------------------------------------------


async def test_nothing_is_found_before_it_is_published(database: Database) -> None:
    file = key("file-1")
    await write(database, file, 1, chunk(0, {"wool": 1}, unit(1)))
    assert await texts(database, "wool") == await near(database, unit(1)) == []
    assert await chunks.texts_of(database, file) == []
    await database.write(chunks.publish(file, 1, {}))
    assert await texts(database, "wool") == await near(database, unit(1)) == ["wool"]


async def test_what_was_published_is_found_until_a_later_attempt_takes_its_place(
    database: Database,
) -> None:
    file = key("file-1")
    await put(database, file, chunk(0, {"wool": 1, "old": 1}))
    await write(database, file, 2, chunk(0, {"wool": 1, "new": 1}))
    assert await texts(database, "wool") == ["wool old"]
    await database.write(chunks.publish(file, 2, {}))
    assert await texts(database, "wool") == ["wool new"]
    assert (await Index(database, P, "vs_a").counts(None)).chunks == 1


async def test_an_attempt_whose_place_was_taken_can_write_no_more(database: Database) -> None:
    file = key("file-1")
    await database.write(chunks.begin(file, 1, filename="a.txt", space=None))
    place = await chunks.place_of(database, file, 1)
    assert place is not None
    await database.write(chunks.begin(file, 2, filename="a.txt", space=None))
    for late in (
        chunks.append(place, [chunk(0, {"late": 1})]),
        chunks.publish(file, 1, {}),
        chunks.begin(file, 1, filename="a.txt", space=None),
        chunks.begin(file, 2, filename="a.txt", space=None),
    ):
        with pytest.raises(Refused):
            await database.write(late)
    assert await chunks.place_of(database, file, 1) is None


async def test_a_file_has_no_chunks_where_those_of_the_next_file_stand(database: Database) -> None:
    """The last number of its own is written; the one behind it would be another file's first."""
    await put(database, key("file-a"), chunk(MOST_CHUNKS - 1, {"weft": 8}))
    assert await texts(database, "weft") == ["weft"]
    with pytest.raises(ValueError, match="at most 1,048,576 chunks"):
        await put(database, key("file-b"), chunk(MOST_CHUNKS, {"weft": 8}))


async def test_attributes_are_those_of_the_last_change(database: Database) -> None:
    await put(database, key("file-1"), chunk(0, {"wool": 1}))
    await put(database, key("file-1", store="vs_b"), chunk(0, {"wool": 1}))
    await database.write((chunks.set_attributes(key("file-1"), {"year": 1785, "old": True}),))
    index = Index(database, P, "vs_a")
    ((file_id, attributes),) = await index.attributes()
    assert (file_id, json.loads(attributes)) == ("file-1", {"year": 1785, "old": True})
    assert await Index(database, P, "vs_b").attributes() == [("file-1", '{"name": "file-1"}')]


async def test_a_removed_file_is_found_no_more_and_leaves_nothing(database: Database) -> None:
    file = key("file-1")
    await put(database, file, *(chunk(n, {"wool": 1}, unit(1)) for n in range(700)))
    await write(database, file, 2, chunk(0, {"wool": 1}, unit(1)))
    await put(database, key("file-2"), chunk(0, {"wool": 1, "stays": 1}, unit(1)))
    await database.write(chunks.remove_file(file))
    assert await texts(database, "wool") == await near(database, unit(1)) == ["wool stays"]
    with pytest.raises(Refused):
        await database.write(chunks.publish(file, 2, {}))
    await sweep(database)
    assert await texts(database, "wool") == await near(database, unit(1)) == ["wool stays"]
    assert await Index(database, P, "vs_a").term_counts(["wool"]) == {"wool": 1}


async def test_a_removed_store_is_found_no_more_and_leaves_nothing(database: Database) -> None:
    for number in range(3):
        await put(database, key(f"file-{number}"), chunk(0, {"wool": 1}, unit(1)))
    await put(database, key("file-0", store="vs_b"), chunk(0, {"wool": 1, "stays": 1}, unit(1)))
    await database.write(chunks.remove_store(P, "vs_a"))
    assert await texts(database, "wool") == await near(database, unit(1)) == []
    with pytest.raises(Refused):
        await database.write(chunks.publish(key("file-0"), 1, {}))
    # One with the same id begins with nothing.
    await put(database, key("file-0"), chunk(0, {"wool": 1, "new": 1}, unit(1)))
    await sweep(database)
    assert await texts(database, "wool") == await near(database, unit(1)) == ["wool new"]
    assert await texts(database, "wool", store="vs_b") == ["wool stays"]


async def sweep(database: Database) -> None:
    """Clear everything away that nobody finds."""
    slices = 0
    while await chunks.sweep_chunks(database):
        slices += 1
        assert slices < 100
    assert slices

"""Conformance: lists and searches, in both directions and between any two places."""

import pytest

from tests.store.conformance import (
    NOW,
    P,
    append,
    ids_of,
    messages_of,
    numbered,
    pairs,
    place_of,
    thread,
    threads_of,
)
from weft.store import threads
from weft.store.database import Database, Page
from weft.store.places import Bounds, Place

pytestmark = pytest.mark.anyio

ENOUGH_BYTES = 1_000_000


async def make_threads(database: Database, dates: dict[str, int]) -> None:
    """Write threads with (id: date), each findable by {"kind": "x"}."""
    for thread_id, at in dates.items():
        await database.write((thread(thread_id, at), *pairs(thread_id, {"kind": "x"}, at)))


async def found(
    database: Database,
    metadata: dict[str, str],
    *,
    after: Place | None = None,
    before: Place | None = None,
    is_descending: bool = False,
    limit: int = 100,
    limit_bytes: int = ENOUGH_BYTES,
    project: str = P,
) -> Page:
    """Search threads by metadata."""
    bounds = Bounds.between(after, before, is_descending=is_descending, by=str)
    return await threads.search(
        database, project, metadata, bounds, limit=limit, limit_bytes=limit_bytes
    )


async def test_threads_sort_by_date_and_then_by_id(database: Database) -> None:
    await make_threads(database, {"thread_c": 5, "thread_z": 4, "thread_B": 5, "thread_a": 6})
    assert await threads_of(database).ids() == ["thread_z", "thread_B", "thread_c", "thread_a"]
    descending = await threads_of(database).ids(is_descending=True)
    assert descending == ["thread_a", "thread_c", "thread_B", "thread_z"]


@pytest.mark.parametrize("is_descending", [False, True])
async def test_both_ends_of_a_stretch_are_outside_of_it(
    database: Database, is_descending: bool
) -> None:
    ids = list(numbered("thread", 9))
    await make_threads(database, {thread_id: 100 + n // 3 for n, thread_id in enumerate(ids)})
    order = ids[::-1] if is_descending else ids
    places = {name: await place_of(database, "thread_place", name) for name in ids}
    listing = threads_of(database)
    for start in range(9):
        after = await listing.ids(after=places[order[start]], is_descending=is_descending)
        assert after == order[start + 1 :]
        for end in range(9):
            between = await listing.ids(
                after=places[order[start]], before=places[order[end]], is_descending=is_descending
            )
            assert between == order[start + 1 : end]


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 7, 49, 50, 51])
async def test_pages_of_messages_of_one_second_lose_and_repeat_nothing(
    database: Database, is_descending: bool, limit: int
) -> None:
    ids = numbered("msg", 50)
    await database.write(
        (thread("thread_a"), *(one for name in ids for one in append("thread_a", name)))
    )
    walked: list[str] = []
    after = None
    while page := await messages_of(database, "thread_a").ids(
        after=after, is_descending=is_descending, limit=limit
    ):
        assert len(page) == min(limit, 50 - len(walked))
        walked += page
        after = await place_of(database, "message_place", page[-1], thread_id="thread_a")
    assert walked == sorted(ids, reverse=is_descending)


async def test_the_page_ahead_of_a_place_is_walked_backwards(database: Database) -> None:
    ids = numbered("msg", 10)
    await database.write(
        (thread("thread_a"), *(one for name in ids for one in append("thread_a", name)))
    )
    place = await place_of(database, "message_place", "msg_00006", thread_id="thread_a")
    ahead = await messages_of(database, "thread_a").ids(after=place, is_descending=True, limit=3)
    assert ahead == ["msg_00005", "msg_00004", "msg_00003"]


async def test_a_list_never_leaves_its_project_or_its_thread(database: Database) -> None:
    await database.write(
        (
            thread("thread_a"),
            thread("thread_a", project="other"),
            thread("thread_b"),
            *append("thread_a", "msg_mine"),
            *append("thread_a", "msg_theirs", project="other"),
            *append("thread_b", "msg_elsewhere"),
            *pairs("thread_a", {"k": "v"}),
            *pairs("thread_a", {"k": "v"}, project="other"),
        )
    )
    assert await messages_of(database, "thread_a").ids() == ["msg_mine"]
    assert await threads_of(database).ids() == ["thread_a", "thread_b"]
    assert (await found(database, {"k": "v"})).rows == [("thread_a", "<thread_a>")]
    assert (await found(database, {"k": "v"}, project="third")).rows == []


async def test_a_search_returns_threads_with_every_pair(database: Database) -> None:
    for number in range(12):
        metadata = {"all": "yes", "half": str(number % 2), "third": str(number % 3)}
        thread_id = f"thread_{number:02d}"
        await database.write((thread(thread_id, number), *pairs(thread_id, metadata, number)))
    assert len((await found(database, {"all": "yes"})).rows) == 12
    both = await found(database, {"all": "yes", "half": "1"})
    assert ids_of(both) == [f"thread_{number:02d}" for number in (1, 3, 5, 7, 9, 11)]
    three = {"all": "yes", "half": "0", "third": "1"}
    assert ids_of(await found(database, three)) == ["thread_04", "thread_10"]
    assert ids_of(await found(database, three, is_descending=True)) == ["thread_10", "thread_04"]
    assert (await found(database, {"half": "0", "third": "9"})).rows == []
    assert (await found(database, {"half": "yes"})).rows == []


async def test_a_search_finds_the_same_whichever_pair_is_named_first(database: Database) -> None:
    await make_threads(database, {f"thread_{n:04d}": n for n in range(60)})
    await database.write(pairs("thread_0031", {"rare": "one"}, 31))
    for metadata in ({"kind": "x", "rare": "one"}, {"rare": "one", "kind": "x"}):
        for is_descending in (False, True):
            page = await found(database, metadata, is_descending=is_descending)
            assert ids_of(page) == ["thread_0031"]


@pytest.mark.parametrize(
    "text",
    [
        "Grüße",
        "\N{GRINNING FACE}\N{VARIATION SELECTOR-16}",
        '"quoted"',
        "back\\slash",
        "it's",
        "",
        "1",
        "1.0",
        "null",
        "true",
        "[1]",
        '{"a":1}',
        "%_*?",
        "line\nfeed\ttab\x01\x7f",
        "\N{LINE SEPARATOR}",
        " x ",
    ],
)
async def test_a_search_compares_any_text_exactly(database: Database, text: str) -> None:
    """Alone, ahead of another pair and behind it: the same text is the same everywhere."""
    metadata = {"first": "1", f"k{text}": text, "last": "2"}
    other = {"first": "1", f"k{text}": f"{text}x", "last": "2"}
    await database.write((thread("thread_a"), *pairs("thread_a", metadata)))
    await database.write((thread("thread_b"), *pairs("thread_b", other)))
    for wanted in ({f"k{text}": text}, {"first": "1", f"k{text}": text, "last": "2"}):
        assert ids_of(await found(database, wanted)) == ["thread_a"]
    assert ids_of(await found(database, {"first": "1", "last": "2"})) == ["thread_a", "thread_b"]


async def test_a_search_distinguishes_upper_and_lower_case(database: Database) -> None:
    await database.write((thread("thread_a"), *pairs("thread_a", {"Key": "Value", "n": "1"})))
    for wanted in ({"key": "Value"}, {"Key": "value"}, {"n": "1", "Key": "value"}):
        assert (await found(database, wanted)).rows == []


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("metadata", [{"kind": "x"}, {"kind": "x", "half": "0"}])
async def test_a_search_is_paged_between_places(
    database: Database, is_descending: bool, metadata: dict[str, str]
) -> None:
    ids = list(numbered("thread", 12))
    await make_threads(database, {thread_id: 100 + n // 4 for n, thread_id in enumerate(ids)})
    for number, thread_id in enumerate(ids):
        await database.write(pairs(thread_id, {"half": str(number % 2)}, 100 + number // 4))
    expected = [name for n, name in enumerate(ids) if "half" not in metadata or n % 2 == 0]
    order = expected[::-1] if is_descending else expected
    walked: list[str] = []
    after = None
    while page := ids_of(
        await found(database, metadata, after=after, is_descending=is_descending, limit=2)
    ):
        walked += page
        after = await place_of(database, "thread_place", page[-1])
    assert walked == order
    ends = [await place_of(database, "thread_place", order[n]) for n in (1, 4)]
    between = await found(
        database, metadata, after=ends[0], before=ends[1], is_descending=is_descending
    )
    assert ids_of(between) == order[2:4]


async def test_a_deleted_thread_is_found_by_nothing(database: Database) -> None:
    await make_threads(database, {"thread_a": 1, "thread_b": 2})
    gone = threads.index_metadata(P, "thread_a", 1, old={"kind": "x"}, new={})
    await database.write((threads.delete(P, "thread_a", "<thread_a>", NOW), *gone))
    assert ids_of(await found(database, {"kind": "x"})) == ["thread_b"]


async def test_a_page_stops_at_its_bytes_but_not_before_one_row(database: Database) -> None:
    wires = [f"{number}" * 100 for number in range(5)]
    for number, wire in enumerate(wires):
        await database.write((thread(f"thread_{number}", number, wire),))
    for limit_bytes, count, is_cut in [
        (1, 1, True),
        (99, 1, True),
        (100, 1, True),
        (199, 1, True),
        (200, 2, True),
        (499, 4, True),
        (500, 5, False),
    ]:
        page = await threads_of(database).page(limit_bytes=limit_bytes)
        assert (len(page.rows), page.is_cut) == (count, is_cut), limit_bytes
    assert (await threads_of(database).page(limit=3, limit_bytes=300)) == Page(
        [(f"thread_{n}", wires[n]) for n in range(3)], is_cut=False
    )


async def test_the_limit_of_a_page_counts_bytes_and_not_characters(database: Database) -> None:
    face = "\N{GRINNING FACE}"  # four bytes
    for number in range(3):
        thread_id = f"thread_{number}"
        await database.write(
            (thread(thread_id, number, face * 10), *pairs(thread_id, {"k": "v"}, number))
        )
    for limit_bytes, count in [(39, 1), (79, 1), (80, 2), (119, 2), (120, 3)]:
        page = await threads_of(database).page(limit_bytes=limit_bytes)
        assert (len(page.rows), page.is_cut) == (count, count < 3)
        page = await found(database, {"k": "v"}, limit_bytes=limit_bytes)
        assert (len(page.rows), page.is_cut) == (count, count < 3)


async def test_a_page_that_was_cut_does_not_hold_the_database(database: Database) -> None:
    """What is left of a query that was not read to its end would keep its moment for ever."""
    await make_threads(database, {"thread_a": 1, "thread_b": 2})
    assert (await threads_of(database).page(limit_bytes=1)).is_cut
    await make_threads(database, {"thread_c": 3})
    assert await threads_of(database).ids() == ["thread_a", "thread_b", "thread_c"]

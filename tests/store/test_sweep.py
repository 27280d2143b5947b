"""Conformance: clearing away what was deleted and what has expired."""

import pytest

from tests.store.conformance import (
    NOW,
    P,
    append,
    initial,
    messages_of,
    numbered,
    place_of,
    put_back,
    thread,
)
from weft.store import assistants, idempotency, messages, sweep, threads
from weft.store.database import Database, Refused
from weft.store.sweep import SLICE, TOMBSTONE_S

pytestmark = pytest.mark.anyio


async def make_deleted(database: Database, thread_id: str, count: int, at: int = NOW) -> None:
    """Write a thread with messages and delete it."""
    first = (initial(thread_id, name, n) for n, name in enumerate(numbered("msg", count)))
    await database.write((thread(thread_id), *first))
    await database.write((threads.delete(P, thread_id, f"<{thread_id}>", at),))


async def left(database: Database, thread_id: str, count: int) -> int:
    """Return how many of the first `count` messages of a thread are still there."""
    places = [
        await place_of(database, "message_place", name, thread_id=thread_id)
        for name in numbered("msg", count)
    ]
    return sum(place is not None for place in places)


async def test_nothing_to_sweep_is_said(database: Database) -> None:
    await database.write((thread("thread_a"), *append("thread_a", "msg_00000")))
    assert not await sweep.sweep_threads(database)
    assert not await sweep.sweep_old(database, NOW + 10 * TOMBSTONE_S)
    assert await left(database, "thread_a", 1) == 1


async def test_a_deleted_thread_is_swept_in_slices(database: Database) -> None:
    count = 2 * SLICE + 10
    await make_deleted(database, "thread_a", count)
    remaining = []
    while await sweep.sweep_threads(database):
        remaining.append(await left(database, "thread_a", count))
    assert remaining == [SLICE + 10, 10, 0]
    assert await place_of(database, "thread_place", "thread_a") is not None


async def test_the_thread_that_was_deleted_first_is_swept_first(database: Database) -> None:
    await make_deleted(database, "thread_later", 1, at=NOW + 1)
    await make_deleted(database, "thread_first", 1, at=NOW)
    assert await sweep.sweep_threads(database)
    assert await left(database, "thread_first", 1) == 0
    assert await left(database, "thread_later", 1) == 1


async def test_a_thread_without_messages_is_finished_too(database: Database) -> None:
    await make_deleted(database, "thread_a", 0)
    assert await sweep.sweep_threads(database)
    assert not await sweep.sweep_threads(database)


async def test_finishing_a_thread_clears_its_id(database: Database) -> None:
    await make_deleted(database, "thread_a", SLICE + 1)
    assert await sweep.finish_thread(database, P, "thread_a")
    assert await left(database, "thread_a", SLICE + 1) == 0
    assert await sweep.finish_thread(database, P, "thread_a")
    assert await sweep.finish_thread(database, P, "thread_none")


async def test_a_living_thread_is_not_finished(database: Database) -> None:
    await database.write((thread("thread_a"), *append("thread_a", "msg_00000")))
    assert not await sweep.finish_thread(database, P, "thread_a")
    assert await left(database, "thread_a", 1) == 1


async def test_a_sweep_that_comes_late_spares_a_restored_thread(database: Database) -> None:
    """Two restores and the keeper at once: a slice that was decided on before is applied after."""
    await make_deleted(database, "thread_a", 3)
    late = sweep.slice_of(P, "thread_a")
    assert await sweep.finish_thread(database, P, "thread_a")
    await database.write((threads.restore(P, "thread_a", NOW, NOW, "back"),))
    await database.write(put_back("thread_a", "msg_00000"))
    with pytest.raises(Refused):
        await database.write(late, is_long=True)
    assert await messages_of(database, "thread_a").ids() == ["msg_00000"]
    assert await threads.get(database, P, "thread_a") == "back"
    with pytest.raises(Refused):
        await database.write((threads.restore(P, "thread_a", NOW, NOW, "again"),))


async def test_tombstones_stay_a_day_and_are_then_removed(database: Database) -> None:
    await make_deleted(database, "thread_a", 1)
    await database.write((thread("thread_b"), *append("thread_b", "msg_00000")))
    await database.write((messages.delete(P, "thread_b", "msg_00000", NOW),))
    await database.write((assistants.insert(P, "asst_a", 1, "{}"),))
    await database.write((assistants.delete(P, "asst_a", NOW),))
    assert await sweep.finish_thread(database, P, "thread_a")

    async def known() -> list[bool]:
        places = [
            await place_of(database, "thread_place", "thread_a"),
            await place_of(database, "message_place", "msg_00000", thread_id="thread_b"),
            await place_of(database, "assistant_place", "asst_a"),
        ]
        return [place is not None for place in places]

    await sweep.sweep_old(database, NOW + TOMBSTONE_S)
    assert await known() == [True, True, True]
    await sweep.sweep_old(database, NOW + TOMBSTONE_S + 1)
    assert await known() == [False, False, False]
    await database.write(append("thread_b", "msg_new"))
    assert await messages_of(database, "thread_b").ids() == ["msg_new"]


async def test_a_tombstone_outlives_its_day_while_messages_hang_on_it(database: Database) -> None:
    """Otherwise nobody would find those messages again."""
    await make_deleted(database, "thread_a", 1)
    await sweep.sweep_old(database, NOW + TOMBSTONE_S + 1)
    assert await place_of(database, "thread_place", "thread_a") is not None
    assert await sweep.sweep_threads(database)
    assert await left(database, "thread_a", 1) == 0


async def test_sweeping_goes_on_until_nothing_old_is_left(database: Database) -> None:
    """One slice a round would fall behind a server that is given many keys."""
    old = [
        idempotency.remember(P, f"key_{number}", "hash", 200, "{}", NOW)
        for number in range(2 * SLICE + 1)
    ]
    await database.write(tuple(old))
    rounds = 0
    while await sweep.sweep_old(database, NOW + TOMBSTONE_S + 1):
        rounds += 1
    assert rounds == 3
    assert await idempotency.recall(database, P, "key_0", NOW) is None


async def test_expired_keys_are_removed_and_live_ones_kept(database: Database) -> None:
    for key, at in (("old", NOW), ("new", NOW + 2)):
        await database.write((idempotency.remember(P, key, "hash", 200, "{}", at),))
    await sweep.sweep_old(database, NOW + TOMBSTONE_S + 1)
    # Asked as if no time had passed: whatever row is there is found.
    assert await idempotency.recall(database, P, "old", NOW) is None
    assert await idempotency.recall(database, P, "new", NOW) is not None

"""Conformance: the numbered log of a run, and how it is cleared."""

import asyncio

import pytest

from tests.store.conformance import NOW, P, append, numbered, thread
from weft.store import runs, sweep, threads
from weft.store.database import Database, Refused
from weft.store.runs import RunKey
from weft.store.sweep import SLICE, TOMBSTONE_S

pytestmark = pytest.mark.anyio

KEY = RunKey("thread_a", P, "run_1")
ALL = 10_000


@pytest.fixture
async def filled(database: Database) -> Database:
    """A database with a thread and a run."""
    await database.write(
        (thread("thread_a"), runs.insert(KEY, created_at=NOW, expires_at=NOW + 600, wire="{}"))
    )
    return database


async def read(database: Database, after: int = 0, limit: int = ALL) -> list[tuple[int, int, str]]:
    """Return (number, size, name) of the rows behind an event."""
    rows, _ = await runs.events(database, KEY, after, limit, 2**30)
    return [(row.number, row.size, row.name) for row in rows]


async def test_events_are_numbered_from_one_on_and_batches_count(filled: Database) -> None:
    assert await runs.last_number(filled, KEY) == 0
    await filled.write((runs.event(KEY, "a", "{}"), runs.event(KEY, "b", "[]", 5)))
    await filled.write((runs.event(KEY, "c", "{}"), runs.event(KEY, "d", "[]", 2)))
    assert await read(filled) == [(1, 1, "a"), (2, 5, "b"), (7, 1, "c"), (8, 2, "d")]
    assert await runs.last_number(filled, KEY) == 9


async def test_each_run_counts_its_own_events(filled: Database) -> None:
    other = KEY._replace(id="run_2")
    stranger = KEY._replace(project="other")
    for key in (KEY, other, stranger, KEY):
        await filled.write((runs.event(key, "a", "{}"),))
    assert [await runs.last_number(filled, key) for key in (KEY, other, stranger)] == [2, 1, 1]


async def test_events_that_are_written_together_get_numbers_without_a_gap(filled: Database) -> None:
    """Workers and clients write at the same time, in the same commit."""
    sizes = [number % 7 + 1 for number in range(300)]
    await asyncio.gather(
        *(filled.write((runs.event(KEY, f"{n}", "[]", size),)) for n, size in enumerate(sizes))
    )
    next_number = 1
    for number, size, name in await read(filled):
        assert (number, size) == (next_number, sizes[int(name)])
        next_number += size
    assert next_number == 1 + sum(sizes)


async def test_a_write_that_is_refused_takes_no_numbers(filled: Database) -> None:
    refused = filled.write((runs.event(KEY, "lost", "{}", 9), runs.fence(KEY, 7)))
    stored = filled.write((runs.event(KEY, "kept", "{}"),))
    await asyncio.gather(refused, stored, return_exceptions=True)
    assert await read(filled) == [(1, 1, "kept")]


@pytest.mark.parametrize(
    ("after", "first"), [(0, 1), (1, 2), (2, 2), (5, 2), (6, 7), (7, 8), (8, 8), (9, None)]
)
async def test_a_log_is_read_from_the_row_that_holds_the_next_event(
    filled: Database, after: int, first: int | None
) -> None:
    sizes = (("a", 1), ("b", 5), ("c", 1), ("d", 2))
    await filled.write(tuple(runs.event(KEY, name, "[]", size) for name, size in sizes))
    found = await read(filled, after)
    assert [number for number, _, _ in found] == (
        [number for number in (1, 2, 7, 8) if number >= first] if first else []
    )


async def test_a_log_is_read_in_slices_and_says_when_there_is_more(filled: Database) -> None:
    await filled.write(tuple(runs.event(KEY, f"{n}", "x" * 100, 3) for n in range(10)))
    for limit, limit_bytes, count in ((4, 2**30, 4), (ALL, 450, 4), (ALL, 1, 1), (10, 2**30, 10)):
        rows, is_all = await runs.events(filled, KEY, 0, limit, limit_bytes)
        assert (len(rows), is_all) == (count, False)
    rows, is_all = await runs.events(filled, KEY, 0, 11, 2**30)
    assert (len(rows), is_all) == (10, True)
    rows, is_all = await runs.events(filled, KEY, 30, 11, 2**30)
    assert (rows, is_all) == ([], True)


async def test_who_has_read_the_log_writes_only_if_nothing_was_added(filled: Database) -> None:
    await filled.write((runs.log_stands_at(KEY, 0), runs.event(KEY, "a", "[]", 3)))
    for last in (0, 1, 2, 4):
        with pytest.raises(Refused) as refusal:
            await filled.write((runs.log_stands_at(KEY, last), runs.event(KEY, "b", "{}")))
        assert refusal.value.guard == "run_event_stands_at"
    await filled.write((runs.log_stands_at(KEY, 3), runs.event(KEY, "b", "{}")))
    assert await runs.last_number(filled, KEY) == 4


async def test_of_two_who_have_read_the_log_together_one_writes(filled: Database) -> None:
    writes = [
        filled.write((runs.log_stands_at(KEY, 0), runs.event(KEY, name, "{}"))) for name in "ab"
    ]
    raised = await asyncio.gather(*writes, return_exceptions=True)
    assert [isinstance(fault, Refused) for fault in raised] == [False, True]
    assert await read(filled) == [(1, 1, "a")]


async def test_deltas_of_a_name_are_read_in_order(filled: Database) -> None:
    for number in range(12):
        name = "delta" if number % 2 else "other"
        await filled.write((runs.event(KEY, name, f"{number}", 2),))
    assert await runs.deltas_of(filled, KEY, "delta", 0) == ["1", "3", "5", "7", "9", "11"]
    assert await runs.deltas_of(filled, KEY, "delta", 15) == ["9", "11"]


# --- clearing -------------------------------------------------------------------------------------


async def end(database: Database, at: int) -> None:
    """End the run."""
    was = await runs.state(database, KEY)
    assert was is not None
    ended = runs.replace(KEY, was, wire="ended", status="completed", expires_at=None, ended_at=at)
    await database.write((ended,))


async def test_the_log_of_a_run_is_cleared_a_day_after_its_end(filled: Database) -> None:
    await filled.write(tuple(runs.event(KEY, "a", "{}") for _ in range(2 * SLICE + 1)))
    assert not await sweep.sweep_logs(filled, NOW + 10 * TOMBSTONE_S)  # it goes on
    await end(filled, NOW)
    assert not await sweep.sweep_logs(filled, NOW + TOMBSTONE_S)
    left = []
    while await sweep.sweep_logs(filled, NOW + TOMBSTONE_S + 1):
        left.append(len(await read(filled)))
    assert left == [SLICE + 1, 1, 0]
    assert await runs.get(filled, KEY) == "ended"
    assert await runs.last_number(filled, KEY) == 0


async def test_a_log_is_cleared_from_its_beginning(filled: Database) -> None:
    """What is left of it says by its numbers that something is missing."""
    await filled.write(tuple(runs.event(KEY, "a", "{}") for _ in range(SLICE + 10)))
    await end(filled, NOW)
    assert await sweep.sweep_logs(filled, NOW + TOMBSTONE_S + 1)
    assert (await read(filled))[0][0] == SLICE + 1


async def test_a_deleted_thread_loses_its_runs_steps_and_events(filled: Database) -> None:
    await filled.write(
        (
            *(runs.event(KEY, "a", "{}") for _ in range(SLICE + 1)),
            *(runs.insert_step(KEY, name, NOW, "{}") for name in numbered("step", 3)),
        )
    )
    await filled.write((threads.delete(P, "thread_a", "<thread_a>", NOW),))
    while await sweep.sweep_threads(filled):
        pass
    assert await runs.state(filled, KEY) is None
    assert await read(filled) == []
    assert await runs.steps(filled, KEY) == []
    place = await filled.one("thread_place", {"id": "thread_a", "project": P})
    assert place is not None
    assert place[3] == 1


async def test_an_id_is_not_free_while_anything_hangs_on_it(filled: Database) -> None:
    """Otherwise events of the old thread would come to light in the restored one."""
    await filled.write(tuple(runs.event(KEY, "a", "{}") for _ in range(SLICE + 1)))
    await filled.write((threads.delete(P, "thread_a", "<thread_a>", NOW),))
    assert await sweep.sweep_threads(filled)
    with pytest.raises(Refused):
        await filled.write((threads.restore(P, "thread_a", NOW, NOW, "back"),))
    assert await sweep.finish_thread(filled, P, "thread_a")
    await filled.write((threads.restore(P, "thread_a", NOW, NOW, "back"),))
    await filled.write(append("thread_a", "msg_a"))
    assert await runs.active_of(filled, P, "thread_a") is None

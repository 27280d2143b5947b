"""Conformance: what `write` promises, however many writes share a commit."""

import asyncio
from pathlib import Path

import pytest

from tests.store.conformance import (
    LARGEST_BATCH,
    Opener,
    P,
    append,
    ids_of,
    initial,
    messages_of,
    numbered,
    thread,
    threads_of,
)
from weft.domain.errors import Unavailable
from weft.store import idempotency, threads
from weft.store.database import Database, Refused, Statement, Write

pytestmark = pytest.mark.anyio

NOBODY = threads.replace(P, "thread_none", "was", "is")  # a guard that refuses


async def outcomes(database: Database, writes: list[Write]) -> list[BaseException | None]:
    """Write all at the same moment, so that they wait together; return what each one raised."""
    return await asyncio.gather(*map(database.write, writes), return_exceptions=True)


async def everything(database: Database) -> list[str]:
    """Return the ids of all threads."""
    return await threads_of(database).ids(limit=10_000)


async def test_a_write_is_read_back_by_whoever_waited_for_it(database: Database) -> None:
    async def write_and_read(thread_id: str) -> str | None:
        await database.write((thread(thread_id),))
        return await threads.get(database, P, thread_id)

    ids = numbered("thread", 100)
    assert await asyncio.gather(*map(write_and_read, ids)) == [f"<{name}>" for name in ids]


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_guard_that_refuses_stores_nothing_wherever_it_stands(
    database: Database, position: int, is_long: bool
) -> None:
    write = [thread("thread_a"), initial("thread_a", "msg_a", 1)]
    write.insert(position, NOBODY)
    with pytest.raises(Refused) as refused:
        await database.write(tuple(write), is_long=is_long)
    assert refused.value.guard == "thread_replace"
    assert await everything(database) == []
    await database.write((thread("thread_a"),))
    assert await messages_of(database, "thread_a").ids() == []


@pytest.mark.parametrize("position", [0, 1])
async def test_a_refused_write_harms_none_that_waits_with_it(
    database: Database, position: int
) -> None:
    bad: list[Statement] = [thread("thread_bad")]
    bad.insert(position, NOBODY)
    writes: list[Write] = [(thread(name),) for name in numbered("thread", 20)]
    writes[7] = writes[13] = tuple(bad)
    raised = await outcomes(database, writes)
    assert [type(fault) for fault in raised if fault is not None] == [Refused, Refused]
    assert isinstance(raised[7], Refused)
    assert isinstance(raised[13], Refused)
    kept = [name for n, name in enumerate(numbered("thread", 20)) if n not in (7, 13)]
    assert await everything(database) == kept


async def test_a_failing_statement_harms_no_write_that_waits_with_it(database: Database) -> None:
    """The same id twice: the second one is a mistake, and only its own write is lost."""
    await database.write((thread("thread_taken", wire="first"),))
    writes: list[Write] = [(thread(name),) for name in numbered("thread", 20)]
    writes[5] = (thread("thread_lost"), thread("thread_taken", wire="second"))
    writes[6] = (NOBODY,)
    writes[11] = (thread("thread_nameless"), Statement("no_such_statement", {}))
    raised = await outcomes(database, writes)
    assert [number for number, fault in enumerate(raised) if fault is not None] == [5, 6, 11]
    assert isinstance(raised[6], Refused)
    for mistake in (raised[5], raised[11]):
        assert not isinstance(mistake, Refused | Unavailable)  # a bug, not a state of affairs
    kept = [name for n, name in enumerate(numbered("thread", 20)) if n not in (5, 6, 11)]
    assert await everything(database) == [*kept, "thread_taken"]
    assert await threads.get(database, P, "thread_taken") == "first"


async def test_what_a_failed_write_did_is_not_seen_by_the_guards_of_others(
    database: Database,
) -> None:
    """It wrote the thread, then failed; the append behind it must not find that thread."""
    await database.write((thread("thread_taken"),))
    raised = await outcomes(
        database,
        [
            (thread("thread_a"), thread("thread_taken")),
            append("thread_a", "msg_a"),
            (thread("thread_b"),),
        ],
    )
    assert isinstance(raised[1], Refused)
    assert raised[2] is None
    assert await everything(database) == ["thread_b", "thread_taken"]


async def test_writes_are_applied_in_the_order_in_which_they_came(database: Database) -> None:
    """Each change needs the one before it, and all wait together."""
    writes: list[Write] = [(thread("thread_a", wire="0"),)]
    writes += [(threads.replace(P, "thread_a", str(n), str(n + 1)),) for n in range(50)]
    assert await outcomes(database, writes) == [None] * 51
    assert await threads.get(database, P, "thread_a") == "50"


async def test_writes_go_on_after_errors(database: Database) -> None:
    await database.write((thread("thread_taken"),))
    for number in range(3):
        with pytest.raises(Refused):
            await database.write((thread("thread_x"), NOBODY))
        await outcomes(database, [(thread("thread_x"), thread("thread_taken"))])
        await database.write((thread(f"thread_{number}"),))
    assert await everything(database) == ["thread_0", "thread_1", "thread_2", "thread_taken"]


async def test_more_writes_than_a_batch_takes_are_all_stored(database: Database) -> None:
    ids = numbered("thread", LARGEST_BATCH + 100)
    writes = [(thread(name), initial(name, "msg_a", 1)) for name in ids]
    assert set(await outcomes(database, list(writes))) == {None}
    assert await everything(database) == list(ids)


@pytest.mark.parametrize("count", [LARGEST_BATCH - 1, LARGEST_BATCH, LARGEST_BATCH * 3])
async def test_a_write_larger_than_a_batch_is_all_or_nothing(
    database: Database, count: int
) -> None:
    first = [initial("thread_a", name, n + 1) for n, name in enumerate(numbered("msg", count))]
    with pytest.raises(Refused):
        await database.write((thread("thread_a"), *first, NOBODY))
    assert await everything(database) == []
    await database.write((thread("thread_a"), *first))
    assert len(await messages_of(database, "thread_a").ids(limit=10_000)) == count


async def test_long_and_short_writes_keep_their_promises_together(database: Database) -> None:
    """Long ones, large ones, refused and failing ones between short ones: each gets its own."""
    await database.write((thread("thread_taken"),))
    faulty = {3: (NOBODY,), 9: (thread("x"), NOBODY), 15: (thread("y"), thread("thread_taken"))}

    async def attempt(number: int) -> None:
        name = f"thread_{number:03d}"
        large = tuple(initial(name, f"msg_{n}", n) for n in range(700 * (number % 7 == 0)))
        write = faulty.get(number % 20, (thread(name), *large))
        await database.write(write, is_long=number % 3 == 0)

    raised = await asyncio.gather(*map(attempt, range(60)), return_exceptions=True)
    failed = {number for number, fault in enumerate(raised) if fault is not None}
    assert failed == {number for number in range(60) if number % 20 in faulty}
    expected = [f"thread_{number:03d}" for number in range(60) if number not in failed]
    assert await everything(database) == [*expected, "thread_taken"]
    assert len(await messages_of(database, "thread_042").ids(limit=1000)) == 700


async def test_a_long_write_keeps_its_place_in_the_order(database: Database) -> None:
    writes = [threads.replace(P, "thread_a", str(n), str(n + 1)) for n in range(20)]
    await database.write((thread("thread_a", wire="0"),))
    await asyncio.gather(
        *(database.write((write,), is_long=n % 4 == 1) for n, write in enumerate(writes))
    )
    assert await threads.get(database, P, "thread_a") == "20"


async def test_whoever_gives_up_waiting_disturbs_nobody(database: Database) -> None:
    """A client that goes away takes neither its own write nor another's along by halves."""
    tasks = [
        asyncio.ensure_future(database.write((thread(name), initial(name, "msg_a", 1))))
        for name in numbered("thread", 30)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert done[1::2] == [None] * 15
    await database.write((thread("thread_last"),))
    listed = await everything(database)
    assert set(numbered("thread", 30)[1::2]) <= set(listed)
    for name in listed[:-1]:
        assert await messages_of(database, name).ids() == ["msg_a"]


async def test_a_write_that_reuses_a_live_key_is_refused_whole(database: Database) -> None:
    """Two at the same moment under one key: one is stored, of the other nothing."""
    kept = idempotency.remember(P, "key", "hash", 200, "{}", 1000)
    raised = await outcomes(
        database, [(thread("thread_a"), kept), (thread("thread_b"), kept), (thread("thread_c"),)]
    )
    assert raised[0] is None
    assert isinstance(raised[1], Refused)
    assert raised[1].guard == "idempotency_insert"
    assert await everything(database) == ["thread_a", "thread_c"]


async def test_closing_commits_what_waits(opener: Opener, tmp_path: Path) -> None:
    ids = numbered("thread", LARGEST_BATCH + 10)
    async with opener(tmp_path / "data") as database:
        waiting = [asyncio.ensure_future(database.write((thread(name),))) for name in ids]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [None] * len(ids)
    async with opener(tmp_path / "data") as database:
        assert await everything(database) == list(ids)


async def test_a_closed_database_says_so_instead_of_letting_writers_wait(
    opener: Opener, tmp_path: Path
) -> None:
    async with opener(tmp_path / "data") as database:
        pass
    with pytest.raises(Unavailable):
        await asyncio.wait_for(database.write((thread("thread_a"),)), 5)
    with pytest.raises(Unavailable):
        await database.one("key_any", {})
    with pytest.raises(Unavailable):
        await database.check()


async def test_a_database_that_serves_passes_its_check(database: Database) -> None:
    await database.check()


async def test_a_write_of_nothing_is_done_beside_others(database: Database) -> None:
    await asyncio.gather(database.write(()), database.write((thread("thread_a"),)))
    assert ids_of(await threads_of(database).page()) == ["thread_a"]

"""Conformance: messages, in the order in which they were written."""

import asyncio

import pytest

from tests.store.conformance import (
    NOW,
    P,
    Stretch,
    append,
    initial,
    messages_of,
    numbered,
    place_of,
    put_back,
    thread,
)
from weft.store import messages, threads
from weft.store.database import Database, Refused

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(database: Database) -> Database:
    """A database with the thread thread_a."""
    await database.write((thread("thread_a"),))
    return database


async def place(database: Database, message_id: str) -> tuple[int, int | str] | None:
    """Return (created_at, position) of a message of thread_a."""
    return await place_of(database, "message_place", message_id, thread_id="thread_a")


async def test_a_thread_and_its_first_messages_are_one_write(database: Database) -> None:
    first = [initial("thread_a", f"msg_{n}", n, wire=f"<{n}>") for n in (1, 2, 3)]
    await database.write((thread("thread_a"), *first))
    page = await messages_of(database, "thread_a").page()
    assert page.rows == [("msg_1", "<1>"), ("msg_2", "<2>"), ("msg_3", "<3>")]
    await database.write(append("thread_a", "msg_4"))
    assert await place(database, "msg_4") == (NOW, 4)


async def test_appended_messages_keep_the_order_of_writing(filled: Database) -> None:
    """Their ids say the opposite: order is never read from an id."""
    ids = [f"msg_{9 - n}" for n in range(10)]
    for number, message_id in enumerate(ids):
        await filled.write(append("thread_a", message_id, NOW + number // 4))
    assert await messages_of(filled, "thread_a").ids() == ids
    assert await messages_of(filled, "thread_a").ids(is_descending=True) == ids[::-1]


async def test_messages_of_one_second_get_positions_from_one_on(filled: Database) -> None:
    for message_id in ("msg_a", "msg_b"):
        await filled.write(append("thread_a", message_id))
    await filled.write((*append("thread_a", "msg_c"), *append("thread_a", "msg_d")))
    await filled.write(append("thread_a", "msg_later", NOW + 1))
    places = [await place(filled, f"msg_{name}") for name in ("a", "b", "c", "d", "later")]
    assert places == [(NOW, 1), (NOW, 2), (NOW, 3), (NOW, 4), (NOW + 1, 1)]


async def test_appends_that_wait_together_get_a_position_each(filled: Database) -> None:
    ids = numbered("msg", 300)
    await asyncio.gather(*(filled.write(append("thread_a", name)) for name in ids))
    listed = await messages_of(filled, "thread_a").ids(limit=1000)
    assert sorted(listed) == list(ids)
    positions = {(await place(filled, name) or (0, 0))[1] for name in ids}
    assert positions == set(range(1, 301))


async def test_an_append_behind_a_newer_message_is_refused(filled: Database) -> None:
    await filled.write(append("thread_a", "msg_ahead", NOW + 5))
    with pytest.raises(Refused) as refused:
        await filled.write(append("thread_a", "msg_behind", NOW + 4))
    assert refused.value.guard == "message_may_append"
    assert await messages.newest_date(filled, P, "thread_a") == NOW + 5
    await filled.write(append("thread_a", "msg_level", NOW + 5))
    assert await messages_of(filled, "thread_a").ids() == ["msg_ahead", "msg_level"]


async def test_a_deleted_message_still_counts_as_the_newest(filled: Database) -> None:
    """Its place is a cursor for a day: nothing may come to stand on it or behind its back."""
    await filled.write(append("thread_a", "msg_a", NOW + 5))
    await filled.write((messages.delete(P, "thread_a", "msg_a", NOW),))
    with pytest.raises(Refused):
        await filled.write(append("thread_a", "msg_b", NOW))
    assert await messages.newest_date(filled, P, "thread_a") == NOW + 5
    await filled.write(append("thread_a", "msg_c", NOW + 5))
    assert await place(filled, "msg_c") == (NOW + 5, 2)


async def test_the_newest_date_of_an_empty_thread_is_zero(filled: Database) -> None:
    assert await messages.newest_date(filled, P, "thread_a") == 0
    assert await messages.newest_date(filled, P, "thread_none") == 0


async def test_nothing_is_appended_to_a_thread_that_is_not_there(filled: Database) -> None:
    await filled.write((threads.delete(P, "thread_a", "<thread_a>", NOW),))
    for write in (
        append("thread_a", "msg_x"),
        append("thread_none", "msg_x"),
        append("thread_a", "msg_x", project="other"),
        put_back("thread_a", "msg_x"),
        put_back("thread_none", "msg_x"),
    ):
        with pytest.raises(Refused):
            await filled.write(write)
    assert await place(filled, "msg_x") is None


async def test_a_restored_message_stands_at_its_own_date(filled: Database) -> None:
    await filled.write(append("thread_a", "msg_new"))
    await filled.write(put_back("thread_a", "msg_old", NOW - 100))
    await filled.write(put_back("thread_a", "msg_older", NOW - 200))
    await filled.write(put_back("thread_a", "msg_level", NOW - 100))
    listed = await messages_of(filled, "thread_a").ids()
    assert listed == ["msg_older", "msg_old", "msg_level", "msg_new"]


async def test_a_restore_of_an_id_that_is_taken_is_refused(filled: Database) -> None:
    await filled.write(append("thread_a", "msg_a", wire="mine"))
    with pytest.raises(Refused) as refused:
        await filled.write(put_back("thread_a", "msg_a", 1, wire="other"))
    assert refused.value.guard == "message_restore"
    assert await messages.get(filled, P, "thread_a", "msg_a") == "mine"
    assert await place(filled, "msg_a") == (NOW, 1)


async def test_a_message_id_is_free_in_every_other_thread(filled: Database) -> None:
    await filled.write((thread("thread_b"), *append("thread_a", "msg_a", wire="mine")))
    await filled.write(put_back("thread_b", "msg_a", wire="other"))
    assert await messages.get(filled, P, "thread_a", "msg_a") == "mine"
    assert await messages.get(filled, P, "thread_b", "msg_a") == "other"


async def test_a_deleted_message_can_be_restored(filled: Database) -> None:
    await filled.write((*append("thread_a", "msg_a"), *append("thread_a", "msg_b")))
    await filled.write((messages.delete(P, "thread_a", "msg_a", NOW),))
    assert await messages.get(filled, P, "thread_a", "msg_a") is None
    await filled.write(put_back("thread_a", "msg_a", NOW, wire="back"))
    page = await messages_of(filled, "thread_a").page()
    assert page.rows == [("msg_b", "<msg_b>"), ("msg_a", "back")]
    with pytest.raises(Refused):
        await filled.write(put_back("thread_a", "msg_a"))


async def test_a_message_is_replaced_only_in_the_form_it_was_read(filled: Database) -> None:
    await filled.write(append("thread_a", "msg_a", wire="one"))
    await filled.write((messages.replace(P, "thread_a", "msg_a", "one", "two"),))
    with pytest.raises(Refused) as refused:
        await filled.write((messages.replace(P, "thread_a", "msg_a", "one", "three"),))
    assert refused.value.guard == "message_replace"
    assert await messages.get(filled, P, "thread_a", "msg_a") == "two"


async def test_a_deleted_message_is_gone_but_stays_a_cursor(filled: Database) -> None:
    for message_id in ("msg_a", "msg_b", "msg_c"):
        await filled.write(append("thread_a", message_id))
    await filled.write((messages.delete(P, "thread_a", "msg_b", NOW),))
    assert await messages.get(filled, P, "thread_a", "msg_b") is None
    cursor = await place(filled, "msg_b")
    assert cursor == (NOW, 2)
    assert await messages_of(filled, "thread_a").ids(after=cursor) == ["msg_c"]
    assert await messages_of(filled, "thread_a").ids(before=cursor) == ["msg_a"]
    for statement in (
        messages.delete(P, "thread_a", "msg_b", NOW),
        messages.replace(P, "thread_a", "msg_b", "", "again"),
    ):
        with pytest.raises(Refused):
            await filled.write((statement,))


async def test_a_deleted_thread_hides_its_messages_at_once(filled: Database) -> None:
    await filled.write(append("thread_a", "msg_a", run_id="run_1"))
    await filled.write((threads.delete(P, "thread_a", "<thread_a>", NOW),))
    assert await messages.get(filled, P, "thread_a", "msg_a") is None
    for is_descending in (False, True):
        assert await messages_of(filled, "thread_a").ids(is_descending=is_descending) == []
        of_run = Stretch(filled, "message_list_of_run", int, thread_id="thread_a", run_id="run_1")
        assert await of_run.ids(is_descending=is_descending) == []
    for statement in (
        messages.replace(P, "thread_a", "msg_a", "<msg_a>", "new"),
        messages.delete(P, "thread_a", "msg_a", NOW),
    ):
        with pytest.raises(Refused):
            await filled.write((statement,))


async def test_messages_are_listed_by_the_run_that_wrote_them(filled: Database) -> None:
    for number in range(9):
        run_id = (None, "run_1", "run_2")[number % 3]
        await filled.write(append("thread_a", f"msg_{number}", NOW + number // 5, run_id=run_id))
    await filled.write((messages.delete(P, "thread_a", "msg_7", NOW),))
    of_run = Stretch(filled, "message_list_of_run", int, thread_id="thread_a", run_id="run_1")
    assert await of_run.ids() == ["msg_1", "msg_4"]
    assert await of_run.ids(is_descending=True) == ["msg_4", "msg_1"]
    assert await of_run.ids(after=await place(filled, "msg_1")) == ["msg_4"]
    nobody = Stretch(filled, "message_list_of_run", int, thread_id="thread_a", run_id="run_3")
    assert await nobody.ids() == []


async def test_no_message_is_reached_through_another_project(filled: Database) -> None:
    await filled.write((*append("thread_a", "msg_a"), thread("thread_a", project="other")))
    assert await messages.get(filled, "other", "thread_a", "msg_a") is None
    for statement in (
        messages.replace("other", "thread_a", "msg_a", "<msg_a>", "stolen"),
        messages.delete("other", "thread_a", "msg_a", NOW),
    ):
        with pytest.raises(Refused):
            await filled.write((statement,))
    assert await messages.get(filled, P, "thread_a", "msg_a") == "<msg_a>"

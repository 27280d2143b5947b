"""Conformance: threads, kept and found."""

import pytest

from tests.store.conformance import NOW, P, append, pairs, place_of, thread, threads_of
from weft.store import sweep, threads
from weft.store.database import Database, Refused

pytestmark = pytest.mark.anyio


async def test_a_thread_is_read_back_to_the_byte(database: Database) -> None:
    wire = '{"text":"Grüße \N{SNOWMAN} \\u0000 \N{GRINNING FACE}","n":1.0}'
    await database.write((thread("thread_a", wire=wire),))
    assert await threads.get(database, P, "thread_a") == wire


async def test_a_thread_does_not_exist_in_another_project(database: Database) -> None:
    await database.write((thread("thread_a"), thread("thread_a", project="other", wire="theirs")))
    assert await threads.get(database, P, "thread_a") == "<thread_a>"
    assert await threads.get(database, "other", "thread_a") == "theirs"
    assert await threads.get(database, "third", "thread_a") is None
    with pytest.raises(Refused):
        await database.write((threads.delete("third", "thread_a", "<thread_a>", NOW),))
    with pytest.raises(Refused):
        await database.write((threads.replace(P, "thread_a", "theirs", "stolen"),))
    assert await threads_of(database).ids() == ["thread_a"]


async def test_a_replace_needs_the_form_it_started_from(database: Database) -> None:
    await database.write((thread("thread_a", wire="one"),))
    await database.write((threads.replace(P, "thread_a", "one", "two"),))
    with pytest.raises(Refused) as refused:
        await database.write((threads.replace(P, "thread_a", "one", "three"),))
    assert refused.value.guard == "thread_replace"
    assert await threads.get(database, P, "thread_a") == "two"


async def test_a_deleted_thread_is_hidden_and_stays_a_cursor(database: Database) -> None:
    await database.write((thread("thread_a", 5), thread("thread_b", 6), thread("thread_c", 7)))
    await database.write((threads.delete(P, "thread_b", "<thread_b>", NOW),))
    assert await threads.get(database, P, "thread_b") is None
    with pytest.raises(Refused):
        await database.write((threads.replace(P, "thread_b", "", "again"),))
    place = await place_of(database, "thread_place", "thread_b")
    assert place == (6, "thread_b")
    assert await threads_of(database).ids(after=place) == ["thread_c"]
    assert await threads_of(database).ids(after=place, is_descending=True) == ["thread_a"]
    assert await threads_of(database).ids() == ["thread_a", "thread_c"]


async def test_a_delete_needs_the_form_it_started_from(database: Database) -> None:
    await database.write((thread("thread_a", wire="one"),))
    with pytest.raises(Refused) as refused:
        await database.write((threads.delete(P, "thread_a", "zero", NOW),))
    assert refused.value.guard == "thread_delete"
    assert await threads.get(database, P, "thread_a") == "one"


async def test_a_restored_thread_takes_a_free_id_with_its_date(database: Database) -> None:
    await database.write((threads.restore(P, "thread_old", 1000, NOW, "old"),))
    assert await threads.get(database, P, "thread_old") == "old"
    assert await place_of(database, "thread_place", "thread_old") == (1000, "thread_old")


async def test_a_restore_over_a_living_thread_is_refused(database: Database) -> None:
    await database.write((thread("thread_a", wire="mine"),))
    with pytest.raises(Refused) as refused:
        await database.write((threads.restore(P, "thread_a", 1, NOW, "other"),))
    assert refused.value.guard == "thread_restore"
    assert await threads.get(database, P, "thread_a") == "mine"


async def test_a_restore_waits_until_a_deleted_thread_is_swept(database: Database) -> None:
    await database.write((thread("thread_a"), *append("thread_a", "msg_a")))
    await database.write((threads.delete(P, "thread_a", "<thread_a>", NOW),))
    restore = threads.restore(P, "thread_a", 77, NOW, "back")
    with pytest.raises(Refused):
        await database.write((restore,))
    assert await sweep.finish_thread(database, P, "thread_a")
    await database.write((restore,))
    assert await threads.get(database, P, "thread_a") == "back"
    assert await place_of(database, "thread_place", "thread_a") == (77, "thread_a")
    with pytest.raises(Refused):
        await database.write((restore,))


async def test_metadata_says_only_what_the_last_change_left(database: Database) -> None:
    old, new = {"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5"}
    await database.write((thread("thread_a"), *pairs("thread_a", old)))
    change = threads.index_metadata(P, "thread_a", NOW, old=old, new=new)
    assert len(change) == 4  # what stays is not touched
    await database.write((threads.replace(P, "thread_a", "<thread_a>", "new"), *change))
    for key, value, count in [
        ("a", "1", 0),
        ("b", "2", 1),
        ("c", "3", 0),
        ("c", "4", 1),
        ("d", "5", 1),
    ]:
        params = {"project": P, "key": key, "value": value, "most": threads.RARE}
        assert await database.one("thread_metadata_count", params) == (count,), (key, value)


async def test_counting_a_pair_stops_where_it_does_not_matter_any_more(database: Database) -> None:
    for number in range(5):
        await database.write((thread(f"thread_{number}"), *pairs(f"thread_{number}", {"k": "v"})))
    params = {"project": P, "key": "k", "value": "v", "most": 3}
    assert await database.one("thread_metadata_count", params) == (3,)

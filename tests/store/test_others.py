"""Conformance: assistants, remembered answers and API keys."""

from typing import Any

import pytest

from tests.store.conformance import NOW, P, Stretch, numbered, place_of
from weft.store import assistants, idempotency, keys
from weft.store.database import Database, Refused
from weft.store.idempotency import KEPT_S, Remembered

pytestmark = pytest.mark.anyio


# --- assistants -------------------------------------------------------------------------------


async def test_an_assistant_is_kept_changed_and_erased(database: Database) -> None:
    await database.write((assistants.insert(P, "asst_a", NOW, "one"),))
    assert await assistants.get(database, P, "asst_a") == "one"
    await database.write((assistants.replace(P, "asst_a", "one", "two"),))
    with pytest.raises(Refused):
        await database.write((assistants.replace(P, "asst_a", "one", "three"),))
    assert await assistants.get(database, P, "asst_a") == "two"
    await database.write((assistants.delete(P, "asst_a", NOW),))
    assert await assistants.get(database, P, "asst_a") is None
    for statement in (
        assistants.delete(P, "asst_a", NOW),
        assistants.replace(P, "asst_a", "", "again"),
    ):
        with pytest.raises(Refused):
            await database.write((statement,))


async def test_assistants_are_listed_by_date_and_then_by_id(database: Database) -> None:
    for number, name in enumerate(numbered("asst", 6)):
        await database.write((assistants.insert(P, name, NOW + number // 3, f"<{name}>"),))
    await database.write((assistants.delete(P, "asst_00002", NOW),))
    listing = Stretch(database, "assistant_list", str)
    left = [name for name in numbered("asst", 6) if name != "asst_00002"]
    assert await listing.ids() == left
    assert await listing.ids(is_descending=True) == left[::-1]
    cursor = await place_of(database, "assistant_place", "asst_00002")
    assert cursor == (NOW, "asst_00002")
    assert await listing.ids(after=cursor) == left[2:]
    assert await listing.ids(after=cursor, is_descending=True) == left[1::-1]
    assert await listing.ids(before=cursor, limit=1) == left[:1]


async def test_an_assistant_does_not_exist_in_another_project(database: Database) -> None:
    await database.write((assistants.insert(P, "asst_a", NOW, "mine"),))
    await database.write((assistants.insert("other", "asst_a", NOW, "theirs"),))
    assert await assistants.get(database, "third", "asst_a") is None
    with pytest.raises(Refused):
        await database.write((assistants.delete("third", "asst_a", NOW),))
    await database.write((assistants.delete("other", "asst_a", NOW),))
    assert await assistants.get(database, P, "asst_a") == "mine"


# --- idempotency ------------------------------------------------------------------------------


def remembered(now: int, answer: str = "{}", **other: Any) -> Any:
    """The statement that keeps an answer under the key "key"."""
    given = {"project": P, "key": "key", "request_hash": "hash", "status": 200, **other}
    return idempotency.remember(answer=answer, now=now, **given)


async def test_an_answer_is_kept_for_a_day_to_the_second(database: Database) -> None:
    answer = '{"text":"\N{SNOWMAN}\\n"}'
    await database.write((remembered(NOW, answer, status=201),))
    first = Remembered("hash", 201, answer)
    assert await idempotency.recall(database, P, "key", NOW) == first
    assert await idempotency.recall(database, P, "key", NOW + KEPT_S - 1) == first
    assert await idempotency.recall(database, P, "key", NOW + KEPT_S) is None


async def test_a_live_key_is_refused_and_an_expired_one_taken_over(database: Database) -> None:
    await database.write((remembered(NOW, "first"),))
    with pytest.raises(Refused) as refused:
        await database.write((remembered(NOW + KEPT_S - 1, "early"),))
    assert refused.value.guard == "idempotency_insert"
    await database.write((remembered(NOW + KEPT_S, "second", request_hash="new"),))
    kept = await idempotency.recall(database, P, "key", NOW + KEPT_S)
    assert kept == Remembered("new", 200, "second")


async def test_a_key_belongs_to_its_project_and_is_compared_exactly(database: Database) -> None:
    await database.write((remembered(NOW),))
    assert await idempotency.recall(database, "other", "key", NOW) is None
    assert await idempotency.recall(database, P, "KEY", NOW) is None
    await database.write((remembered(NOW, "theirs", project="other"),))
    await database.write((remembered(NOW, "capital", key="KEY"),))
    kept = await idempotency.recall(database, P, "key", NOW)
    assert kept == Remembered("hash", 200, "{}")


# --- API keys ---------------------------------------------------------------------------------


async def test_a_key_opens_its_project_until_it_is_revoked(database: Database) -> None:
    assert not await keys.any_exist(database)
    await database.write((keys.insert("key_1", "sk-weft-secret1", P, "mine", NOW),))
    await database.write((keys.insert("key_2", "sk-weft-secret2", "other", "", NOW + 1),))
    assert await keys.any_exist(database)
    assert await keys.project_of(database, "sk-weft-secret1") == P
    assert await keys.project_of(database, "sk-weft-secret2") == "other"
    assert await keys.project_of(database, "sk-weft-secret") is None
    await database.write((keys.revoke("key_1", NOW + 2),))
    assert await keys.project_of(database, "sk-weft-secret1") is None
    assert await keys.project_of(database, "sk-weft-secret2") == "other"
    assert await keys.any_exist(database)


async def test_a_key_is_revoked_once(database: Database) -> None:
    await database.write((keys.insert("key_1", "sk-weft-secret", P, "", NOW),))
    await database.write((keys.revoke("key_1", NOW + 2),))
    for key_id in ("key_1", "key_none"):
        with pytest.raises(Refused):
            await database.write((keys.revoke(key_id, NOW + 3),))
    assert [info.revoked_at for info in await keys.all_keys(database)] == [NOW + 2]


async def test_keys_are_listed_oldest_first_without_their_secret(database: Database) -> None:
    await database.write((keys.insert("key_2", "sk-weft-two-abcd", P, "later", NOW + 1),))
    await database.write((keys.insert("key_1", "sk-weft-one-wxyz", P, "first", NOW),))
    listed = await keys.all_keys(database)
    assert [info.name for info in listed] == ["first", "later"]
    assert listed[0] == keys.KeyInfo("key_1", P, "first", "wxyz", NOW, None)
    assert "sk-weft-one" not in repr(listed)


async def test_two_keys_never_have_the_same_secret(database: Database) -> None:
    await database.write((keys.insert("key_1", "sk-weft-secret", P, "", NOW),))
    with pytest.raises(Exception, match=r"."):
        await database.write((keys.insert("key_2", "sk-weft-secret", "other", "", NOW),))
    assert await keys.project_of(database, "sk-weft-secret") == P


async def test_a_key_that_is_no_text_is_a_wrong_key(database: Database) -> None:
    """Headers may hold any byte."""
    assert await keys.project_of(database, "\udcff\x00") is None

"""Conformance: vector stores, the files in them, their jobs and batches."""

import itertools
import json
import random
from typing import Any

import pytest

from tests.store.conformance import NOW, P, Stretch, place_of
from weft.store import sweep
from weft.store import vector_stores as store
from weft.store.chunks import FileKey
from weft.store.database import Database, Refused, Write
from weft.store.sweep import TOMBSTONE_S
from weft.store.vector_stores import NewFile, StoreRow

pytestmark = pytest.mark.anyio

STATUSES = ("in_progress", "completed", "failed", "cancelled")


def a_file(file_id: str, attributes: str = "{}", max_tokens: int = 800) -> NewFile:
    """A file to put into a store."""
    return NewFile(file_id, max_tokens, 400, attributes)


async def a_store(database: Database, *file_ids: str, store_id: str = "vs_a", **how: Any) -> None:
    """Make a store with files."""
    insert = store.insert(how.get("project", P), store_id, NOW, how.get("days"), "{}")
    files = [a_file(each) for each in file_ids]
    await database.write((insert, *store.fill(how.get("project", P), store_id, files, NOW)))


async def now(database: Database, store_id: str = "vs_a", project: str = P) -> StoreRow:
    """Return a store as it is."""
    found = await store.get(database, project, store_id)
    assert found is not None
    return found


async def counts(database: Database, store_id: str = "vs_a") -> dict[str, int]:
    """Return the counts of a store that are not 0."""
    row = (await now(database, store_id))._asdict()
    return {name: row[name] for name in STATUSES if row[name]}


async def finish(
    database: Database, file_id: str, status: str = "completed", usage_bytes: int = 10
) -> None:
    """Claim a file and bring it to an end."""
    key = FileKey(P, "vs_a", file_id)
    job = await store.job(database, key)
    assert job is not None
    await database.write((store.claim(key, job),))
    end = store.finish(
        key,
        job.attempt + 1,
        status=status,
        usage_bytes=usage_bytes,
        last_error=None,
        attributes=job.attributes,
    )
    await database.write((end,))


async def refused(database: Database, write: Write) -> str:
    """Return the guard that refuses a write."""
    with pytest.raises(Refused) as refusal:
        await database.write(write)
    return refusal.value.guard


def files_of(database: Database, store_id: str = "vs_a", status: str | None = None) -> Stretch:
    """The files of a store."""
    name = "vector_store_file_list" + ("_of_status" if status else "")
    return Stretch(database, name, int, vector_store_id=store_id, status=status)


async def test_a_store_is_kept_changed_and_erased(database: Database) -> None:
    await a_store(database, days=2)
    row = await now(database)
    assert (row.created_at, row.expires_at, row.wire) == (NOW, NOW + 2 * 86400, "{}")
    await database.write((store.replace(P, "vs_a", "{}", "new", 3, NOW),))
    assert (await now(database)).expires_at == NOW + 3 * 86400
    was = store.replace(P, "vs_a", "{}", "newer", None, NOW)
    assert await refused(database, (was,)) == "vector_store_replace"
    await database.write(store.delete(P, "vs_a", NOW))
    assert await store.get(database, P, "vs_a") is None
    assert await place_of(database, "vector_store_place", "vs_a") == (NOW, "vs_a")
    for write in (store.delete(P, "vs_a", NOW), (store.alive(P, "vs_a"),)):
        await refused(database, write)


async def test_time_begins_anew_with_each_use_until_it_is_over(database: Database) -> None:
    await a_store(database, days=1)
    await database.write((store.touch(P, "vs_a", NOW + 86399),))
    assert (await now(database)).expires_at == NOW + 86399 + 86400
    await database.write((store.touch(P, "vs_a", NOW),))  # a clock that was set back
    assert (await now(database)).last_active_at == NOW + 86399
    late = NOW + 86399 + 86400
    for write in (
        (store.touch(P, "vs_a", late),),
        store.add(P, "vs_a", [a_file("file-a")], late),
        (store.replace(P, "vs_a", "{}", "{}", None, late),),
    ):
        await refused(database, write)
    assert await store.overdue(database, late - 1, 10) == []
    assert await store.overdue(database, late, 10) == [("vs_a", P)]
    await database.write(store.clear(P, "vs_a", late))
    assert await store.overdue(database, late, 10) == []


async def test_files_stand_in_the_order_in_which_they_came(database: Database) -> None:
    names = [f"file-{name}" for name in "dacb"]
    await a_store(database, *names)
    await database.write(store.add(P, "vs_a", [a_file("file-0")], NOW))
    await database.write(store.add(P, "vs_a", [a_file("file-z")], NOW + 1))
    expected = [*names, "file-0", "file-z"]
    assert await files_of(database).ids() == expected
    assert await files_of(database).ids(is_descending=True) == expected[::-1]
    await database.write(store.remove(FileKey(P, "vs_a", "file-a"), NOW))
    cursor = await place_of(database, "vector_store_file_place", "file-a", vector_store_id="vs_a")
    assert await files_of(database).ids(after=cursor) == expected[2:]
    await finish(database, "file-c")
    assert await files_of(database, status="completed").ids() == ["file-c"]


async def test_a_file_that_is_there_is_left_alone_unless_there_is_a_reason(
    database: Database,
) -> None:
    await a_store(database, "file-a", "file-b")
    await finish(database, "file-a")
    await finish(database, "file-b", "failed", 0)
    key = FileKey(P, "vs_a", "file-a")
    await database.write(store.add(P, "vs_a", [a_file("file-a")], NOW + 5))
    same = await store.file(database, key)
    assert same is not None
    assert (same.status, same.created_at) == ("completed", NOW)
    await database.write(store.add(P, "vs_a", [a_file("file-b")], NOW + 5))
    assert await counts(database) == {"completed": 1, "in_progress": 1}
    await database.write(store.add(P, "vs_a", [a_file("file-a", '{"a":1}')], NOW + 5))
    again = await store.file(database, key)
    assert again is not None
    assert (again.status, again.attributes, again.created_at) == ("in_progress", '{"a":1}', NOW)
    assert (await now(database)).usage_bytes == 0


async def test_what_a_file_keeps_is_no_reason_to_index_it_anew(database: Database) -> None:
    """Only of a file that is there: one that was taken out begins anew."""
    await database.write((store.insert(P, "vs_a", NOW, None, "{}"),))
    await database.write(store.add(P, "vs_a", [NewFile("file-a", 100, 50, '{"a":1}')], NOW))
    await finish(database, "file-a")
    key = FileKey(P, "vs_a", "file-a")
    keeping = NewFile("file-a", 800, 400, "{}", keeps_cut=True, keeps_attributes=True)

    async def added(file: NewFile) -> tuple[str, int, int, str]:
        await database.write(store.add(P, "vs_a", [file], NOW + 5))
        row = await store.file(database, key)
        assert row is not None
        return row.status, row.max_tokens, row.overlap_tokens, row.attributes

    assert await added(keeping) == ("completed", 100, 50, '{"a":1}')
    kept = ("in_progress", 100, 50, '{"b":1}')
    assert await added(keeping._replace(keeps_attributes=False, attributes='{"b":1}')) == kept
    assert await added(keeping._replace(keeps_cut=False)) == ("in_progress", 800, 400, '{"b":1}')
    await database.write(store.remove(key, NOW + 6))
    assert await added(keeping) == ("in_progress", 800, 400, "{}")


async def test_counts_are_right_whatever_happens(database: Database) -> None:
    """A long life of a store, drawn by chance from a fixed beginning, against a count by hand."""
    chance = random.Random(5)  # noqa: S311  # no secret
    await a_store(database)
    names = [f"file-{number}" for number in range(6)]
    for step in range(300):
        name = chance.choice(names)
        key = FileKey(P, "vs_a", name)
        kind = chance.choice(["add", "end", "remove", "forget", "batch", "cancel"])
        if kind == "add":
            tokens = chance.choice([800, 900])
            await database.write(store.add(P, "vs_a", [a_file(name, "{}", tokens)], NOW + step))
        elif kind == "end" and await store.job(database, key):
            status = chance.choice(["completed", "failed"])
            await finish(database, name, status, chance.randrange(100))
        elif kind == "remove" and await store.file(database, key):
            await database.write(store.remove(key, NOW + step))
        elif kind == "forget":
            statements = await store.delete_file(database, P, name, NOW)
            await database.write(tuple(s for s in statements if s.name.startswith("vector_")))
        elif kind == "batch":
            some = [a_file(each) for each in chance.sample(names, 3)]
            await database.write(store.insert_batch(P, "vs_a", f"vsfb_{step}", some, NOW + step))
        elif kind == "cancel":
            for earlier in range(step):
                batch = await store.batch(database, P, "vs_a", f"vsfb_{earlier}")
                if batch is not None and batch.in_progress:
                    await database.write(store.cancel_batch(P, "vs_a", f"vsfb_{earlier}", NOW))
        files = (await files_of(database).page()).rows
        by_hand = {s: sum(row[3] == s for row in files) for s in STATUSES}
        assert await counts(database) == {s: count for s, count in by_hand.items() if count}, kind
        assert (await now(database)).usage_bytes == sum(row[4] for row in files)


async def test_a_job_is_claimed_once_and_an_older_attempt_is_kept_out(database: Database) -> None:
    await a_store(database, "file-a")
    key = FileKey(P, "vs_a", "file-a")
    assert await store.queue(database, 10) == [(key, 0)]
    first = await store.job(database, key)
    assert first is not None
    await database.write((store.claim(key, first),))
    assert await refused(database, (store.claim(key, first),)) == "vector_store_file_claim"
    second = await store.job(database, key)
    assert second is not None
    assert (second.attempt, second.tries) == (1, 1)
    await database.write((store.fence(key, 1),))
    await database.write((store.claim(key, second),))
    for attempt in (0, 1):
        assert await refused(database, (store.fence(key, attempt),)) == "vector_store_file_fence"
    await database.write((store.release(key, 2),))
    third = await store.job(database, key)
    assert third is not None
    assert (third.attempt, third.tries) == (2, 1)


@pytest.mark.parametrize("how", ["remove", "delete", "cancel", "clear"])
async def test_what_is_not_wanted_any_more_leaves_the_queue(database: Database, how: str) -> None:
    insert = store.insert(P, "vs_a", NOW, 1, "{}")
    batch = store.insert_batch(P, "vs_a", "vsfb_a", [a_file("file-a")], NOW)
    await database.write((insert, *batch))
    key = FileKey(P, "vs_a", "file-a")
    job = await store.job(database, key)
    assert job is not None
    await database.write((store.claim(key, job),))
    write: Write = {
        "remove": store.remove(key, NOW),
        "delete": store.delete(P, "vs_a", NOW),
        "cancel": store.cancel_batch(P, "vs_a", "vsfb_a", NOW),
        "clear": store.clear(P, "vs_a", NOW + 86400),
    }[how]
    await database.write(write)
    assert await store.queue(database, 10) == []
    assert await store.job(database, key) is None
    await refused(database, (store.fence(key, 1),))


async def test_the_same_ids_in_two_projects_are_two_stores(database: Database) -> None:
    for project in (P, "other"):
        await a_store(database, "file-a", project=project)
    await finish(database, "file-a")
    assert (await now(database, project="other")).in_progress == 1
    await database.write(store.delete("other", "vs_a", NOW))
    assert (await now(database)).completed == 1


async def test_deleting_a_file_takes_it_out_of_every_store_of_its_project(
    database: Database,
) -> None:
    for store_id, project in itertools.product(("vs_a", "vs_b"), (P, "other")):
        await a_store(database, "file-a", "file-b", store_id=store_id, project=project)
    statements = await store.delete_file(database, P, "file-a", NOW)
    for store_id in ("vs_c",):
        await a_store(database, "file-a", store_id=store_id)
    mine = tuple(each for each in statements if each.name.startswith("vector_"))
    assert await refused(database, mine) == "vector_store_file_still_in"
    again = await store.delete_file(database, P, "file-a", NOW)
    await database.write(tuple(each for each in again if each.name.startswith("vector_")))
    for store_id, left in (("vs_a", 1), ("vs_b", 1), ("vs_c", 0)):
        assert (await now(database, store_id)).in_progress == left
        if store_id != "vs_c":
            assert (await now(database, store_id, "other")).in_progress == 2


async def test_a_deleted_store_is_swept_in_slices_and_its_place_a_day_later(
    database: Database,
) -> None:
    files = [a_file(f"file-{number:04d}") for number in range(1500)]
    insert = store.insert(P, "vs_a", NOW, None, "{}")
    await database.write((insert, *store.insert_batch(P, "vs_a", "vsfb_a", files, NOW)))
    await a_store(database, "file-0001", store_id="vs_b")
    await database.write(store.delete(P, "vs_a", NOW))
    slices = 0
    while await sweep.sweep_vector_stores(database, NOW):
        slices += 1
    assert slices == 2
    assert await files_of(database).ids() == []
    assert await files_of(database, "vs_b").ids() == ["file-0001"]
    while await sweep.sweep_old(database, NOW + TOMBSTONE_S):
        pass
    assert await place_of(database, "vector_store_place", "vs_a") is not None
    while await sweep.sweep_old(database, NOW + TOMBSTONE_S + 1):
        pass
    assert await place_of(database, "vector_store_place", "vs_a") is None


async def test_a_batch_counts_what_became_of_its_files(database: Database) -> None:
    await a_store(database)
    files = [a_file(each) for each in ("file-b", "file-a", "file-c")]
    await database.write(store.insert_batch(P, "vs_a", "vsfb_a", files, NOW))
    await finish(database, "file-a")
    await finish(database, "file-b", "failed", 0)
    batch = await store.batch(database, P, "vs_a", "vsfb_a")
    assert batch == (NOW, None, 1, 1, 1, 0)
    listing = Stretch(
        database,
        "file_batch_file_list",
        int,
        vector_store_id="vs_a",
        batch_id="vsfb_a",
        status=None,
    )
    assert await listing.ids() == ["file-b", "file-a", "file-c"]
    await database.write(store.cancel_batch(P, "vs_a", "vsfb_a", NOW + 1))
    assert await store.batch(database, P, "vs_a", "vsfb_a") == (NOW, NOW + 1, 0, 1, 1, 1)
    write = store.cancel_batch(P, "vs_a", "vsfb_a", NOW + 2)
    assert await refused(database, write) == "file_batch_cancel"
    assert await store.batch(database, "other", "vs_a", "vsfb_a") is None
    assert json.loads((await now(database)).wire) == {}

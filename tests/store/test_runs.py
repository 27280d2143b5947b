"""Conformance: runs. One active run for each thread, and every write behind its guard."""

import asyncio

import pytest

from tests.store.conformance import NOW, P, append, messages_of, thread
from weft.store import messages, runs, threads
from weft.store.database import Database, Refused, Statement
from weft.store.runs import RunKey, State

pytestmark = pytest.mark.anyio

KEY = RunKey("thread_a", P, "run_1")
EXPIRES_AT = NOW + 600


@pytest.fixture
async def filled(database: Database) -> Database:
    """A database with the threads thread_a and thread_b."""
    await database.write((thread("thread_a"), thread("thread_b")))
    return database


def key(run_id: str, thread_id: str = "thread_a", project: str = P) -> RunKey:
    """Name a run."""
    return RunKey(thread_id, project, run_id)


def queued(of: RunKey, created_at: int = NOW, expires_at: int = EXPIRES_AT) -> Statement:
    """A new run; its wire form says its id and how often it changed."""
    return runs.insert(of, created_at=created_at, expires_at=expires_at, wire=f"{of.id}.0")


def waiting(of: RunKey, created_at: int = NOW) -> Statement:
    """A run behind the active one."""
    return runs.insert_waiting(of, created_at=created_at, wire=f"{of.id}.0")


async def change(database: Database, of: RunKey, status: str, wire: str = "") -> None:
    """Give a run another status, from what it is."""
    was = await runs.state(database, of)
    assert was is not None
    is_over = status not in ("queued", "in_progress", "requires_action", "cancelling")
    await database.write(
        (
            runs.replace(
                of,
                was,
                wire=wire or was.wire + ".",
                status=status,
                expires_at=EXPIRES_AT,
                ended_at=NOW + 1 if is_over else None,
            ),
        )
    )


async def take_up(database: Database, of: RunKey) -> State:
    """Claim a run."""
    was = await runs.state(database, of)
    assert was is not None
    await database.write((runs.claim(of, was, wire=was.wire + "+"),))
    now = await runs.state(database, of)
    assert now is not None
    return now


async def refused(database: Database, *write: Statement) -> str:
    """Return the guard that refuses a write; nothing of the write may be stored."""
    with pytest.raises(Refused) as refusal:
        await database.write((*write, thread("thread_mark")))
    assert await threads.get(database, P, "thread_mark") is None
    return refusal.value.guard


async def listed(database: Database, name: str, now: int = 0) -> list[str]:
    """Return the ids of the runs that a query lists."""
    return [found.id for found in await runs.find(database, name, 100, now=now)]


# --- one active run -------------------------------------------------------------------------------


async def test_a_new_run_is_there_and_locks_its_thread(filled: Database) -> None:
    await filled.write((queued(KEY),))
    assert await runs.get(filled, KEY) == "run_1.0"
    assert await runs.state(filled, KEY) == State("run_1.0", 0, 0)
    assert await runs.active_of(filled, P, "thread_a") == "run_1"
    assert await runs.active_of(filled, P, "thread_b") is None
    assert await runs.active_of(filled, "other", "thread_a") is None


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
async def test_an_active_run_keeps_out_another_and_messages(filled: Database, status: str) -> None:
    await filled.write((queued(KEY),))
    await change(filled, KEY, status)
    assert await refused(filled, queued(key("run_2"))) == "run_insert"
    assert await refused(filled, *append("thread_a", "msg_a")) == "message_may_append"
    await filled.write((queued(key("run_2", "thread_b")),))
    assert await runs.get(filled, key("run_2")) is None


@pytest.mark.parametrize("status", ["cancelled", "failed", "completed", "incomplete", "expired"])
async def test_a_run_that_has_ended_unlocks_its_thread(filled: Database, status: str) -> None:
    await filled.write((queued(KEY),))
    await change(filled, KEY, status)
    assert await runs.active_of(filled, P, "thread_a") is None
    await filled.write((*append("thread_a", "msg_a"), queued(key("run_2"))))
    assert await runs.active_of(filled, P, "thread_a") == "run_2"


async def test_of_runs_that_are_made_together_one_is_stored(filled: Database) -> None:
    made = await asyncio.gather(
        *(filled.write((queued(key(f"run_{n}")),)) for n in range(50)), return_exceptions=True
    )
    assert sum(found is None for found in made) == 1
    assert all(found is None or isinstance(found, Refused) for found in made)


async def test_a_run_needs_a_living_thread(filled: Database) -> None:
    await filled.write((threads.delete(P, "thread_a", "<thread_a>", NOW),))
    for of in (KEY, key("run_1", "thread_none"), key("run_1", "thread_b", "other")):
        assert await refused(filled, queued(of)) == "run_insert"
        assert await refused(filled, waiting(of)) == "run_insert_waiting"


async def test_a_run_and_the_messages_that_it_brings_are_one_write(filled: Database) -> None:
    await filled.write((*append("thread_a", "msg_a"), queued(KEY)))
    more = (*append("thread_a", "msg_b"), queued(key("run_2")))
    assert await refused(filled, *more) == "message_may_append"
    assert await messages_of(filled, "thread_a").ids() == ["msg_a"]


async def test_a_deleted_thread_hides_its_runs(filled: Database) -> None:
    await filled.write((queued(KEY), runs.insert_step(KEY, "step_1", NOW, "{}")))
    await filled.write((threads.delete(P, "thread_a", "<thread_a>", NOW),))
    assert await runs.get(filled, KEY) is None
    row = await filled.one("run_step_get", KEY.under(id="step_1"))
    assert row is None
    was = State("run_1.0", 0, 0)
    replace = runs.replace(KEY, was, wire="new", status="failed", expires_at=None, ended_at=NOW)
    for guard, statement in (
        ("run_replace", replace),
        ("run_claim", runs.claim(KEY, was, wire="new")),
        ("run_fence", runs.fence(KEY, 0)),
    ):
        assert await refused(filled, statement) == guard


# --- compare and set ------------------------------------------------------------------------------


async def test_a_run_is_replaced_only_in_the_form_it_was_read(filled: Database) -> None:
    await filled.write((queued(KEY),))
    was = await runs.state(filled, KEY)
    assert was is not None
    await change(filled, KEY, "queued", wire="other")

    def replace(of: State) -> Statement:
        return runs.replace(KEY, of, wire="mine", status="failed", expires_at=None, ended_at=NOW)

    assert await refused(filled, replace(was)) == "run_replace"
    assert await refused(filled, replace(State("other", 1, 0))) == "run_replace"
    await filled.write((replace(State("other", 0, 0)),))
    assert await runs.get(filled, KEY) == "mine"


async def test_what_has_ended_stays_ended_when_it_is_changed(filled: Database) -> None:
    """A client may still change its metadata; its log is cleared a day after it ended."""
    await filled.write((queued(KEY),))
    await change(filled, KEY, "expired")
    await change(filled, KEY, "expired")
    was = await runs.state(filled, KEY)
    assert was is not None
    metadata = runs.replace(
        KEY, was, wire="new", status="expired", expires_at=EXPIRES_AT, ended_at=None
    )
    await filled.write((metadata,))
    assert await listed(filled, "run_overdue", now=EXPIRES_AT + 1) == []
    row = await filled.one("sweep_next_log", {"before": NOW + 2})
    assert row == ("thread_a", P, "run_1")


# --- workers --------------------------------------------------------------------------------------


async def test_of_workers_that_claim_a_run_together_one_gets_it(filled: Database) -> None:
    await filled.write((queued(KEY),))
    was = await runs.state(filled, KEY)
    assert was is not None
    claims = [filled.write((runs.claim(KEY, was, wire=f"{n}"),)) for n in range(20)]
    taken = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(found is None for found in taken) == 1
    state = await runs.state(filled, KEY)
    assert state is not None
    assert (state.attempt, state.recoveries) == (1, 0)


async def test_claims_of_a_run_in_progress_are_counted_as_recoveries(filled: Database) -> None:
    await filled.write((queued(KEY),))
    counted = [(await take_up(filled, KEY))[1:] for _ in range(3)]
    assert counted == [(1, 0), (2, 1), (3, 2)]
    await change(filled, KEY, "queued")
    assert (await take_up(filled, KEY))[1:] == (4, 0)


async def test_the_fence_lets_the_attempt_through_that_holds_the_run(filled: Database) -> None:
    await filled.write((queued(KEY),))
    assert await refused(filled, runs.fence(KEY, 0)) == "run_fence"  # nobody holds it
    await take_up(filled, KEY)
    await filled.write((runs.fence(KEY, 1), runs.event(KEY, "a", "{}")))
    assert await refused(filled, runs.fence(KEY, 2)) == "run_fence"
    await take_up(filled, KEY)
    assert await refused(filled, runs.fence(KEY, 1)) == "run_fence"
    await filled.write((runs.fence(KEY, 2), runs.event(KEY, "b", "{}")))


@pytest.mark.parametrize(
    "status", ["queued", "requires_action", "cancelling", "cancelled", "expired", "completed"]
)
async def test_the_fence_holds_once_the_run_is_not_in_progress(
    filled: Database, status: str
) -> None:
    await filled.write((queued(KEY),))
    await take_up(filled, KEY)
    await change(filled, KEY, status)
    event = runs.event(KEY, "late", "{}")
    assert await refused(filled, runs.fence(KEY, 1), event) == "run_fence"
    assert await runs.last_number(filled, KEY) == 0


async def test_the_fence_holds_when_the_run_is_cancelled_in_the_same_moment(
    filled: Database,
) -> None:
    """Both writes wait for one commit: the one that came first counts."""
    await filled.write((queued(KEY),))
    was = await take_up(filled, KEY)
    cancel = runs.replace(
        KEY, was, wire="cancelling", status="cancelling", expires_at=None, ended_at=None
    )
    late = (runs.fence(KEY, 1), runs.event(KEY, "late", "{}"))
    _, fault = await asyncio.gather(
        filled.write((cancel,)), filled.write(late), return_exceptions=True
    )
    assert isinstance(fault, Refused)
    assert await runs.last_number(filled, KEY) == 0


async def test_queues_list_what_there_is_to_do_oldest_first(filled: Database) -> None:
    for number in range(6):
        await filled.write((thread(f"thread_{number}"),))
        await filled.write((queued(key(f"run_{number}", f"thread_{number}"), NOW - number),))
    everything = [f"run_{n}" for n in range(6)]
    assert await listed(filled, "run_queued") == everything[::-1]
    for number, status in ((1, "in_progress"), (2, "in_progress"), (3, "cancelling")):
        await change(filled, key(f"run_{number}", f"thread_{number}"), status)
    await change(filled, key("run_4", "thread_4"), "requires_action")
    await change(filled, key("run_5", "thread_5"), "completed")
    assert await listed(filled, "run_queued") == ["run_0"]
    assert await listed(filled, "run_in_progress") == ["run_2", "run_1"]
    assert await listed(filled, "run_cancelling") == ["run_3"]
    overdue = await listed(filled, "run_overdue", now=EXPIRES_AT)
    assert sorted(overdue) == everything[:5]
    assert await listed(filled, "run_overdue", now=EXPIRES_AT - 1) == []


# --- waiting --------------------------------------------------------------------------------------


async def promote(database: Database, of: RunKey) -> None:
    """Give a waiting run its turn."""
    was = await runs.state(database, of)
    assert was is not None
    await database.write((runs.promote(of, was.wire, wire="promoted", expires_at=EXPIRES_AT),))


async def test_a_run_waits_only_behind_another(filled: Database) -> None:
    assert await refused(filled, waiting(KEY)) == "run_insert_waiting"
    await filled.write((queued(KEY), waiting(key("run_2"))))
    assert await runs.get(filled, key("run_2")) == "run_2.0"
    assert await runs.active_of(filled, P, "thread_a") == "run_1"
    assert await listed(filled, "run_queued") == ["run_1"]
    assert await listed(filled, "run_overdue", now=2**40) == ["run_1"]


async def test_a_message_may_come_with_a_run_that_waits(filled: Database) -> None:
    await filled.write((queued(KEY),))
    message = messages.append(
        P,
        "thread_a",
        "msg_a",
        created_at=NOW,
        run_id=None,
        now=NOW,
        wire="{}",
        is_waiting=True,
    )
    await filled.write((*message, waiting(key("run_2"))))
    assert await messages_of(filled, "thread_a").ids() == ["msg_a"]


async def test_turns_are_given_in_the_order_of_creation(filled: Database) -> None:
    await filled.write((queued(KEY), queued(key("run_9", "thread_b"))))
    for run_id, at in (("run_4", NOW + 2), ("run_3", NOW + 1), ("run_2", NOW + 1)):
        await filled.write((waiting(key(run_id), at),))
    await filled.write((waiting(key("run_8", "thread_b")),))
    assert await listed(filled, "run_promotable") == []
    assert await runs.next_waiting(filled, KEY) is None
    for before, after in (("run_1", "run_2"), ("run_2", "run_3"), ("run_3", "run_4")):
        with pytest.raises(Refused):
            await promote(filled, key(after))
        await change(filled, key(before), "completed")
        assert await listed(filled, "run_promotable") == [after]
        assert await runs.next_waiting(filled, KEY) == key(after)
        await promote(filled, key(after))
        assert await runs.active_of(filled, P, "thread_a") == after
        assert await listed(filled, "run_promotable") == []
    assert await runs.next_waiting(filled, key("run_9", "thread_b")) is None


async def test_a_new_run_overtakes_none_that_waits(filled: Database) -> None:
    """Between two turns the thread has no active run, and is not free all the same."""
    await filled.write((queued(KEY), waiting(key("run_2"))))
    assert await runs.holder_of(filled, P, "thread_a") == "run_1"
    await change(filled, KEY, "completed")
    assert await runs.active_of(filled, P, "thread_a") is None
    assert await runs.holder_of(filled, P, "thread_a") == "run_2"
    assert await refused(filled, queued(key("run_3"))) == "run_insert"
    await filled.write((waiting(key("run_3"), NOW + 1),))
    assert await runs.next_waiting(filled, KEY) == key("run_2")
    await promote(filled, key("run_2"))
    assert await runs.holder_of(filled, P, "thread_a") == "run_2"


async def test_a_run_that_ended_while_it_waited_stands_in_nobodys_way(filled: Database) -> None:
    await filled.write((queued(KEY), waiting(key("run_2"))))
    await change(filled, key("run_2"), "cancelling")
    await change(filled, KEY, "completed")
    assert await runs.holder_of(filled, P, "thread_a") is None
    await filled.write((queued(key("run_3")),))
    await change(filled, key("run_2"), "cancelled")
    assert await runs.active_of(filled, P, "thread_a") == "run_3"


async def test_a_turn_is_given_once(filled: Database) -> None:
    await filled.write((queued(KEY), waiting(key("run_2")), waiting(key("run_3"))))
    await change(filled, KEY, "failed")
    given = await asyncio.gather(
        *(promote(filled, key(name)) for name in ("run_2", "run_3", "run_2")),
        return_exceptions=True,
    )
    assert sum(found is None for found in given) == 1
    assert await runs.active_of(filled, P, "thread_a") == "run_2"


async def test_a_cancelled_run_gets_no_turn(filled: Database) -> None:
    await filled.write((queued(KEY), waiting(key("run_2")), waiting(key("run_3"))))
    await change(filled, key("run_2"), "cancelling")
    await change(filled, KEY, "completed")
    assert await listed(filled, "run_promotable") == ["run_3"]
    with pytest.raises(Refused):
        await promote(filled, key("run_2"))
    await promote(filled, key("run_3"))
    assert await listed(filled, "run_cancelling") == ["run_2"]


# --- steps ----------------------------------------------------------------------------------------


async def test_steps_keep_the_order_in_which_they_were_written(filled: Database) -> None:
    await filled.write((queued(KEY),))
    for number in (3, 1, 2):
        await filled.write((runs.insert_step(KEY, f"step_{number}", NOW, f"<{number}>"),))
    await filled.write((runs.replace_step(KEY, "step_1", "<new>"),))
    assert await runs.steps(filled, KEY) == ["<3>", "<new>", "<2>"]
    assert await runs.steps(filled, key("run_2")) == []
    page = await filled.page("run_step_list_desc", KEY.under(low_id=-1, high_id=3, limit=1))
    assert page.rows == [("step_1", "<new>")]


async def test_the_message_that_a_worker_writes_stands_last(filled: Database) -> None:
    await filled.write((*append("thread_a", "msg_a"), queued(KEY)))
    begin = runs.open_message(KEY, "msg_b", created_at=NOW, now=NOW, wire="begun")
    await filled.write((begin,))
    await filled.write((runs.write_message(KEY, "msg_b", "ended"),))
    page = await messages_of(filled, "thread_a").page()
    assert page.rows == [("msg_a", "<msg_a>"), ("msg_b", "ended")]
    await filled.write((messages.delete(P, "thread_a", "msg_b", NOW),))
    await filled.write((runs.write_message(KEY, "msg_b", "late"),))
    assert await messages.get(filled, P, "thread_a", "msg_b") is None
    assert await messages_of(filled, "thread_a").ids() == ["msg_a"]

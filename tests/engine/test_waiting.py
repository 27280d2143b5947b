"""Runs that wait behind the thread's active run: in their order, each in its turn."""

import asyncio

import pytest

from tests.engine.house import EXPIRES_S, House, names
from tests.engine.invariants import check
from tests.engine.scripts import Gate, calls, text
from weft.domain.errors import BadRequest
from weft.llm.model import ModelError, TextDelta
from weft.store.runs import RunKey

pytestmark = pytest.mark.anyio


async def held(house: House) -> RunKey:
    """A run that holds its thread until outputs come."""
    key = await house.ask(calls("weather"))
    await house.rest(key)
    return key


async def wait_behind(house: House, key: RunKey, *texts: str) -> RunKey:
    """Create a run that waits."""
    more = [{"role": "user", "content": text} for text in texts]
    return await house.start(key.thread_id, queue_when_busy=True, additional_messages=more)


async def test_a_second_run_is_refused_unless_it_wants_to_wait(house: House) -> None:
    key = await held(house)
    expected = f"Thread {key.thread_id} already has an active run {key.id}."
    with pytest.raises(BadRequest) as refusal:
        await house.start(key.thread_id)
    assert refusal.value.message == expected
    waiting = await wait_behind(house, key)
    assert (await house.run(waiting))["expires_at"] is None
    await check(house, key)


async def test_without_a_run_to_wait_for_it_begins_at_once(house: House) -> None:
    thread_id = await house.thread("one")
    key = await house.start(thread_id, text("eins"), queue_when_busy=True)
    assert (await house.rest(key))["status"] == "completed"


async def test_runs_wait_in_the_order_of_their_creation(house: House) -> None:
    key = await held(house)
    waiting = [await wait_behind(house, key, f"more {n}") for n in range(5)]
    house.models.scripted.tell(text("Rain."), *(text(f"answer {n}") for n in range(5)))
    await house.submit(key)
    for run in waiting:
        assert (await house.rest(run))["status"] == "completed"
    asked = [request.messages[-1].content for request in house.models.scripted.requests[2:]]
    assert asked == [f"more {n}" for n in range(5)]
    for run in (key, *waiting):
        await check(house, run)


async def test_the_time_of_a_waiting_run_begins_with_its_turn(house: House) -> None:
    key = await held(house)
    waiting = await wait_behind(house, key)
    house.turn_clock(EXPIRES_S - 1)
    house.models.scripted.tell(text("Rain."), [gate := Gate()])
    await house.submit(key)
    await gate.met()
    run = await house.run(waiting)
    assert run["expires_at"] == house.clock.now + EXPIRES_S
    house.turn_clock(EXPIRES_S)
    assert (await house.rest(waiting))["status"] == "expired"
    await check(house, waiting)


@pytest.mark.parametrize("end", ["cancel", "expire", "fail"])
async def test_a_waiting_run_gets_its_turn_however_the_other_ends(house: House, end: str) -> None:
    key = await held(house)
    waiting = await wait_behind(house, key)
    house.models.scripted.tell(text("Rain."))
    if end == "cancel":
        await house.cancel(key)
    elif end == "expire":
        house.turn_clock(EXPIRES_S)
    else:
        house.models.scripted.tell(text("Also."))
        house.models.scripted.tell_first([ModelError("server_error", "Oh.")])
        await house.submit(key)
    assert (await house.rest(waiting))["status"] == "completed"
    await check(house, key)
    await check(house, waiting)


async def test_a_waiting_run_is_cancelled_while_it_waits(house: House) -> None:
    key = await held(house)
    first, second = await wait_behind(house, key), await wait_behind(house, key)
    await house.cancel(first)
    assert (await house.rest(first))["status"] == "cancelled"
    assert names(await house.log(first)) == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.cancelling",
        "thread.run.cancelled",
    ]
    assert (await house.run(key))["status"] == "requires_action"
    house.models.scripted.tell(text("Rain."), text("Also."))
    await house.submit(key)
    assert (await house.rest(second))["status"] == "completed"
    await check(house, second)


async def test_waiting_runs_outlive_a_crash(house: House) -> None:
    key = await held(house)
    waiting = [await wait_behind(house, key) for _ in range(2)]
    await house.crash()
    house.models.scripted.tell(text("Rain."), text("a"), text("b"))
    await house.submit(key)
    for run in waiting:
        assert (await house.rest(run))["status"] == "completed"


async def test_a_turn_that_a_crash_took_is_given_at_the_next_start(house: House) -> None:
    """The run before it had ended, and nobody was left to say whose turn it is."""
    key = await held(house)
    waiting = await wait_behind(house, key)
    await house.stop_engine()
    house.write("UPDATE run SET status = 'expired', ended_at = 1 WHERE id = ?", key.id)
    house.models.scripted.tell(text("Rain."))
    await house.crash()
    assert (await house.rest(waiting))["status"] == "completed"


async def test_many_want_to_wait_at_the_moment_at_which_the_run_ends(house: House) -> None:
    """Each of them begins in its turn; none is left waiting for a run that has gone."""
    gate = Gate()
    key = await house.ask([TextDelta("Ra"), gate, *text("in.")])
    await gate.met()
    house.models.scripted.tell(*[text("Also.")] * 20)
    gate.open()
    waiting = await asyncio.gather(*(wait_behind(house, key) for _ in range(20)))
    for run in (key, *waiting):
        assert (await house.rest(run))["status"] == "completed"
    for run in (key, *waiting):
        await check(house, run)


async def test_a_deleted_thread_takes_its_waiting_runs_along(house: House) -> None:
    key = await held(house)
    await wait_behind(house, key)
    await house.delete_thread(key.thread_id)
    house.turn_clock(EXPIRES_S)
    assert (await house.rest(await house.ask(text("Rain."))))["status"] == "completed"
    assert len(house.models.scripted.requests) == 2

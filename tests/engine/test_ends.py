"""A run always ends: cancelled and expired from every state, and its thread deleted."""

import asyncio

import pytest

from tests.engine.house import EXPIRES_S, House, names
from tests.engine.invariants import check
from tests.engine.scripts import Gate, Script, called, calls, text
from weft.domain.errors import BadRequest, NotFound
from weft.llm.model import TextDelta
from weft.store.runs import RunKey

pytestmark = pytest.mark.anyio

# What a model has said when it is interrupted, and what a run has open then.
SAID: dict[str, Script] = {
    "nothing": [],
    "text": [TextDelta("Rain"), TextDelta(" and")],
    "a call": called(0, "weather", '{"n"'),
    "text and a call": [TextDelta("Let me see."), *called(0, "weather")],
}
middles = pytest.mark.parametrize("said", SAID)


async def stuck(house: House, said: Script) -> tuple[RunKey, Gate]:
    """Start a run whose model says something and then nothing more; wait until it is there."""
    gate = Gate()
    key = await house.ask([*said, gate, *text("never")])
    await gate.met()
    await house.written(key, 4 if said else 3)
    return key, gate


async def queued(house: House) -> RunKey:
    """Create a run that no engine takes up."""
    await house.stop_engine()
    return await house.ask()


@middles
async def test_a_cancel_ends_a_call_of_the_model_at_once(house: House, said: str) -> None:
    key, _ = await stuck(house, SAID[said])
    assert house.models.scripted.answering == 1
    answer = await house.cancel(key)
    assert (answer["status"], answer["cancelled_at"]) == ("cancelling", None)
    run = await house.rest(key)
    assert (run["status"], run["cancelled_at"]) == ("cancelled", house.clock.now)
    assert run["expires_at"] is None
    assert house.models.scripted.answering == 0
    for step in await house.steps(key):
        assert step["status"] in ("cancelled", "completed")
    if said == "text":
        message = (await house.messages(key.thread_id))[-1]
        assert message["incomplete_details"] == {"reason": "run_cancelled"}
        assert message["content"][0]["text"]["value"] == "Rain and"
        assert names(await house.follow(key))[-5:] == [
            "thread.run.cancelling",
            "thread.message.incomplete",
            "thread.run.step.cancelled",
            "thread.run.cancelled",
            "done",
        ]
    await check(house, key)
    await house.say(key.thread_id, "And now?")


@middles
async def test_a_run_expires_in_the_middle_of_a_call_of_the_model(house: House, said: str) -> None:
    key, _ = await stuck(house, SAID[said])
    house.turn_clock(EXPIRES_S - 1)
    await asyncio.sleep(0.01)
    assert (await house.run(key))["status"] == "in_progress"
    house.turn_clock(1)
    run = await house.rest(key)
    assert run["status"] == "expired"
    assert run["expires_at"] == run["created_at"] + EXPIRES_S
    for step in await house.steps(key):
        assert step["status"] in ("expired", "completed")
        assert (step["expired_at"] == house.clock.now) == (step["status"] == "expired")
    if said == "text":
        message = (await house.messages(key.thread_id))[-1]
        assert message["incomplete_details"] == {"reason": "run_expired"}
    await check(house, key)
    await house.say(key.thread_id, "And now?")


async def test_a_model_that_does_not_heed_being_stopped_holds_up_nobody(house: House) -> None:
    """Its connection may take its time to close; its run has ended, and others go on."""
    house.models.scripted.parting = parting = Gate()
    key, _ = await stuck(house, SAID["text"])
    await house.cancel(key)
    assert (await house.rest(key))["status"] == "cancelled"
    await parting.met()
    assert house.models.scripted.answering == 1
    house.models.scripted.parting = None
    other = await house.ask(text("Rain."))
    assert (await house.rest(other))["status"] == "completed"
    await check(house, key)


async def test_a_server_stops_although_a_model_does_not_heed_it(house: House) -> None:
    house.models.scripted.parting = Gate()
    await stuck(house, SAID["text"])
    async with asyncio.timeout(10):
        await house.stop_engine()


async def test_a_queued_run_is_cancelled(house: House) -> None:
    key = await queued(house)
    await house.cancel(key)
    house.open_engine()
    assert (await house.rest(key))["status"] == "cancelled"
    assert names(await house.follow(key)) == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.cancelling",
        "thread.run.cancelled",
        "done",
    ]
    assert house.models.scripted.requests == []
    await check(house, key)


async def test_a_queued_run_expires(house: House) -> None:
    key = await queued(house)
    house.turn_clock(EXPIRES_S)
    house.open_engine()
    assert (await house.rest(key))["status"] == "expired"
    assert house.models.scripted.requests == []
    await check(house, key)


async def test_a_run_that_waits_for_outputs_is_cancelled(house: House) -> None:
    key = await house.ask(calls("weather"))
    assert (await house.rest(key))["status"] == "requires_action"
    assert (await house.cancel(key))["required_action"] is None
    await house.status(key, "cancelled")
    (step,) = await house.steps(key)
    assert (step["status"], step["cancelled_at"]) == ("cancelled", house.clock.now)
    with pytest.raises(BadRequest, match='Runs in status "cancelled" do not accept tool outputs'):
        await house.submit(key, {"call_weather_0": "late"})
    await check(house, key)


async def test_a_run_that_waits_for_outputs_expires(house: House) -> None:
    key = await house.ask(calls("weather"))
    await house.rest(key)
    house.turn_clock(EXPIRES_S)
    run = await house.status(key, "expired")
    assert run["usage"]["total_tokens"] == 110
    (step,) = await house.steps(key)
    assert (step["status"], step["expired_at"]) == ("expired", house.clock.now)
    await check(house, key)


async def test_a_run_that_is_being_cancelled_expires_if_nobody_settles_it(house: House) -> None:
    key, _ = await stuck(house, SAID["text"])
    await house.stop_engine()
    await house.cancel(key)
    house.turn_clock(EXPIRES_S)
    house.open_engine()
    assert (await house.rest(key))["status"] in ("cancelled", "expired")
    await check(house, key)


async def test_a_submitted_run_expires_at_the_time_of_its_creation(house: House) -> None:
    """The time does not begin anew with the outputs."""
    gate = Gate()
    key = await house.ask(calls("weather"), [TextDelta("Ra"), gate])
    await house.rest(key)
    house.turn_clock(EXPIRES_S - 10)
    await house.submit(key)
    await gate.met()
    house.turn_clock(10)
    assert (await house.status(key, "expired"))["status"] == "expired"
    await check(house, key)


@pytest.mark.parametrize("status", ["completed", "cancelled", "expired", "failed"])
async def test_what_has_ended_cannot_be_cancelled(house: House, status: str) -> None:
    gate = Gate()
    scripts: dict[str, Script] = {"completed": text("Rain."), "failed": [ZeroDivisionError()]}
    key = await house.ask(scripts.get(status, [gate]))
    if status == "cancelled":
        await house.cancel(key)
    elif status == "expired":
        await gate.met()
        house.turn_clock(EXPIRES_S)
    await house.status(key, status)
    log = await house.log(key)
    with pytest.raises(BadRequest, match=f"Cannot cancel run with status '{status}'"):
        await house.cancel(key)
    house.turn_clock(2 * EXPIRES_S)
    await asyncio.sleep(0.01)
    assert await house.log(key) == log
    await check(house, key)


async def test_a_second_cancel_is_refused_while_the_first_is_carried_out(house: House) -> None:
    key = await queued(house)
    await house.cancel(key)
    with pytest.raises(BadRequest, match="Cannot cancel run with status 'cancelling'"):
        await house.cancel(key)


async def test_many_runs_are_cancelled_together(house: House) -> None:
    gates = [Gate() for _ in range(100)]
    keys = [await house.ask([TextDelta("Ra"), gate]) for gate in gates]
    await asyncio.gather(*(gate.met() for gate in gates))
    await asyncio.gather(*map(house.cancel, keys))
    for key in keys:
        assert (await house.rest(key))["status"] == "cancelled"
    await check(house, keys[-1])


async def test_a_changed_run_that_has_ended_stays_ended(house: House) -> None:
    """Its metadata may change; when it ended stays known, for its log to be cleared by."""
    key = await house.ask(text("Rain."))
    await house.rest(key)
    house.clock.now += 10
    await house.change(key, {"seen": "yes"})
    ended_at = house.rows("SELECT ended_at FROM run WHERE id = ?", key.id)
    assert ended_at == [(house.clock.now - 10,)]
    await check(house, key)


# --- the thread goes away -------------------------------------------------------------------------


@middles
async def test_a_deleted_thread_takes_its_run_along(house: House, said: str) -> None:
    key, gate = await stuck(house, SAID[said])
    following = asyncio.create_task(house.follow(key))
    await asyncio.sleep(0)
    await house.delete_thread(key.thread_id)
    written = house.rows("SELECT * FROM run_event")
    gate.open()
    await house.models.scripted.silence()
    with pytest.raises(NotFound):
        await house.run(key)
    assert house.rows("SELECT * FROM run_event") == written
    house.database.bells.ring(key.topic)
    events = await following
    assert "done" not in names(events)
    other = await house.ask(text("Rain."))
    assert (await house.rest(other))["status"] == "completed"


async def test_a_deleted_thread_with_a_queued_run_costs_no_call(house: House) -> None:
    key = await queued(house)
    await house.delete_thread(key.thread_id)
    house.open_engine()
    other = await house.ask(text("Rain."))
    await house.rest(other)
    assert len(house.models.scripted.requests) == 1

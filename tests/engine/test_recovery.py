"""A run outlives the process: what was open is closed, and the next attempt begins anew."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.engine.house import EXPIRES_S, House, names
from tests.engine.invariants import check
from tests.engine.scripts import Gate, Script, called, calls, text
from weft.engine.drive import MAX_RECOVERIES, claim
from weft.llm.model import ModelError, RefusalDelta, TextDelta
from weft.store.database import Refused
from weft.store.runs import RunKey

pytestmark = pytest.mark.anyio

Downfall = Callable[[House], Awaitable[None]]
downfalls = pytest.mark.parametrize("fall", [House.crash, House.restart])


async def stuck(house: House, said: Script) -> RunKey:
    """Start a run whose model falls silent behind what it says."""
    gate = Gate()
    key = await house.ask([*said, gate])
    await gate.met()
    await house.written(key, 4 if said else 3)
    return key


@downfalls
async def test_a_run_is_continued_by_the_next_process(house: House, fall: Downfall) -> None:
    key = await stuck(house, [TextDelta("Rain"), TextDelta(" and")])
    house.models.scripted.tell(text("Rain."))
    house.clock.now += 5
    await fall(house)
    run = await house.rest(key)
    assert (run["status"], run["started_at"]) == ("completed", house.clock.now)
    first, second = await house.steps(key)
    assert (first["status"], second["status"]) == ("failed", "completed")
    assert first["last_error"] == {
        "code": "server_error",
        "message": "The server stopped during this step.",
    }
    broken, answer = (await house.messages(key.thread_id))[1:]
    assert broken["incomplete_details"] == {"reason": "run_failed"}
    assert broken["content"][0]["text"]["value"] == "Rain and"
    assert answer["content"][0]["text"]["value"] == "Rain."
    await check(house, key)
    # What the first attempt said is no turn of this conversation.
    roles = [message.role for message in house.models.scripted.requests[1].messages]
    assert roles == ["system", "user"]


@downfalls
@pytest.mark.parametrize(
    "said",
    [
        [],
        [RefusalDelta("I will")],
        [TextDelta("Well"), RefusalDelta("I will")],
        called(0, "weather", '{"n"'),
        [TextDelta("Let me see."), *called(0, "weather", '{"n"')],
        [*called(0, "weather", "{}"), TextDelta("Wait")],
    ],
)
async def test_whatever_was_open_is_closed(house: House, fall: Downfall, said: Script) -> None:
    key = await stuck(house, said)
    house.models.scripted.tell(calls("time"), text("Noon."))
    await fall(house)
    await house.rest(key)
    await house.submit(key)
    assert (await house.rest(key))["status"] == "completed"
    await check(house, key)


async def test_the_third_attempt_that_dies_is_the_last(house: House) -> None:
    key = await stuck(house, [TextDelta("Rain")])
    for attempt in range(MAX_RECOVERIES):
        gate = Gate()
        house.models.scripted.tell([TextDelta("Rain"), gate])
        await house.crash()
        await gate.met()
        await house.written(key, 8 * (attempt + 2))
    await house.crash()
    run = await house.rest(key)
    assert run["status"] == "failed"
    assert run["last_error"] == {
        "code": "server_error",
        "message": "The server stopped three times during this run.",
    }
    assert [step["status"] for step in await house.steps(key)] == ["failed"] * 3
    assert len(house.models.scripted.requests) == 3
    await check(house, key)
    await house.say(key.thread_id, "And now?")


async def test_attempts_are_counted_anew_when_outputs_come(house: House) -> None:
    key = await stuck(house, [])
    for _ in range(3):
        house.models.scripted.tell(calls("weather"), [gate := Gate()])
        await house.crash()
        await house.status(key, "requires_action")
        await house.submit(key)
        await gate.met()
    house.models.scripted.tell(text("Rain."))
    await house.crash()
    assert (await house.rest(key))["status"] == "completed"
    await check(house, key)


@pytest.mark.parametrize("status", ["queued", "requires_action", "cancelling"])
async def test_a_run_that_nobody_drove_goes_on_where_it_was(house: House, status: str) -> None:
    if status == "requires_action":
        key = await house.ask(calls("weather"), text("Rain."))
        await house.rest(key)
        await house.stop_engine()
    else:
        await house.stop_engine()
        key = await house.ask(text("Rain."))
        if status == "cancelling":
            await house.cancel(key)
    await house.crash()
    if status == "requires_action":
        await house.submit(key)
    run = await house.rest(key)
    assert run["status"] == ("cancelled" if status == "cancelling" else "completed")
    await check(house, key)


async def test_a_server_that_stops_begins_no_run(house: House) -> None:
    """One that was made by a request which had begun waits for the next start."""
    active = [await house.ask([TextDelta("a"), Gate()]) for _ in range(2)]
    for key in active:
        await house.written(key, 8)
    house.database.bells.close()
    late = await house.ask(text("Rain."))
    for key in active:  # the engine still ends what is to end
        await house.cancel(key)
        await house.status(key, "cancelled")
    assert (await house.run(late))["status"] == "queued"
    await house.restart()
    assert (await house.rest(late))["status"] == "completed"
    assert len(house.models.scripted.requests) == 3
    await check(house, late)


async def test_a_run_that_expired_while_nothing_ran_expires_at_the_start(house: House) -> None:
    key = await stuck(house, [TextDelta("Rain")])
    house.clock.now += EXPIRES_S
    await house.crash()
    assert (await house.rest(key))["status"] == "expired"
    assert len(house.models.scripted.requests) <= 2
    await check(house, key)


async def test_many_runs_are_taken_up_again(house: House) -> None:
    gates = [Gate() for _ in range(50)]
    keys = [await house.ask([TextDelta("Ra"), gate]) for gate in gates]
    await asyncio.gather(*(gate.met() for gate in gates))
    house.models.scripted.tell(*[text("Rain.")] * 50)
    await house.crash()
    for key in keys:
        assert (await house.rest(key))["status"] == "completed"
        await check(house, key)


# --- one process, in which something goes wrong ---------------------------------------------------


async def test_a_run_whose_task_dies_is_taken_up_again(house: House) -> None:
    """A model's library that cancels itself ends the task without an error to see."""
    key = await house.ask([TextDelta("Ra"), asyncio.CancelledError()], text("Rain."))
    assert (await house.rest(key))["status"] == "completed"
    assert [step["status"] for step in await house.steps(key)] == ["failed", "completed"]
    await check(house, key)


async def test_a_run_whose_task_always_dies_fails(house: House) -> None:
    key = await house.ask(*[[asyncio.CancelledError()]] * 3)
    run = await house.rest(key)
    assert (run["status"], len(house.models.scripted.requests)) == ("failed", 3)
    await check(house, key)


async def test_a_database_that_cannot_serve_for_a_moment_does_not_end_a_run(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on when it can be written again."""
    first, second = Gate(), Gate()
    key = await house.ask([TextDelta("Ra"), first, TextDelta("in"), second], text("Rain."))
    await first.met()
    await house.written(key, 8)
    with house.held():
        first.open()
        await house.models.scripted.silence()
        assert (await house.run(key))["status"] == "in_progress"
    run = await house.rest(key)
    assert run["status"] == "completed"
    assert "has to wait" in caplog.text
    await check(house, key)


async def test_one_run_that_cannot_be_read_keeps_no_other_from_ending(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a later version or a broken disk left there."""
    await house.stop_engine()
    broken, keys = await house.ask(), [await house.ask(text("Rain.")) for _ in range(3)]
    await house.cancel(broken)
    house.write("UPDATE run SET wire = '{' WHERE id = ?", broken.id)
    await house.cancel(keys[0])
    house.open_engine()
    assert (await house.rest(keys[0]))["status"] == "cancelled"
    for key in keys[1:]:
        assert (await house.rest(key))["status"] == "completed"
    house.turn_clock(EXPIRES_S)
    assert (await house.rest(await house.ask(text("Rain."))))["status"] == "completed"
    assert f"run {broken.id} stumbled" in caplog.text


# --- who comes late -------------------------------------------------------------------------------


async def test_a_worker_whose_run_was_taken_up_by_another_writes_nothing(house: House) -> None:
    """The other may be another machine: only the number of the attempt tells them apart."""
    gate = Gate()
    key = await house.ask([TextDelta("Ra"), gate, *text("in.")])
    await gate.met()
    await house.written(key, 8)
    other = await claim(house.tools, key)
    assert other is not None
    log = await house.log(key)
    assert names(log)[-3:] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.in_progress",
    ]
    gate.open()
    await house.models.scripted.silence()
    await asyncio.sleep(0.02)
    assert (await house.log(key))[: len(log)] == log
    house.models.scripted.tell(text("Rain."))
    assert (await house.rest(key))["status"] == "completed"
    await check(house, key)


async def test_only_one_of_two_workers_takes_up_a_run(house: House) -> None:
    await house.stop_engine()
    key = await house.ask()
    taken = await asyncio.gather(
        claim(house.tools, key), claim(house.tools, key), return_exceptions=True
    )
    assert sorted(isinstance(found, Refused) for found in taken) == [False, True]
    assert names(await house.log(key))[-1] == "thread.run.in_progress"
    assert house.rows("SELECT attempt FROM run") == [(1,)]


async def test_a_failure_that_comes_late_changes_nothing(house: House) -> None:
    """The model fails at the moment at which the run is cancelled."""
    gate = Gate()
    key = await house.ask([TextDelta("Ra"), gate, ModelError("server_error", "Oh.")])
    await gate.met()
    gate.open()
    await house.cancel(key)
    run = await house.rest(key)
    assert run["status"] in ("cancelled", "failed")
    await check(house, key)

"""Following a run: everybody sees every event, from any point, and nobody waits for another."""

import asyncio
import tracemalloc

import pytest

from tests.engine.house import Event, House, names, read
from tests.engine.invariants import check
from tests.engine.scripts import Gate, Item, Script, calls, ending, text
from weft.api.stream import SLICE, SLICE_BYTES, follow
from weft.llm.model import TextDelta
from weft.store import sweep
from weft.store.runs import RunKey
from weft.store.sweep import TOMBSTONE_S

pytestmark = pytest.mark.anyio


async def test_two_hundred_followers_see_every_event(house: House) -> None:
    """They come at different moments: some at the beginning, some in the middle."""
    gates = [Gate() for _ in range(10)]
    script: Script = [item for gate in gates for item in (TextDelta("w"), TextDelta("x"), gate)]
    key = await house.ask([*script, *ending()])
    following = []
    for number, gate in enumerate(gates):
        await gate.met()
        await house.written(key, 9 + 2 * number)
        following += [asyncio.create_task(house.follow(key)) for _ in range(20)]
        await asyncio.sleep(0)
        gate.open()
    seen = await asyncio.gather(*following)
    log = await house.log(key)
    assert len(log) == 7 + 20 + 3
    for events in seen:
        assert events[:-1] == log
        assert events[-1].name == "done"


async def test_a_stream_goes_on_behind_every_event(house: House) -> None:
    """Also behind one that stands in the middle of a batch."""
    key = await house.ask(text(*"abcdefgh"))
    await house.rest(key)
    log = await house.log(key)
    for after in range(len(log) + 1):
        events = await house.follow(key, after)
        assert events[:-1] == log[after:]
        assert events[-1].name == "done"


async def test_a_stream_that_broke_goes_on_in_the_middle_of_a_run(house: House) -> None:
    first, second = Gate(), Gate()
    key = await house.ask([TextDelta("a"), first, TextDelta("b"), second, *text("c")])
    await house.written(key, 8)
    frames = follow(house.rooms, key, 0)
    seen = read(await anext(frames))
    await frames.aclose()
    assert len(seen) == 8
    first.open()
    await house.written(key, 9)
    going_on = asyncio.create_task(house.follow(key, seen[-1].number))
    second.open()
    assert [*seen, *(await going_on)][:-1] == await house.log(key)


async def test_a_follower_that_does_not_read_delays_nobody(house: House) -> None:
    key = await house.ask(text(*"ab"), model="scripted")
    frames = follow(house.rooms, key, 0)
    await anext(frames)  # and then nothing more
    gate = Gate()
    keys = [await house.ask([TextDelta("a"), gate, *text("b")]) for _ in range(5)]
    following = [asyncio.create_task(house.follow(key)) for key in keys]
    gate.open()
    for events in await asyncio.gather(*following):
        assert events[-1].name == "done"
    assert (await house.rest(key))["status"] == "completed"
    await frames.aclose()


async def test_a_run_does_not_wait_for_its_followers(house: House) -> None:
    gate = Gate()
    key = await house.ask([TextDelta("a"), gate, *text("b")])
    await house.written(key, 8)
    frames = follow(house.rooms, key, 0)
    first = read(await anext(frames))
    gate.open()
    run = await house.rest(key)
    assert run["status"] == "completed"
    rest = [event async for piece in frames for event in read(piece)]
    assert [*first, *rest][:-1] == await house.log(key)


async def test_a_follower_holds_no_more_than_a_slice(house: House) -> None:
    """However long the log is: it reads on when what it gave was taken."""
    words = ["word " * 200 for _ in range(3000)]
    gates = [Gate() for _ in range(30)]
    script: list[Item] = []
    for number, gate in enumerate(gates):
        script += [*map(TextDelta, words[number * 100 : number * 100 + 100]), gate]
    key = await house.ask([*script, *ending()])
    for number, gate in enumerate(gates):
        await gate.met()
        await house.written(key, 107 + 100 * number)
        gate.open()
    await house.rest(key)
    largest, total = 0, 0
    tracemalloc.start()
    try:
        async for piece in follow(house.rooms, key, 0):
            largest, total = max(largest, len(piece)), total + len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total > 3_000_000 * 2
    # One row alone may be larger than a slice: here the whole message at its end is.
    assert largest < 3_200_000 + SLICE_BYTES
    assert peak < 5 * 3_200_000
    pieces = [len(piece) async for piece in follow(house.rooms, key, 0)]
    assert sorted(pieces)[-3] < 4 * SLICE_BYTES
    await check(house, key)


async def test_a_long_log_is_followed_slice_by_slice(house: House) -> None:
    gates = [Gate() for _ in range(SLICE + 5)]
    script: Script = [item for gate in gates for item in (TextDelta("x"), gate)]
    key = await house.ask([*script, *ending()])
    for number, gate in enumerate(gates):
        await house.written(key, 8 + number)
        gate.open()
    await house.rest(key)
    assert (await house.follow(key))[:-1] == await house.log(key)
    await check(house, key)


async def test_a_stream_ends_where_the_run_waits_for_outputs(house: House) -> None:
    key = await house.ask(calls("weather"), text("Rain."))
    assert names(await house.follow(key))[-2:] == ["thread.run.requires_action", "done"]
    after = await house.submit(key)
    await house.status(key, "completed")
    # From its beginning the whole story is told, through the request to its end.
    everything = await house.follow(key)
    assert everything[:-1] == await house.log(key)
    assert (await house.follow(key, after))[0].name == "thread.run.step.completed"


async def test_a_follower_of_a_deleted_thread_is_let_go(house: House) -> None:
    key = await house.ask([Gate()])
    following = asyncio.create_task(house.follow(key))
    await house.status(key, "in_progress")
    await house.delete_thread(key.thread_id)
    house.database.bells.ring(key.topic)
    assert "done" not in names(await following)


async def test_a_server_that_stops_ends_its_streams_without_a_word(house: House) -> None:
    """Clients go on behind the last event that they saw."""
    gate = Gate()
    key = await house.ask([TextDelta("a"), gate])
    await house.written(key, 8)
    seen: list[Event] = []
    has_seen = asyncio.Event()

    async def watch() -> None:
        async for events in house.frames(key):
            seen.extend(events)
            has_seen.set()

    following = asyncio.create_task(watch())
    await has_seen.wait()
    await house.crash()
    await following
    assert names(seen)[-1] == "thread.message.delta"
    rest = await house.follow(key, seen[-1].number)
    assert [*seen, *rest][:-1] == await house.log(key)


# --- a day later ----------------------------------------------------------------------------------


async def cleared(house: House, script: Script) -> RunKey:
    """A run whose day is over, one slice of its log cleared."""
    key = await house.ask(script)
    await house.rest(key)
    assert await sweep.sweep_logs(house.database, house.clock.now + TOMBSTONE_S + 1)
    return key


async def test_a_run_without_its_log_tells_its_end(house: House) -> None:
    key = await cleared(house, text("Rain."))
    run = await house.run(key)
    for after in (0, 3, 1000):
        end, done = await house.follow(key, after)
        assert (end.number, end.name, end.data) == (after + 1, "thread.run.completed", run)
        assert done.name == "done"


async def test_a_run_that_is_losing_its_log_tells_its_end_too(house: House) -> None:
    """What is left begins in the middle: a client would meet a message that never began."""
    gates = [Gate() for _ in range(sweep.SLICE)]
    key = await house.ask([*(item for gate in gates for item in (TextDelta("x"), gate)), *ending()])
    for number, gate in enumerate(gates):
        await house.written(key, 8 + number)
        gate.open()
    await house.rest(key)
    assert await sweep.sweep_logs(house.database, house.clock.now + TOMBSTONE_S + 1)
    assert names(await house.follow(key)) == ["thread.run.completed", "done"]
    # Who had seen all of it but the end still does.
    last = 7 + len(gates) + 3
    assert names(await house.follow(key, last - 2)) == [
        "thread.run.step.completed",
        "thread.run.completed",
        "done",
    ]

"""A whole run in a process that is killed at the n-th statement of its writes, for every n.

    python -m tests.engine.dying PLAY FOLDER

FOLDER/before.db is what every death starts from. FOLDER/<n>/weft.db is what stood when the n-th
died, and FOLDER/<n>/seen what its followers had been shown by then: a line for each event. The
last one came to its end.
"""

import asyncio
import itertools
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw

from tests.crash.dying import Countdown, begin_child, came_to_its_end
from tests.engine.house import EXPIRES_S, House, read
from tests.engine.library import SEARCH, a_store, put_file, searching
from tests.engine.scripts import Gate, calls, refusal, text
from weft.api.stream import follow
from weft.llm.model import TextDelta
from weft.store.runs import RunKey

AT_ONCE = 4
QUESTION = {"role": "user", "content": "And in Rome?"}

Watch = Callable[[RunKey], None]


async def text_run(house: House, thread_id: str, watch: Watch) -> None:
    """Text in three batches."""
    first, second = Gate(), Gate()
    script = [TextDelta("Ra"), first, TextDelta("in"), TextDelta(" and"), second, *text(" wind.")]
    key = await house.start(thread_id, script)
    watch(key)
    await house.written(key, 8)
    first.open()
    await house.written(key, 10)
    second.open()
    await house.rest(key)


async def tool_run(house: House, thread_id: str, watch: Watch) -> None:
    """Text, parallel calls, outputs, a refusal."""
    gate = Gate()
    said = [TextDelta("Let me see."), gate, *calls("weather", "time")]
    key = await house.start(thread_id, said, refusal("I will", " not."))
    watch(key)
    await house.written(key, 8)
    gate.open()
    await house.rest(key)
    await house.submit(key)
    await house.status(key, "completed")


async def waiting_run(house: House, thread_id: str, watch: Watch) -> None:
    """A run that waits with its message until another has ended."""
    gate = Gate()
    key = await house.start(thread_id, [TextDelta("Ra"), gate, *text("in.")])
    await gate.met()
    waiting = await house.start(
        thread_id, text("Sun."), queue_when_busy=True, additional_messages=[QUESTION]
    )
    for run in (key, waiting):
        watch(run)
    gate.open()
    await house.rest(waiting)


async def cancelled_run(house: House, thread_id: str, watch: Watch) -> None:
    """Cancelled in the middle of the answer."""
    key = await house.start(thread_id, [TextDelta("Ra"), Gate()])
    watch(key)
    await house.written(key, 8)
    await house.cancel(key)
    await house.rest(key)


async def expired_run(house: House, thread_id: str, watch: Watch) -> None:
    """Expired while it waits for outputs."""
    key = await house.start(thread_id, calls("weather"))
    watch(key)
    await house.rest(key)
    house.turn_clock(EXPIRES_S)
    await house.status(key, "expired")


async def searching_run(house: House, thread_id: str, watch: Watch) -> None:
    """A file is put into the thread's store, indexed, searched and cited."""
    store_id = await a_store(house, await put_file(house, "A loom holds the warp."))
    stores = {"tool_resources": {"file_search": {"vector_store_ids": [store_id]}}}
    await house.answer("modifyThread", stores, {}, {"thread_id": thread_id})
    house.models.scripted.by_itself = lambda request: text(
        f"The warp【{len(request.messages) - 2}:0†looms.txt】."
    )
    key = await house.start(thread_id, searching("loom"), tools=SEARCH)
    watch(key)
    await house.rest(key)


Play = Callable[[House, str, Watch], Awaitable[None]]
PLAYS: dict[str, Play] = {
    play.__name__: play
    for play in (text_run, tool_run, waiting_run, cancelled_run, expired_run, searching_run)
}


def watch_writes(countdown: Countdown) -> None:
    """Let SQLite ask ahead of every statement of a transaction, COMMIT included."""

    def tracer(cursor: Any, sql: str, bindings: Any) -> bool:
        is_write = cursor.connection.in_transaction or sql.startswith("BEGIN")
        if is_write and countdown.is_due():
            countdown.die()
        return True

    apsw.connection_hooks.append(lambda connection: connection.set_exec_trace(tracer))


async def act(play: Play, folder: Path, countdown: Countdown) -> None:
    """Play in a house that may not stand to the end; note what its followers are shown."""
    with (folder / "seen").open("ab", buffering=0) as seen:
        following: list[asyncio.Task[None]] = []
        async with House(folder / "house", folder / "weft.db") as house:

            async def show(key: RunKey) -> None:
                async for piece in follow(house.rooms, key, 0):
                    for event in read(piece):
                        seen.write(f"{key.id} {event.number} {event.name}\n".encode())

            def watch(key: RunKey) -> None:
                seen.write(f"{key.id} 0 answered\n".encode())
                following.append(asyncio.create_task(show(key)))

            (thread,) = house.rows("SELECT id FROM thread")
            countdown.is_armed = True
            await play(house, thread[0], watch)
            await asyncio.gather(*following)


def begin(play: Play, folder: Path, before: Path, number: int) -> int:
    """Begin to play in a process that dies at the n-th statement, and return its id."""
    folder.mkdir()
    shutil.copyfile(before, folder / "weft.db")
    countdown = Countdown(number)

    def child() -> None:
        watch_writes(countdown)
        asyncio.run(act(play, folder, countdown))

    return begin_child(child)


def main(name: str, root: Path) -> None:
    """Die at every n that there is, a few at a time: most of it is waiting for the disk."""
    for start in itertools.count(1, AT_ONCE):
        folders = {n: root / str(n) for n in range(start, start + AT_ONCE)}
        children = [begin(PLAYS[name], folders[n], root / "before.db", n) for n in folders]
        alive = [n for n, child in zip(folders, children, strict=True) if came_to_its_end(child)]
        for n in alive[1:]:
            shutil.rmtree(folders[n])
        if alive:
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

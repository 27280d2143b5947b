"""Killed at the n-th statement of a whole run, for every n: the next process brings it to its end.

Nothing that a follower was shown is lost, nothing is said twice, and the thread is free again.
"""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.dying import PLAYS
from tests.engine.house import House
from tests.engine.invariants import check
from tests.engine.library import indexed, on_store
from tests.engine.scripts import Script, calls, text
from weft.llm.model import ModelRequest
from weft.store.runs import RunKey

ROOT = Path(__file__).parents[2]
# How each play ends if nobody is killed.
ENDS = {
    "text_run": ["completed"],
    "tool_run": ["completed"],
    "waiting_run": ["completed", "completed"],
    "cancelled_run": ["cancelled"],
    "expired_run": ["expired"],
    "searching_run": ["completed"],
}


def go_on(request: ModelRequest) -> Script:
    """Answer like a model that sees the conversation for the first time: call once, then speak."""
    return text("Rain.") if request.messages[-1].role == "tool" else calls("weather")


async def prepare(folder: Path) -> None:
    """Make the database that every death starts from: an assistant and a thread."""
    async with House(folder / "house") as house:
        await house.thread("What is the weather?")
    shutil.copyfile(house.path, folder / "before.db")


def die_everywhere(name: str, folder: Path) -> list[Path]:
    """Return the folders of all the deaths, the last one being the life that came to its end."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.engine.dying", name, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    numbered = [path for path in folder.iterdir() if path.name.isdigit()]
    return sorted(numbered, key=lambda path: int(path.name))


async def bring_to_an_end(house: House, key: RunKey) -> None:
    """Do what a client does: wait, hand in outputs, wait."""
    while (await house.rest(key))["status"] == "requires_action":
        await house.submit(key)


async def rise(folder: Path) -> list[str]:
    """Start again from what stood, and return how the runs ended."""
    async with House(folder / "risen", folder / "weft.db") as house:
        house.models.scripted.by_itself = go_on
        (thread_id,) = next(iter(house.rows("SELECT id FROM thread")))
        keys = [RunKey(*row) for row in house.rows("SELECT thread_id, project, id FROM run")]
        seen = [line.split() for line in (folder / "seen").read_text().splitlines()]
        assert {run_id for run_id, _, _ in seen} <= {key.id for key in keys}
        for key in keys:
            await bring_to_an_end(house, key)
            await check(house, key)
            log = [[f"{event.number}", event.name] for event in await house.log(key)]
            shown = [event for run_id, *event in seen if run_id == key.id and event[0] != "0"]
            assert shown == log[: len(shown)]
        await house.say(thread_id, "And now?")
        for (store_id,) in house.rows("SELECT id FROM vector_store"):
            await check_store(house, store_id)
        after = await house.start(thread_id, text("Sun."))
        assert (await house.rest(after))["status"] == "completed"
        return [(await house.run(key))["status"] for key in keys]


async def check_store(house: House, store_id: str) -> None:
    """Check that a store comes to an end: right counts, each file found, and found once."""
    shown = await indexed(house, store_id)
    for name in ("in_progress", "completed", "failed", "cancelled"):
        rows = "SELECT count(*) FROM vector_store_file WHERE vector_store_id = ? AND status = ?"
        assert [(shown["file_counts"][name],)] == house.rows(rows, store_id, name)
    assert shown["file_counts"]["completed"] == shown["file_counts"]["total"]
    page = await on_store(house, "searchVectorStore", store_id, {"query": "loom warp"})
    assert len(page["data"]) == shown["file_counts"]["total"]


async def rise_all(folders: list[Path]) -> list[list[str]]:
    """Start again from each, a few at a time: most of it is waiting for the disk."""
    few = asyncio.Semaphore(8)

    async def one(folder: Path) -> list[str]:
        async with few:
            return await rise(folder)

    return await asyncio.gather(*map(one, folders))


@pytest.mark.parametrize("name", PLAYS)
def test_a_death_at_any_statement_of_a_run_is_survived(name: str, tmp_path: Path) -> None:
    asyncio.run(prepare(tmp_path))
    deaths = die_everywhere(name, tmp_path)
    assert len(deaths) > 25
    ended = asyncio.run(rise_all(deaths))
    assert ended[-1] == ENDS[name]  # the one that was not killed
    for statuses in ended:
        assert len(statuses) <= len(ENDS[name])
        assert set(statuses) <= {"completed", *ENDS[name]}

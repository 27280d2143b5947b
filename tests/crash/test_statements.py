"""Killed at the n-th statement, or in the n-th change of a file, for every n: all or nothing."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.dying import MIGRATION
from tests.crash.operations import (
    FIRST_STEPS,
    OPERATIONS,
    STEPS,
    State,
    apply,
    prepare,
    state_of,
)
from weft.store.sqlite import migrate

# Made of the same statements as others.
ALIKE = {"create a thread", "append a message under a key", "delete a message", "write together"}
NAMES = [
    pytest.param(name, marks=pytest.mark.full) if name in ALIKE else name for name in OPERATIONS
]

ROOT = Path(__file__).parents[2]


def die_everywhere(mode: str, name: str, folder: Path) -> list[Path]:
    """Return the folders of all the deaths, the last one being the life that came to its end."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.crash.dying", mode, name, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return sorted(
        (path for path in folder.iterdir() if path.name.isdigit()), key=lambda p: int(p.name)
    )


def states_between(folder: Path, name: str) -> list[State]:
    """Return the states that may be left: each write of the operation stored or not, in order."""
    operation = OPERATIONS[name]
    path = folder / "alone" / "weft.db"
    prepare(path, operation)
    states = [state_of(path)]
    for write in operation.writes:
        asyncio.run(apply(path, (write,), is_long=operation.is_long))
        states.append(state_of(path))
    return states


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_death_at_any_statement_leaves_all_or_nothing(name: str, tmp_path: Path) -> None:
    prepare(tmp_path / "before" / "weft.db", OPERATIONS[name])
    *deaths, life = die_everywhere("statements", name, tmp_path)
    states = states_between(tmp_path, name)
    longest = max(len(write) for write in OPERATIONS[name].writes)
    assert len(deaths) >= longest + 2  # BEGIN and COMMIT too
    for folder in deaths:
        assert not (folder / "acknowledged").exists()
        assert state_of(folder / "stood" / "weft.db") in states[:-1]
    assert (life / "acknowledged").exists()
    assert state_of(life / "stood" / "weft.db") == states[-1] != states[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_death_in_any_change_of_a_file_leaves_all_or_nothing(name: str, tmp_path: Path) -> None:
    """Also when everything is lost that was not synced: what was acknowledged is there."""
    prepare(tmp_path / "before" / "weft.db", OPERATIONS[name])
    *deaths, life = die_everywhere("files", name, tmp_path)
    states = states_between(tmp_path, name)
    acknowledged = [folder for folder in deaths if (folder / "acknowledged").exists()]
    assert 0 < len(acknowledged) < len(deaths)  # some die in the commit, some in the checkpoint
    for folder in (*deaths, life):
        for kind in ("stood", "synced"):
            found = state_of(folder / kind / "weft.db")
            assert found in states, (folder, kind)
            if (folder / "acknowledged").exists():
                assert found == states[-1], (folder, kind)


@pytest.mark.parametrize("mode", ["statements", "files"])
def test_a_death_in_any_migration_step_leaves_the_steps_before_it(
    mode: str, tmp_path: Path
) -> None:
    """And the next start completes the rest, whatever the death left beside the file."""
    path = tmp_path / "before" / "weft.db"
    path.parent.mkdir()
    migrate(path, FIRST_STEPS)
    states = [state_of(path)]
    shutil.copytree(path.parent, tmp_path / "alone")
    for count in (2, 3):
        migrate(tmp_path / "alone" / "weft.db", STEPS[:count])
        states.append(state_of(tmp_path / "alone" / "weft.db"))
    *deaths, _ = die_everywhere(mode, MIGRATION, tmp_path)
    assert len(deaths) >= 15
    for folder in deaths:
        for kind in ("stood", "synced"):
            found = folder / kind / "weft.db"
            assert state_of(found) in states
            migrate(found, STEPS)
            assert state_of(found) == states[-1]

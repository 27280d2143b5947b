"""A new user's first minute: a fresh checkout, an empty environment, two commands."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files as they are now, in a folder of their own whose name has a space."""
    target = tmp_path_factory.mktemp("fresh") / "a checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    return target


def _run(checkout: Path, *command: str) -> str:
    """Run a command outside of the environment that the tests run in; return what it printed."""
    # PYTHON names the interpreter of this run, as a user may do.
    variables = {name: os.environ[name] for name in os.environ if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=checkout, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_runs_on_a_fresh_checkout_and_setup_is_then_done(checkout: Path) -> None:
    first = _run(checkout, "make", "demo")
    assert "setup: making .venv" in first
    assert "answers were right" in first

    assert _run(checkout, "scripts/setup") == ""

    again = _run(checkout, "make", "demo")
    assert "setup:" not in again
    assert "answers were right" in again


def test_an_environment_for_other_versions_or_another_folder_is_made_anew(checkout: Path) -> None:
    _run(checkout, "scripts/setup")
    with (checkout / "constraints.txt").open("a") as constraints:
        constraints.write("# another version\n")

    assert "setup: making .venv" in _run(checkout, "scripts/setup")

    moved = checkout.rename(checkout.with_name("moved"))
    assert "setup: making .venv" in _run(moved, "scripts/setup")
    assert _run(moved, ".venv/bin/weft", "--version").startswith("weft ")
    moved.rename(checkout)


def test_make_alone_prints_the_commands(checkout: Path) -> None:
    printed = _run(checkout, "make")

    for command in ("make demo ", "make test ", "make check ", "make bench ", "make serve "):
        assert command in printed

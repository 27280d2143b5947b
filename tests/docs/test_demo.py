"""The demo: it passes with Weft as it is, and with nothing less."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo_stage import AN_INSTANT, Like, differences, pretty

from tests.docs.pages import ROOT

DEMO = ROOT / "scripts" / "demo.py"


def _demo(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(DEMO)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )


def test_the_demo_finds_every_answer_right_whatever_settings_its_user_has() -> None:
    done = _demo(WEFT_PORT="1", WEFT_LOG_LEVEL="loud")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 27 answers were right" in done.stdout
    assert "How to go on" in done.stdout
    assert done.stderr == ""


def test_the_demo_is_without_colours_when_nobody_sees_them() -> None:
    assert "\033" not in _demo().stdout


@pytest.mark.parametrize(
    ("module", "right", "wrong", "said"),
    [
        (
            "domain/errors.py",
            'code="already_exists"',
            'code="taken"',
            "error.code is 'taken'; expected 'already_exists'",
        ),
        (
            "engine/citing.py",
            "start = self._length",
            "start = self._length + 1",
            "content[0].text.annotations[0].start_index is 104; expected 103",
        ),
    ],
)
def test_the_demo_fails_and_says_what_it_expected_when_an_answer_is_wrong(
    module: str, right: str, wrong: str, said: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "src" / "weft", tmp_path / "weft")
    file = tmp_path / "weft" / module
    source = file.read_text(encoding="utf-8")
    assert right in source
    file.write_text(source.replace(right, wrong), encoding="utf-8")

    done = _demo(PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert said in done.stdout
    assert "answers were right" not in done.stdout


def test_the_demo_says_that_the_server_did_not_start(tmp_path: Path) -> None:
    (tmp_path / "weft").mkdir()
    (tmp_path / "weft" / "__init__.py").touch()
    (tmp_path / "weft" / "__main__.py").write_text("raise SystemExit('no disk')\n")

    done = _demo(PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert "the server did not start" in done.stdout
    assert "no disk" in done.stderr


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        ({"a": 1}, {"a": 2}, "a is 2; expected 1"),
        ({"a": 1}, {}, "a is missing; expected 1"),
        ({}, {"a": 1}, "a is 1; expected none"),
        ({"a": [{"b": None}]}, {"a": [{"b": 0}]}, "a[0].b is 0; expected None"),
        ([1], [1, 2], "the answer is [1, 2]; expected [1]"),
        (True, 1, "the answer is 1; expected True"),
        ({"id": Like(r"msg_\w+")}, {"id": "run_1"}, r"id is 'run_1'; expected a text like msg_\w+"),
        ({"at": AN_INSTANT}, {"at": 1.5}, "at is 1.5; expected some int"),
        ({"at": AN_INSTANT}, {"at": True}, "at is True; expected some int"),
    ],
)
def test_a_difference_is_told_with_its_path(expected: object, got: object, said: str) -> None:
    assert list(differences(expected, got)) == [said]


def test_what_is_as_expected_has_no_difference() -> None:
    expected = {"id": Like(r"msg_\w+"), "at": AN_INSTANT, "data": [{"x": None}]}

    assert list(differences(expected, {"id": "msg_1", "at": 5, "data": [{"x": None}]})) == []


def test_a_long_list_is_cut_and_nothing_else_is_lost() -> None:
    shown = pretty({"data": [{"text": "x" * 90} for _ in range(5)], "has_more": False})

    assert shown.count("x" * 90) == 2
    assert "... 3 more" in shown
    assert '"has_more": false' in shown

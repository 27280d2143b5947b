"""docs/reference.md is made from the contract and is current."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from weft.wire.examples import EXAMPLES
from weft.wire.openapi import document
from weft.wire.operations import TABLE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference.md"


def _reference(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "reference.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as the script writes it now."""
    path = tmp_path_factory.mktemp("reference") / "reference.md"
    done = _reference(str(path))
    assert done.returncode == 0, done.stderr
    return path.read_text(encoding="utf-8")


def _slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return "".join(
        "-" if char == " " else char for char in heading.lower() if char.isalnum() or char in " -_"
    )


def test_the_page_in_the_repository_is_current() -> None:
    done = _reference("--check")
    assert done.returncode == 0, done.stderr


def test_check_tells_a_page_that_is_not_current_and_does_not_write_it(tmp_path: Path) -> None:
    stale = tmp_path / "reference.md"
    stale.write_text(PAGE.read_text(encoding="utf-8") + "\nmore\n", encoding="utf-8")
    done = _reference("--check", str(stale))
    assert done.returncode == 1
    assert "not current" in done.stderr
    assert stale.read_text(encoding="utf-8").endswith("more\n")
    assert _reference("--check", str(tmp_path / "missing.md")).returncode == 1


def test_every_link_leads_to_a_heading_and_no_two_headings_share_an_anchor(page: str) -> None:
    anchors = [_slug(heading) for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)]
    assert len(anchors) == len(set(anchors))
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert len(links) > 50
    assert links <= set(anchors)


def test_every_operation_and_every_schema_has_its_section(page: str) -> None:
    for operation in TABLE:
        assert f"\n### {operation.summary}\n" in page
        assert f"`{operation.method} /v1{operation.path}` (`{operation.id}`)" in page
    for name in document("3.1")["components"]["schemas"]:
        assert f"\n### {name}\n" in page


def test_every_example_is_shown(page: str) -> None:
    for example in EXAMPLES:
        assert f"\n{example.summary}:\n\n```http\n" in page
    assert page.count("```json\n") == len(EXAMPLES) + 1  # and an error

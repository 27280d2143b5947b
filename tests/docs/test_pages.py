"""What the documentation says is so: its code runs, its links lead somewhere, nothing is missing.

How a page marks what is run stands in `pages`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.official import OPERATIONS, operations_of
from tests.docs.pages import Example
from tests.harness import Server, weft
from tests.llm.upstream import serving
from tests.retrieval.vectors import embeddings
from weft.config import Settings, load
from weft.wire.operations import TABLE

ADDRESS = "http://127.0.0.1:8000"
HAVING_CODE = [page for page in pages.written_pages() if pages.examples(page)]
# The official document, where it lies beside the project.
OFFICIAL = pages.ROOT.parent / "shared" / "reference" / "assistants.openapi.json"


def _run(example: Example, server: Server) -> str:
    """Run a block as a reader would, in the folder that holds the server's data."""
    code = example.block.text.replace(ADDRESS, server.address)
    is_shell = example.block.language == "sh"
    program = ["sh", "-eu"] if is_shell else [sys.executable, "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(
        [*program, "-c", code],
        capture_output=True,
        text=True,
        cwd=server.data_dir.parent,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            # `weft call` looks for the server where the pages have it, if nothing else is said.
            "WEFT_BASE_URL": f"{server.address}/v1",
        },
        timeout=60,
    )
    assert done.returncode == 0, f"line {example.block.line}:\n{done.stdout}{done.stderr}"
    return done.stdout.replace(server.address, ADDRESS)


def _environment() -> dict[str, str]:
    """Return a reader's environment: `weft` and `python` are found, no setting of Weft is made."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("page", HAVING_CODE, ids=lambda page: page.name)
def test_the_code_of_a_page_runs_in_order_and_prints_what_the_page_shows(
    page: Path, tmp_path: Path
) -> None:
    with Server(tmp_path / "weft-data") as server:
        for example in pages.examples(page):
            printed = _run(example, server)
            where = f"{page.name}, line {example.block.line}, printed:\n{printed}"
            if example.prints is None:
                assert '"error"' not in printed, where
            else:
                assert pages.prints_as_shown(example.prints, printed), where


def test_with_embeddings_doctor_says_what_the_page_on_documents_shows(tmp_path: Path) -> None:
    """The endpoint is one of the test's own, at another address than the page's."""
    page = pages.ROOT / "docs" / "documents.md"
    (settings,) = [block.text for block in pages.blocks(page) if block.language == "toml"]
    (shown,) = [block for block in pages.blocks(page) if "hybrid: " in block.text]
    with serving() as upstream:
        upstream.play(embeddings(768))
        there = settings.replace("http://127.0.0.1:11434/v1", upstream.url)
        assert there != settings
        (tmp_path / "weft.toml").write_text(there, encoding="utf-8")
        lines = weft("doctor", cwd=tmp_path).stdout.splitlines()

    said = "\n".join(line for line in lines if "file search" in line)
    assert pages.prints_as_shown(shown, said), said


def test_the_readme_has_code_that_is_run() -> None:
    languages = {example.block.language for example in pages.examples(pages.ROOT / "README.md")}

    assert languages == {"sh", "python"}


@pytest.mark.parametrize("page", pages.all_pages(), ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in pages.links(page):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in pages.anchors(target), f"{page.name}: {link}"


def _said(*names: str) -> str:
    return "\n".join((pages.ROOT / name).read_text(encoding="utf-8") for name in names)


def _commands(tmp_path: Path) -> set[str]:
    """Return every command as the help names it, with its actions: `keys create`."""
    entry = re.compile(r"^    (\w+) ", re.MULTILINE)
    found = set()
    for command in entry.findall(weft("--help", cwd=tmp_path).stdout):
        actions = entry.findall(weft(command, "--help", cwd=tmp_path).stdout)
        found |= {f"{command} {action}" for action in actions} or {command}
    return found


def test_every_command_stands_in_the_readme(tmp_path: Path) -> None:
    commands = _commands(tmp_path)
    readme = _said("README.md")

    assert {"serve", "keys create", "backup"} <= commands
    assert {name for name in commands if f"weft {name}" not in readme} == set()


def test_every_flag_of_serve_and_every_setting_stands_in_the_tutorial(tmp_path: Path) -> None:
    start = _said("docs/start.md")
    flags = re.findall(r"--[a-z-]+", weft("serve", "--help", cwd=tmp_path).stdout)

    assert {flag for flag in flags if flag not in start} == {"--help"}
    assert [name for name in Settings.__struct_fields__ if f"`{name}`" not in start] == []


def test_a_settings_file_of_a_page_is_lawful(tmp_path: Path) -> None:
    shown = [
        block.text
        for page in pages.written_pages()
        for block in pages.blocks(page)
        if block.language == "toml"
    ]
    file = tmp_path / "weft.toml"

    assert shown
    for text in shown:
        file.write_text(text, encoding="utf-8")
        assert load({}, {}, file) != Settings()


def _rows() -> dict[str, str]:
    """Return the state of each operation in the table of compatibility, by method and path."""
    row = re.compile(r"^\| `(GET|POST|DELETE) (/\S*)` \| ([^|]+?) \|", re.MULTILINE)
    found = row.findall(_said("docs/compatibility.md"))
    assert len(found) == len({(method, path) for method, path, _ in found})
    return {f"{method} {path}": state for method, path, state in found}


def test_the_table_of_compatibility_says_yes_to_exactly_the_operations_there_are() -> None:
    there_are = {f"{operation.method} {operation.path}" for operation in TABLE}

    assert {name for name, state in _rows().items() if state == "yes"} == there_are


def test_the_table_of_compatibility_has_every_operation_of_the_real_service() -> None:
    assert OPERATIONS - _rows().keys() == set()


def test_the_operations_of_the_real_service_are_those_of_its_document() -> None:
    for document in (path for path in (OFFICIAL,) if path.exists()):
        assert operations_of(document) == OPERATIONS

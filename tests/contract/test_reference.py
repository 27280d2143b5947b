"""The reference is made from the contract, is current, and is the same for every reader."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.harness import Api
from weft.wire.examples import EXAMPLES
from weft.wire.markup import Code, Table, Words, anchor, html, markdown, plain
from weft.wire.openapi import document
from weft.wire.operations import TABLE
from weft.wire.reference import Reference, weft

ROOT = Path(__file__).parents[2]


def _reference(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "reference.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as the script writes them now."""
    path = tmp_path_factory.mktemp("docs")
    done = _reference(str(path))
    assert done.returncode == 0, done.stderr
    return path


def _anchors(page: str) -> list[str]:
    return [anchor(heading) for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)]


def test_the_pages_in_the_repository_are_current() -> None:
    done = _reference("--check")
    assert done.returncode == 0, done.stderr


def test_check_tells_every_page_that_is_stale_missing_or_too_many_and_writes_none(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "reference").mkdir()
    for file in (*folder.glob("*.md"), *folder.glob("reference/*.md")):
        (tmp_path / file.relative_to(folder)).write_text(file.read_text(encoding="utf-8"))
    assert _reference("--check", str(tmp_path)).returncode == 0
    stale, missing = tmp_path / "reference.md", tmp_path / "reference" / "threads.md"
    stale.write_text("changed")
    missing.unlink()
    (tmp_path / "reference" / "ghosts.md").write_text("no such path")
    done = _reference("--check", str(tmp_path))
    assert done.returncode == 1
    names = re.findall(r"^docs/(\S+) is not current", done.stderr, re.MULTILINE)
    assert names == ["reference.md", "reference/ghosts.md", "reference/threads.md"]
    assert (stale.read_text(), missing.exists()) == ("changed", False)


def test_every_link_of_every_page_leads_to_a_heading_and_no_page_repeats_an_anchor(
    folder: Path,
) -> None:
    pages = {file: file.read_text() for file in folder.rglob("*.md")}
    followed = 0
    for file, text in pages.items():
        anchors = _anchors(text)
        assert len(anchors) == len(set(anchors)), file
        for target, name in re.findall(r"\]\(([^)#]*)#([^)]+)\)", text):
            there = pages[(file.parent / target).resolve()] if target else text
            assert name in _anchors(there), f"{file}: {target}#{name}"
            followed += 1
    assert followed > 200


def test_every_path_has_its_page_with_its_operations_and_the_schemas_they_are_made_of(
    folder: Path,
) -> None:
    pages = {file.read_text() for file in (folder / "reference").glob("*.md")}
    headed = {re.search(r"^# (.+)$", page, re.MULTILINE)[1]: page for page in pages}  # type: ignore[index]  # every page has a heading
    assert len(headed) == len(pages)
    for operation in TABLE:
        page = headed[f"/v1{operation.path}"]
        assert f"\n## {operation.summary}\n" in page
        assert f"`{operation.method} /v1{operation.path}` (`{operation.id}`)" in page
        assert f"client.{operation.function_name}(" in page
        if operation.response is not None:
            assert f"\n### {operation.response.__name__}\n" in page


def test_every_schema_and_every_example_is_shown(folder: Path) -> None:
    text = "\n".join(file.read_text() for file in (folder / "reference").glob("*.md"))
    reached = document("3.1")["components"]["schemas"].keys() - {"ErrorResponse", "ErrorDetail"}
    for name in reached:
        assert f"\n### {name}\n" in text
    for example in EXAMPLES:
        assert f"\n{example.summary}:\n\n```http\n" in text
    streams = [example for example in EXAMPLES if isinstance(example.answer, str)]
    assert text.count("```text\n") == len(streams) > 0
    assert text.count("```json\n") == len(EXAMPLES) - len(streams)


# --- the same in a browser and in a terminal ----------------------------------------------------


class _Reader(HTMLParser):
    """Collects what a browser would find, and fails where tags do not close in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_server_shows_the_reference_as_one_page_for_people(api: Api) -> None:
    answer = api.http.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    reader = _Reader()
    reader.feed(answer.text)
    assert len(reader.ids) == len(set(reader.ids))
    assert len(reader.links) > 200
    assert {link.removeprefix("#") for link in reader.links} <= set(reader.ids)
    for operation in TABLE:
        assert f"{operation.method} /v1{operation.path}" in reader.text
    assert "`" not in reader.text
    assert "<script" not in answer.text


def test_only_get_reads_the_page_for_people(api: Api) -> None:
    answer = api.http.post("/docs")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_what_a_page_says_is_text_in_a_browser_whatever_it_holds() -> None:
    page = html([Words("a <b> & `x<y` [c](#d) **e** *f* g*h*i"), Code("", "<i>")], "<t>")
    assert (
        "<p>a &lt;b&gt; &amp; <code>x&lt;y</code> "
        '<a href="#d">c</a> <strong>e</strong> <em>f</em> g*h*i</p>'
    ) in page
    assert "<pre>&lt;i&gt;</pre>" in page
    assert "<title>&lt;t&gt;</title>" in page


def test_a_table_leaves_out_columns_in_which_nothing_stands() -> None:
    table = Table(("A", "B", "C"), (("1", "", "x|y"), ("2", "", "z")))
    assert markdown([table]) == "| A | C |\n| --- | --- |\n| 1 | x\\|y |\n| 2 | z |\n"


def test_a_terminal_shows_no_signs_and_breaks_its_lines() -> None:
    words = "`code` and [a link](#there), **once**: " + "word " * 40
    shown = plain([Words(words)])
    assert shown.startswith("    code and a link, once: word")
    assert max(map(len, shown.splitlines())) <= 100


def test_an_example_is_made_up_where_a_document_has_none() -> None:
    schema = {
        "type": "object",
        "required": ["name", "kind", "tags", "parent"],
        "properties": {
            "name": {"type": "string"},
            "kind": {"enum": ["cat", "dog"]},
            "tags": {"type": "array", "items": {"type": "integer"}},
            "parent": {"$ref": "#/components/schemas/Pet"},
            "note": {"type": "string"},
        },
    }
    pets = Reference(
        {
            "openapi": "3.1.0",
            "components": {"schemas": {"Pet": schema}},
            "paths": {
                "/pets": {
                    "post": {
                        "requestBody": {
                            "content": {
                                "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}
                            }
                        },
                        "responses": {"204": {"description": "Made."}},
                    }
                }
            },
        }
    )
    text = plain(pets.page("/pets"))
    assert '"name": "...",' in text
    assert '"kind": "cat",' in text
    assert '"tags": [0],' in text
    assert '"parent": {' in text
    assert '"note"' not in text


def test_the_page_of_an_operation_has_its_errors_with_what_they_mean() -> None:
    reference = weft()
    (operation,) = [each for each in reference.operations if each.id == "getThread"]
    text = plain(reference.operation_page(operation))
    assert "RETRIEVE A THREAD" in text
    assert "    404\n        There is no such object" in text

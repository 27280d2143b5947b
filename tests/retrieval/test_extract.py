"""What becomes of files: text from lawful ones, a reason from all others, in bounded resources."""

import asyncio
import codecs
import contextlib
import os
import re
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.retrieval import papers
from weft.retrieval.extract import Unreadable, is_supported, passages_of
from weft.retrieval.formats import READERS
from weft.retrieval.passages import ENDINGS
from weft.retrieval.reader import CPU_S, MEMORY_BYTES

pytestmark = pytest.mark.anyio


async def text_of(folder: Path, name: str, content: bytes | str) -> str:
    """Return the text of a file, put together again from its passages."""
    path = folder / "file"  # its name on the disk says nothing
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    text = ""
    async with aclosing(passages_of(path, name, 4096, 0)) as found:
        async for passages in found:
            for passage in passages:
                text += " " * (passage.start - len(text)) + passage.text
                assert len(text) == passage.end
    return text


async def refusal(folder: Path, name: str, content: bytes | str) -> tuple[str, str]:
    """Return (code, message) of a file that cannot be read."""
    with pytest.raises(Unreadable) as caught:
        await text_of(folder, name, content)
    return caught.value.code, caught.value.message


# --- lawful files -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", sorted(ENDINGS - {"html", "docx", "pptx", "pdf"}))
async def test_text_of_any_kind_is_read_as_it_is(tmp_path: Path, ending: str) -> None:
    said = "def weave(thread):\n    return '<b>wöven</b>'"
    assert await text_of(tmp_path, f"A File.{ending.upper()}", said) == said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_text_may_be_utf_8_or_utf_16_with_a_mark(tmp_path: Path, encoding: str) -> None:
    said = "Größe, 汉字, 🧵 " * 20_000
    assert await text_of(tmp_path, "a.txt", said.encode(encoding)) == said.strip()
    swapped = codecs.BOM_UTF16_BE + said.encode("utf-16-be")
    assert await text_of(tmp_path, "a.txt", swapped) == said.strip()


async def test_a_page_shows_its_text_and_neither_its_marks_nor_its_scripts(tmp_path: Path) -> None:
    page = (
        "<html><!-- no > one --><head a='>'><title>Looms</title>"
        "<style>p {}</style><script>var hidden;</script></head>"
        "<body><h1>On &amp; off</h1><p>One\n  line<br>two 1 < 2</p>"
        "<ul><li>x</li></ul><pre>a = 1\nb = 2</pre></body></html>"
    )
    assert (await text_of(tmp_path, "a.html", page)).split("\n") == [
        *("Looms", "On & off", "One line", "two 1 < 2", "x", "a = 1", "b = 2"),
    ]


async def test_a_document_gives_its_paragraphs(tmp_path: Path) -> None:
    made = papers.docx("First.", "Second &amp; last.")
    assert await text_of(tmp_path, "a.docx", made) == "First.\nSecond & last."


async def test_a_presentation_gives_its_slides_in_order_with_notes(tmp_path: Path) -> None:
    made = papers.pptx(*(f"Slide {number}" for number in range(1, 12)))
    said = (await text_of(tmp_path, "a.pptx", made)).split()
    assert said == [w for n in range(1, 12) for w in ("Slide", str(n))] + ["Spoken", "words"]


async def test_a_pdf_gives_its_pages_in_order(tmp_path: Path) -> None:
    made = papers.pdf("Page the first", "Page the second")
    said = await text_of(tmp_path, "a.pdf", made)
    assert said.split("\n") == ["Page the first", "Page the second"]


def test_every_ending_has_a_reader() -> None:
    assert set(READERS) == ENDINGS
    assert is_supported("REPORT.final.PDF")
    assert not any(map(is_supported, ("a", "pdf", ".pdf", "a.exe", "a.pdf/b", "a.")))


# --- files that cannot be read ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.exe", "a.csv", "a", "a.", ".txt", "a.png"])
async def test_a_kind_that_is_not_supported_says_so(tmp_path: Path, name: str) -> None:
    code, message = await refusal(tmp_path, name, "text")
    assert code == "unsupported_file"
    assert "docx" in message


LOCKED = papers.encrypted_pdf()
ENTITIES = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))

WRONG = {
    "empty": ("a.txt", b"", "no text"),
    "blank": ("a.md", b" \n\t \n", "no text"),
    "not UTF-8": ("a.txt", "Größe".encode("latin-1"), "UTF-8"),
    "cut within a character": ("a.txt", "Größ".encode()[:-1], "UTF-8"),
    "UTF-16 without a mark": ("a.txt", "Wort".encode("utf-16-le"), "NUL"),
    "half of UTF-16": ("a.txt", "Wort".encode("utf-16")[:-1], "UTF-8"),
    "a program": ("a.py", bytes(range(256)) * 100, "UTF-8"),
    "text as PDF": ("a.pdf", b"This is no PDF.", "no PDF"),
    "empty PDF": ("a.pdf", b"", "no PDF"),
    "PDF as document": ("a.docx", papers.pdf("x"), "no Word"),
    "document as presentation": ("a.pptx", papers.docx("x"), "no PowerPoint"),
    "archive as document": ("a.docx", papers.package({"x": "y"}), "no Word"),
    "cut document": ("a.docx", papers.docx("x" * 9999)[:-40], "no Word"),
    "document of no XML": ("a.docx", papers.package({"word/document.xml": "<a>"}), "no XML"),
    "document of garbage": (
        "a.docx",
        papers.docx("weave " * 99).replace(b"word/document.xml", b"word/document.xmk", 1),
        "damaged",
    ),
    "encrypted PDF": ("a.pdf", LOCKED, "encrypted"),
    "pictures only": ("a.pdf", papers.pdf(""), "pictures"),
    "entities": (
        "a.docx",
        papers.docx("&e11;", before=f'<!DOCTYPE x [<!ENTITY e0 "ha">{ENTITIES}]>'),
        "document type",
    ),
    "a file from outside": (
        "a.docx",
        papers.docx("&e;", before='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
        "document type",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_not_what_its_name_says_is_refused_with_a_reason(
    tmp_path: Path, case: str
) -> None:
    name, content, reason = WRONG[case]
    code, message = await refusal(tmp_path, name, content)
    assert code == "invalid_file"
    assert reason in message
    assert message.endswith((".", ")."))


async def test_a_file_that_is_gone_is_the_servers_fault(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        await anext(passages_of(tmp_path / "none", "a.txt", 800, 400))
    assert caught.value.code == "server_error"


# --- files that want to do harm ---------------------------------------------------------------


def usage() -> tuple[float, int]:
    """Return processor time and the largest memory of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


async def test_a_document_that_unpacks_to_a_thousand_times_its_size_is_given_up(
    tmp_path: Path,
) -> None:
    """What it says about its size is not believed, and little is unpacked."""
    bomb = papers.docx("x" * 150_000_000)
    assert len(bomb) < 200_000
    before, _ = usage()
    code, message = await refusal(tmp_path, "a.docx", bomb)
    used_s, most_bytes = usage()
    assert (code, "characters" in message or "unpacks" in message) == ("invalid_file", True)
    assert used_s - before < CPU_S
    assert most_bytes < MEMORY_BYTES


@pytest.mark.full
async def test_a_document_of_millions_of_empty_elements_is_given_up(tmp_path: Path) -> None:
    """There is no text in it that could grow too long."""
    body = f'<w:document xmlns:w="{papers.W}">{"<w:p><w:r/></w:p>" * 6_000_000}</w:document>'
    bomb = papers.package({"word/document.xml": body})
    del body
    code, message = await refusal(tmp_path, "a.docx", bomb)
    assert code == "invalid_file"
    assert message


async def test_a_text_of_more_than_the_limit_is_refused_before_it_is_all_read(
    tmp_path: Path,
) -> None:
    code, message = await refusal(tmp_path, "a.txt", b"word " * 5_000_000)
    assert code == "invalid_file"
    assert "Split it" in message


async def test_a_pdf_whose_pages_are_its_pages_ends(tmp_path: Path) -> None:
    """A tree of pages that leads back to itself."""
    code, message = await refusal(tmp_path, "a.pdf", papers.pdf("x", kids="2 0 R 2 0 R"))
    assert code == "invalid_file"
    assert message


async def test_a_pdf_of_more_than_ten_thousand_pages_is_refused(tmp_path: Path) -> None:
    code, message = await refusal(tmp_path, "a.pdf", papers.pdf(*(["x"] * 10_001)))
    assert code == "invalid_file"
    assert "10,000 pages" in message


async def test_a_pdf_whose_page_unpacks_without_end_ends(tmp_path: Path) -> None:
    """100 MB of drawing in 100 kB."""
    drawn = zlib.compress(b"BT (x) Tj ET " * 8_000_000)
    page = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(drawn), drawn)
    made = papers.assembled(
        {
            1: "<< /Type /Catalog /Pages 2 0 R >>",
            2: "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
            4: page,
        }
    )
    code, message = await refusal(tmp_path, "a.pdf", made)
    assert code == "invalid_file"
    assert message


@pytest.mark.parametrize("page", ["<a ", "<!--", "<a '", '<a ">', "<div>", "&", "<", "<script>"])
async def test_marks_that_are_never_closed_cost_no_more_than_others(
    tmp_path: Path, page: str
) -> None:
    """Looking for the end of each from the beginning would take hours."""
    before, _ = usage()
    with contextlib.suppress(Unreadable):
        await text_of(tmp_path, "a.html", page * 500_000)
    assert usage()[0] - before < CPU_S / 4


Children: TypeAlias = Callable[[], set[int]]


def _children() -> set[int]:
    own = os.getpid()
    return {int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()}


@pytest.fixture
def children() -> Children:
    """The processes that live and were started by the test, not by those before it."""
    before = _children()
    return lambda: _children() - before


async def test_a_file_that_is_given_up_leaves_no_process(
    tmp_path: Path, children: Children
) -> None:
    path = tmp_path / "file"
    path.write_text("word and weft " * 1_000_000)
    async with aclosing(passages_of(path, "a.txt", 100, 50)) as found:
        await anext(found)
        assert children()
    assert not children()


async def test_a_cancelled_reading_leaves_no_process(tmp_path: Path, children: Children) -> None:
    path = tmp_path / "file"
    path.write_text("word and weft " * 1_000_000)
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in passages_of(path, "a.txt", 100, 50):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not children()


async def test_a_reading_that_would_never_end_is_ended_with_whoever_asked(
    tmp_path: Path, children: Children
) -> None:
    """The file is a pipe that nobody writes to. Cancelled at any moment, also while starting."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    try:
        for turns in (0, 1, 2, 3, 5, 8, 20):
            task = asyncio.ensure_future(anext(passages_of(path, "a.txt", 800, 400)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not children()
        task = asyncio.ensure_future(anext(passages_of(path, "a.txt", 800, 400)))
        async with asyncio.timeout(60):
            while not children():  # noqa: ASYNC110  # it has no event for its beginning
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not children()
    finally:
        os.close(writer)


def limits(pid: int) -> str:
    """Return the limits of a process, a line for each."""
    return Path(f"/proc/{pid}/limits").read_text()


def environment(pid: int) -> list[str]:
    """Return the environment of a process, NAME=VALUE."""
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


TRIES = """
import os, socket, subprocess, sys
from weft.retrieval.reader import confine

TRIED = [
    lambda: open("/etc/passwd"),
    lambda: open("/proc/self/environ"),
    lambda: open("/dev/null", "w"),
    lambda: os.listdir("/"),
    lambda: socket.socket(socket.AF_INET),
    lambda: socket.socket(socket.AF_UNIX),
    lambda: subprocess.Popen(["true"]),
]
def works(act):
    try:
        act()
    except OSError:
        return False
    return True

before = sum(map(works, TRIED[:-1]))
confine(sys.argv[1])
print(before, sum(map(works, TRIED)), sys.stdin.buffer.read().decode())
"""


@pytest.mark.parametrize("ending", ["txt", "docx", "pdf"])
def test_a_file_that_takes_the_process_over_reaches_no_file_no_network_and_no_program(
    tmp_path: Path, ending: str
) -> None:
    """Of seven tries six would succeed beforehand (the last is not tried), and none afterwards."""
    (tmp_path / "file").write_text("Over one.")
    with (tmp_path / "file").open("rb") as file:
        told = subprocess.run(
            [sys.executable, "-c", TRIES, ending], stdin=file, capture_output=True, check=True
        )
    assert told.stdout == b"6 0 Over one.\n"


async def test_the_process_that_reads_cannot_start_another(
    tmp_path: Path, children: Children
) -> None:
    path = tmp_path / "file"
    path.write_text("word and weft " * 1_000_000)
    async with aclosing(passages_of(path, "a.txt", 100, 50)) as found:
        await anext(found)
        (pid,) = children()
        told = limits(pid)
    for name in ("processes", "open files", "file size", "core file size"):
        assert re.search(f"^Max {name} +0 +0 ", told, re.MULTILINE), told


async def test_a_damaged_document_is_the_files_fault_however_it_was_packed(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        whole = papers.docx("Over one, under one. " * 100, packed_by=method)
        assert "under one" in await text_of(tmp_path, "a.docx", whole)
        middle = whole.index(b"document.xml") + 40
        damaged = whole[:middle] + bytes(byte ^ 0x55 for byte in whole[middle : middle + 40])
        code, _ = await refusal(tmp_path, "a.docx", damaged + whole[middle + 40 :])
        assert code == "invalid_file", method


async def test_the_process_knows_no_settings_or_keys(tmp_path: Path, children: Children) -> None:
    """A hostile file that takes it over finds nothing."""
    path = tmp_path / "file"
    path.write_text("word and weft " * 1_000_000)
    async with aclosing(passages_of(path, "a.txt", 100, 50)) as found:
        await anext(found)
        (pid,) = children()
        names = {line.partition("=")[0] for line in environment(pid)}
    assert names <= {"", "PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV"}
    assert {"HOME", "PATH"} <= set(os.environ)

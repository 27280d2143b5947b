"""Hostile files and a real server: each ends with a reason, and the server answers on."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.api.storing import a_file, a_store, file_in, found
from tests.api.test_large_files import MB, peak_bytes
from tests.harness import Api, Server, api_of, within
from tests.retrieval import papers

PATIENCE_S = 300.0
SANE = "The shuttle carries the weft."


def pptx_bomb() -> bytes:
    """Return a presentation of many slides that each unpack to a thousand times their size."""
    slide = papers.pptx("x" * 20_000_000)
    with zipfile.ZipFile(io.BytesIO(slide)) as archive:
        body = archive.read("ppt/slides/slide1.xml")
    slides = {f"ppt/slides/slide{number}.xml": body for number in range(1, 12)}
    return papers.package({"ppt/presentation.xml": "<p/>", **slides})


def overlapping_bomb() -> bytes:
    """Return a document whose parts are one and the same piece of the archive, many times."""
    made = bytearray(papers.docx("weave " * 1_000_000))
    directory = made.rindex(b"PK\x01\x02")
    entry = bytes(made[directory : made.rindex(b"PK\x05\x06")])
    notes = [entry.replace(b"word/document.xml", name) for name in (b"word/footnotes.xm",) * 60]
    end = bytearray(made[made.rindex(b"PK\x05\x06") :])
    count, size = 1 + len(notes), len(entry) * (1 + len(notes))
    end[8:12] = count.to_bytes(2, "little") * 2
    end[12:16] = size.to_bytes(4, "little")
    return bytes(made[:directory]) + entry + b"".join(notes) + bytes(end)


class Hostile(NamedTuple):
    """A file that wants to do harm, or does by mistake. Without a reason it is completed."""

    name: str
    content: bytes
    reason: str | None


def light() -> dict[str, Hostile]:
    """Files that need seconds together."""
    return {
        "docx that unpacks without end": Hostile("a.docx", papers.docx("x" * 150_000_000), ""),
        "pptx that unpacks without end": Hostile("a.pptx", pptx_bomb(), ""),
        "docx of overlapping parts": Hostile("o.docx", overlapping_bomb(), None),
        "looping PDF": Hostile("l.pdf", papers.pdf("x", kids="2 0 R 2 0 R"), "PDF"),
        "PDF cut in the middle": Hostile("c.pdf", papers.pdf(*["page"] * 50)[:900], "PDF"),
        "PDF of noise": Hostile("n.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 400, "PDF"),
        "locked PDF": Hostile("e.pdf", papers.encrypted_pdf(), "encrypted"),
        "nested HTML": Hostile("d.html", b"<div>" * 400_000 + b"deep" + b"</div>" * 400_000, None),
        "nested JSON": Hostile("d.json", b"[" * 1_000_000 + b"]" * 1_000_000, None),
        "picture as text": Hostile("p.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "UTF-8"),
        "text as PDF": Hostile("t.pdf", b"I am no PDF.", "PDF"),
        "PDF as document": Hostile("p.docx", papers.pdf("x"), "Word"),
        "document as presentation": Hostile("d.pptx", papers.docx("x"), "PowerPoint"),
        "empty": Hostile("e.txt", b"", "no text"),
        "empty document": Hostile("e.docx", b"", "Word"),
        "blank": Hostile("b.md", b" \n\t" * 10_000, "no text"),
        "binary as text": Hostile("b.txt", bytes(range(256)) * 1000, ""),
        "NUL bytes as text": Hostile("z.txt", b"\0" * 1_000_000, "NUL"),
        "UTF-16 with a mark": Hostile("u.txt", "Käthe weaves. ".encode("utf-16"), None),
        "UTF-16 without a mark": Hostile("w.txt", "Kette".encode("utf-16-le"), ""),
        "one line": Hostile("o.txt", b"word " * 400_000, None),
        "one word": Hostile("o.md", b"w" * 2_000_000, None),
        "a name that is long": Hostile(f"{'n' * 251}.txt", b"A text.", None),
    }


def heavy() -> dict[str, Hostile]:
    """Files that need a minute."""
    return {
        "10,000 pages": Hostile("m.pdf", papers.pdf(*["A page of a long book."] * 10_000), None),
        "10,001 pages": Hostile("t.pdf", papers.pdf(*["x"] * 10_001), "10,000 pages"),
        "too much text": Hostile("t.txt", b"word " * 5_000_000, "Split it"),
        "one word without end": Hostile("w.txt", b"w" * 19_000_000, None),
        "one line of all": Hostile("l.txt", "ä 汉 🧵 ".encode() * 1_500_000, None),
        "entities": Hostile(
            "a.docx",
            papers.docx("&e;", before='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
            "document type",
        ),
    }


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Server, Api]]:
    """A server of one's own."""
    with Server(tmp_path / "data") as server, api_of(server) as api:
        yield server, api


def endure(server: Server, api: Api, files: Mapping[str, Hostile]) -> None:
    """Index hostile files and a sane one; the server answers all the while, and stays small."""
    ids = {case: a_file(api, content, name) for case, (name, content, _) in files.items()}
    sane = a_file(api, SANE, "sane.txt")
    before = peak_bytes(server)
    store = a_store(api, *ids.values(), sane)

    def is_over() -> bool:
        api.ok("GET", "/files", params={"limit": 1})
        counted = api.ok("GET", f"/vector_stores/{store}")["file_counts"]
        return not counted["in_progress"]

    assert within(PATIENCE_S, is_over)
    assert peak_bytes(server) - before < 100 * MB
    wrong = {}
    for case, (_, _, reason) in files.items():
        shown = file_in(api, store, ids[case])
        if not is_as_expected(shown["status"], shown["last_error"], reason):
            wrong[case] = (shown["status"], shown["last_error"])
    assert wrong == {}
    assert found(api, store, "shuttle carries")[0]["file_id"] == sane
    assert "Traceback" not in server.log_path.read_text()


def is_as_expected(status: str, error: Any, reason: str | None) -> bool:
    """Say whether a file ended as it should, and its owner is told why."""
    if reason is None:
        return (status, error) == ("completed", None)
    return status == "failed" and error["code"] == "invalid_file" and reason in error["message"]


def test_hostile_files_fail_with_a_reason_while_the_server_answers(
    own: tuple[Server, Api],
) -> None:
    endure(*own, light())


@pytest.mark.full
def test_the_largest_hostile_files_are_endured_too(own: tuple[Server, Api]) -> None:
    endure(*own, heavy())

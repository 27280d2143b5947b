"""The pages of the documentation, their code blocks and their links.

A block of `sh` or `python` is run; a block of `text` or `json` right behind it
is what it prints. In both, `…` stands for what is different every time, and a
`created_at` or `completed_at` for any instant. A block of `console` is only
shown, for what runs on, asks for a machine of its own or was cut.
"""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
# Made by programs, which their own checks hold true.
GENERATED = {"reference.md", "benchmarks.md"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_INSTANTS = ("created_at", "completed_at")


class Block(NamedTuple):
    """A fenced block: its language, its text, and what stands between it and the one before."""

    language: str
    text: str
    line: int
    lead: str


class Example(NamedTuple):
    """A block to run and the block that it has to print, if the page shows one."""

    block: Block
    prints: Block | None


def written_pages() -> list[Path]:
    """Return the pages that people wrote."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in found if page.name not in GENERATED]


def all_pages() -> list[Path]:
    """Return every page."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    end = 0
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match[1], match[2], line, text[end : match.start()]))
        end = match.end()
    return found


def examples(page: Path) -> list[Example]:
    """Return the blocks of a page that are run, each with what it must print."""
    found = []
    for block, following in pairwise([*blocks(page), Block("", "", 0, "")]):
        if block.language in ("sh", "python"):
            is_output = following.language in ("text", "json") and not following.lead.strip()
            found.append(Example(block, following if is_output else None))
    return found


def links(page: Path) -> list[str]:
    """Return where the links of a page lead, as they are written."""
    return _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Return the names of a page's headings, as a link says them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in headings}


def is_like(expected: str, got: str) -> bool:
    """Say whether a text is the expected one, in which `…` stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, got.strip(), re.DOTALL) is not None


def is_like_json(expected: Any, got: Any) -> bool:
    """Say whether JSON is as a page shows it: `…` in texts, any instants, keys in any order."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(
            type(got[key]) is int
            if key in _INSTANTS and isinstance(expected[key], int)
            else is_like_json(expected[key], got[key])
            for key in expected
        )
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(is_like_json, expected, got))
    if isinstance(expected, str) and isinstance(got, str):
        return is_like(expected, got)
    return type(expected) is type(got) and bool(expected == got)


def prints_as_shown(shown: Block, printed: str) -> bool:
    """Say whether what a block printed is what the page shows behind it."""
    if shown.language == "text":
        return is_like(shown.text, printed)
    return is_like_json(json.loads(shown.text), json.loads(printed))

"""Write docs/reference.md and docs/reference/*.md; with --check only say if they are current.

    python scripts/reference.py [--check] [FOLDER]

There is a page for each path, and one that leads to them. They say nothing of their own:
what they say stands in the contract (src/weft/wire), and `weft.wire.reference` lays it out.
"""

import argparse
import re
import sys
from pathlib import Path

from weft.wire.markup import markdown
from weft.wire.reference import weft

FOLDER = Path(__file__).parents[1] / "docs"
NOTE = "<!-- Made by scripts/reference.py from the contract in src/weft/wire: edit that. -->\n\n"


def pages() -> dict[str, str]:
    """Return each page by its path below docs."""
    reference = weft()
    files = {path: f"reference/{file_name(path)}" for path in reference.paths()}
    found = {"reference.md": markdown(reference.index(files))}
    for path, file in files.items():
        found[file] = markdown(reference.page(path, errors="../reference.md#errors"))
    return {file: NOTE + text for file, text in found.items()}


def file_name(path: str) -> str:
    """Return the file for the page of a path."""
    return re.sub(r"[{}]", "", path.removeprefix("/v1").strip("/")).replace("/", "-") + ".md"


def stale(folder: Path) -> list[str]:
    """Return the pages that are not there, not current, or too many."""
    wanted = pages()
    there = {f"reference/{file.name}" for file in (folder / "reference").glob("*")}
    changed = [name for name, text in wanted.items() if not _has(folder / name, text)]
    return sorted({*changed, *(there - wanted.keys())})


def _has(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text


def write(folder: Path) -> None:
    """Write every page, and remove those of paths that are gone."""
    (folder / "reference").mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in stale(folder):
        (folder / name).unlink()


def main() -> int:
    """Write the pages, or compare them: 1 when one is not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="docs")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if not current")
    chosen = parser.parse_args()
    if not chosen.check:
        write(chosen.folder)
        return 0
    for name in (names := stale(chosen.folder)):
        print(f"docs/{name} is not current. Run: python scripts/reference.py", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())

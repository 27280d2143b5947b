"""Killed anywhere while bytes come and go: a file is whole or not there, with nothing left."""

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path

from tests.crash.dying_files import NEW, NOW, OLD, P, prepare
from weft.store import files
from weft.store.blobs import FOLDER, Folder
from weft.store.contents import Contents
from weft.store.sqlite import Sqlite

ROOT = Path(__file__).parents[2]
BYTES = {"file-old": OLD, "file-new": NEW, "file-same": OLD}


async def held_after(folder: Path) -> set[str]:
    """Start again as the server does; return the files that are there, each one whole."""
    database = Sqlite(folder / "weft.db")
    contents = Contents(database, Folder(folder / FOLDER), lambda: NOW)
    await contents.begin()
    while await contents.sweep():
        pass
    found, hashes = set(), set()
    for file_id, data in BYTES.items():
        stored = await files.stored(database, P, file_id)
        if stored is not None:
            found.add(file_id)
            hashes.add(stored.sha256)
            assert stored.sha256 == hashlib.sha256(data).hexdigest()
            async with contents.path(stored.location) as path:
                assert path.read_bytes() == data
    lying = [path for path in (folder / FOLDER).rglob("*") if path.is_file()]
    assert len(lying) == len(hashes), "bytes are left that nothing refers to"
    assert (await database.page("blob_orphans_due", {"now": 2**60, "limit": 9})).rows == []
    await contents.close()
    await database.close()
    return found


def test_a_death_at_any_line_leaves_files_whole_and_nothing_over(tmp_path: Path) -> None:
    asyncio.run(prepare(tmp_path / "before"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.crash.dying_files", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lives = sorted((path for path in tmp_path.iterdir() if path.name.isdigit()), key=_number)
    assert len(lives) > 100
    for folder in lives:
        said = (folder / "acknowledged").read_text().split("\n")
        found = asyncio.run(held_after(folder / "data"))
        for file_id in BYTES:
            was_there = file_id in said or file_id == "file-old"
            if was_there and f"no {file_id}" in said:
                assert file_id not in found, folder
            elif was_there and not (file_id != "file-new" and "file-same" in said):
                assert file_id in found, folder
    assert found == {"file-new"}


def _number(path: Path) -> int:
    return int(path.name)

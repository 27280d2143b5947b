"""A process that dies at the n-th line of what handles the bytes of files, for every n.

    python -m tests.crash.dying_files FOLDER

FOLDER/before holds the data folder that it starts from (`prepare`). For each n a child of its own
works on a copy, FOLDER/<n>/data, and is killed when the n-th line of `store.blobs` or
`store.contents` is about to run, in whatever thread; the first child that comes to its end is the
last. Beside it, FOLDER/<n>/acknowledged has a line for each thing that was acknowledged.
"""

import asyncio
import itertools
import shutil
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from tests.crash.dying import Countdown, in_child
from weft.store import blobs, contents, files
from weft.store.blobs import FOLDER, Folder
from weft.store.contents import Contents, keep
from weft.store.database import Database
from weft.store.folder import database_in
from weft.store.sqlite import Sqlite, migrate

P = "shop"
NOW = 1_700_000_000
OLD, NEW = b"old" * 1000, b"new" * 1000
WATCHED = {blobs.__file__, contents.__file__}


def watch(countdown: Countdown) -> None:
    """Count every line that runs in the two modules."""

    def lines(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line" and countdown.is_due():
            countdown.die()
        return lines

    threading.settrace(lines)
    sys.settrace(lines)


async def put(database: Database, held: Contents, file_id: str, data: bytes) -> None:
    """Store a file as the server does."""
    async with held.arriving() as arrival:
        await arrival.write(data)
        content = await arrival.finish()
        new = files.insert(
            P,
            file_id,
            content,
            purpose="batch",
            filename=file_id,
            created_at=NOW,
            expires_at=None,
            now=NOW,
            wire="{}",
        )
        await database.write((*keep(content), new))


async def work(folder: Path, countdown: Countdown) -> None:
    """Add a file, add one with known bytes, delete both that have these, and clear up."""
    database = Sqlite(database_in(folder / "data"))
    held = Contents(database, Folder(folder / "data" / FOLDER), lambda: NOW)
    with (folder / "acknowledged").open("a") as said:

        def acknowledge(what: str) -> None:
            said.write(f"{what}\n")
            said.flush()

        countdown.is_armed = True
        await put(database, held, "file-new", NEW)
        acknowledge("file-new")
        await put(database, held, "file-same", OLD)
        acknowledge("file-same")
        for file_id in ("file-old", "file-same"):
            await database.write(files.delete(P, file_id, NOW))
            acknowledge(f"no {file_id}")
        while await held.sweep():
            pass
    await held.close()
    await database.close()


async def prepare(folder: Path) -> None:
    """Make a data folder with one file."""
    path = database_in(folder)
    migrate(path)
    database = Sqlite(path)
    held = Contents(database, Folder(folder / FOLDER), lambda: NOW)
    await put(database, held, "file-old", OLD)
    await held.close()
    await database.close()


def live(folder: Path, number: int) -> None:
    """Work in a process that may not see its end."""
    countdown = Countdown(number)
    watch(countdown)
    asyncio.run(work(folder, countdown))


def main(root: Path) -> None:
    """Die at every n that there is."""
    for number in itertools.count(1):
        folder = root / str(number)
        shutil.copytree(root / "before", folder / "data")
        if in_child(lambda: live(folder, number)):  # noqa: B023  # called at once
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))

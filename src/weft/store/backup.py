"""A copy of everything: the database, and beside it the bytes of its files.

The two are of one moment: the bytes of every file that the copied database has
are there. Bytes never change, so where the disk allows it the copy shares them.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from weft.store.database import Unusable
from weft.store.sqlite import backup, locations

SUFFIX = ".files"
TRIES = 10  # files are deleted while the database is copied: once more, then


def backup_all(path: Path, files: Path, target: Path, progress: Callable[[int, int], None]) -> int:
    """Copy a database to a new file, and its bytes to a folder named after it; count these.

    The folder is there only if there are files, and complete before the database appears.
    Raises: FileExistsError, OSError, Unusable; nothing is left then.
    """
    folder = target.with_name(f"{target.name}{SUFFIX}")
    _refuse_existing(target, folder)
    with tempfile.TemporaryDirectory(".unfinished", f"{target.name}.", target.parent) as name:
        unfinished = Path(name)
        for _ in range(TRIES):
            copy = unfinished / "weft.db"
            copy.unlink(missing_ok=True)
            backup(path, copy, progress)
            wanted = locations(copy)
            if _bring(wanted, files, unfinished / "files"):
                break
        else:
            raise Unusable(f"The files of {path.parent} change too fast to be copied. Try again.")
        _refuse_existing(target, folder)
        if wanted:
            (unfinished / "files").rename(folder)
        copy.rename(target)
    return len(wanted)


def _bring(wanted: list[str], source: Path, target: Path) -> bool:
    """Copy or share what is not there yet; say whether everything was to be had."""
    for location in wanted:
        place = target / location
        if place.exists():
            continue
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _share(source / location, place)
        except FileNotFoundError:
            return False
    _remove_others(target, set(wanted))
    return True


def _share(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, target)
        target.chmod(0o600)


def _remove_others(folder: Path, wanted: set[str]) -> None:
    """Remove what an earlier try brought and was deleted since."""
    for path in folder.glob("*/*"):
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()


def _refuse_existing(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise FileExistsError(f"{path} exists already; nothing was written")

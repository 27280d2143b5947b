"""What lies in a data folder of files and passages, and that all of it hangs together."""

from pathlib import Path
from typing import Any

import apsw

from weft.store.blobs import FOLDER

# Rows that are there only until the keeper has looked at them.
UNSWEPT = ("blob_orphan", "blob_released", "chunk_garbage", "chunk_store_garbage")


def rows(folder: Path, sql: str, *params: Any) -> list[Any]:
    """Read the database of a data folder past the program, which may be at work."""
    connection = apsw.Connection(str(folder / "weft.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(10_000)
        return list(connection.execute(sql, params))
    finally:
        connection.close()


def count(folder: Path, what: str) -> int:
    """Return the number of rows of a table, with a condition if one is given."""
    found: int = rows(folder, f"SELECT count(*) FROM {what}")[0][0]
    return found


def lying(folder: Path) -> set[str]:
    """Return the locations at which bytes lie."""
    root = folder / FOLDER
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def is_swept(folder: Path) -> bool:
    """Say whether the keeper has nothing left to clear away.

    One statement, which sees one moment: read one by one, a row that goes from table to table as
    the keeper works could be seen in none of them.
    """
    return not rows(folder, " UNION ALL ".join(f"SELECT 1 FROM {table}" for table in UNSWEPT))


def check(folder: Path) -> None:
    """Every byte and every passage of a swept folder belongs to something, and nothing is missing.

    Raises: AssertionError.
    """
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    assert lying(folder) == {location for (location,) in rows(folder, "SELECT location FROM blob")}
    referred = (
        "SELECT sha256 FROM file WHERE sha256 IS NOT NULL UNION SELECT sha256 FROM upload_part"
    )
    assert set(rows(folder, "SELECT sha256 FROM blob")) == set(rows(folder, referred))
    check_passages(folder)


def check_passages(folder: Path) -> None:
    """Each passage belongs to a file that is found or is being indexed, and stands there once."""
    wanted = rows(folder, "SELECT number, chunks FROM chunk_file ORDER BY number")
    there = rows(folder, "SELECT id / 1048576, count(*) FROM chunk GROUP BY 1 ORDER BY 1")
    assert there == [row for row in wanted if row[1]]
    numbers = rows(folder, "SELECT id FROM chunk ORDER BY id")
    assert rows(folder, "SELECT id FROM chunk_term_docsize ORDER BY id") == numbers
    twice = (
        "SELECT store, file_id FROM chunk_file WHERE is_published GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert rows(folder, twice) == []
    astray = "SELECT number FROM chunk_file WHERE store NOT IN (SELECT number FROM chunk_store)"
    assert rows(folder, astray) == []

"""Forward-only migrations: one numbered `.sql` file a step, a folder for each dialect.

A step that was applied is known by its hash: a file that changed afterwards, or
one that this version does not have, stops the start instead of guessing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

# The number of an entry that stands for no step: it is there while a copy is unfinished.
COPYING = 0


class Migration(NamedTuple):
    """One step: `number` counts from 1, `sql` may hold several statements."""

    number: int
    name: str
    sql: str
    sha256: str


class MigrationError(Exception):
    """The database was made by another version. The message says what to do."""


class UnfinishedCopy(MigrationError):
    """`weft copy` has begun to fill this database and not finished."""

    def __init__(self) -> None:
        super().__init__(
            "This database is an unfinished copy. Run weft copy again, which goes on where it "
            "stopped; or begin anew with an empty one."
        )


@cache
def migrations(dialect: str) -> tuple[Migration, ...]:
    """Return the steps of a dialect in order."""
    found = []
    for file in (resources.files(__package__) / dialect).iterdir():
        if file.name.endswith(".sql"):
            sql = file.read_text(encoding="utf-8")
            number, _, name = file.name.removesuffix(".sql").partition("_")
            found.append(
                Migration(int(number), name, sql, hashlib.sha256(sql.encode()).hexdigest())
            )
    return tuple(sorted(found))


def pending(steps: Sequence[Migration], applied: Mapping[int, str]) -> tuple[Migration, ...]:
    """Return those of `steps` that a database still needs; `applied` is number -> sha256.

    Raises: MigrationError when the database is newer than this program, or was changed.
    """
    if COPYING in applied:
        raise UnfinishedCopy
    known = {step.number: step for step in steps}
    for number, sha256 in applied.items():
        if number not in known:
            raise MigrationError(
                f"The database has migration {number}, which this version of Weft does not know: "
                "it was written by a newer version. Start that version, or restore a backup."
            )
        if known[number].sha256 != sha256:
            raise MigrationError(
                f"Migration {number} ({known[number].name}) is not the one that this database "
                "was made with. Install the version of Weft that made it, or restore a backup."
            )
    return tuple(step for step in steps if step.number not in applied)

"""Named statements: each `.sql` file of this folder is a list of them."""

import re
from functools import cache
from importlib import resources

# What every database understands; a dialect's own file comes on top.
_SHARED = ("shared", "chores", "files", "vector_stores", "chunks")

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(dialect: str) -> dict[str, str]:
    """Return the text of each statement by its name: the shared ones and the dialect's own.

    Raises: ValueError when a name stands twice.
    """
    return _named(*_SHARED, dialect)


@cache
def frames(dialect: str) -> dict[str, str]:
    """Return what a database is asked besides the statements, and what they are framed in."""
    return _named(f"{dialect}_frames")


def _named(*files: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in files:
        text = (resources.files(__package__) / f"{file}.sql").read_text(encoding="utf-8")
        _, *parts = _HEAD.split(text)
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"the statement {name} stands twice ({file}.sql)")
            lines = [line for line in body.splitlines() if line and not line.startswith("--")]
            found[name] = "\n".join(lines).rstrip(";")
    return found

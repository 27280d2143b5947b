"""API keys, as an operator makes them."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.harness import weft


class Key(NamedTuple):
    """A key and the id under which it is listed."""

    id: str
    key: str


def create_key(data_dir: Path, project: str = "default", *, name: str = "") -> Key:
    """Make a key with the command line, beside a server that may be running."""
    done = weft(
        *("keys", "create", "--project", project, "--name", name),
        *("--data-dir", str(data_dir)),
        cwd=data_dir.parent,
    )
    told = re.search(r"the key (key_\w+) of project", done.stderr)
    assert told, done.stderr
    return Key(told.group(1), done.stdout.strip())


def revoke_key(data_dir: Path, key_id: str, status: int = 0) -> str:
    """Revoke a key with the command line and return what it said."""
    done = weft(
        "keys", "revoke", key_id, "--data-dir", str(data_dir), cwd=data_dir.parent, status=status
    )
    return done.stdout + done.stderr


def list_keys(data_dir: Path) -> list[str]:
    """Return the lines that `weft keys list` prints."""
    done = weft("keys", "list", "--data-dir", str(data_dir), cwd=data_dir.parent)
    return done.stdout.splitlines()

"""What a server of PostgreSQL takes of the processor."""

import os
from pathlib import Path

from tests.postgres import Cluster


def database_s(server: Cluster) -> float:
    """Return the processor time of PostgreSQL: of those that live, and of those that ended."""
    assert server.process is not None
    while True:
        try:
            return _family_s(server.process.pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # one of them has just ended, and counts with its parent from now on


def _family_s(main: int) -> float:
    children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split()
    ticks = sum(_ticks(int(child), with_children=False) for child in children)
    ticks += _ticks(main, with_children=True)
    return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int, *, with_children: bool) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, stat[11 : 15 if with_children else 13]))

"""Jobs: what workers have to do, told in the very write that makes it necessary.

A job is a hint, never the truth. What is to be done stands in the rows of its
object, and so does how often it was begun: a job that comes twice, or late,
finds that there is nothing left for it, and one that is lost is made again by
a sweep. So a queue may lose or repeat whatever it likes.

SQLite has no queue: its one process finds what is to be done by an index.
"""

import json
from typing import NamedTuple

from weft.store.database import Database, Statement, Write


def enqueue(task: str, **key: str | int) -> Statement:
    """A job: the `task` that the engine knows by this name, and what it is called with."""
    return Statement("job_enqueue", {"task": task, "key": json.dumps(key, separators=(",", ":"))})


class Standing(NamedTuple):
    """What the queue knows of a worker: of those alive, one is the oldest."""

    is_alive: bool
    is_oldest: bool
    jobs: frozenset[int]


async def standing(database: Database, worker_id: int, stalled_s: int) -> Standing:
    """Return how a worker stands. Without a heartbeat for `stalled_s` it counts as dead."""
    params = {"worker_id": worker_id, "stalled_s": stalled_s}
    is_alive, is_oldest, held = await database.one("worker_standing", params) or (0, 0, "")
    return Standing(bool(is_alive), bool(is_oldest), frozenset(map(int, held.split())))


def clear(stalled_s: int) -> Write:
    """Remove dead workers, and the jobs that nobody does any more."""
    return (Statement("worker_clear", {"stalled_s": stalled_s}), Statement("job_clear", {}))


def drop(job_id: int) -> Statement:
    """Remove a job that its worker knows nothing of."""
    return Statement("job_drop", {"id": job_id})

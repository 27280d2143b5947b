"""Jobs: what workers have to do, told in the very write that makes it necessary.

A job is a hint, never the truth. What is to be done stands in the rows of its
object, and so does how often it was begun: a job that comes twice, or late,
finds that there is nothing left for it, and one that is lost is made again by
a sweep. So a queue may lose or repeat whatever it likes.

SQLite has no queue: its one process finds what is to be done by an index.
"""

import json

from weft.store.database import Statement


def enqueue(task: str, **key: str | int) -> Statement:
    """A job: the `task` that the engine knows by this name, and what it is called with."""
    return Statement("job_enqueue", {"task": task, "key": json.dumps(key, separators=(",", ":"))})

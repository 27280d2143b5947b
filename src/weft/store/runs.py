"""What writing and reading runs, their steps and their events is made of.

A key names a run: (thread_id, project, id). `was` is the wire form that a
change starts from: every change is compare and set.
"""

from typing import Any, NamedTuple

from weft.store import jobs
from weft.store.database import Database, Statement


class RunKey(NamedTuple):
    """Which run."""

    thread_id: str
    project: str
    id: str

    @property
    def topic(self) -> str:
        """What a write wakes that concerns this run."""
        return f"run {self.thread_id} {self.project} {self.id}"

    @property
    def halt(self) -> str:
        """What a write wakes that takes this run out of its worker's hands."""
        return f"halt {self.thread_id} {self.project} {self.id}"

    def params(self, **more: Any) -> dict[str, Any]:
        """The parameters of a statement about the run itself."""
        return {"thread_id": self.thread_id, "project": self.project, "id": self.id, **more}

    def under(self, **more: Any) -> dict[str, Any]:
        """The parameters of a statement about something of the run."""
        return {"thread_id": self.thread_id, "project": self.project, "run_id": self.id, **more}


class State(NamedTuple):
    """A run as stored: its wire form, and how often it was taken up.

    `recoveries` counts only those times that found it in progress, since it was last queued.
    """

    wire: str
    attempt: int
    recoveries: int


class EventRow(NamedTuple):
    """A row of the log: `size` events, the first of which is `number`."""

    number: int
    size: int
    name: str
    data: str


# What wakes the engine: something is queued or cancelled.
ENGINE = "engine"

# The task of the jobs that drive runs.
DRIVE = "drive_run"


def enqueue(key: RunKey, attempt: int) -> Statement:
    """A job for a run that was taken up so often: who takes it up next counts one further."""
    return jobs.enqueue(DRIVE, **key._asdict(), attempt=attempt)


def insert(key: RunKey, *, created_at: int, expires_at: int, wire: str) -> Statement:
    """A new run. Guard: the thread is there, no run is active in it and none waits."""
    return Statement(
        "run_insert",
        key.params(created_at=created_at, expires_at=expires_at, wire=wire),
        is_guard=True,
    )


def insert_waiting(key: RunKey, *, created_at: int, wire: str) -> Statement:
    """A new run behind others. Guard: the thread is there and has an active or waiting run."""
    return Statement(
        "run_insert_waiting", key.params(created_at=created_at, wire=wire), is_guard=True
    )


def promote(key: RunKey, was: str, *, wire: str, expires_at: int) -> Statement:
    """A waiting run's turn. Guard: it still waits, and the thread has no active run."""
    return Statement(
        "run_promote", key.params(was=was, wire=wire, expires_at=expires_at), is_guard=True
    )


def replace(
    key: RunKey,
    was: State,
    *,
    wire: str,
    status: str,
    expires_at: int | None,
    ended_at: int | None,
) -> Statement:
    """A change of a run. Guard: it is still `was`, taken up as often."""
    return Statement(
        "run_replace",
        key.params(
            was=was.wire,
            attempt=was.attempt,
            wire=wire,
            status=status,
            expires_at=expires_at,
            ended_at=ended_at,
        ),
        is_guard=True,
    )


def claim(key: RunKey, was: State, *, wire: str) -> Statement:
    """Take a run up. Guard: it is still `was`, and nobody else took it up."""
    return Statement(
        "run_claim",
        key.params(was=was.wire, attempt=was.attempt + 1, wire=wire),
        is_guard=True,
    )


def fence(key: RunKey, attempt: int) -> Statement:
    """Guard of a worker's writes: the run goes on, and is still this attempt's."""
    return Statement("run_fence", key.params(attempt=attempt), is_guard=True)


def log_stands_at(key: RunKey, last: int) -> Statement:
    """Guard: no event was written behind the number `last`."""
    return Statement("run_event_stands_at", key.under(last=last), is_guard=True)


def event(key: RunKey, name: str, data: str, count: int = 1) -> Statement:
    """A row of the log: one event, or a batch of `count` deltas."""
    return Statement("run_event_append", key.under(name=name, data=data, count=count))


def insert_step(key: RunKey, step_id: str, created_at: int, wire: str) -> Statement:
    """A new step, behind the run's others."""
    return Statement("run_step_insert", key.under(id=step_id, created_at=created_at, wire=wire))


def replace_step(key: RunKey, step_id: str, wire: str) -> Statement:
    """A change of a step; a guard ahead of it has checked the run."""
    return Statement("run_step_replace", key.under(id=step_id, wire=wire))


def open_message(
    key: RunKey, message_id: str, *, created_at: int, now: int, wire: str
) -> Statement:
    """The message that a worker begins to write."""
    return Statement(
        "message_append",
        {
            "thread_id": key.thread_id,
            "project": key.project,
            "id": message_id,
            "run_id": key.id,
            "created_at": created_at,
            "now": now,
            "wire": wire,
        },
    )


def write_message(key: RunKey, message_id: str, wire: str) -> Statement:
    """A worker's own message, written on."""
    return Statement(
        "message_write",
        {"thread_id": key.thread_id, "project": key.project, "id": message_id, "wire": wire},
    )


async def get(database: Database, key: RunKey) -> str | None:
    """Return the wire form of a run, or None if it or its thread is gone."""
    row = await database.one("run_get", key.params())
    return row[0] if row else None


async def state(database: Database, key: RunKey) -> State | None:
    """Return a run as stored, or None."""
    row = await database.one("run_state", key.params())
    return State(*row) if row else None


async def active_of(database: Database, project: str, thread_id: str) -> str | None:
    """Return the id of the run that locks a thread, or None."""
    row = await database.one("run_active_of", {"thread_id": thread_id, "project": project})
    return row[0] if row else None


async def find(
    database: Database, name: str, limit: int, *, is_long: bool = False, **params: Any
) -> list[RunKey]:
    """Return the runs that a statement lists: run_queued, run_cancelling and the like."""
    page = await database.page(name, {"limit": limit, **params}, is_long=is_long)
    return [RunKey(*row) for row in page.rows]


async def unattended(database: Database, limit: int) -> list[tuple[RunKey, int]]:
    """Return runs that should be driven and have no job, and how often each was taken up."""
    page = await database.page("run_unattended", {"task": DRIVE, "limit": limit}, is_long=True)
    return [(RunKey(*key), attempt) for *key, attempt in page.rows]


async def holder_of(database: Database, project: str, thread_id: str) -> str | None:
    """Return the id of the run that a new run finds ahead of itself, or None.

    Between two turns nobody is active: then it is the one whose turn comes next.
    """
    active = await active_of(database, project, thread_id)
    if active is None:
        following = await next_waiting(database, RunKey(thread_id, project, ""))
        return following.id if following else None
    return active


async def next_waiting(database: Database, key: RunKey) -> RunKey | None:
    """Return the first run that waits in the thread of `key`, if no run is active there."""
    row = await database.one("run_next_waiting", key.params())
    return RunKey(*row) if row else None


async def last_number(database: Database, key: RunKey) -> int:
    """Return the number of a run's last event, 0 if there is none."""
    row = await database.one("run_event_last", key.under())
    return row[0] if row else 0


async def events(
    database: Database, key: RunKey, after: int, limit: int, limit_bytes: int
) -> tuple[list[EventRow], bool]:
    """Return rows that hold events behind `after`, and whether they go to the end of the log.

    The first row may begin ahead of `after`.
    """
    params = key.under(after=after, limit=limit)
    page = await database.page("run_event_list", params, limit_bytes=limit_bytes)
    is_all = not page.is_cut and len(page.rows) < limit
    return [EventRow(*row) for row in page.rows], is_all


async def deltas_of(database: Database, key: RunKey, name: str, after: int) -> list[str]:
    """Return what the delta rows of a name hold behind an event, in order."""
    page = await database.page("run_event_deltas_of", key.under(name=name, after=after))
    return [row[0] for row in page.rows]


async def steps(database: Database, key: RunKey) -> list[str]:
    """Return the wire forms of a run's steps, oldest first."""
    page = await database.page(
        "run_step_list_asc", key.under(low_id=-1, high_id=2**62, limit=10_000)
    )
    return [row[1] for row in page.rows]

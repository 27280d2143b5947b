"""The life of a run: what may happen to it, as a table.

A run is created `queued`. Each row of `TABLE` says: in this status, when this
happens, the run gets that status. What is not in the table cannot happen. Every
change of status is an event named after the new status.

A status is at rest when nothing happens to it without a client
(`requires_action`) or ever again (terminal).
"""

from typing import Literal, TypeAlias, get_args

Status: TypeAlias = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]

Cause: TypeAlias = Literal[
    "claim",  # a worker takes it up, first or after a crash
    "call_functions",  # the model asks the client to call functions
    "submit",  # the client hands in what they returned
    "cancel",  # the client wants it to end
    "settle",  # the worker has ended what was cancelled
    "finish",  # the model is done
    "run_out",  # a token budget is used up
    "fail",  # it cannot go on
    "expire",  # its time is over
]

STATUSES: tuple[Status, ...] = get_args(Status)
CAUSES: tuple[Cause, ...] = get_args(Cause)

ACTIVE: frozenset[Status] = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
TERMINAL: frozenset[Status] = frozenset(STATUSES) - ACTIVE
AT_REST: frozenset[Status] = TERMINAL | {"requires_action"}

TABLE: dict[tuple[Status, Cause], Status] = {
    ("queued", "claim"): "in_progress",
    ("queued", "cancel"): "cancelling",
    ("queued", "fail"): "failed",
    ("queued", "expire"): "expired",
    ("in_progress", "claim"): "in_progress",
    ("in_progress", "call_functions"): "requires_action",
    ("in_progress", "finish"): "completed",
    ("in_progress", "run_out"): "incomplete",
    ("in_progress", "fail"): "failed",
    ("in_progress", "cancel"): "cancelling",
    ("in_progress", "expire"): "expired",
    ("requires_action", "submit"): "queued",
    ("requires_action", "cancel"): "cancelling",
    ("requires_action", "expire"): "expired",
    ("cancelling", "settle"): "cancelled",
    ("cancelling", "expire"): "expired",
}

# The field that takes the time of a change, by the new status.
STAMPS: dict[Status, str] = {
    "in_progress": "started_at",
    "completed": "completed_at",
    "incomplete": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
}

# A run that ended in one of these no longer says when it would have expired.
FORGETS_EXPIRY: frozenset[Status] = frozenset({"completed", "incomplete", "failed", "cancelled"})


class NotPossible(Exception):
    """The table has no such row."""

    def __init__(self, status: Status, cause: Cause) -> None:
        super().__init__(f"a run that is {status} cannot {cause}")
        self.status = status
        self.cause = cause


def after(status: Status, cause: Cause) -> Status:
    """Return the status that a cause leads to.

    Raises: NotPossible.
    """
    found = TABLE.get((status, cause))
    if found is None:
        raise NotPossible(status, cause)
    return found


def allows(cause: Cause) -> frozenset[Status]:
    """Return the statuses in which a cause may happen."""
    return frozenset(status for status, possible in TABLE if possible == cause)

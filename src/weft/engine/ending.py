"""How a run ends when its worker does not end it: cancelled, expired, failed, or picked up again.

Whatever the worker had open is closed in the same write: the message becomes
incomplete with the text that was streamed of it, the step takes the run's end.
The write is refused if anybody wrote to the run meanwhile, and tried again on
what stands there then.
"""

import contextlib
from collections.abc import Callable

from weft.domain.lifecycle import TERMINAL, Cause, NotPossible
from weft.engine.journal import close_message, store_step
from weft.store import messages as message_store
from weft.store import runs as store
from weft.store.database import Database, Refused, Statement
from weft.store.runs import ENGINE, RunKey, State
from weft.wire import events
from weft.wire.messages import stored as stored_message
from weft.wire.runs import (
    LastError,
    MessageCreation,
    RunIncompleteDetails,
    RunObject,
    StepStatus,
    Usage,
    advance,
    step_ended,
    stored_run,
    stored_step,
)
from weft.wire.shapes import encode

# What becomes of the open step and message, by the run's cause.
_STEP_ENDS: dict[Cause, tuple[StepStatus, str]] = {
    "settle": ("cancelled", "run_cancelled"),
    "expire": ("expired", "run_expired"),
    "fail": ("failed", "run_failed"),
    "run_out": ("completed", "max_tokens"),
}


async def end(
    database: Database,
    key: RunKey,
    cause: Cause,
    now: Callable[[], int],
    *,
    error: LastError | None = None,
    incomplete: RunIncompleteDetails | None = None,
) -> bool:
    """End a run for a cause; say whether it was this call that ended it.

    A run that is over already, or whose thread is gone, is left as it is.
    """
    while True:
        was = await store.state(database, key)
        if was is None:
            return False
        run = stored_run.decode(was.wire)
        try:
            ended = advance(run, cause, now())
        except NotPossible:
            return False
        ended.last_error = error
        ended.incomplete_details = incomplete
        ended.usage = await used(database, key) if run.usage is None else run.usage
        log_at = await store.last_number(database, key)
        closing = await close_open(database, key, cause, now(), error)
        statements = (
            replace(key, was, ended, now()),
            store.log_stands_at(key, log_at),
            *closing,
            store.event(key, f"thread.run.{ended.status}", events.run_data(ended)),
        )
        try:
            await database.write(statements, wakes=(key.topic, key.halt, ENGINE))
        except Refused:
            if await store.get(database, key) is None:
                return False
            continue
        return True


async def promote_next(database: Database, key: RunKey, now: int, expires_s: int) -> None:
    """Give the run that waits behind `key` its turn, if `key` does not hold the thread any more."""
    waiting = await store.next_waiting(database, key)
    if waiting is not None:
        await promote(database, waiting, now, expires_s)


async def promote(database: Database, key: RunKey, now: int, expires_s: int) -> None:
    """Give a waiting run its turn; its time begins."""
    was = await store.state(database, key)
    if was is None:
        return
    run = stored_run.decode(was.wire)
    run.expires_at = now + expires_s
    statements = (
        store.promote(key, was.wire, wire=encode(run), expires_at=run.expires_at),
        store.enqueue(key, was.attempt),
    )
    with contextlib.suppress(Refused):  # cancelled, or somebody was faster: looked at again
        await database.write(statements, wakes=(key.topic, ENGINE))


def replace(key: RunKey, was: State, run: RunObject, now: int) -> Statement:
    """Return the statement that stores a run as it became."""
    is_over = run.status in TERMINAL
    return store.replace(
        key,
        was,
        wire=encode(run),
        status=run.status,
        expires_at=run.expires_at,
        ended_at=now if is_over else None,
    )


async def close_open(
    database: Database, key: RunKey, cause: Cause, now: int, error: LastError | None
) -> list[Statement]:
    """Return the statements that close what a run has open: its last step and its message."""
    statements: list[Statement] = []
    for wire in await store.steps(database, key):
        step = stored_step.decode(wire)
        if step.status == "in_progress":
            step_status, reason = _STEP_ENDS[cause]
            if isinstance(step.step_details, MessageCreation):
                message_id = step.step_details.message_creation.message_id
                statements += await _close_message(database, key, message_id, now, reason)
            statements += store_step(key, step_ended(step, step_status, now, error=error))
    return statements


async def _close_message(
    database: Database, key: RunKey, message_id: str, now: int, reason: str
) -> list[Statement]:
    wire = await message_store.get(database, key.project, key.thread_id, message_id)
    if wire is None:
        return []  # somebody deleted it while it was written
    batches = await store.deltas_of(database, key, events.MESSAGE_DELTA, 0)
    said, cited = events.streamed(message_id, batches), events.cited(message_id, batches)
    message = encode(close_message(stored_message.decode(wire), said, cited, now, reason))
    return [
        store.write_message(key, message_id, message),
        store.event(key, "thread.message.incomplete", message),
    ]


async def used(database: Database, key: RunKey) -> Usage:
    """Return what the steps of a run have used."""
    total = Usage()
    for wire in await store.steps(database, key):
        usage = stored_step.decode(wire).usage
        if usage is not None:
            total = total.plus(usage)
    return total

"""The story of a run, from the queue to rest.

    claim      the run becomes in_progress; what a crashed attempt left open is closed
    build      the thread becomes what the model reads
    listen     what the model says is logged as it comes: text, refusals, calls
    close      completed, incomplete, or requires_action for the client's functions

Any of these may find that the run is no longer this attempt's: it was cancelled,
it expired, or another worker took it up. Then the story ends here at once, and
whoever decided otherwise closes what is open. A model that fails, or an error
that nobody foresaw, ends the run as failed: a run always ends. Only a database
that cannot serve leaves it as it stands, for the next attempt.
"""

import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import NamedTuple, Protocol

from weft.domain.errors import Unavailable
from weft.domain.ids import Ids
from weft.domain.lifecycle import Cause, NotPossible
from weft.engine.context import OutOfTokens, build
from weft.engine.ending import close_open, end, replace, used
from weft.engine.gather import batches
from weft.engine.journal import Ended, Journal
from weft.engine.turn import Turn
from weft.llm.model import FinishReason, Model, ModelError
from weft.llm.tokens import Calibration
from weft.store import messages as message_store
from weft.store import runs as store
from weft.store.contents import Contents
from weft.store.database import Database, Refused
from weft.store.runs import RunKey, State
from weft.wire import events
from weft.wire.runs import LastError, RunIncompleteDetails, advance, stored_run
from weft.wire.shapes import encode

MAX_RECOVERIES = 2  # the third attempt that dies is the last

# What becomes of the run, and how its last step and message end, by why the model stopped.
_ENDS: dict[FinishReason, tuple[Cause, Ended]] = {
    "length": ("run_out", Ended(reason="max_tokens")),
    "content_filter": (
        "fail",
        Ended(
            status="failed",
            reason="content_filter",
            error=LastError("server_error", "The model's content filter stopped the answer."),
        ),
    ),
}

logger = logging.getLogger("weft.engine")


class Models(Protocol):
    """Where the model of a name is found."""

    def find(self, model: str) -> Model:
        """Return who answers. Raises: ModelError, which says what to configure."""


class Engineering(NamedTuple):
    """What driving a run takes. `max_prompt_tokens` is for runs that set no limit."""

    database: Database
    contents: Contents
    ids: Ids
    now: Callable[[], int]
    models: Models
    calibration: Calibration
    max_prompt_tokens: int
    run_expires_s: int


async def drive(tools: Engineering, key: RunKey) -> None:
    """Bring a run that is queued, or that a crash left in progress, to rest.

    Raises: domain.errors.Unavailable; the run is in progress then, and nobody's.
    """
    try:
        journal = await claim(tools, key)
        if journal is not None:
            await take_turn(tools, journal)
    except (Refused, NotPossible):
        logger.debug("run %s is no longer this worker's", key.id)
    except Unavailable:
        raise
    except OutOfTokens:
        await run_out(tools, key, RunIncompleteDetails("max_prompt_tokens"))
    except ModelError as error:
        logger.info("run %s failed: %s", key.id, error)
        await fail(tools, key, LastError(error.code, str(error)))
    except Exception:
        logger.exception("run %s failed", key.id)
        await fail(
            tools, key, LastError("server_error", "Sorry, something went wrong in the server.")
        )


async def claim(tools: Engineering, key: RunKey) -> Journal | None:
    """Take a run up; None when it must not be taken up.

    Raises: Refused, NotPossible when somebody else was faster.
    """
    was = await store.state(tools.database, key)
    if was is None:
        return None
    run = stored_run.decode(was.wire)
    is_recovery = run.status == "in_progress"
    if is_recovery and was.recoveries >= MAX_RECOVERIES:
        error = LastError("server_error", "The server stopped three times during this run.")
        await fail(tools, key, error)
        return None
    now = tools.now()
    run = advance(run, "claim", now)
    wire = encode(run)
    log_at = await store.last_number(tools.database, key)
    closing = []
    if is_recovery:
        error = LastError("server_error", "The server stopped during this step.")
        closing = await close_open(tools.database, key, "fail", now, error)
    await tools.database.write(
        (
            store.claim(key, was, wire=wire),
            store.log_stands_at(key, log_at),
            *closing,
            store.event(key, "thread.run.in_progress", events.run_data(run)),
        ),
        wakes=(key.topic,),
    )
    newest = await message_store.newest_date(tools.database, key.project, key.thread_id)
    return Journal(tools.database, tools.ids, key, run, State(wire, was.attempt + 1, 0), newest)


async def take_turn(tools: Engineering, journal: Journal) -> None:
    """Have the model answer once, and bring the run to rest.

    Raises: ModelError, OutOfTokens, Refused.
    """
    run, key = journal.run, journal.key
    before = await used(tools.database, key)
    prompt_tokens = tools.max_prompt_tokens
    if run.max_prompt_tokens is not None:
        prompt_tokens = min(prompt_tokens, run.max_prompt_tokens - before.prompt_tokens)
    completion_tokens = None
    if run.max_completion_tokens is not None:
        completion_tokens = run.max_completion_tokens - before.completion_tokens
        if completion_tokens <= 0:
            await run_out(tools, key, RunIncompleteDetails("max_completion_tokens"))
            return
    prompt = await build(
        tools.database,
        tools.contents,
        key,
        run,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        calibration=tools.calibration,
    )
    turn = Turn(journal, tools.ids, tools.now)
    model = tools.models.find(run.model)
    async with aclosing(batches(model.stream(prompt.request))) as arriving:
        async for batch in arriving:
            await turn.take(batch)
    turn.settle_usage(run.model, prompt.estimated, tools.calibration)
    await close(tools, journal, turn)


async def close(tools: Engineering, journal: Journal, turn: Turn) -> None:
    """Bring the run to rest after a turn.

    Raises: ModelError when the model called functions with arguments that are not JSON.
    """
    now = tools.now()
    run = journal.run
    if turn.calls and turn.finish not in _ENDS:
        statements, action = turn.await_outputs(now)
        run = advance(run, "call_functions", now)
        run.required_action = action
    else:
        cause, ended = _ENDS.get(turn.finish, ("finish", Ended()))
        statements = turn.end(now, ended)
        run = advance(run, cause, now)
        run.last_error = ended.error
        if cause == "run_out":
            run.incomplete_details = RunIncompleteDetails("max_completion_tokens")
        before = await used(tools.database, journal.key)
        run.usage = before.plus(turn.usage)
    await journal.write(
        *statements,
        replace(journal.key, journal.was, run, now),
        store.event(journal.key, f"thread.run.{run.status}", events.run_data(run)),
    )


async def fail(tools: Engineering, key: RunKey, error: LastError) -> None:
    """End a run as failed."""
    await end(tools.database, key, "fail", tools.now, error=error)


async def run_out(tools: Engineering, key: RunKey, details: RunIncompleteDetails) -> None:
    """End a run as incomplete because a budget holds no further turn."""
    await end(tools.database, key, "run_out", tools.now, incomplete=details)

"""The story of a run, from the queue to rest.

    claim      the run becomes in_progress; what a crashed attempt left open is closed
    build      the thread becomes what the model reads
    listen     what the model says is logged as it comes: text, refusals, calls
    close      completed, incomplete, or requires_action for the client's functions

Any of these may find that the run is no longer this attempt's: it was cancelled,
it expired, or another worker took it up. Then the story ends here at once, and
whoever decided otherwise closes what is open. A model that fails, or an error
that nobody foresaw, ends the run as failed: a run always ends.
"""

import logging
from collections.abc import Callable
from contextlib import aclosing
from typing import NamedTuple

from weft.domain.ids import Ids
from weft.engine.context import OutOfTokens, build
from weft.engine.ending import close_open, end, replace, used
from weft.engine.gather import batches
from weft.engine.journal import Journal
from weft.engine.turn import Turn
from weft.llm.catalog import Catalog
from weft.llm.model import ModelError
from weft.llm.tokens import Calibration
from weft.store import runs as store
from weft.store.database import Database, Refused
from weft.store.runs import ENGINE, RunKey, State
from weft.wire import events
from weft.wire.messages import IncompleteDetails
from weft.wire.runs import LastError, RunIncompleteDetails, advance, stored_run
from weft.wire.shapes import encode

MAX_RECOVERIES = 2  # the third attempt that dies is the last

logger = logging.getLogger("weft.engine")


class Engineering(NamedTuple):
    """What driving a run takes. `max_prompt_tokens` is for runs that set no limit."""

    database: Database
    ids: Ids
    now: Callable[[], int]
    models: Catalog
    calibration: Calibration
    max_prompt_tokens: int
    run_expires_s: int


async def drive(tools: Engineering, key: RunKey) -> None:
    """Bring a run that is queued, or that a crash left in progress, to rest."""
    try:
        journal = await claim(tools, key)
        if journal is not None:
            await take_turn(tools, journal)
    except Refused:
        logger.debug("run %s is no longer this worker's", key.id)
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

    Raises: Refused when somebody else was faster.
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
    closing = []
    if is_recovery:
        error = LastError("server_error", "The server stopped during this step.")
        closing = await close_open(tools.database, key, "fail", now, error)
    await tools.database.write(
        (
            store.claim(key, was, wire=wire),
            *closing,
            store.event(key, "thread.run.in_progress", events.run_data(run)),
        ),
        wakes=(key.topic,),
    )
    return Journal(tools.database, tools.ids, key, run, State(wire, was.attempt + 1, 0))


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
    request = await build(
        tools.database,
        key,
        run,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        calibration=tools.calibration,
    )
    turn = Turn(journal, tools.ids, tools.now)
    model = tools.models.find(run.model)
    async with aclosing(batches(model.stream(request))) as arriving:
        async for batch in arriving:
            await turn.take(batch)
    turn.settle_usage(request, tools.calibration)
    await close(tools, journal, turn)


async def close(tools: Engineering, journal: Journal, turn: Turn) -> None:
    """Bring the run to rest after a turn.

    Raises: ModelError when the model called functions with arguments that are not JSON.
    """
    now = tools.now()
    run = journal.run
    if turn.calls:
        statements, action = turn.await_outputs(now)
        run = advance(run, "call_functions", now)
        run.required_action = action
    else:
        reason: IncompleteDetails | None = turn.incomplete()
        statements = turn.close_message(now, reason)
        if turn.was_filtered:
            await journal.write(*statements)
            raise ModelError("server_error", "The model's content filter stopped the answer.")
        run = advance(run, "run_out" if reason else "finish", now)
        if reason:
            run.incomplete_details = RunIncompleteDetails("max_completion_tokens")
        before = await used(tools.database, journal.key)
        run.usage = before.plus(turn.usage)
    await journal.write(
        *statements,
        replace(journal.key, journal.was, run, now),
        store.event(journal.key, f"thread.run.{run.status}", events.run_data(run)),
    )
    tools.database.bells.ring(ENGINE)  # another run may wait for the thread


async def fail(tools: Engineering, key: RunKey, error: LastError) -> None:
    """End a run as failed."""
    await end(tools.database, key, "fail", tools.now, error=error)


async def run_out(tools: Engineering, key: RunKey, details: RunIncompleteDetails) -> None:
    """End a run as incomplete because a budget holds no further turn."""
    await end(tools.database, key, "run_out", tools.now, incomplete=details)

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
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple, Protocol

from weft.domain.errors import Unavailable
from weft.domain.ids import Ids
from weft.domain.lifecycle import Cause, NotPossible
from weft.engine.context import OutOfTokens, build
from weft.engine.ending import close_open, end, replace, used
from weft.engine.gather import batches
from weft.engine.journal import Ended, Journal
from weft.engine.searching import Search, perform, search_of, sources_of, until_indexed
from weft.engine.turn import Turn
from weft.llm.embeddings import Embedder
from weft.llm.model import FinishReason, Model, ModelError
from weft.llm.tokens import Calibration
from weft.store import messages as message_store
from weft.store import runs as store
from weft.store import searches
from weft.store.contents import Contents
from weft.store.database import Database, Refused, Statement
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
    embedder: Embedder | None = None
    indexing_wait_s: float = 60.0  # how long a run waits for files that are being indexed


async def drive(tools: Engineering, key: RunKey, attempt: int | None = None) -> None:
    """Bring a run that is queued, or that a crash left in progress, to rest.

    With `attempt`, only if the run was taken up just so often.
    Raises: domain.errors.Unavailable; the run is in progress then, and nobody's.
    """
    try:
        journal = await claim(tools, key, attempt)
        if journal is not None:
            search = await search_of(tools.database, key, journal.run)
            if search is not None:
                wait_s = tools.indexing_wait_s
                await until_indexed(tools.database, key.project, search, wait_s)
            while not await take_turn(tools, journal, search):
                pass  # it searched its files, and reads what it found
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


async def claim(tools: Engineering, key: RunKey, attempt: int | None = None) -> Journal | None:
    """Take a run up; None when it must not be taken up.

    Raises: Refused, NotPossible when somebody else was faster.
    """
    was = await store.state(tools.database, key)
    if was is None or attempt not in (None, was.attempt):
        return None
    run = stored_run.decode(was.wire)
    now = tools.now()
    if run.expires_at is not None and run.expires_at <= now:
        await end(tools.database, key, "expire", tools.now)
        return None
    is_recovery = run.status == "in_progress"
    if is_recovery and was.recoveries >= MAX_RECOVERIES:
        error = LastError("server_error", "The server stopped three times during this run.")
        await fail(tools, key, error)
        return None
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


async def take_turn(tools: Engineering, journal: Journal, search: Search | None) -> bool:
    """Have the model answer once; unless it only searched its files, bring the run to rest.

    Returns: whether the run rests.
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
            return True
    prompt = await build(
        tools.database,
        tools.contents,
        key,
        run,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        calibration=tools.calibration,
        search=search,
    )
    sources = await sources_of(tools.database, key) if search else {}
    turn = Turn(journal, tools.ids, tools.now, search, sources)
    model = tools.models.find(run.model)
    async with aclosing(batches(model.stream(prompt.request))) as arriving:
        async for batch in arriving:
            await turn.take(batch)
    turn.settle_usage(run.model, prompt.estimated, tools.calibration)
    searched: list[Statement] = []
    if search is not None and turn.searches and turn.finish not in _ENDS:
        # Marks go on where the conversation stands: none means two things in it.
        mark = max([len(prompt.request.messages), *(number + 1 for number, _ in sources)])
        searched = await perform_all(tools, journal, turn, search, mark)
        if not turn.functions:
            await journal.write(*searched, *turn.end(tools.now(), Ended()))
            return False
    await close(tools, journal, turn, searched)
    return True


async def perform_all(
    tools: Engineering, journal: Journal, turn: Turn, search: Search, mark: int
) -> list[Statement]:
    """Do the searches of a turn, and return the statements that keep what they brought."""
    statements = []
    for number, call in enumerate(turn.searches, mark):
        call.search, row = await perform(
            tools.database,
            tools.embedder,
            journal.key.project,
            search,
            call.id,
            call.arguments,
            number,
        )
        statements.append(searches.insert(journal.key, row))
    return statements


async def close(
    tools: Engineering, journal: Journal, turn: Turn, searched: Sequence[Statement] = ()
) -> None:
    """Bring the run to rest after a turn; `searched` keeps what it found in files.

    Raises: ModelError when the model called functions with arguments that are not JSON.
    """
    now = tools.now()
    run = journal.run
    if turn.functions and turn.finish not in _ENDS:
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
        *searched,
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

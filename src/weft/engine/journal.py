"""What a worker writes of its run: every write stands behind the fence of its attempt.

A run is one story with one writer. The journal keeps what the worker has open
(a step, a message), and turns each thing that happens into the statements and
events that say so.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from weft.domain.ids import Ids
from weft.store import runs as store
from weft.store.database import Database, Statement
from weft.store.runs import RunKey, State
from weft.wire import events
from weft.wire.events import PartKind, Parts
from weft.wire.messages import (
    FileCitation,
    IncompleteDetails,
    MessageContentRefusalObject,
    MessageContentTextObject,
    MessageObject,
    Part,
    TextValue,
)
from weft.wire.runs import (
    CreatedMessage,
    LastError,
    MessageCreation,
    RunObject,
    RunStepObject,
    StepStatus,
    ToolCalls,
    Usage,
    step_ended,
)
from weft.wire.shapes import encode

NOTHING: Mapping[int, FileCitation] = MappingProxyType({})
ROW_CHARS = 16 * 1024  # of a batch of text in one row of the log


class Ended(NamedTuple):
    """How a step ends, and its message if it wrote one: incomplete if there is a `reason`.

    A message that ran into a budget is incomplete; its step is completed all the same.
    """

    usage: Usage | None = None
    status: StepStatus = "completed"
    reason: str | None = None
    error: LastError | None = None


class OpenMessage:
    """A message that is being written, with the step that writes it."""

    def __init__(self, step: RunStepObject, message: MessageObject) -> None:
        self.step = step
        self.message = message
        self.parts: Parts = {}
        self.citations: list[FileCitation] = []


def rows_of(texts: list[str]) -> Iterator[list[str]]:
    """Yield a batch in parts of `ROW_CHARS`, or of one text that is longer."""
    row: list[str] = []
    left = ROW_CHARS
    for text in texts:
        left -= len(text)
        if row and left < 0:
            yield row
            row, left = [], ROW_CHARS - len(text)
        row.append(text)
    if row:
        yield row


def close_message(
    message: MessageObject,
    parts: Parts,
    citations: Sequence[FileCitation],
    now: int,
    reason: str | None,
) -> MessageObject:
    """Return a message that ends with all it said: completed, or incomplete for a reason."""
    content: list[Part] = [
        MessageContentTextObject(TextValue("".join(pieces), [*citations]))
        if kind == "text"
        else MessageContentRefusalObject("".join(pieces))
        for kind, pieces in parts.items()
    ]
    nothing = MessageContentTextObject(TextValue("", []))
    ended = msgspec.structs.replace(message, content=content or [nothing])
    if reason is None:
        ended.status, ended.completed_at = "completed", now
    else:
        ended.status, ended.incomplete_at = "incomplete", now
        ended.incomplete_details = msgspec.convert({"reason": reason}, IncompleteDetails)
    return ended


class Journal:
    """The writer of one attempt at a run."""

    def __init__(
        self, database: Database, ids: Ids, key: RunKey, run: RunObject, was: State, newest: int
    ) -> None:
        """`newest` is the date of the thread's newest message: none of ours may be older."""
        self.run = run
        self.key = key
        self.was = was
        self._database = database
        self._ids = ids
        self._newest = newest

    async def write(self, *statements: Statement) -> None:
        """Commit behind the fence and wake the followers.

        Raises: store.database.Refused once the run is no longer this attempt's.
        """
        fence = store.fence(self.key, self.was.attempt)
        await self._database.write((fence, *statements), wakes=(self.key.topic,))

    def open_message(self, now: int) -> tuple[OpenMessage, list[Statement]]:
        """Return a new message and the statements that begin it and its step."""
        self._newest = dated = max(self._newest, now)
        message = MessageObject(
            id=self._ids.new("msg_"),
            created_at=dated,
            assistant_id=self.run.assistant_id,
            thread_id=self.key.thread_id,
            run_id=self.key.id,
            status="in_progress",
            role="assistant",
            content=[],
            attachments=[],
            metadata={},
        )
        step, statements = self.open_step(MessageCreation(CreatedMessage(message.id)), now)
        wire = encode(message)
        statements += [
            store.open_message(self.key, message.id, created_at=dated, now=now, wire=wire),
            store.event(self.key, "thread.message.created", wire),
            store.event(self.key, "thread.message.in_progress", wire),
        ]
        return OpenMessage(step, message), statements

    def open_step(
        self, details: MessageCreation | ToolCalls, now: int
    ) -> tuple[RunStepObject, list[Statement]]:
        """Return a new step and the statements that begin it."""
        step = RunStepObject(
            id=self._ids.new("step_"),
            created_at=now,
            run_id=self.key.id,
            assistant_id=self.run.assistant_id,
            thread_id=self.key.thread_id,
            type="tool_calls" if isinstance(details, ToolCalls) else "message_creation",
            expires_at=self.run.expires_at,
            step_details=details,
        )
        wire = encode(step)
        return step, [
            store.insert_step(self.key, step.id, now, wire),
            store.event(self.key, "thread.run.step.created", wire),
            store.event(self.key, "thread.run.step.in_progress", wire),
        ]

    def say(
        self,
        open_message: OpenMessage,
        kind: PartKind,
        texts: list[str],
        cited: Mapping[int, FileCitation] = NOTHING,
    ) -> list[Statement]:
        """Return the statements that log a batch of text, or of a refusal.

        `cited` are those of the texts that are source marks, by their place.
        A row has about `ROW_CHARS` at most: each follower holds one while its client is slow.
        """
        numbered = [*enumerate(cited.items(), len(open_message.citations))]
        open_message.citations += cited.values()
        is_first = kind not in open_message.parts
        open_message.parts.setdefault(kind, []).extend(texts)
        index = list(open_message.parts).index(kind)
        statements, at = [], 0
        for row in rows_of(texts):
            here = {
                place - at: (number, citation)
                for number, (place, citation) in numbered
                if at <= place < at + len(row)
            }
            data = events.message_deltas(
                open_message.message.id, kind, index, row, is_first=is_first, cited=here
            )
            statements.append(store.event(self.key, events.MESSAGE_DELTA, data, len(row)))
            is_first, at = False, at + len(row)
        return statements

    def end_message(self, open_message: OpenMessage, now: int, ended: Ended) -> list[Statement]:
        """Return the statements that end a message and its step."""
        message = close_message(
            open_message.message, open_message.parts, open_message.citations, now, ended.reason
        )
        wire = encode(message)
        return [
            store.write_message(self.key, message.id, wire),
            store.event(self.key, f"thread.message.{message.status}", wire),
            *self.end_step(open_message.step, now, ended),
        ]

    def end_step(self, step: RunStepObject, now: int, ended: Ended) -> list[Statement]:
        """Return the statements that end a step."""
        step.usage = ended.usage
        return store_step(self.key, step_ended(step, ended.status, now, error=ended.error))


def store_step(key: RunKey, step: RunStepObject) -> list[Statement]:
    """Return the statements that store a step as it ended and say so.

    Read again later, a step no longer says when its run would have expired.
    """
    at_rest = msgspec.structs.replace(step, expires_at=None)
    return [
        store.replace_step(key, step.id, encode(at_rest)),
        store.event(key, events.step_event(step), encode(step)),
    ]

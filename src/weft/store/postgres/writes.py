"""Group commit: all writes that wait at one moment are one transaction in one round trip.

Ahead of them stands a lock on every thread and vector store that they touch, taken
in order, so that nodes that write to the same ones go one after the other and never wait
for each other in a circle. A guard that finds nothing fails on purpose: the
batch is undone, the write that it belongs to is set aside, the rest goes again,
and then each that was set aside goes alone and learns its own fate.

A connection that is lost in the middle leaves a question: was it stored? The
first thing that a batch asks is the number of its transaction, and the next
connection is asked what became of it.
"""

import asyncio
import logging
from typing import NamedTuple

import psycopg

from weft.domain.errors import Unavailable
from weft.store.bells import Bells
from weft.store.database import Refused, Statement, Write
from weft.store.postgres.forms import Forms, Value, texts
from weft.store.postgres.link import LONG_S, PATIENCE_S, Link, told, unavailable
from weft.store.postgres.pipe import POINT, Answer, Lost, Question, Skipped

BATCH_STATEMENTS = 512
MAX_FAULTS = 8  # of one batch; from there on its writes go one by one
MAX_CLASHES = 5  # how often a batch is undone for another node's sake before it is given up
ASK_AGAIN_S = 0.1
REFUSED = "WF001"
_CLASHES = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)

# What changes a vector store, its counts, or which of its files can be found. A worker's writes
# of chunks are long and are not among them.
_OF_STORES = {
    *("vector_store_replace", "vector_store_touch", "vector_store_delete", "vector_store_clear"),
    *("vector_store_stop", "vector_store_file_add", "vector_store_file_set_attributes"),
    *("vector_store_file_delete", "vector_store_file_finish", "file_batch_cancel"),
    *("chunk_store_add", "chunk_file_remove", "chunk_file_publish"),
}

# What a new thread brings along: nothing can stand in its way, and nobody else knows it yet. Those
# of a batch are one insert for each table.
_OF_NEW_THREADS = ("thread_insert", "message_insert", "thread_metadata_insert")

logger = logging.getLogger("weft.store")


class _Waiting:
    """A write, and whom to tell: who waits for it, and who listens to what it `wakes`."""

    __slots__ = (
        *("done", "is_long", "is_new", "questions", "sort_key", "statements", "stores", "thread"),
        "wakes",
    )

    def __init__(
        self,
        write: Write,
        questions: list[Question],
        done: "asyncio.Future[None]",
        is_long: bool,
        wakes: tuple[str, ...],
    ) -> None:
        self.statements = write
        self.questions = questions
        self.done = done
        self.is_long = is_long
        self.wakes = wakes
        self.is_new = bool(write) and write[0].name == "thread_insert"
        self.thread = _thread_of(write)
        self.stores = {store for statement in write if (store := _store(statement))}
        first = write[0].params.get("id", "") if write else ""  # a write may only wake
        self.sort_key = self.thread or (str(first), "")

    def tell(self, fault: Exception | None) -> None:
        if self.done.done():
            return
        if fault is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(fault)


class _Fault(NamedTuple):
    """Why a batch was undone; `number` is that of the write which is to blame, if one is.

    `is_shared`: it is one of several, and each alone will show which.
    """

    number: int | None
    why: Exception
    is_shared: bool = False


def _thread_of(write: Write) -> tuple[str, str] | None:
    """Return (id, project) of the thread to be locked for a write, if there is one already."""
    if write and write[0].name == "thread_insert":
        return None  # nobody else knows it yet
    for statement in write:
        if found := _thread(statement):
            return found
    return None


def _thread(statement: Statement) -> tuple[str, str] | None:
    params = statement.params
    thread_id = params.get("thread_id")
    if thread_id is None and statement.name.startswith(("thread_", "sweep_fence")):
        thread_id = params["id"]
    return None if thread_id is None else (thread_id, params["project"])


def _store(statement: Statement) -> tuple[str, str] | None:
    """Return (id, project) of the vector store to be locked for a statement, if there is one."""
    if statement.name not in _OF_STORES:
        return None
    params = statement.params
    return (params.get("vector_store_id") or params["id"], params["project"])


class _Part(NamedTuple):
    """A question of a batch; `number` is that of the write which it is of, if it is of one."""

    number: int | None
    name: str  # of the statement
    question: Question


class GroupCommit:
    """Turns writes that wait at the same moment into one transaction."""

    def __init__(self, link: Link, forms: Forms, bells: Bells) -> None:
        self._link = link
        self._forms = forms
        self._bells = bells
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._is_closed = False
        self._own = {name: Question(form, []) for name, form in forms.own.items()}
        self._id = Question(forms.own["transaction_id"], [], is_urgent=True)

    def submit(self, write: Write, is_long: bool, wakes: tuple[str, ...]) -> "asyncio.Future[None]":
        """Return a future that is done when the write is committed.

        It is committed and wakes whom it concerns also when nobody waits for it any more.

        Raises: Unavailable when the database is closed or down.
        """
        if self._is_closed:
            raise Unavailable("The server is stopping; nothing was stored. Try again.")
        if self._link.is_down:
            raise unavailable()
        done: asyncio.Future[None] = self._loop.create_future()
        questions = [self._question(statement) for statement in write]
        self._waiting.append(_Waiting(write, questions, done, is_long, wakes))
        if self._working is None:
            # It begins behind what else is ready: writes of the same moment join the batch.
            self._working = self._loop.create_task(self._work())
        return done

    async def close(self) -> None:
        """Commit what waits, and take nothing more."""
        self._is_closed = True
        if self._working is not None:
            await self._working

    def _question(self, statement: Statement) -> Question:
        name, params, is_guard = statement
        plain = self._forms.plain[name]
        return Question(self._forms.guard(name) if is_guard else plain, *plain.values(params))

    async def _work(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            try:
                await self._settle(batch)
            except Exception as fault:  # noqa: BLE001  # nobody may wait for ever
                for waiting in batch:
                    waiting.tell(told(fault))
            if self._link.is_down:
                self._refuse_all()
        self._working = None

    def _next_batch(self) -> list[_Waiting]:
        """Take what waits, up to a size; a long write goes alone."""
        size = 0
        end = 0
        for waiting in self._waiting:
            size += len(waiting.questions)
            if end and (waiting.is_long or size > BATCH_STATEMENTS):
                break
            end += 1
            if waiting.is_long:
                break
        batch, self._waiting = self._waiting[:end], self._waiting[end:]
        # In one order on every node; writes to one thread stay in the order in which they came.
        batch.sort(key=lambda waiting: waiting.sort_key)
        return batch

    def _refuse_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.tell(unavailable())

    async def _settle(self, batch: list[_Waiting]) -> None:
        """Commit a batch without the writes that fail; then those, each alone."""
        aside: list[_Waiting] = []
        while batch:
            fault = await self._commit(batch)
            if fault is None:
                self._tell(batch)
                break
            if fault.is_shared:
                aside += batch
                break
            if fault.number is None:
                for waiting in batch:
                    waiting.tell(told(fault.why))
                break
            if len(batch) == 1:
                batch[0].tell(told(fault.why))
                break
            aside.append(batch.pop(fault.number))
            if len(aside) == MAX_FAULTS:
                aside += batch
                break
        for waiting in aside:
            await self._settle([waiting])

    def _tell(self, batch: list[_Waiting]) -> None:
        """Tell everybody that their writes are stored."""
        for waiting in batch:
            for topic in waiting.wakes:
                self._bells.ring(topic)
            if not waiting.done.done():
                waiting.done.set_result(None)

    # --- one transaction ------------------------------------------------------------------------

    async def _commit(self, batch: list[_Waiting]) -> _Fault | None:
        """Store a batch, or nothing of it. Raises: Unavailable."""
        questions, parts = self._questions(batch)
        patience_s = LONG_S if batch[0].is_long else PATIENCE_S
        for _ in range(MAX_CLASHES):
            pipe = await self._link.ready()
            asked = self._link.ask(pipe, questions, patience_s)
            try:
                answers = await asked
            except Lost as lost:
                if lost.is_sent and await self._was_stored(lost, pipe.backend_pid):
                    return None
                continue
            fault = _fault(parts, answers)
            if fault is None or not isinstance(fault.why, _CLASHES):
                return fault
        raise unavailable()

    def _questions(self, batch: list[_Waiting]) -> tuple[list[Question | None], list[_Part]]:
        """Return a batch as a round, and whose each of its questions is."""
        parts = [_Part(None, "", self._id)]
        parts += (_Part(None, "", lock) for lock in self._locks(batch))
        rows: dict[str, list[list[Value]]] = {name: [] for name in _OF_NEW_THREADS}
        own = []
        for which, waiting in enumerate(batch):
            for statement, question in zip(waiting.statements, waiting.questions, strict=True):
                name = statement.name
                if waiting.is_new and name in rows and len(batch) > 1:
                    rows[name].append(question.values)
                else:
                    own.append(_Part(which, name, question))
        for name, values in rows.items():
            if values:
                arrays = Question(self._forms.rows(name), *self._forms.columns(name, values))
                parts.append(_Part(None, name, arrays))
        parts += own
        if topics := {topic for waiting in batch for topic in waiting.wakes}:
            parts.append(_Part(None, "", Question(self._forms.own["wake"], [texts(topics)])))
        return [*(part.question for part in parts), POINT], parts

    def _locks(self, batch: list[_Waiting]) -> list[Question]:
        """Return what is locked ahead of a batch: threads, then vector stores, each in order."""
        threads = {waiting.thread for waiting in batch if waiting.thread is not None}
        stores = {store for waiting in batch for store in waiting.stores}
        locks = []
        for name, keys in (("lock_threads", threads), ("lock_vector_stores", stores)):
            if keys:
                ids, projects = zip(*sorted(keys), strict=True)
                locks.append(Question(self._forms.own[name], [texts(ids), texts(projects)]))
        return locks

    # --- after a loss ---------------------------------------------------------------------------

    async def _was_stored(self, lost: Lost, backend_pid: int) -> bool:
        """Say what became of the transaction of a connection that was lost.

        Raises: Unavailable when it cannot be found out in time.
        """
        answer = lost.answers[0] if lost.answers else None
        if isinstance(answer, Exception):
            return False  # not even the first question was heard
        give_up_at = self._loop.time() + PATIENCE_S
        while answer is not None and self._loop.time() < give_up_at:
            try:
                status = await self._status(self._id.form.rows(answer)[0][0], backend_pid)
            except (Unavailable, Lost):
                self._refuse_all()
                status = None
            if status in ("committed", "aborted"):
                return status == "committed"
            await asyncio.sleep(ASK_AGAIN_S)
        raise Unavailable(
            "The server lost its database in the middle of this request: it may have been stored "
            "or not. Look, or repeat it with the Idempotency-Key that it was sent with."
        )

    async def _status(self, transaction_id: str, backend_pid: int) -> str | None:
        """Ask what became of a transaction, and end it if it still goes on."""
        pipe = await self._link.ready()
        own = self._forms.own
        end = Question(own["end_backend"], *own["end_backend"].values({"pid": backend_pid}))
        ask = own["transaction_status"]
        told_by = Question(ask, *ask.values({"id": transaction_id}))
        _, _, answer, _ = await self._link.ask(pipe, [end, POINT, told_by, POINT])
        if answer is None or isinstance(answer, Exception):
            return None
        return str(ask.rows(answer)[0][0])


def _fault(parts: list[_Part], answers: list[Answer]) -> _Fault | None:
    """Return what undid a batch, and which of its writes is to blame, if it is one."""
    for number, answer in enumerate(answers):
        if not isinstance(answer, Exception) or isinstance(answer, Skipped):
            continue
        if isinstance(answer, _CLASHES) or number >= len(parts):
            return _Fault(None, answer)
        which, name, _ = parts[number]
        is_refusal = isinstance(answer, psycopg.Error) and answer.sqlstate == REFUSED
        is_shared = which is None and name in _OF_NEW_THREADS
        return _Fault(which, Refused(name) if is_refusal else answer, is_shared)
    return None

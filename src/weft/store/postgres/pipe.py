"""One connection, asked many things in one round trip: libpq's pipeline mode on the event loop.

A round is a list of questions and of points where what stands ahead takes effect.
What stands between two points is one transaction: it is stored whole or, from
the first error on, not at all. Answers come in the order of the questions.

psycopg makes the connection; the questions go past its cursors, which cost ten
times as much.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult

from weft.store.postgres.forms import DIALECT, Form, Value
from weft.store.sql import frames

CONNECT_S = 3
# A peer that vanished without a word is noticed after ten seconds, also while nothing is asked.
KEEPALIVE: Mapping[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_TUPLES = pq.ExecStatus.TUPLES_OK
_COMMAND = pq.ExecStatus.COMMAND_OK
_SYNC = pq.ExecStatus.PIPELINE_SYNC
_ABORTED = pq.ExecStatus.PIPELINE_ABORTED

logger = logging.getLogger("weft.store")


class Question(NamedTuple):
    """A form with its values. `is_urgent` has its answer sent ahead of those that follow."""

    form: Form
    values: list[Value]
    formats: list[int] | None = None
    is_urgent: bool = False


# A point where what stands ahead takes effect.
POINT = None


class Lost(Exception):
    """The connection is gone. What was sent may have happened or not; `answers` came before."""

    def __init__(self, why: str, *, is_sent: bool = True, answers: "Sequence[Answer]" = ()) -> None:
        super().__init__(why)
        self.is_sent = is_sent
        self.answers = answers


class Skipped(Exception):
    """The question was not looked at, because one ahead of it failed."""


# What came of a question or of a point.
Answer = PGresult | Exception | None


class _Round:
    __slots__ = ("answers", "done", "expected")

    def __init__(self, expected: int, done: "asyncio.Future[list[Answer]]") -> None:
        self.answers: list[Answer] = []
        self.expected = expected
        self.done = done


class Pipe:
    """A connection in pipeline mode. After a `Lost` it is of no use any more."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection,
        backend_pid: int,
        on_lost: Callable[[Exception], None],
    ) -> None:
        """`on_lost` is called once, when the connection is gone or was closed here."""
        self.on_notify: Callable[[pq.PGnotify], None] | None = None
        self.backend_pid = backend_pid
        self._is_lost = False
        self._on_lost = on_lost
        self._connection = connection
        self._conn: PGconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._rounds: deque[_Round] = deque()
        # What is expected: a form to be prepared, a question, or a point; and whose.
        self._expected: deque[tuple[str, Form | None, _Round]] = deque()
        self._prepared: set[Form] = set()
        self._is_writing = False
        self._socket = self._conn.socket
        self._conn.nonblocking = 1
        self._conn.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._read)

    def ask(self, questions: Sequence[Question | None]) -> "asyncio.Future[list[Answer]]":
        """Send a round, which ends with a point; return what came of each of its parts.

        A result, an error of psycopg, or `Skipped`; for a point None or an error.
        The future raises Lost.
        """
        done: asyncio.Future[list[Answer]] = self._loop.create_future()
        if self._is_lost:
            done.set_exception(Lost("there is no connection", is_sent=False))
            return done
        asked = _Round(len(questions), done)
        self._rounds.append(asked)
        try:
            self._send(questions, asked)
            self._flush()
        except psycopg.Error as fault:
            self._lose(fault)
        return done

    def describe(self, forms: Sequence[Form]) -> "asyncio.Future[list[Answer]]":
        """Return a description of each form, and of a point at the end; none is prepared then."""
        done: asyncio.Future[list[Answer]] = self._loop.create_future()
        asked = _Round(len(forms) + 1, done)
        self._rounds.append(asked)
        for form in forms:
            self._conn.send_prepare(b"", form.text)
            self._conn.send_describe_prepared(b"")
            self._expected += (("prepared", form, asked), ("answer", None, asked))
        self._conn.pipeline_sync()
        self._expected.append(("point", None, asked))
        self._flush()
        return done

    def close(self) -> None:
        """Let go of the connection; what was asked and not answered is lost."""
        self._lose(Lost("it was closed here"))

    def give_up(self) -> None:
        """Let go of a connection that does not answer."""
        self._lose(Lost("no answer came in time"))

    # --- sending --------------------------------------------------------------------------------

    def _send(self, questions: Sequence[Question | None], asked: _Round) -> None:
        conn, expected = self._conn, self._expected
        for question in questions:
            if question is None:
                conn.pipeline_sync()
                expected.append(("point", None, asked))
                continue
            form, values, formats, is_urgent = question
            if form not in self._prepared:
                conn.send_prepare(form.name, form.text, form.types)
                expected.append(("prepared", form, asked))
                # Twice in one round would be an error; if this one fails it is forgotten again.
                self._prepared.add(form)
            conn.send_query_prepared(form.name, values, formats)
            expected.append(("answer", None, asked))
            if is_urgent:
                conn.send_flush_request()

    def _flush(self) -> None:
        if self._conn.flush() and not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        try:
            if not self._conn.flush():
                self._is_writing = False
                self._loop.remove_writer(self._socket)
        except psycopg.Error as fault:
            self._lose(fault)

    # --- receiving ------------------------------------------------------------------------------

    def _read(self) -> None:
        conn = self._conn
        try:
            conn.consume_input()
            was_end = False
            while not conn.is_busy():
                result = conn.get_result()
                if result is None:
                    if was_end:
                        break  # nothing more has come
                    was_end = True
                    continue
                was_end = False
                self._take(result)
            while (heard := conn.notifies()) is not None:
                if self.on_notify is not None:
                    self.on_notify(heard)
        except psycopg.Error as fault:
            self._lose(fault)
            return
        if conn.status == pq.ConnStatus.BAD:
            self._lose(psycopg.OperationalError(conn.get_error_message()))

    def _take(self, result: PGresult) -> None:
        """Put a result where it was asked for."""
        if not self._expected:
            logger.warning("PostgreSQL says unasked: %s", result.get_error_message())
            return
        status = result.status
        kind, form, asked = self._expected[0]
        if kind == "point" and status != _SYNC:
            # The commit itself failed; the point's own sign follows.
            asked.answers.append(psycopg.errors.error_from_result(result))
            asked.expected += 1
            return
        self._expected.popleft()
        if form is not None:  # it was to be prepared
            if status != _COMMAND:
                self._prepared.discard(form)
                if status != _ABORTED:
                    # Its question is skipped; this is why.
                    self._expected[0] = ("why", None, asked)
                    asked.answers.append(psycopg.errors.error_from_result(result))
            return
        if kind == "answer":
            asked.answers.append(_answer(result, status))
        elif kind == "point":
            asked.answers.append(None)
        if len(asked.answers) == asked.expected:
            self._rounds.popleft()
            if not asked.done.done():
                asked.done.set_result(asked.answers)

    def _lose(self, fault: Exception) -> None:
        """Give everybody up who waits."""
        if self._is_lost:
            return
        self._is_lost = True
        self._loop.remove_reader(self._socket)
        if self._is_writing:
            self._loop.remove_writer(self._socket)
        self._conn.finish()
        self._on_lost(fault)
        rounds, self._rounds = self._rounds, deque()
        self._expected.clear()
        for asked in rounds:
            if not asked.done.done():
                asked.done.set_exception(Lost(str(fault), answers=asked.answers))


def _answer(result: PGresult, status: int) -> PGresult | Exception:
    if status in (_TUPLES, _COMMAND):
        return result
    if status == _ABORTED:
        return Skipped()
    return psycopg.errors.error_from_result(result)


async def connect(url: str, on_lost: Callable[[Exception], None]) -> Pipe:
    """Open a connection; `on_lost` is called when it is gone. Raises: psycopg.Error, OSError."""
    connection = await open_connection(url)
    found = await (await connection.execute(frames(DIALECT)["backend"].encode())).fetchone()
    assert found is not None  # noqa: S101  # it is a function's result
    return Pipe(connection, int(found[0]), on_lost)


async def open_connection(url: str) -> psycopg.AsyncConnection:
    """Open a connection for questions of another kind. Raises: psycopg.Error."""
    connection = await psycopg.AsyncConnection.connect(
        url, autocommit=True, connect_timeout=CONNECT_S, application_name="weft", **KEEPALIVE
    )
    try:
        await connection.execute(frames(DIALECT)["settings"].encode())
    except BaseException:
        await connection.close()
        raise
    return connection

"""A connection that comes back: whoever asks learns whether the database can serve now.

When it is lost it is made anew at once, which those who ask wait for. When that
fails the database is down: everybody is told so without waiting, and it is
tried again twice a second until it succeeds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import psycopg

from weft.domain.errors import Unavailable
from weft.store.postgres.forms import DIALECT, Form
from weft.store.postgres.pipe import POINT, Answer, Lost, Pipe, Question, connect
from weft.store.sql import frames

AGAIN_S = 0.5
PLAN_S = 60.0
PLAN_ANEW = Question(Form("plan_anew", frames(DIALECT)["plan_anew"]), [])
PATIENCE_S = 5.0  # how long an answer may take
LONG_S = 60.0  # the same where many rows are visited

logger = logging.getLogger("weft.store")


class Link:
    """One pipe to the database, made anew when it is lost."""

    def __init__(
        self,
        url: str,
        purpose: str,
        patience_s: float = PATIENCE_S,
        greet: Callable[[Pipe], Awaitable[None]] | None = None,
    ) -> None:
        """`purpose` is what the log calls it. `patience_s` is how long an answer may take.

        `greet` is called with each new connection ahead of everybody else.
        """
        self._greet = greet
        self._plan_at = 0.0
        self._plan_in_s = 0.5
        self.is_down = False
        self._url = url
        self._purpose = purpose
        self._patience_s = patience_s
        self._pipe: Pipe | None = None
        self._attempted = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._is_closed = False

    async def open(self) -> Pipe:
        """Connect. Raises: psycopg.Error, OSError."""
        pipe = await connect(self._url, self._lost)
        try:
            if self._greet is not None:
                await self._greet(pipe)
        except BaseException:
            pipe.close()
            raise
        if self._is_closed:
            pipe.close()
        else:
            self._pipe = pipe
        return pipe

    def is_served_by(self, backend_pid: int) -> bool:
        """Say whether a process of the database serves this connection."""
        return self._pipe is not None and self._pipe.backend_pid == backend_pid

    async def ready(self) -> Pipe:
        """Return the pipe, after one attempt to make it anew if it is lost.

        Raises: Unavailable when the database is down.
        """
        if self._pipe is None:
            if not (self.is_down or self._is_closed):
                await self._attempted.wait()
            if self._pipe is None:
                raise unavailable()
        return self._pipe

    def ask(
        self, pipe: Pipe, questions: Sequence[Question | None], patience_s: float | None = None
    ) -> "asyncio.Future[list[Answer]]":
        """Send a round; when no answer comes in time the connection is given up.

        The future raises Lost.
        """
        loop = asyncio.get_running_loop()
        if loop.time() > self._plan_at:
            self._plan_anew(pipe, loop.time())
        answered = pipe.ask(questions)
        if not answered.done():
            patience = loop.call_later(patience_s or self._patience_s, pipe.give_up)
            answered.add_done_callback(lambda _: patience.cancel())
        return answered

    def close(self) -> None:
        """Let go of the connection and make no other."""
        self._is_closed = True
        self._attempted.set()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._pipe is not None:
            self._pipe.close()

    def _plan_anew(self, pipe: Pipe, time: float) -> None:
        """Have plans made anew, soon at first and then once in a while: tables grow."""
        self._plan_in_s = min(self._plan_in_s * 2, PLAN_S)
        self._plan_at = time + self._plan_in_s
        # What becomes of it shows in what is asked next.
        pipe.ask([PLAN_ANEW, POINT]).add_done_callback(asyncio.Future.exception)

    def _lost(self, fault: Exception) -> None:
        if self._pipe is None:
            return  # it was not in use yet
        self._pipe = None
        if not self._is_closed:
            logger.warning("lost the connection for %s: %s", self._purpose, one_line(fault))
            self._attempted = asyncio.Event()
            self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        while True:
            try:
                await self.open()
            except (psycopg.Error, OSError, Lost) as fault:
                if not self.is_down:
                    logger.warning("no connection for %s: %s", self._purpose, one_line(fault))
                self.is_down = True
                self._attempted.set()
                await asyncio.sleep(AGAIN_S)
            else:
                logger.warning("connected again for %s", self._purpose)
                self.is_down = False
                self._attempted.set()
                return


def unavailable() -> Unavailable:
    """Return what is told while the database is down."""
    return Unavailable("The server's database cannot serve now; nothing was stored. Try again.")


def told(fault: Exception) -> Exception:
    """Return what a client is told of a fault, and log what is not the program's mistake."""
    if isinstance(fault, Lost):
        return unavailable()
    if not isinstance(fault, psycopg.OperationalError | psycopg.errors.ReadOnlySqlTransaction):
        return fault  # it ends as a 500 with its traceback
    logger.error("the database cannot serve: %s: %s", type(fault).__name__, one_line(fault))
    if isinstance(fault, psycopg.errors.DiskFull):
        return Unavailable("The database's disk is full; nothing was stored. Try again later.")
    return unavailable()


def one_line(fault: Exception) -> str:
    """Return a fault's text for the log."""
    return " ".join(str(fault).split())

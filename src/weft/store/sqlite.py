"""SQLite: one file, written by one process, read while it is written.

Writes share commits. Whatever waits is applied on the event loop, which is
quick, and the COMMIT with its fsync runs in a thread, so that the loop goes on
reading and parsing while the disk works; what arrives meanwhile is the next
batch. A batch that fails is rolled back and rerun one by one, so that one bad
write harms no other. Checkpoints happen inside that COMMIT, off the loop.

Reads are short and indexed: they run on the loop, on a connection of their own.
Long ones go to a thread with a third connection.
"""

import asyncio
import logging
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import apsw

from weft.domain.errors import Unavailable
from weft.store.bells import Bells
from weft.store.database import Page, Params, Refused, Row, Unusable, Write
from weft.store.migrations import Migration, migrations, pending
from weft.store.sql import statements

DIALECT = "sqlite"
BATCH_STATEMENTS = 512  # applied on the loop in one go: a few milliseconds
CHECKPOINT_PAGES = 4000  # 16 MB of log
CACHE_KIB = 16_000  # for each connection
BUSY_MS = 5_000  # `weft keys` and `weft backup` may hold the file for a moment

# Mistakes of the program, not of the disk.
_OURS = (apsw.ConstraintError, apsw.SQLError, apsw.BindingsError, apsw.MisuseError)

logger = logging.getLogger("weft.store")


def connect(path: Path) -> apsw.Connection:
    """Open the file with the settings that everything acknowledged relies on."""
    connection = apsw.Connection(str(path), statementcachesize=256)
    connection.set_busy_timeout(BUSY_MS)
    _add_vectors(connection)
    # A plan never depends on a bound value: without this, SQLite prepares a statement anew for
    # each new value that might matter to a partial index, which took a third of an append.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return connection


def _add_vectors(connection: apsw.Connection) -> None:
    """Give a connection the functions on vectors that the searches use."""
    connection.enable_load_extension(True)
    connection.load_extension(_vectors_path())
    connection.enable_load_extension(False)


@cache
def _vectors_path() -> str:
    """Return where sqlite-vec is. The package is not imported: it would bring numpy along."""
    found = find_spec("sqlite_vec")
    if found is None or not found.submodule_search_locations:
        raise Unusable("The package sqlite-vec is missing: install Weft again.")
    return str(Path(found.submodule_search_locations[0]) / "vec0")


def migrate(path: Path, steps: Sequence[Migration] | None = None) -> list[str]:
    """Bring the file up to date and return the names of the steps applied.

    `steps` are those of this version unless given. A file with data is copied first, to
    `NAME.before-NUMBER` beside it. Each step is one transaction with its own entry: a crash
    leaves it done or not begun. Processes that start at once wait for each other.
    Raises: migrations.MigrationError when the file is of a newer version; Unusable.
    """
    steps = migrations(DIALECT) if steps is None else steps
    done: list[str] = []
    with _opened(path) as connection:
        # The lock of the file is taken when a transaction begins, not with its first write.
        connection.transaction_mode = "IMMEDIATE"
        for step in pending(steps, _applied(connection)):
            with connection:
                applied = _applied(connection)
                if step not in pending(steps, applied):
                    continue  # another process was faster
                if applied and not done:
                    _copy_before(path, step)
                _apply_step(connection, step)
                done.append(f"{step.number:04d}_{step.name}")
    return done


def _applied(connection: apsw.Connection) -> dict[int, str]:
    """Return the steps that a file has, number -> sha256."""
    known = "SELECT 1 FROM sqlite_schema WHERE name = 'weft_migration'"
    if not connection.execute(known).fetchall():
        return {}
    found: Any = connection.execute("SELECT number, sha256 FROM weft_migration").fetchall()
    return dict(found)


def _copy_before(path: Path, step: Migration) -> None:
    copy = path.with_name(f"{path.name}.before-{step.number:04d}")
    copy.unlink(missing_ok=True)  # of an attempt that did not reach its end
    backup(path, copy)


def _apply_step(connection: apsw.Connection, step: Migration) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS weft_migration (number INTEGER PRIMARY KEY, "
        "name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"
    )
    connection.execute(step.sql)
    connection.execute(
        "INSERT INTO weft_migration VALUES (?, ?, ?, ?)",
        (step.number, step.name, step.sha256, int(time.time())),
    )


def backup(path: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Copy a database, in use or not, as it stands at this moment, to a new file (mode 0600).

    `progress` is called with pages done and pages in all. The copy appears under its name only
    when it is complete and sound.
    Raises: FileExistsError when `target` is there already; OSError; Unusable.
    """
    _refuse_existing(target)
    # A name of its own: of two backups to one file at once, neither touches the other's work.
    handle, name = tempfile.mkstemp(".unfinished", f"{target.name}.", target.parent)
    os.close(handle)
    unfinished = Path(name)
    try:
        _copy(path, unfinished, progress)
        _refuse_existing(target)
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)


def locations(path: Path) -> list[str]:
    """Return where the bytes of the files of a database lie. Raises: Unusable."""
    with _opened(path, journal="DELETE") as connection:
        found = connection.execute("SELECT location FROM blob ORDER BY location").fetchall()
    return [str(location) for (location,) in found]


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise FileExistsError(f"{target} exists already; nothing was written")


def _copy(path: Path, target: Path, progress: Callable[[int, int], None] | None) -> None:
    with _opened(path) as source, _opened(target, journal="DELETE") as copy:
        # An open read transaction pins the moment; writers go on meanwhile.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with copy.backup("main", source, "main") as copying:
            while not copying.done:
                copying.step(2000)
                if progress is not None:
                    progress(copying.page_count - copying.remaining, copying.page_count)
        # WAL is a property of the file, and came along: a copy is read without writing beside it.
        _set_journal(copy, "DELETE")
        found = copy.execute("PRAGMA quick_check").fetchall()
        if found != [("ok",)]:
            raise apsw.CorruptError(f"the copy is not sound: {found[:3]}")


@contextmanager
def _opened(path: Path, journal: str = "WAL") -> Iterator[apsw.Connection]:
    """Open a file for a tool. Raises: Unusable for what the disk or the file does not allow."""
    try:
        connection = apsw.Connection(str(path))
        try:
            connection.set_busy_timeout(BUSY_MS)
            _set_journal(connection, journal)
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        finally:
            connection.close()
    except _OURS:
        raise
    except apsw.Error as fault:
        raise Unusable(f"The database {path} cannot be used: {fault}.") from fault


def _set_journal(connection: apsw.Connection, journal: str) -> None:
    """Two processes that open a new file at once stand in each other's way; SQLite gives up."""
    give_up_at = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {journal}")
        except apsw.BusyError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return


class Sqlite:
    """A `Database` on one file. The file must be migrated; one process may hold it."""

    def __init__(self, path: Path) -> None:
        self.bells = Bells()
        self._sql = statements(DIALECT)
        self._reader = connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._scanner = connect(path)
        self._scanner.execute("PRAGMA query_only = ON")
        self._scanning = ThreadPoolExecutor(1, thread_name_prefix="weft-scan")
        self._committer = _GroupCommit(connect(path), self._sql, self.bells)

    async def one(self, name: str, params: Params) -> Row | None:
        """See `Database.one`."""
        try:
            row: Row | None = self._reader.execute(self._sql[name], params).fetchone()
        except apsw.Error as fault:
            raise _unavailable(fault) from fault
        return row

    async def page(
        self, name: str, params: Params, *, limit_bytes: int | None = None, is_long: bool = False
    ) -> Page:
        """See `Database.page`."""
        if not is_long:
            return self._page(self._reader, name, params, limit_bytes)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._scanning, self._page, self._scanner, name, params, limit_bytes
        )

    def _page(
        self, connection: apsw.Connection, name: str, params: Params, limit_bytes: int | None
    ) -> Page:
        rows: list[Row] = []
        left = limit_bytes or 0
        try:
            cursor = connection.execute(self._sql[name], params)
            for row in cursor:
                if limit_bytes is not None:
                    left -= _size(row[-1])
                    if left < 0 and rows:
                        cursor.close()
                        return Page(rows, is_cut=True)
                rows.append(row)
        except apsw.Error as fault:
            raise _unavailable(fault) from fault
        return Page(rows, is_cut=False)

    async def write(
        self, write: Write, *, is_long: bool = False, wakes: tuple[str, ...] = ()
    ) -> None:
        """See `Database.write`."""
        await self._committer.submit(write, is_long, wakes)

    async def check(self) -> None:
        """See `Database.check`."""
        try:
            self._reader.execute("SELECT count(*) FROM weft_migration").fetchall()
        except apsw.Error as fault:
            raise _unavailable(fault) from fault

    async def close(self) -> None:
        """See `Database.close`."""
        await self._committer.close()
        self._scanning.shutdown()
        self._scanner.close()
        self._reader.close()


class _Waiting:
    """A write and whom to tell: who waits for it, and who listens to what it `wakes`."""

    __slots__ = ("done", "is_long", "wakes", "write")

    def __init__(
        self, write: Write, done: "asyncio.Future[None]", is_long: bool, wakes: tuple[str, ...]
    ) -> None:
        self.write = write
        self.done = done
        self.is_long = is_long
        self.wakes = wakes


# What became of the writes of a batch, by their number in it; who is not named succeeded.
_Faults: TypeAlias = dict[int, Exception]
_Task: TypeAlias = tuple[Callable[[list[_Waiting], _Faults], _Faults], list[_Waiting], _Faults]


class _GroupCommit:
    """Turns writes that wait at the same moment into one transaction.

    The connection belongs to the loop until a batch is handed to the thread, and to the thread
    until the batch comes back: `_busy` says which. When another process holds the file, the loop
    does not wait for it: the thread does.
    """

    def __init__(self, connection: apsw.Connection, sql: dict[str, str], bells: Bells) -> None:
        self._connection = connection
        self._bells = bells
        self._connection.set_busy_timeout(0)
        self._sql = sql
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._scheduled = False
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._committing = threading.Lock()
        self._committing.acquire()
        self._handed: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="weft-commit", daemon=True)
        self._thread.start()

    def submit(self, write: Write, is_long: bool, wakes: tuple[str, ...]) -> "asyncio.Future[None]":
        """Return a future that is done when the write is committed.

        It is committed and wakes whom it concerns also when nobody waits for it any more.

        Raises: Unavailable when the database is closed.
        """
        if self._is_closed:
            raise Unavailable("The server is stopping; nothing was stored. Try again.")
        done = self._loop.create_future()
        self._waiting.append(_Waiting(write, done, is_long, wakes))
        if not self._busy and not self._scheduled:
            self._scheduled = True
            self._idle.clear()
            # Not now but behind what else is ready: requests of the same moment join the batch.
            self._loop.call_soon(self._begin)
        return done

    async def close(self) -> None:
        """Commit what waits, take nothing more, then stop."""
        self._is_closed = True
        await self._idle.wait()
        self._handed.put(None)
        self._thread.join()
        self._connection.close()

    # --- on the loop ------------------------------------------------------------------------

    def _begin(self) -> None:
        """Apply a batch and hand its commit to the thread; or hand it over whole if it is long."""
        self._scheduled = False
        self._busy = True
        batch = self._next_batch()
        if batch[0].is_long:
            self._handed.put((self._apply_and_commit, batch, {}))
            return
        try:
            refused = self._apply(batch)
        except Exception:  # noqa: BLE001  # whatever it was, each runs alone next and tells
            # Which of them it was comes out when each runs alone.
            self._handed.put((self._one_by_one, batch, {}))
        else:
            self._handed.put((self._commit_at_once, batch, refused))
            # Let go of the interpreter until the thread has it, some 20 us: otherwise the thread
            # gets it only when the loop next has nothing to do, and the disk idles meanwhile.
            self._committing.acquire()

    def _next_batch(self) -> list[_Waiting]:
        """Take what waits, up to a size that does not hold the loop; a long write goes alone."""
        size = 0
        end = 0
        for waiting in self._waiting:
            size += len(waiting.write)
            if end and (waiting.is_long or size > BATCH_STATEMENTS):
                break
            end += 1
            if waiting.is_long or size > BATCH_STATEMENTS:
                waiting.is_long = True
                break
        batch, self._waiting = self._waiting[:end], self._waiting[end:]
        return batch

    def _apply(self, batch: list[_Waiting]) -> _Faults:
        """Begin a transaction and run every write in it; return those that were refused."""
        execute = self._connection.execute
        sql = self._sql
        refused: _Faults = {}
        execute("BEGIN IMMEDIATE")
        for number, waiting in enumerate(batch):
            for index, (name, params, is_guard) in enumerate(waiting.write):
                if is_guard:
                    if not execute(sql[name], params).fetchall():
                        refused[number] = Refused(name)
                        if index:
                            # Earlier statements of it stand in the shared transaction.
                            raise refused[number]
                        break
                else:
                    execute(sql[name], params)
        return refused

    def _answer(self, batch: list[_Waiting], faults: _Faults) -> None:
        """Tell everybody, and go on with what came meanwhile."""
        self._busy = False
        if self._waiting:
            self._scheduled = True
            self._loop.call_soon(self._begin)
        else:
            self._idle.set()
        for number, waiting in enumerate(batch):
            if number not in faults:
                for topic in waiting.wakes:
                    self._bells.ring(topic)
            if waiting.done.done():
                continue
            if number in faults:
                waiting.done.set_exception(faults[number])
            else:
                waiting.done.set_result(None)

    # --- in the thread ----------------------------------------------------------------------

    def _work(self) -> None:
        while (task := self._handed.get()) is not None:
            step, batch, refused = task
            try:
                self._connection.set_busy_timeout(BUSY_MS)
                faults = step(batch, refused)
                self._connection.set_busy_timeout(0)
            except Exception as fault:
                # Nobody may wait for ever, whatever happened to the database.
                logger.exception("a batch of %d writes could not be undone", len(batch))
                faults = dict.fromkeys(range(len(batch)), _unavailable(fault))
            self._loop.call_soon_threadsafe(self._answer, batch, faults)

    def _commit_at_once(self, batch: list[_Waiting], refused: _Faults) -> _Faults:
        self._committing.release()  # the loop goes on as soon as COMMIT lets go of the interpreter
        return self._commit(batch, refused)

    def _commit(self, batch: list[_Waiting], refused: _Faults) -> _Faults:
        try:
            self._connection.execute("COMMIT")
        except Exception:  # noqa: BLE001  # each runs alone next and tells
            return self._one_by_one(batch, {})
        return refused

    def _apply_and_commit(self, batch: list[_Waiting], _: _Faults) -> _Faults:
        try:
            refused = self._apply(batch)
        except Exception:  # noqa: BLE001  # each runs alone next and tells
            return self._one_by_one(batch, {})
        return self._commit(batch, refused)

    def _one_by_one(self, batch: list[_Waiting], _: _Faults) -> _Faults:
        """Undo the batch and run each write in a transaction of its own."""
        faults: _Faults = {}
        self._roll_back()
        for number, waiting in enumerate(batch):
            try:
                refused = self._apply([waiting])
                self._connection.execute("COMMIT")
                if refused:
                    faults[number] = refused[0]
            except Refused as fault:
                faults[number] = fault
                self._roll_back()
            except apsw.BusyError as fault:
                # Another process holds the file: each of the rest would wait as long again.
                self._roll_back()
                rest = range(number, len(batch))
                return faults | dict.fromkeys(rest, _unavailable(fault))
            except Exception as fault:  # noqa: BLE001  # its owner is told
                faults[number] = _unavailable(fault)
                self._roll_back()
        return faults

    def _roll_back(self) -> None:
        # A full disk or an I/O error may have rolled back by itself.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _size(text: str) -> int:
    """Return the bytes of a text as UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def _unavailable(fault: Exception) -> Exception:
    """Return what a client is told of a fault of the database, and log the fault."""
    if not isinstance(fault, apsw.Error) or isinstance(fault, _OURS):
        return fault  # it ends as a 500 with its traceback
    logger.error("the database cannot serve: %s: %s", type(fault).__name__, fault)
    if isinstance(fault, apsw.FullError):
        return Unavailable("The server's disk is full; nothing was stored. Try again later.")
    return Unavailable("The server's database cannot serve now; nothing was stored. Try again.")

"""The composition root: builds the rooms, starts and stops them in order."""

import asyncio
import contextlib
import gc
import logging
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn
from msgspec.structs import asdict

from weft.api.app import App, Receive, Scope, Send
from weft.api.call import Rooms
from weft.api.door import Door
from weft.api.protocol import Protocol
from weft.config import Settings
from weft.domain.ids import Ids
from weft.engine.drive import Engineering
from weft.engine.indexing import Indexing, IndexingEngine
from weft.engine.keeper import keep
from weft.engine.worker import EmbeddedEngine
from weft.llm.catalog import Catalog, Endpoint
from weft.llm.embeddings import Embedder
from weft.llm.endpoint import EMBEDDINGS
from weft.llm.model import ModelError
from weft.llm.tokens import Calibration
from weft.store import keys
from weft.store.backup import backup_all
from weft.store.blobs import FOLDER, Blobs, Folder
from weft.store.contents import Contents
from weft.store.database import Refused, Statement
from weft.store.folder import DATABASE, FolderLock, database_in
from weft.store.sqlite import Sqlite, backup, migrate

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BACKLOG = 2048
PROJECT_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
GC_ALLOCATIONS = 20_000  # between looks of the collector: a request leaves no cycles
# After SIGTERM, together less than the 10 s in which the process is gone:
GRACE_S = 7  # how long requests may finish
TAKING_S = 5.0  # how long clients may take what was sent to them

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("weft")


class CannotStart(Exception):
    """The server will not start; the message says why and what to do."""


def now() -> int:
    """Return unix seconds."""
    return int(time.time())


def now_us() -> int:
    """Return unix microseconds."""
    return time.time_ns() // 1000


def catalog(settings: Settings) -> Catalog:
    """Return the models that are configured.

    Raises: CannotStart for an endpoint that cannot be used.
    """
    try:
        return Catalog([Endpoint(**asdict(found)) for found in settings.endpoints])
    except ModelError as error:
        raise CannotStart(error.message) from error


def embedder(settings: Settings) -> Embedder | None:
    """Return who makes vectors, or None when nobody is configured.

    Raises: CannotStart for an endpoint that cannot be used.
    """
    found = settings.embeddings
    if found is None:
        return None
    how = asdict(found)
    dimensions = how.pop("dimensions")
    try:
        return Embedder(Endpoint(match=how.pop("model"), path=EMBEDDINGS, **how), dimensions)
    except ModelError as error:
        raise CannotStart(error.message) from error


def blobs_of(settings: Settings) -> Blobs:
    """Return where the bytes of files lie.

    Raises: CannotStart.
    """
    if settings.files_url is None:
        return Folder(settings.data_path / FOLDER)
    try:
        from weft.store.buckets import Bucket
    except ModuleNotFoundError as error:
        raise CannotStart(
            f"files_url={settings.files_url} needs the extra: pip install 'weft[s3]'"
        ) from error
    try:
        return Bucket(settings.files_url)
    except OSError as fault:
        raise CannotStart(f"files_url={settings.files_url}: {fault}") from fault


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Rooms]:
    """Open the store, brought up to date, with its chores running; close it in the end."""
    models, vectors = catalog(settings), embedder(settings)
    path = database_in(settings.data_path)
    for step in migrate(path):
        logger.info("applied migration %s", step)
    database = Sqlite(path)
    contents = Contents(database, blobs_of(settings), now)
    await contents.begin()
    ids = Ids(now_us)
    tools = Engineering(
        database,
        contents,
        ids,
        now,
        models,
        Calibration(),
        settings.max_prompt_tokens,
        settings.run_expires_s,
        vectors,
    )
    work = [
        asyncio.create_task(keep(database, contents, now)),
        asyncio.create_task(EmbeddedEngine(tools).work()),
        asyncio.create_task(IndexingEngine(Indexing(database, contents, vectors)).work()),
    ]
    try:
        yield Rooms(
            database,
            contents,
            ids,
            now,
            tuple(models.names()),
            settings.run_expires_s,
            vectors,
        )
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await models.close()
        if vectors is not None:
            await vectors.close()
        await contents.close()
        await database.close()


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises: CannotStart, store.folder.FolderHeld, store.migrations.MigrationError.
    """
    _allow_many_connections()
    listening = _listen(settings)
    address = _url(settings, listening)
    with listening, FolderLock(settings.data_path, f"process {os.getpid()} at {address}"):
        async with opened(settings) as rooms:
            has_keys = await keys.any_exist(rooms.database)
            if not has_keys and settings.host not in LOOPBACK and not settings.insecure:
                raise CannotStart(
                    f"No API key exists, so {settings.host} would let anybody in. Create a key "
                    f"first (weft keys create --data-dir {settings.data_dir}), or say --insecure "
                    "if the network itself keeps others out."
                )
            app = App(
                rooms,
                Door(rooms.database, is_insecure=settings.insecure),
                max_body_bytes=settings.max_body_bytes,
            )
            _announce(settings, address, has_keys)
            await answer_on(listening, app, on_stop=rooms.database.bells.close)


async def answer_on(
    listening: socket.socket, app: Application, *, on_stop: Callable[[], None]
) -> None:
    """Answer requests until SIGINT or SIGTERM; `on_stop` is called then, and ends the streams."""
    # What was made so far stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS)
    await _Server(app, on_stop).serve(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, app: Application, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                loop="uvloop",
                lifespan="off",
                interface="asgi3",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop: no new connection is taken, streams end, requests have their time."""
        super().handle_exit(sig, frame)
        self._on_stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests finish, but wait for nobody who does not read: the loop would, for ever."""
        cut = asyncio.get_running_loop().call_later(TAKING_S, self._cut_off_slow_readers)
        await super().shutdown(sockets)
        cut.cancel()
        if cancelled := self.server_state.tasks:
            await asyncio.wait(cancelled, timeout=1)
        self._cut_off_slow_readers()

    def _cut_off_slow_readers(self) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM for a wish to stop, from now to the end of the process.

        uvicorn would give them back once it has served, and raise them again: the process would
        die before the database is closed.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def _allow_many_connections() -> None:
    """Use as many files as the system lets this process have: each stream takes two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as fault:
        listening.close()
        raise CannotStart(
            f"Cannot listen on {settings.host} port {settings.port}: {fault.strerror}. "
            "Choose another with --port (0 takes a free one)."
        ) from fault
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def _url(settings: Settings, listening: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listening.getsockname()[1]}"


def _announce(settings: Settings, address: str, has_keys: bool) -> None:
    """Say on standard output where the server is and who may use it."""
    lines = [f"Weft is serving the Threads API at {address}/v1", f"  data: {settings.data_dir}"]
    if has_keys:
        lines.append("  keys: required (weft keys list)")
    else:
        who = "anybody who reaches it" if settings.insecure else "this machine only"
        lines.append(f"  keys: none yet, open to {who} (weft keys create)")
    print("\n".join(lines), file=sys.stdout, flush=True)


# --- tools that work beside a running server --------------------------------------------------


def create_key(settings: Settings, project: str, name: str) -> tuple[str, str]:
    """Make a key for a project and return its id and the key itself, which nothing stores.

    Raises: CannotStart for a project name that could not stand in a path.
    """
    if not PROJECT_NAME.fullmatch(project):
        raise CannotStart(
            f"'{project}' cannot name a project: use 1 to 64 letters, digits, '.', '_' and '-'."
        )
    ids = Ids(now_us)
    key_id, key = ids.new("key_"), keys.PREFIX + ids.random(keys.RANDOM_CHARACTERS)
    asyncio.run(_write_beside(settings, keys.insert(key_id, key, project, name, now())))
    return key_id, key


def revoke_key(settings: Settings, key_id: str) -> bool:
    """Revoke a key; say whether there was an active one with this id."""
    try:
        asyncio.run(_write_beside(settings, keys.revoke(key_id, now())))
    except Refused:
        return False
    return True


def list_keys(settings: Settings) -> list[keys.KeyInfo]:
    """Return every key, oldest first."""

    async def read() -> list[keys.KeyInfo]:
        async with _beside(settings) as database:
            return await keys.all_keys(database)

    return asyncio.run(read())


def backup_database(
    settings: Settings, file: Path, progress: Callable[[int, int], None]
) -> tuple[int, int]:
    """Copy the database to a new file, its bytes beside it; return its size and their number.

    Bytes in a bucket stay there.

    Raises: CannotStart when there is nothing to copy; FileExistsError.
    """
    path = settings.data_path / DATABASE
    if not path.exists():
        raise CannotStart(f"There is no database in {settings.data_dir}: nothing to back up.")
    if settings.files_url is not None:
        backup(path, file, progress)
        return file.stat().st_size, 0
    count = backup_all(path, settings.data_path / FOLDER, file, progress)
    return file.stat().st_size, count


@contextlib.asynccontextmanager
async def _beside(settings: Settings) -> AsyncIterator[Sqlite]:
    path = database_in(settings.data_path)
    migrate(path)
    database = Sqlite(path)
    try:
        yield database
    finally:
        await database.close()


async def _write_beside(settings: Settings, statement: Statement) -> None:
    async with _beside(settings) as database:
        await database.write((statement,))

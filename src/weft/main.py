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
from weft.engine.port import Engine
from weft.engine.worker import EmbeddedEngine
from weft.llm.catalog import Catalog, Endpoint
from weft.llm.embeddings import Embedder
from weft.llm.endpoint import EMBEDDINGS
from weft.llm.model import ModelError
from weft.llm.tokens import Calibration
from weft.retrieval.words import by_impact
from weft.store import keys
from weft.store.backup import backup_all
from weft.store.blobs import FOLDER, Blobs, Folder
from weft.store.contents import Contents
from weft.store.copying import Progress, copy
from weft.store.database import Database, Refused, Statement
from weft.store.folder import DATABASE, FolderLock
from weft.store.opening import (
    bring_up_to_date,
    open_database,
    pending_steps,
    shown,
    side_of_copy,
)
from weft.store.sqlite import backup

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
    database = await _up_to_date(settings)
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
    work = []
    if settings.worker:
        engine = _engine(settings, tools)
        indexing = IndexingEngine(Indexing(database, contents, vectors))
        chores = keep(database, contents, now, engine.is_keeper)
        work = [asyncio.create_task(each) for each in (chores, engine.work(), indexing.work())]
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


def _engine(settings: Settings, tools: Engineering) -> Engine:
    """Return what drives runs: on PostgreSQL the nodes share them."""
    if settings.postgres_url is None:
        return EmbeddedEngine(tools)
    from weft.engine.cluster import DistributedEngine

    return DistributedEngine(tools, settings.postgres_url)


async def _up_to_date(settings: Settings) -> Database:
    """Open the database. PostgreSQL, which other nodes may be using, changes only if it is told to.

    Raises: CannotStart, store.migrations.MigrationError, store.database.Unusable.
    """
    url = settings.postgres_url
    if url is None or settings.auto_migrate:
        for step in await asyncio.to_thread(bring_up_to_date, settings.data_path, url):
            logger.info("applied migration %s", step)
    elif pending := await asyncio.to_thread(pending_steps, url):
        raise CannotStart(
            f"The database needs {', '.join(pending)}. Apply them with: weft migrate; or start "
            "with --auto-migrate. A backup first is wise: pg_dump."
        )
    return await open_database(settings.data_path, url)


def migrate_database(settings: Settings) -> list[str]:
    """Bring the database up to date and return the names of the migrations applied."""
    return bring_up_to_date(settings.data_path, settings.postgres_url)


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises: CannotStart, store.folder.FolderHeld, store.migrations.MigrationError.
    """
    if settings.postgres_url is None and not settings.worker:
        raise CannotStart(
            "Without a worker nothing would drive the runs: only PostgreSQL can be shared with "
            "workers of their own. Leave --no-worker out."
        )
    _allow_many_connections()
    listening = _listen(settings)
    address = _url(settings, listening)
    with listening, _sole_use(settings, f"process {os.getpid()} at {address}"):
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


async def work(settings: Settings) -> None:
    """Drive runs, without a server, until SIGINT or SIGTERM.

    Raises: CannotStart, store.migrations.MigrationError, store.database.Unusable.
    """
    url = settings.postgres_url
    if url is None:
        raise CannotStart(
            "A worker shares a PostgreSQL with others: say which with --database-url. On SQLite "
            "the server does all the work: weft serve."
        )
    _allow_many_connections()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with opened(settings) as rooms:
        print(f"Weft is working on {shown(url)}", flush=True)
        await stopping.wait()
        rooms.database.bells.close()


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


def _sole_use(settings: Settings, holder: str) -> contextlib.AbstractContextManager[object]:
    """Return what keeps a second server off the data folder; PostgreSQL serves many nodes."""
    if settings.postgres_url is not None:
        return contextlib.nullcontext()
    return FolderLock(settings.data_path, holder)


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
    url = settings.postgres_url
    data = str(settings.data_path) if url is None else shown(url)
    lines = [f"Weft is serving the Threads API at {address}/v1", f"  data: {data}"]
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
    if settings.postgres_url is not None:
        raise CannotStart(
            "PostgreSQL has its own tools for this: pg_dump --format=custom --file=weft.dump "
            "'THE DATABASE URL'; back again with pg_restore (docs/deploy.md)."
        )
    path = settings.data_path / DATABASE
    if not path.exists():
        raise CannotStart(f"There is no database in {settings.data_dir}: nothing to back up.")
    if settings.files_url is not None:
        backup(path, file, progress)
        return file.stat().st_size, 0
    count = backup_all(path, settings.data_path / FOLDER, file, progress)
    return file.stat().st_size, count


def copy_database(source: Settings, target: Settings, progress: Progress) -> int:
    """Copy everything to an empty database, or go on with it; return the number of rows.

    Raises: CannotStart, store.database.Unusable, store.folder.FolderHeld.
    """
    name = _name_of(source)
    if source.postgres_url is None and not (source.data_path / DATABASE).exists():
        raise CannotStart(f"There is no database in {source.data_path}: nothing to copy.")
    if name == _name_of(target):
        raise CannotStart("A database cannot be copied to itself.")
    with (
        side_of_copy(source.data_path, source.postgres_url, is_target=False) as origin,
        side_of_copy(target.data_path, target.postgres_url, is_target=True) as copied,
    ):
        return copy(origin, copied, name, progress, by_impact)


def _name_of(settings: Settings) -> str:
    url = settings.postgres_url
    return f"sqlite in {settings.data_path.absolute()}" if url is None else shown(url)


@contextlib.asynccontextmanager
async def _beside(settings: Settings) -> AsyncIterator[Database]:
    database = await _up_to_date(settings)
    try:
        yield database
    finally:
        await database.close()


async def _write_beside(settings: Settings, statement: Statement) -> None:
    async with _beside(settings) as database:
        await database.write((statement,))

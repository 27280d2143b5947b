"""Nodes as an operator starts them: processes that share a PostgreSQL, and a model of the test."""

import itertools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.harness import Api, Server, _environment, api_of
from tests.llm.upstream import Upstream, serving
from weft.store.blobs import FOLDER

RECOVERY_S = 10.0  # a dead node's runs are taken up within it
PATIENCE_S = 30.0
QUIETLY_S = 0.02


class Node(NamedTuple):
    """A server and its API."""

    server: Server
    api: Api

    def kill(self) -> None:
        """End it as a power cut would."""
        self.server.kill()

    def freeze(self) -> None:
        """Stop it as a virtual machine is stopped: it does not know of the time that passes."""
        self.server.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        _thaw(self.server.process)

    def peak_mb(self) -> int:
        """Return how much memory it has had at most."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        return int(peak) // 1024

    def log(self) -> str:
        """Return what it has written to its log."""
        return self.server.log_path.read_text()


class Town:
    """Starts nodes on one database. What is still running stops at the end of the test."""

    def __init__(self, url: str, folder: Path, upstream: Upstream, stack: ExitStack) -> None:
        self.url = url
        self.upstream = upstream
        self.env = {
            "WEFT_DATABASE_URL": url,
            "WEFT_MODEL_URL": upstream.url,
            "WEFT_LOG_LEVEL": "debug",
        }
        self.folder = folder
        self.bytes = folder / "bytes"
        self.bytes.mkdir()
        self._stack = stack
        self._numbers = itertools.count(1)

    def node(self, *flags: str, **settings: str) -> Node:
        """Start a server. `settings` are variables of its environment."""
        folder = self.folder / f"node{next(self._numbers)}"
        folder.mkdir()
        (folder / FOLDER).symlink_to(self.bytes)  # the nodes share a disk
        server = Server(folder, *flags, env={**self.env, **settings})
        self._stack.callback(server.stop)
        self._stack.callback(_thaw, server.process)
        api = self._stack.enter_context(api_of(server))
        return Node(server, api)

    def worker(self) -> subprocess.Popen[str]:
        """Start a worker without a server, and return when it works."""
        worker = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "weft", "worker"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**_environment(), **self.env, "WEFT_LOG_LEVEL": "error"},
        )
        assert worker.stdout is not None
        self._stack.callback(worker.stdout.close)
        self._stack.callback(_stop, worker)
        assert worker.stdout.readline().startswith("Weft is working on postgresql at ")
        return worker

    def sql(self, statement: str, *params: object) -> list[tuple[object, ...]]:
        """Ask the database past the program."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), params)
            return cursor.fetchall() if cursor.description else []


def _thaw(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)


def until(is_so: Callable[[], object], within_s: float = PATIENCE_S) -> None:
    """Wait until something is so."""
    give_up_at = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up_at, f"not so within {within_s} s"
        time.sleep(QUIETLY_S)


@contextmanager
def town_on(url: str, folder: Path) -> Iterator[Town]:
    """Open a place for nodes."""
    with ExitStack() as stack:
        yield Town(url, folder, stack.enter_context(serving()), stack)

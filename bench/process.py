"""Server processes: start, ask, stop."""

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from weft.config import Settings
from weft.main import create_key

ROOT = Path(__file__).parent.parent
STOP_S = 20.0
WEFT = (sys.executable, "-m", "weft", "serve", "--port", "0")
WITH_FLOOR = (sys.executable, "-m", "bench.server")
MODEL = (sys.executable, "-m", "bench.model_server")

_ADDRESS = re.compile(r" at (http://[^\s/]+)")


class Process:
    """A server of any kind in a process of its own, which says at which address it is."""

    def __init__(
        self, command: Sequence[str], log_path: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        """Start it where its log stands; `settings` go into its environment."""
        self._log_path = log_path
        with log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**environment(), **(settings or {})},
                # Where there is no weft.toml of a developer.
                cwd=log_path.parent,
            )
        self.address = self._announced()

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        at = urlsplit(self.address)
        assert at.hostname is not None
        assert at.port is not None
        return at.hostname, at.port

    def _announced(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := _ADDRESS.search(line):
                return found[1]
        self.process.wait(STOP_S)
        raise RuntimeError(f"the server did not start:\n{self.log()}")

    def log(self) -> str:
        """Return what the server wrote to its log."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def memory_mb(self) -> tuple[float, float]:
        """Return the resident memory now and at its peak, in millions of bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE))
        return int(found["VmRSS"]) * 1024 / 1e6, int(found["VmHWM"]) * 1024 / 1e6

    def cpu_s(self) -> float:
        """Return the processor time that it has taken, all threads, in hundredths of a second."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it as an operator would."""
        self.process.terminate()
        self.process.wait(STOP_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Server(Process):
    """A server process on a data folder, on a free port of the loopback, with a key."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str] = WITH_FLOOR,
        *,
        with_key: bool = True,
        settings: Mapping[str, str] | None = None,
        database_url: str | None = None,
    ) -> None:
        """Start it, on PostgreSQL if a URL is given; its log stands beside the folder."""
        self.key = ""
        if with_key:
            own = Settings(data_dir=str(folder), database_url=database_url, auto_migrate=True)
            self.key = create_key(own, "default", "bench")[1]
        log_path = folder.with_name(f"{folder.name}.log")
        flags = ["--data-dir", str(folder)]
        if database_url is not None:
            flags += ["--database-url", database_url]
        super().__init__([*command, *flags], log_path, settings)

    def ask(self, method: str, path: str, body: str = "") -> bytes:
        """Send one request and return the body of its answer, which must be a success."""
        at = urlsplit(self.address)
        connection = http.client.HTTPConnection(at.netloc, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if body:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body.encode() or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content


def environment() -> dict[str, str]:
    """Return the environment without settings of Weft: a developer's own must not leak in."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    return {**ours, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))}

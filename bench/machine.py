"""What the figures were measured on."""

import datetime as dt
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from weft import __version__
from weft.store.sqlite import connect

PAGE_BYTES = 4096
PAGES = 4000  # the size that the store's log grows to


class Fsync(NamedTuple):
    """How long the disk takes to make one page safe."""

    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"fsync of a page: p50 {self.p50_ms:.2f} ms, p99 {self.p99_ms:.2f} ms"


def fsync(folder: Path, times: int) -> Fsync:
    """Measure overwriting a page of a file and syncing it, which is what a commit waits for."""
    path = folder / "fsync"
    page = os.urandom(PAGE_BYTES)
    took_ms = []
    with path.open("wb", buffering=0) as file:
        for _ in range(PAGES):
            file.write(page)
        os.fsync(file.fileno())
        for number in range(times):
            file.seek(number % PAGES * PAGE_BYTES)
            file.write(page)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            took_ms.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return Fsync(statistics.median(took_ms), sorted(took_ms)[times * 99 // 100])


def describe(folder: Path, *, generator: str | None) -> dict[str, str]:
    """Return the machine and the versions, by what they are called."""
    connection = connect(folder / "version.db")
    sqlite = str(connection.execute("SELECT sqlite_version()").fetchall()[0][0])
    connection.close()
    packages = ("uvicorn", "uvloop", "httptools", "msgspec", "apsw")
    return {
        "Date": dt.datetime.now(dt.UTC).date().isoformat(),
        "Weft": __version__,
        "Processor": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "SQLite": sqlite,
        "Packages": ", ".join(f"{name} {version(name)}" for name in packages),
        "Load": "wrk, one thread" if generator else "bench.load, our own generator",
        "Busy with other things": f"load average {os.getloadavg()[0]:.2f} before the run",
    }

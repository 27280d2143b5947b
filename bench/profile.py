"""Where the time goes: `python -m bench profile [--request NAME] [--seconds N] [--postgres]`.

Samples the server with py-spy while it is under load and prints the functions
that were on the stack most. Where py-spy is missing or may not look into other
processes, the server runs under cProfile, which sees the event loop's thread
only and makes small functions look larger than they are.
"""

import argparse
import io
import pstats
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.postgres import cluster

from bench.cases.floor import KINDS
from bench.cases.postgres import copied
from bench.measure import play, wrk
from bench.process import STOP_S, WITH_FLOOR, Server
from bench.stage import FULL, Stage, say

SHOWN = 25
SAMPLES_A_SECOND = 100  # each stops the server for a moment
FEW = 10  # samples that say nothing
START_S = 1  # py-spy counts from the start of the process


def main(arguments: Sequence[str]) -> int:
    """Profile one kind of request and print what was seen."""
    parser = argparse.ArgumentParser("python -m bench profile", description=__doc__)
    parser.add_argument(
        "--request",
        choices=list(KINDS),
        default="create-with-message",
    )
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, not SQLite")
    parser.add_argument("--cprofile", action="store_true", help="do not try py-spy")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="weft-profile-") as name:
        run = _Run(Path(name), chosen)
        text = None if chosen.cprofile else run.under_py_spy()
        print(text or run.under_cprofile())
    return 0


class _Run:
    """A server under load for some seconds, watched in one way or the other."""

    def __init__(self, folder: Path, chosen: argparse.Namespace) -> None:
        self._stage = Stage(folder, FULL, wrk())
        self._request: str = chosen.request
        self._seconds: int = chosen.seconds
        self._connections: int = chosen.connections
        self._is_on_postgres: bool = chosen.postgres
        self._out = folder / "profile"

    def under_py_spy(self) -> str | None:
        """Return what py-spy saw, or None where it cannot look."""
        beside = Path(sys.executable).with_name("py-spy")
        py_spy = str(beside) if beside.exists() else shutil.which("py-spy")
        if py_spy is None:
            say("py-spy is not installed: using cProfile")
            return None
        # As the child of py-spy the server may be looked into without more rights.
        options = f"record --format raw --function --threads --rate {SAMPLES_A_SECOND}"
        duration = ["--duration", str(self._seconds + START_S), "--output", str(self._out)]
        try:
            self._play([py_spy, *options.split(), *duration, "--", *WITH_FLOOR])
        except RuntimeError as fault:
            say(f"py-spy cannot look into the server, using cProfile: {fault}")
            return None
        return _sampled(self._out.read_text(encoding="utf-8"))

    def under_cprofile(self) -> str:
        """Return what cProfile saw."""
        self._play([*WITH_FLOOR, "--cprofile", str(self._out)])
        text = io.StringIO()
        pstats.Stats(str(self._out), stream=text).sort_stats("tottime").print_stats(SHOWN)
        return text.getvalue()

    def _play(self, command: list[str]) -> None:
        folder, requests = KINDS[self._request].prepare(self._stage)
        file = self._stage.requests(*requests)
        with ExitStack() as stack:
            database_url = None
            if self._is_on_postgres:
                database = stack.enter_context(cluster())
                if folder.exists():  # else there is nothing to begin with
                    copied(folder, database)
                database_url = database.url
            server = stack.enter_context(Server(folder, command, database_url=database_url))
            load = play(
                self._stage.generator,
                server,
                file,
                connections=self._connections,
                seconds=self._seconds,
            )
            say(f"{load.rate:,.0f} requests a second, p99 {load.p99_ms:.1f} ms, while watched")
            if command[0] != sys.executable:
                # py-spy ends by itself, and ends the server.
                server.process.wait(STOP_S)


class _Thread:
    """The samples of one thread: which functions were on its stack."""

    def __init__(self) -> None:
        self.name = ""
        self.samples = 0
        self.own: Counter[str] = Counter()
        self.within: Counter[str] = Counter()

    def add(self, frames: list[str], count: int) -> None:
        """Count a stack, outermost function first."""
        self.samples += count
        self.own[frames[-1]] += count
        for frame in set(frames):
            self.within[frame] += count

    def __str__(self) -> str:
        rows = [
            (f"{self.own[frame] / self.samples:.1%}", f"{within / self.samples:.1%}", frame)
            for frame, within in self.within.most_common()
        ]
        rows.sort(key=lambda row: -float(row[0].rstrip("%")))
        lines = [f"{own:>7}  {within:>7}  {frame}" for own, within, frame in rows[:SHOWN]]
        head = f"{self.name}: busy in {self.samples:,} samples"
        return "\n".join([head, "   self     with  function", *lines])


def _sampled(stacks: str) -> str:
    """Return the functions of folded stacks by their share of the time of each thread."""
    threads: dict[str, _Thread] = defaultdict(_Thread)
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        head, *frames = stack.split(";")
        if not frames or any("importlib" in frame for frame in frames):
            continue  # the start is not what is looked at
        number, _, name = head.partition(": ")
        thread = threads[number]
        # The first samples of a thread come without its name.
        thread.name = thread.name or name
        thread.add(frames, int(count))
    busiest = sorted(threads.values(), key=lambda thread: -thread.samples)
    return "\n\n".join(str(thread) for thread in busiest if thread.samples >= FEW)

"""How much memory the server takes, and how soon it is there."""

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.cases.floor import APPENDED_TO, CREATE_WITH_MESSAGE, MESSAGE, folder_with_threads
from bench.measure import Request, play
from bench.process import WEFT, Server, environment
from bench.report import Result, Section, Target
from bench.stage import Stage, say

SECTION = Section("Size and start", "Measured on `weft serve` itself, each start on a new folder.")
CONNECTIONS = 64
CHUNK_S = 10.0


def memory(stage: Stage) -> Iterator[Result]:
    """Resident memory after very many requests of several kinds."""
    folder, ids = folder_with_threads(stage, APPENDED_TO)
    file = stage.requests(*(request for id_ in ids for request in _mixed(id_)))
    wanted = stage.scale.requests
    done = 0
    with Server(folder, WEFT) as server:
        at_start, _ = server.memory_mb()
        while done < wanted:
            done += play(
                stage.generator,
                server,
                file,
                connections=CONNECTIONS,
                seconds=min(CHUNK_S, stage.scale.seconds * 5),
            ).requests
            at_end, peak = server.memory_mb()
            say(f"  {done:,} of {wanted:,} requests: {at_end:.1f} MB")
    text = f"{at_end:.1f} MB; {at_start:.1f} MB when started, {peak:.1f} MB at its peak"
    yield _result(
        f"Memory after {wanted:,} requests (half read, half write)",
        text,
        at_end,
        Target.at_most(100, " MB"),
    )


def start(stage: Stage) -> Iterator[Result]:
    """How long `weft --version` and the first answer of `weft serve` take."""
    times = stage.scale.starts
    version_s = [_version_s() for _ in range(times * 2)]
    yield _seconds(f"`weft --version`, median of {times * 2}", version_s, 0.2)
    serve_s = [_serve_s(stage.new_path("data")) for _ in range(times)]
    yield _seconds(f"`weft serve` until its first answer, median of {times}", serve_s, 1)


def _mixed(thread_id: str) -> tuple[Request, ...]:
    return (
        Request("GET", f"/v1/threads/{thread_id}"),
        CREATE_WITH_MESSAGE,
        Request("GET", f"/v1/threads/{thread_id}/messages?limit=5"),
        Request("POST", f"/v1/threads/{thread_id}/messages", json.dumps(MESSAGE)),
    )


def _version_s() -> float:
    started = time.perf_counter()
    subprocess.run(
        [*WEFT[:3], "--version"], check=True, stdout=subprocess.DEVNULL, env=environment()
    )
    return time.perf_counter() - started


def _serve_s(folder: Path) -> float:
    started = time.perf_counter()
    with Server(folder, WEFT, with_key=False) as server:
        server.ask("GET", "/healthz")
        return time.perf_counter() - started


def _seconds(title: str, took_s: list[float], limit_s: float) -> Result:
    text = f"{statistics.median(took_s):.3f} s ({min(took_s):.3f} to {max(took_s):.3f})"
    return _result(title, text, statistics.median(took_s), Target.at_most(limit_s, " s"))


def _result(title: str, measured: str, figure: float, target: Target) -> Result:
    return Result(SECTION, {"Case": title, "Measured": measured}, figure, target)

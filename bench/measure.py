"""Playing requests against a server and reading what came of it.

wrk where it is installed (`apt-get install wrk`), otherwise `bench.load`. Both
take the same file of requests and report the same fields.
"""

import json
import math
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.process import Server

SCRIPT = Path(__file__).with_name("requests.lua")
TIMEOUT_S = 10


class Faulty(Exception):
    """Requests failed while a case was measured: its figures would mean nothing."""


class Request(NamedTuple):
    """One request; `path` is below the server's root, `body` is JSON on one line."""

    method: str
    path: str
    body: str = ""


class Load(NamedTuple):
    """What a generator saw. Percentiles are over all answers of the run."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


def wrk() -> str | None:
    """Return the path of wrk, or None."""
    return shutil.which("wrk")


def write_requests(file: Path, requests: Iterable[Request]) -> Path:
    """Write requests in an order of chance, for a generator to play round and round."""
    lines = [" ".join(request).rstrip(" ") for request in requests]
    secrets.SystemRandom().shuffle(lines)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def play(
    generator: str | None,
    server: Server,
    requests: Path,
    *,
    connections: int,
    seconds: float,
    prefix: str = "",
) -> Load:
    """Play requests for some seconds (whole ones with wrk), each path behind `prefix`.

    Raises: Faulty when any request failed.
    """
    if generator is None:
        command = [sys.executable, "-m", "bench.load"]
        command += ["--connections", str(connections), "--seconds", str(seconds), server.address]
    else:
        command = [generator, "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s"]
        command += [f"--timeout={TIMEOUT_S}s", "-s", str(SCRIPT), server.address, "--"]
    # A start by chance: every round sees other objects.
    start = secrets.SystemRandom().random()
    command += [str(requests), prefix, server.key, str(start)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Faulty(f"{' '.join(command[:3])} failed: {done.stdout}{done.stderr}")
    report = json.loads(done.stdout.splitlines()[-1])
    if report["errors"]:
        raise Faulty(f"{report['errors']} errors: {done.stdout}{done.stderr}{server.log()}")
    return Load(
        report["requests"],
        report["duration_us"] / 1e6,
        report["p50_us"] / 1000,
        report["p99_us"] / 1000,
    )

"""Where a case plays: a folder for its data, how large and how long, and the load."""

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.measure import Load, Request, play, write_requests
from bench.process import Server


class Scale(NamedTuple):
    """How large and how long. Times are in seconds."""

    seconds: float  # of one measurement
    rounds: int  # each side of a ratio is measured so often, in turns
    threads: int  # to read from
    many_threads: int  # for the metadata query
    long_thread: int  # messages
    many_created: int  # threads, for the rate of creation
    requests: int  # before memory is read
    starts: int
    fsyncs: int
    first_tokens: int  # heard through Weft and directly, in turns
    runs: int  # at the same time
    run_s: float  # how long each takes
    rates: int  # tried at most, to find the highest
    rate_s: float  # how long each is tried
    followers: int
    chunks: int  # in a vector store
    file_mb: int


FULL = Scale(
    seconds=2,
    rounds=3,
    threads=10_000,
    many_threads=1_000_000,
    long_thread=100_000,
    many_created=200_000,
    requests=1_000_000,
    starts=5,
    fsyncs=1_000,
    first_tokens=100,
    runs=1_000,
    run_s=20,
    rates=6,
    rate_s=10,
    followers=10_000,
    chunks=100_000,
    file_mb=500,
)
QUICK = Scale(
    seconds=0.5,
    rounds=1,
    threads=1_000,
    many_threads=20_000,
    long_thread=5_000,
    many_created=5_000,
    requests=5_000,
    starts=2,
    fsyncs=100,
    first_tokens=10,
    runs=50,
    run_s=2,
    rates=2,
    rate_s=2,
    followers=500,
    chunks=5_000,
    file_mb=50,
)

Side = Callable[[], Load]


class Stage:
    """What every case is given."""

    def __init__(self, folder: Path, scale: Scale, generator: str | None) -> None:
        self._folder = folder
        self._files = 0
        self.scale = scale
        self.generator = generator

    def new_path(self, name: str) -> Path:
        """Return a path in the stage's folder where nothing is yet."""
        self._files += 1
        return self._folder / f"{self._files:03d}-{name}"

    def requests(self, *requests: Request) -> Path:
        """Write requests to a new file."""
        return write_requests(self.new_path("requests"), requests)

    def side(self, server: Server, requests: Path, *, connections: int, prefix: str = "") -> Side:
        """Return one side of a comparison, ready to be measured."""

        def measure() -> Load:
            return play(
                self.generator,
                server,
                requests,
                connections=connections,
                seconds=self.scale.seconds,
                prefix=prefix,
            )

        return measure

    def in_turns(self, label: str, *sides: Side) -> list[list[Load]]:
        """Measure the sides one after another, round after round; return the loads of each."""
        loads: list[list[Load]] = [[] for _ in sides]
        for number in range(self.scale.rounds):
            for side, seen in zip(sides, loads, strict=True):
                seen.append(side())
            rates = " / ".join(f"{seen[-1].rate:,.0f}" for seen in loads)
            say(f"  {label}, round {number + 1} of {self.scale.rounds}: {rates} a second")
        return loads


def say(text: str) -> None:
    """Tell who waits how far it is."""
    print(text, file=sys.stderr, flush=True)


class Ratio(NamedTuple):
    """The median of the rounds' ratios, and the lowest and highest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(ones: Sequence[Load], others: Sequence[Load], of: Callable[[Load], float]) -> Ratio:
    """Compare loads that were measured in turns, round by round."""
    ratios = [of(one) / of(other) for one, other in zip(ones, others, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def median(loads: Sequence[Load], of: Callable[[Load], float]) -> float:
    """Return the median of a figure over rounds."""
    return statistics.median(of(load) for load in loads)


def rate(load: Load) -> float:
    """Requests a second."""
    return load.rate


def p50(load: Load) -> float:
    """Milliseconds within which half of the requests were answered."""
    return load.p50_ms


def p99(load: Load) -> float:
    """Milliseconds within which 99 of 100 requests were answered."""
    return load.p99_ms

"""What is measured. Each case takes a stage and yields results."""

from collections.abc import Callable, Iterator
from functools import partial

from bench.cases import (
    client,
    files,
    floor,
    followers,
    long_threads,
    patience,
    postgres,
    quality,
    runs,
    scale,
    search,
    weight,
)
from bench.report import Result
from bench.stage import Stage

Case = Callable[[Stage], Iterator[Result]]

CASES: dict[str, Case] = {
    **{name: partial(floor.against_floor, kind) for name, kind in floor.KINDS.items()},
    "last-messages": scale.last_messages,
    "metadata": scale.metadata,
    "creation": scale.creation,
    "slow-reader": patience.slow_reader,
    "idle-connections": patience.idle_connections,
    "run-long-thread": long_threads.first_token,
    "run-latency": runs.latency,
    "postgres": postgres.against_floor,
    "postgres-nodes": postgres.nodes,
    "postgres-runs": postgres.runs,
    "run-many": runs.many,
    "run-rate": runs.rate,
    "followers": followers.followers,
    "search-quality": quality.quality,
    "search-speed": search.speed,
    "indexing": search.indexing,
    "client": client.overhead,
    "files": files.files,
    "memory": weight.memory,
    "start": weight.start,
}

"""How much of the floor remains: the same process and checks, with a constant answer."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bench.fill import fill, thread
from bench.measure import Request
from bench.process import Server
from bench.report import Result, Section, Target
from bench.server import BARE, FLOOR, TEXT
from bench.stage import Ratio, Stage, median, p50, p99, rate, ratio, say
from weft.domain.ids import Ids
from weft.main import now_us

SECTION = Section(
    "Against the floor",
    "The floor is the same process with the same key check, decoding and checking, answering a "
    "constant of equal size without a database; bare is a uvicorn answer of equal size without "
    "any of that.",
)
CONNECTIONS = (1, 16, 64)
APPENDED_TO = 1_000  # threads

MESSAGE = {"role": "user", "content": TEXT}
CREATE_EMPTY = Request("POST", "/v1/threads")
CREATE_WITH_MESSAGE = Request("POST", "/v1/threads", json.dumps({"messages": [MESSAGE]}))


def folder_with_threads(stage: Stage, count: int) -> tuple[Path, list[str]]:
    """Return a new data folder with threads in it, and their ids."""
    make = Ids(now_us)
    ids = [make.new("thread_") for _ in range(count)]
    folder = stage.new_path("data")
    fill(folder, map(thread, ids))
    return folder, ids


class Kind(NamedTuple):
    """A kind of request: what to fill a folder with and ask for, and its target by connections."""

    title: str
    prepare: Callable[[Stage], tuple[Path, list[Request]]]
    targets: Mapping[int, Target]


def _nothing(request: Request) -> Callable[[Stage], tuple[Path, list[Request]]]:
    return lambda stage: (stage.new_path("data"), [request])


def _any_thread(stage: Stage) -> tuple[Path, list[Request]]:
    folder, ids = folder_with_threads(stage, stage.scale.threads)
    return folder, [Request("GET", f"/v1/threads/{id_}") for id_ in ids]


def _to_any_thread(stage: Stage) -> tuple[Path, list[Request]]:
    folder, ids = folder_with_threads(stage, APPENDED_TO)
    body = json.dumps(MESSAGE)
    return folder, [Request("POST", f"/v1/threads/{id_}/messages", body) for id_ in ids]


_CREATE_TARGETS = {16: Target.at_least(0.35), 64: Target.at_least(0.55)}

KINDS = {
    "create-empty": Kind("POST /threads, empty", _nothing(CREATE_EMPTY), _CREATE_TARGETS),
    "create-with-message": Kind(
        "POST /threads, one message", _nothing(CREATE_WITH_MESSAGE), _CREATE_TARGETS
    ),
    "get": Kind("GET /threads/{id}", _any_thread, dict.fromkeys(CONNECTIONS, Target.at_least(0.7))),
    "append": Kind("POST /threads/{id}/messages", _to_any_thread, {64: Target.at_least(0.5)}),
}


def against_floor(kind: Kind, stage: Stage) -> Iterator[Result]:
    """Measure a kind of request beside its floor and a bare answer, with 1, 16, 64 connections."""
    folder, requests = kind.prepare(stage)
    file = stage.requests(*requests)
    with Server(folder) as server:
        _require_equal_sizes(server, requests[0])
        say("  warming up")
        for prefix in ("", FLOOR, BARE):
            stage.side(server, file, connections=16, prefix=prefix)()
        for connections in CONNECTIONS:
            real, floor, bare = stage.in_turns(
                f"{connections} connections, Weft / floor / bare",
                *(
                    stage.side(server, file, connections=connections, prefix=prefix)
                    for prefix in ("", FLOOR, BARE)
                ),
            )
            of_floor: Ratio = ratio(real, floor, rate)
            cells = {
                "Request": kind.title,
                "Connections": str(connections),
                "Requests/s": f"{median(real, rate):,.0f}",
                "p50 ms": f"{median(real, p50):.2f}",
                "p99 ms": f"{median(real, p99):.2f}",
                "Floor/s": f"{median(floor, rate):,.0f}",
                "Bare/s": f"{median(bare, rate):,.0f}",
                "Of bare": f"{ratio(real, bare, rate).median:.2f}",
                "Of the floor": str(of_floor),
            }
            yield Result(SECTION, cells, of_floor.median, kind.targets.get(connections))


def _require_equal_sizes(server: Server, request: Request) -> None:
    """Check that the constants are as large as the real answer."""
    sizes = {
        prefix: len(server.ask(request.method, prefix + request.path, request.body))
        for prefix in ("", FLOOR, BARE)
    }
    if len(set(sizes.values())) != 1:
        raise RuntimeError(f"the floor of {request.path} has another size: {sizes}")

"""Very many who follow a run in which nothing happens."""

import asyncio
import json
import resource
import time
from collections.abc import Iterator

from bench.cases.runs import SECTION
from bench.crowd import Crowd
from bench.listener import Listener, Relayed, request
from bench.model_server import Speech
from bench.process import Server
from bench.relay import Relay, opened, relay, run
from bench.report import Result
from bench.server import TEXT
from bench.stage import Stage

# It waits for another that never comes, with the connection open.
SILENCE = Speech(0, 0, together=2)
STARTED_WITHIN_S = 10.0
TOLD_WITHIN_S = 60.0
OTHER_FILES = 100  # that a server has open besides connections


def followers(stage: Stage) -> Iterator[Result]:
    """The memory of a follower of a run whose model is silent, and that all hear its end."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(stage.scale.followers, most - OTHER_FILES)
    with relay(stage) as pair:
        path = _waiting_run(pair)
        of_each_kb, told_s = run(_follow(pair.server, path, count))
    yield Result(
        SECTION,
        {
            "Case": f"{count:,} idle followers of one run: memory of each",
            "Measured": f"{of_each_kb:.1f} kB, its connection included; when the run was "
            f"cancelled, all had heard it after {told_s:.2f} s",
        },
        of_each_kb,
        None,
    )


def _waiting_run(pair: Relay) -> str:
    """Start a run that waits for its model, and return its path."""
    thread = {"messages": [{"role": "user", "content": TEXT}]}
    body = {"assistant_id": pair.assistant_id, "model": SILENCE.model, "thread": thread}
    made = json.loads(pair.server.ask("POST", "/v1/threads/runs", json.dumps(body)))
    path = f"/v1/threads/{made['thread_id']}/runs/{made['id']}"
    deadline = time.monotonic() + STARTED_WITHIN_S
    while json.loads(pair.server.ask("GET", path))["status"] != "in_progress":
        if time.monotonic() > deadline:
            raise RuntimeError(f"the run did not start: {pair.server.log()}")
    return path


async def _follow(server: Server, path: str, count: int) -> tuple[float, float]:
    """Return the memory of each follower in kB, and the seconds in which all heard the end."""
    asking = request(server, "GET", f"{path}?stream=true")
    crowd = Crowd(server)
    # The first ones fill what all share.
    listeners = await _following(crowd, count // 10, asking)
    before_mb, _ = server.memory_mb()
    listeners += await _following(crowd, count - len(listeners), asking)
    after_mb, _ = server.memory_mb()
    started = time.monotonic()
    await asyncio.to_thread(server.ask, "POST", f"{path}/cancel")
    async with asyncio.timeout(TOLD_WITHIN_S):
        await asyncio.gather(*(listener.closed for listener in listeners))
    told_s = time.monotonic() - started
    for listener in listeners:
        listener.require_whole()
    return (after_mb - before_mb) * 1000 / (count - count // 10), told_s


async def _following(crowd: Crowd, count: int, asking: bytes) -> list[Listener]:
    """Return so many more who have heard what there was to hear so far."""
    listeners = await opened(crowd, count, lambda: Relayed(crowd, asking, SILENCE))
    async with asyncio.timeout(TOLD_WITHIN_S):
        await asyncio.gather(*(asyncio.shield(listener.began) for listener in listeners))
    return listeners

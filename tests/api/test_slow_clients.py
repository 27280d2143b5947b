"""Clients that read slowly, or not at all: they cost little, and others do not feel them."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.api.making import a_thread, an_assistant
from tests.api.running import (
    USER,
    a_demo,
    a_run,
    another,
    at_rest,
    following,
    path_of,
    text_of,
)
from tests.harness import Api, Server, api_of
from tests.llm.upstream import chunk, serving, stream

FOLLOW = {"stream": "true"}
SLOW = 30  # many, so that what all streams take together weighs little
PIECES, PIECE = 600, "x" * 16_384  # 10 MB, and the stream ends with the whole message again


def memory_mb(server: Server) -> float:
    """Return what a server's process holds in memory."""
    command = ["ps", "-o", "rss=", "-p", str(server.process.pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


@pytest.fixture
def flood(tmp_path: Path) -> Iterator[tuple[Server, Api]]:
    """A server whose model says very much, as fast as it can."""
    with serving() as upstream:
        upstream.play(stream(*[chunk({"content": PIECE})] * PIECES, chunk({}, finish="stop")))
        env = {"WEFT_MODEL_URL": upstream.url}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            yield server, api


def test_clients_that_do_not_read_hold_no_memory_and_lose_nothing(
    flood: tuple[Server, Api],
) -> None:
    server, api = flood
    assistant = an_assistant(api)
    run = at_rest(api, a_run(api, a_thread(api, messages=[USER]), assistant))
    api.events("GET", path_of(run), params=FOLLOW)
    before_mb = memory_mb(server)  # with what one run and one client take
    run = a_run(api, a_thread(api, messages=[USER]), assistant)
    with ExitStack() as opened:
        slow = []
        for _ in range(SLOW):
            own = opened.enter_context(another(api))
            slow.append(opened.enter_context(following(own, "GET", path_of(run), params=FOLLOW)))
            slow[-1].next()
        whole = api.events("GET", path_of(run), params=FOLLOW)
        assert len(text_of(whole)) == PIECES * len(PIECE)
        # If what they do not read were kept for them, it would be 20 MB for each.
        assert memory_mb(server) - before_mb < 10 * SLOW
        # Others are served meanwhile.
        other = at_rest(api, a_run(api, a_thread(api, messages=[USER]), a_demo(api)))
        assert other["status"] == "completed"
        # Once they read, they are told everything.
        for stream_ in (slow[0], slow[-1]):
            assert stream_.rest() == whole[1:]

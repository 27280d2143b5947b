"""The database goes away in the middle of runs: they go on when it is back."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.making import a_thread, an_assistant
from tests.api.running import (
    USER,
    a_run,
    following,
    gated,
    messages_of,
    path_of,
    said,
    text_of,
)
from tests.cluster.processes import Town, town_on, until
from tests.harness import Api
from tests.llm.upstream import text
from tests.postgres import Cluster, cluster
from weft.store.postgres.schema import migrate

STREAM = {"stream": "true"}
ENDED = "thread.run.completed"


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A PostgreSQL server to be maltreated, migrated."""
    with cluster() as running:
        migrate(running.url)
        yield running


@pytest.fixture
def town(server: Cluster, tmp_path: Path) -> Iterator[Town]:
    """Nodes on it."""
    with town_on(server.url, tmp_path) as opened:
        yield opened


@contextmanager
def standing_still(server: Cluster) -> Iterator[None]:
    """Stop every process of a server: connections stay, and nobody answers."""
    assert server.process is not None
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    everybody = [main, *map(int, children)]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)


def serves(api: Api) -> bool:
    """Whether a node reaches its database."""
    return api.http.get("/v1/assistants").status_code == 200


def sound(api: Api, run: Any) -> None:
    """Assert that a run ended as it should, in one answer or, after a new attempt, in two."""
    events = api.events("GET", path_of(run), params=STREAM)
    assert events[-1].name == ENDED
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    own = [message for message in messages_of(api, run) if message["run_id"] == run["id"]]
    assert text_of(events) == "".join(map(said, own))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in order", "crashed"])
def test_runs_go_on_after_a_restart_of_the_database(
    how: signal.Signals, town: Town, server: Cluster
) -> None:
    """One is in the middle of its answer, one is queued behind it, one comes afterwards."""
    node, other = town.node(), town.node()
    answer, gate = gated("Rain", " and", " wind.")
    town.upstream.play(answer, text("Sun."))
    thread, assistant = a_thread(node.api, messages=[USER]), an_assistant(node.api)
    run = a_run(node.api, thread, assistant)
    gate.let(1)
    with following(other.api, "GET", path_of(run), params=STREAM) as stream:
        stream.until("thread.message.delta")
    waiting = a_run(other.api, thread, assistant, queue_when_busy=True)
    server.stop(how)
    gate.let(1)
    server.start()
    until(lambda: serves(node.api) and serves(other.api))
    gate.open()
    for one in (run, waiting, a_run(other.api, thread, assistant, queue_when_busy=True)):
        sound(node.api, one)


def test_a_stream_outlives_the_database(town: Town, server: Cluster) -> None:
    """Its client sees a pause, or is cut off and re-attaches: nothing is missing either way."""
    node = town.node()
    answer, gate = gated("Rain", " and", " wind.")
    town.upstream.play(answer, text("Sun."))
    run = a_run(node.api, a_thread(node.api, messages=[USER]), an_assistant(node.api))
    gate.let(1)
    with following(node.api, "GET", path_of(run), params=STREAM) as stream:
        seen = stream.until("thread.message.delta")
        server.stop(signal.SIGQUIT)
        server.start()
        gate.open()
        seen += stream.rest(is_cut=True)
    if not seen[-1].number:
        seen.pop()  # the word that it ends here
    until(lambda: serves(node.api))
    if seen[-1].name != ENDED:
        last = {"Last-Event-ID": str(len(seen))}
        seen += node.api.events("GET", path_of(run), params=STREAM, headers=last)
    assert [event.number for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].name == ENDED
    sound(node.api, run)


@pytest.mark.full
def test_runs_go_on_after_the_database_stood_still_for_twenty_seconds(
    town: Town, server: Cluster
) -> None:
    """Longer than a worker may be silent: nobody is taken for dead because of it for long."""
    node, other = town.node(), town.node()
    answer, gate = gated("Rain", " and", " wind.")
    town.upstream.play(answer, text("Sun."))
    run = a_run(node.api, a_thread(node.api, messages=[USER]), an_assistant(node.api))
    gate.let(1)
    with following(node.api, "GET", path_of(run), params=STREAM) as stream:
        stream.until("thread.message.delta")
    stood_still_at = time.monotonic()
    with standing_still(server):
        gate.let(1)
        until(lambda: not serves(node.api) and time.monotonic() > stood_still_at + 20, 40)
    until(lambda: serves(node.api) and serves(other.api))
    gate.open()
    sound(other.api, run)
    sound(node.api, a_run(other.api, run["thread_id"], run["assistant_id"]))

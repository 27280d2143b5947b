"""A server that is told to stop in the middle of its work: it is quick, and nothing is lost."""

import asyncio
import itertools
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from tests.api.making import a_thread, an_assistant
from tests.api.running import (
    DONE,
    USER,
    Follower,
    a_run,
    another,
    following,
    messages_of,
    path_of,
    runs_of,
    said,
    text_of,
)
from tests.contract.checker import Event, check_events
from tests.harness import Api, Server, api_of
from tests.llm.upstream import Behaviour, Call, chunk, serving, stream

FOLLOW = {"stream": "true"}
STREAMS = 50
STOP_S = 10.0  # what is promised
PATIENCE_S = 60.0


def chattering(is_over: threading.Event) -> Behaviour:
    """Say three words, then more of them until it is over."""

    async def play(call: Call) -> None:
        await call.begin()
        for number in itertools.count():
            await call.event(chunk({"content": f"{number} "}))
            if number >= 2 and (is_over.is_set() or call.is_left):
                break
            await asyncio.sleep(0.05)
        await call.event(chunk({}, finish="stop"))
        await call.event(b"[DONE]")
        await call.end()

    return play


class Cut(NamedTuple):
    """What a client had seen when its server stopped."""

    run: Any
    events: list[Event]


def each(act: Callable[[int], Any]) -> list[Any]:
    """Let each of the clients act, all at the same time."""
    with ThreadPoolExecutor(STREAMS) as pool:
        return list(pool.map(act, range(STREAMS)))


def begun(stream: Follower) -> list[Event]:
    """Read until the model speaks, in more than one piece."""
    return [event for _ in range(3) for event in stream.until("thread.message.delta")]


def test_many_live_streams_are_ended_within_ten_seconds_and_go_on_after_the_start(
    tmp_path: Path,
) -> None:
    is_over, are_live = threading.Event(), threading.Barrier(STREAMS + 1)
    with serving() as upstream:
        upstream.play(chattering(is_over))
        env = {"WEFT_MODEL_URL": upstream.url}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            assistant = an_assistant(api)

            def follow(_: int) -> Cut:
                with another(api) as own:
                    path = runs_of(a_thread(own, messages=[USER]))
                    body = {"assistant_id": assistant, "stream": True}
                    with following(own, "POST", path, body) as stream:
                        seen = begun(stream)
                        are_live.wait(PATIENCE_S)
                        seen += stream.rest(is_cut=True)
                assert DONE not in stream.received
                return Cut(seen[0].data, seen)

            with ThreadPoolExecutor(1) as all_of_them:
                cuts = all_of_them.submit(each, follow)
                are_live.wait(PATIENCE_S)
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(STOP_S) == 0
            assert "Traceback" not in server.log_path.read_text()
        is_over.set()
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            each(lambda number: goes_on(api, cuts.result()[number]))


def goes_on(api: Api, cut: Cut) -> None:
    """Re-attach to a run whose server stopped: what was seen and the rest are one story."""
    with another(api) as own:
        path = path_of(cut.run)
        headers = {"Last-Event-ID": str(cut.events[-1].number)}
        story = [*cut.events, *own.events("GET", path, params=FOLLOW, headers=headers)]
        assert [event.number for event in story] == list(range(1, len(story) + 1))
        assert story == own.events("GET", path, params=FOLLOW)
        assert own.ok("GET", path) == story[-1].data
        assert story[-1].data["status"] == "completed"
        _, broken_off, whole = messages_of(own, cut.run)
        assert (broken_off["status"], whole["status"]) == ("incomplete", "completed")
        assert said(broken_off) + said(whole) == text_of(story)


@pytest.mark.full
def test_a_client_that_does_not_read_is_cut_off_and_can_go_on_after_the_start(
    tmp_path: Path,
) -> None:
    with serving() as upstream:
        upstream.play(stream(*[chunk({"content": "x" * 16_384})] * 600, chunk({}, finish="stop")))
        env = {"WEFT_MODEL_URL": upstream.url}
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            run = a_run(api, a_thread(api, messages=[USER]), an_assistant(api))
            path = path_of(run)
            with api.http.stream("GET", f"/v1{path}", params=FOLLOW) as slow:
                with another(api) as own:
                    whole = own.events("GET", path, params=FOLLOW)
                server.process.send_signal(signal.SIGTERM)
                assert server.process.wait(STOP_S) == 0
                seen = whole_frames(slow)
            log = server.log_path.read_text()
            assert "Traceback" not in log
            assert "ERROR" not in log
        assert 0 < len(seen) < len(whole)
        with Server(tmp_path / "data", env=env) as server, api_of(server) as api:
            headers = {"Last-Event-ID": str(seen[-1].number)}
            rest = api.events("GET", path, params=FOLLOW, headers=headers)
    assert [*seen, *rest] == whole


def whole_frames(answer: httpx2.Response) -> list[Event]:
    """Read what comes of a stream before it breaks, up to the last frame that is whole."""
    received = b""
    with suppress(httpx2.RemoteProtocolError):
        for piece in answer.iter_raw():
            received += piece
    return check_events(received[: received.rindex(b"\n\n") + 2], is_cut=True)

"""Streams that break: cut at any byte, they go on behind the last event and repeat nothing."""

import asyncio
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.client.slow import MODEL, Slow
from tests.client.trouble import LOST, Cutter, Reply, cutting, failure, scripted
from tests.harness import Server
from weft import (
    ApiError,
    AsyncClient,
    Client,
    Event,
    NoAnswer,
    NotFound,
    Retries,
    SpecClient,
    UnreadableAnswer,
)
from weft.client.core import Core
from weft.client.description import EVENTS, Description
from weft.client.events import Frames
from weft.client.setting import Credentials
from weft.wire.runs import RunObject

PATIENT = Retries(requests=3, first_wait_s=0.0)


class Front:
    """A server behind a proxy, a client of each, and a run with its events."""

    def __init__(self, server: Server, address: str, cutter: Cutter) -> None:
        self.url = f"{address}/v1"
        self.cutter = cutter
        self.direct = Client(f"{server.address}/v1")
        # Each request has a connection of its own, which the proxy may cut.
        self.client = Client(self.url, retries=PATIENT, headers={"Connection": "close"})
        self.assistant_id = self.direct.create_assistant(body={"model": "weft-demo"}).id
        self.thread_id = self.new_thread()
        self.events = list(self.create())
        run = self.events[-1].run
        assert run is not None
        assert run.status == "completed"
        self.run_id = run.id

    def new_thread(self) -> str:
        """Return a thread with a question."""
        message = {"role": "user", "content": "Hi"}
        return self.direct.create_thread(body={"messages": [message]}).id

    def create(self, thread_id: str | None = None) -> Sequence[Event]:
        """Return the events of a run that is made through the proxy."""
        body = {"assistant_id": self.assistant_id}
        with self.client.create_run(thread_id or self.thread_id, body=body, stream=True) as stream:
            return list(stream)

    def follow(self) -> list[Event]:
        """Return the events of the run that there is, replayed through the proxy."""
        with self.client.get_run(self.thread_id, self.run_id, stream=True) as stream:
            return list(stream)

    def bytes_of(self, act: str) -> int:
        """Return how many bytes of answers a call brings when nothing is cut."""
        before = self.cutter.passed
        self.follow() if act == "follow" else self.create(self.new_thread())
        return self.cutter.passed - before

    def close(self) -> None:
        """Let go of the connections."""
        self.client.close()
        self.direct.close()


@pytest.fixture(scope="module")
def front(server: Server) -> Iterator[Front]:
    """A proxy in front of the shared server, for all tests here."""
    with cutting(server.address) as (address, cutter):
        found = Front(server, address, cutter)
        yield found
        found.close()


def names(events: Sequence[Event]) -> list[str]:
    """Return what happened, and when each was numbered."""
    return [f"{event.id} {event.event}" for event in events]


def _cut_replay(front: Front, places: Sequence[int]) -> None:
    for place in places:
        front.cutter.cuts = [place]
        assert front.follow() == front.events, f"cut behind {place} bytes"


def _cut_creation(front: Front, places: Sequence[int]) -> None:
    """A run whose first stream is cut is made once, and nothing of it is lost or said twice."""
    for place in places:
        front.cutter.cuts = [place]
        thread_id = front.new_thread()
        events = front.create(thread_id)
        assert names(events) == names(front.events), f"cut behind {place} bytes"
        assert len(front.direct.list_runs(thread_id).first().data) == 1


def test_a_replay_that_is_cut_goes_on_behind_the_last_event(front: Front) -> None:
    total = front.bytes_of("follow")
    _cut_replay(front, [*range(0, total, total // 40), total - 1])


def test_a_run_whose_stream_is_cut_is_made_once_and_followed_to_its_end(front: Front) -> None:
    total = front.bytes_of("create")
    _cut_creation(front, [*range(0, total, total // 25), total - 1])


@pytest.mark.full
def test_a_replay_may_be_cut_at_every_byte(front: Front) -> None:
    _cut_replay(front, range(front.bytes_of("follow")))


@pytest.mark.full
def test_the_first_stream_of_a_run_may_be_cut_at_every_byte(front: Front) -> None:
    _cut_creation(front, range(front.bytes_of("create")))


def test_a_stream_may_break_again_and_again_as_long_as_it_goes_on(front: Front) -> None:
    """Only attempts that bring nothing new are counted."""
    patience = Retries(streams=2, first_wait_s=0.0)
    front.cutter.cuts = [2500] * 100
    with (
        Client(front.url, retries=patience, headers={"Connection": "close"}) as client,
        client.get_run(front.thread_id, front.run_id, stream=True) as stream,
    ):
        assert list(stream) == front.events
    assert len(front.cutter.cuts) < 100 - 2 * patience.streams
    front.cutter.cuts = []


def test_a_thread_and_run_whose_stream_is_cut_are_made_once(front: Front) -> None:
    """Between the first event and the one that names the run, the request is sent again."""
    message = {"role": "user", "content": "Hi"}
    body = {"assistant_id": front.assistant_id, "thread": {"messages": [message]}}
    with front.client.create_thread_and_run(body=body, stream=True) as stream:
        wanted = names(list(stream))
    for place in range(0, 3000, 150):
        front.cutter.cuts = [place]
        before = len(list(front.direct.list_threads(limit=100)))
        with front.client.create_thread_and_run(body=body, stream=True) as stream:
            assert names(list(stream)) == wanted, f"cut behind {place} bytes"
        assert len(list(front.direct.list_threads(limit=100))) == before + 1


def test_a_server_that_is_stopped_and_started_goes_on_with_its_streams(slow: Slow) -> None:
    """It ends every stream properly, but without saying that the run is done."""
    thread = slow.client.create_thread(body={"messages": [{"role": "user", "content": "Hi"}]})
    assistant = slow.client.create_assistant(body={"model": MODEL})
    slow.gate.let(1)
    stream = slow.client.create_run(thread.id, body={"assistant_id": assistant.id}, stream=True)
    with stream:
        begun = next(event for event in stream if event.text)
        assert begun.text == "warp "
        slow.stop_and_start()
        slow.gate.open()
        rest = list(stream)
    assert rest[-1].event == "thread.run.completed"
    assert "".join(event.text for event in rest).endswith("warp weft loom")


def test_the_asynchronous_client_goes_on_as_well(front: Front) -> None:
    total = front.bytes_of("create")

    async def follow(place: int) -> list[Event]:
        async with AsyncClient(front.url, retries=PATIENT) as client:
            front.cutter.cuts = [place, place]
            body = {"assistant_id": front.assistant_id}
            thread_id = front.new_thread()
            async with await client.create_run(thread_id, body=body, stream=True) as stream:
                return [event async for event in stream]

    for place in range(0, total, total // 8):
        assert names(asyncio.run(follow(place))) == names(front.events)


def test_a_stream_that_cannot_go_on_is_told_of_in_the_end(front: Front) -> None:
    front.cutter.cuts = [0] * 100
    with pytest.raises(NoAnswer):
        front.follow()
    assert len(front.cutter.cuts) == 100 - (PATIENT.streams + 1)
    front.cutter.cuts = []


def test_a_thread_that_is_deleted_ends_its_stream_with_an_error(front: Front) -> None:
    thread_id = front.new_thread()
    run = front.create(thread_id)[-1].run
    assert run is not None
    stream = front.client.get_run(thread_id, run.id, stream=True)
    front.direct.delete_thread(thread_id)
    with stream, pytest.raises(NotFound):
        front.client.get_run(thread_id, run.id, stream=True)


def test_a_stream_can_be_left_at_any_event_and_its_connection_is_let_go(front: Front) -> None:
    for count in range(1, 5):
        with front.client.get_run(front.thread_id, front.run_id, stream=True) as stream:
            seen = [event for event, _ in zip(stream, range(count), strict=False)]
        assert names(seen) == names(front.events)[:count]
        assert list(stream) == []
        deadline = time.monotonic() + 10
        while front.cutter.open_count:
            assert time.monotonic() < deadline, "the connection is still open"


def test_a_stream_begins_when_it_is_asked_for_and_has_status_and_headers(front: Front) -> None:
    thread_id = front.new_thread()
    body = {"assistant_id": front.assistant_id}
    stream = front.client.create_run(thread_id, body=body, stream=True)
    assert len(front.direct.list_runs(thread_id).first().data) == 1
    assert stream.response.status == 200
    assert stream.response.headers["content-type"].startswith(EVENTS)
    assert str(stream.response.request_id).startswith("req_")
    stream.close()


def test_an_event_has_its_number_its_name_and_typed_data(front: Front) -> None:
    created, *_, ended = front.events
    assert (created.id, created.event) == ("1", "thread.run.created")
    assert isinstance(ended.data, RunObject)
    assert ended.run is ended.data
    assert (ended.step, ended.message, ended.text) == (None, None, "")
    said = "".join(event.text for event in front.events)
    (message,) = [each.message for each in front.events if each.event.endswith("message.completed")]
    assert message is not None
    assert message.content[0].text.value == said  # type: ignore[union-attr]  # it is a text
    steps = [event.step for event in front.events if event.step is not None]
    assert {step.status for step in steps} == {"in_progress", "completed"}


def test_going_on_can_begin_behind_an_event_that_was_seen_elsewhere(front: Front) -> None:
    total = front.bytes_of("follow")
    front.cutter.cuts = [total // 2]
    with front.client.get_run(
        front.thread_id, front.run_id, stream=True, starting_after=3
    ) as stream:
        assert list(stream) == front.events[3:]


# --- streams of others --------------------------------------------------------------------------

TICKS = {
    "openapi": "3.1.0",
    "paths": {
        "/ticks": {
            method: {
                "operationId": f"{method}_ticks",
                "responses": {"200": {"content": {EVENTS: {"schema": {"type": "string"}}}}},
            }
            for method in ("get", "post")
        }
    },
}


def ticks(method: str, *replies: Reply) -> tuple[list[Event], list[dict[str, str]]]:
    """Return the events of a foreign stream, and the headers of the requests."""
    with scripted(*replies) as (address, script):
        description = Description(TICKS)
        core = Core(lambda: description, address, Credentials(), retries=PATIENT)
        with SpecClient(core) as client, getattr(client, f"{method}_ticks")(stream=True) as stream:
            return list(stream), [dict(request.headers) for request in script.sent]


def events(text: str, length: int | None = None) -> Reply:
    """Return a stream; with a `length` beyond its end it breaks there."""
    headers = {"Content-Type": EVENTS}
    return Reply(200, text.encode(), headers, length)


def test_a_foreign_stream_is_read_to_its_end() -> None:
    found, sent = ticks("post", events('data: {"n": 1}\n\nevent: tock\ndata: x\n\n'))
    assert found == [Event(None, "message", {"n": 1}), Event(None, "tock", "x")]
    assert len(sent) == 1


def test_a_foreign_get_goes_on_with_last_event_id_as_browsers_do() -> None:
    found, sent = ticks(
        "get",
        events("id: a1\ndata: 1\n\nid: a2\ndata: 2\n\nid: a3\ndata: 3", 999),
        events("id: a3\ndata: 3\n\ndata: [DONE]\n\n"),
    )
    assert [event.data for event in found] == [1, 2, 3]
    assert [headers.get("last-event-id") for headers in sent] == [None, "a2"]


def test_a_foreign_post_that_breaks_is_not_sent_again() -> None:
    with pytest.raises(NoAnswer):
        ticks("post", events("data: 1\n\n", 999), events("data: 2\n\n"))


def test_an_error_in_a_stream_is_raised() -> None:
    text = 'event: error\ndata: {"error": {"message": "Broke.", "code": "c"}}\n\n'
    with pytest.raises(ApiError, match=r"Broke\.") as caught:
        ticks("get", events(f"data: 1\n\n{text}"))
    assert caught.value.code == "c"


def test_what_is_no_stream_is_told() -> None:
    with pytest.raises(UnreadableAnswer):
        ticks("get", Reply(200, b"{}"))


@pytest.mark.parametrize("trouble", [LOST, failure(503, retry_after="0"), failure(429)])
def test_a_stream_that_does_not_begin_is_asked_for_again(trouble: Reply) -> None:
    found, sent = ticks("get", trouble, trouble, events("data: 1\n\n"))
    assert [event.data for event in found] == [1]
    assert len(sent) == 3


def test_a_refused_stream_is_not_asked_for_again() -> None:
    with pytest.raises(NotFound):
        ticks("get", failure(404), events("data: 1\n\n"))


# --- frames -------------------------------------------------------------------------------------

FRAMES = (
    "\ufeff: comment\r\nid: 1\r\nevent: a\r\ndata: one\r\ndata: two\r\n\r\n"
    "data:three\r\rid\ndata\n\nevent: lost\n\n: ping\nretry: 5\ndata:  é\U0001f469\n\n"
)


@pytest.mark.parametrize("size", range(1, 20))
def test_frames_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    raw = FRAMES.encode()
    reader = Frames()
    found = [
        (frame.id, frame.name, frame.data)
        for start in range(0, len(raw), size)
        for frame in reader.feed(raw[start : start + size])
    ]
    assert found == [
        ("1", "a", "one\ntwo"),
        (None, "message", "three"),
        ("", "message", ""),
        (None, "message", " é\U0001f469"),
    ]


def test_half_a_frame_is_no_event() -> None:
    assert list(Frames().feed(b"id: 1\ndata: one\n")) == []

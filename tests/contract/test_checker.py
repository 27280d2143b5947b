"""The checker refuses what the contract does not promise: it guards every other test."""

from typing import Any

import pytest

from tests.contract.checker import check_answer, check_events
from weft.wire.example_objects import THREAD_ID
from weft.wire.examples import EXAMPLES

THREAD = {
    "id": "thread_abc123",
    "object": "thread",
    "created_at": 1699012949,
    "metadata": {},
    "tool_resources": {},
}
ERROR = {"error": {"message": "x", "type": "invalid_request_error", "param": None, "code": None}}


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("POST", "/threads", 200, THREAD),
        ("GET", "/threads/thread_abc123", 200, THREAD),
        ("GET", "/threads/thread_abc123/", 200, THREAD),
        ("GET", "/threads/thread_abc123", 404, ERROR),
        ("POST", "/threads//messages", 400, ERROR),
        ("GET", "/nowhere", 404, ERROR),
        ("PUT", "/threads", 405, ERROR),
    ],
)
def test_a_promised_answer_passes(method: str, path: str, status: int, body: Any) -> None:
    check_answer(method, path, status, body)


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        pytest.param("POST", "/threads", 200, THREAD | {"title": "x"}, id="unknown property"),
        pytest.param(
            "POST",
            "/threads",
            200,
            THREAD | {"tool_resources": {"file_search": {"vector_store_ids": [], "x": 1}}},
            id="unknown property further down",
        ),
        pytest.param("POST", "/threads", 200, {"id": "thread_abc123"}, id="missing property"),
        pytest.param("POST", "/threads", 200, THREAD | {"id": 1}, id="wrong type"),
        pytest.param("POST", "/threads", 200, ERROR, id="error as a success"),
        pytest.param("POST", "/threads", 201, THREAD, id="status that is not promised"),
        pytest.param("POST", "/threads", 409, ERROR, id="error that is not promised"),
        pytest.param("GET", "/threads/thread_abc123", 404, THREAD, id="success as an error"),
        pytest.param("GET", "/threads", 404, {"error": "not found"}, id="error without fields"),
        pytest.param("GET", "/nowhere", 404, {"detail": "x"}, id="unknown path, other error"),
        pytest.param("GET", "/nowhere", 200, THREAD, id="unknown path that works"),
        pytest.param("PUT", "/threads", 200, THREAD, id="unknown method that works"),
    ],
)
def test_anything_else_is_refused(method: str, path: str, status: int, body: Any) -> None:
    with pytest.raises(AssertionError, match=path):
        check_answer(method, path, status, body)


(STREAM,) = [
    each.answer.encode()
    for each in EXAMPLES
    if isinstance(each.answer, str) and "event: " in each.answer
]
DONE = b"event: done\ndata: [DONE]\n\n"
CUT = STREAM.removesuffix(DONE)
FIRST = CUT.index(b"\n\n") + 2


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(STREAM, id="a stream"),
        pytest.param(b": ping\n" + STREAM, id="a keep-alive ahead of a frame"),
        pytest.param(CUT + b": ping\n: ping\n" + DONE, id="two keep-alives ahead of the end"),
    ],
)
def test_a_promised_stream_passes(stream: bytes) -> None:
    assert [event.name for event in check_events(stream)] == [
        "thread.run.step.completed",
        "thread.run.completed",
    ]


def test_a_stream_may_be_cut_behind_a_frame_if_that_is_expected() -> None:
    assert len(check_events(CUT, is_cut=True)) == 2
    assert len(check_events(CUT[:FIRST] + b": ping\n", is_cut=True)) == 1
    assert check_events(b"", is_cut=True) == []
    with pytest.raises(AssertionError):
        check_events(CUT[:-1], is_cut=True)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(CUT, id="no end"),
        pytest.param(STREAM + DONE, id="two ends"),
        pytest.param(CUT[:FIRST] + DONE + CUT[FIRST:] + DONE, id="an end in the middle"),
        pytest.param(STREAM + b": ping\n", id="a keep-alive behind the end"),
        pytest.param(STREAM.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(STREAM.replace(b"\n\n", b"\n: ping\n\n", 1), id="a block without an event"),
        pytest.param(b": ping\n\n" + STREAM, id="a keep-alive that is a block"),
        pytest.param(STREAM.replace(b"id: 36", b"id: 37"), id="a gap"),
        pytest.param(STREAM.replace(b"id: 36", b"id: 35"), id="a number twice"),
        pytest.param(STREAM.replace(b"id: 36\n", b""), id="no number"),
        pytest.param(CUT + b"id: 37\n" + DONE, id="an end with a number"),
        pytest.param(STREAM.replace(b"data: {", b"data: { "), id="JSON with spaces"),
        pytest.param(STREAM.replace(b"weaving", b"we\\u0061ving"), id="escaped letters"),
        pytest.param(STREAM.replace(b"data: {", b"data:{"), id="no space behind data"),
        pytest.param(STREAM.replace(b'{"id":', b'{"x":1,"id":'), id="unknown property"),
        pytest.param(STREAM.replace(b'"thread.run"', b'"thread"'), id="another object"),
        pytest.param(STREAM.replace(b"run.completed", b"run.finished"), id="unknown event"),
        pytest.param(STREAM.replace(f'"{THREAD_ID}"'.encode(), b"null"), id="wrong type"),
    ],
)
def test_any_other_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(AssertionError):
        check_events(stream)

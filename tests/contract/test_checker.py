"""The checker refuses what the contract does not promise: it guards every other test."""

from typing import Any

import pytest

from tests.contract.checker import check_answer

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

"""Sending again: when it may help, never when it may do harm, and not for ever."""

import asyncio
from typing import Any

import pytest

from tests.client.trouble import LOST, SILENT, Reply, cutting, failure, scripted
from tests.harness import Server
from weft import (
    ApiError,
    AsyncClient,
    BadRequest,
    Client,
    NoAnswer,
    RateLimited,
    Retries,
    SpecClient,
    TimedOut,
    Unavailable,
    WeftError,
)
from weft.client.core import Core
from weft.client.description import Description
from weft.client.retry import LONGEST_RETRY_AFTER_S, Lost
from weft.client.retry import Reply as Answer
from weft.client.setting import Credentials
from weft.wire.examples import EXAMPLES
from weft.wire.names import snake
from weft.wire.shapes import encode


def ok(operation_id: str) -> Reply:
    """Return what an operation answers."""
    (first, *_) = [each.answer for each in EXAMPLES if each.operation_id == operation_id]
    return Reply(200, encode(first).encode())


OK = ok("createThread")
AT_ONCE = Retries(first_wait_s=0.0)


def answers(*replies: Reply, retries: Retries = AT_ONCE, method: str = "create_thread") -> Any:
    """Call a method of a client once; return what it raised or None, and the requests."""
    path = ("thread_a",) if method != "create_thread" else ()
    with scripted(*replies) as (address, script), Client(address, retries=retries) as client:
        try:
            getattr(client, method)(*path)
        except WeftError as fault:
            return fault, script.sent
        return None, script.sent


@pytest.mark.parametrize(
    "trouble",
    [LOST, *(failure(status, retry_after="0") for status in (408, 429, 500, 502, 503, 504))],
    ids=["lost", "408", "429", "500", "502", "503", "504"],
)
@pytest.mark.parametrize("operation_id", ["createThread", "getThread", "deleteThread"])
def test_a_trouble_that_may_pass_is_met_with_patience(trouble: Reply, operation_id: str) -> None:
    fault, sent = answers(trouble, trouble, ok(operation_id), method=snake(operation_id))
    assert (fault, len(sent)) == (None, 3)
    assert len({(request.method, request.target, request.body) for request in sent}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422])
def test_a_refusal_is_not_asked_for_twice(status: int) -> None:
    fault, sent = answers(failure(status), OK)
    assert isinstance(fault, ApiError)
    assert (fault.status, len(sent)) == (status, 1)


def test_in_the_end_the_last_trouble_is_told() -> None:
    fault, sent = answers(failure(503), failure(429))
    assert isinstance(fault, RateLimited)
    assert (fault.code, len(sent)) == ("x", 3)
    fault, sent = answers(LOST)
    assert isinstance(fault, NoAnswer)
    assert len(sent) == 3


def test_how_often_can_be_said() -> None:
    fault, sent = answers(failure(500), retries=Retries(requests=0))
    assert (fault.status, len(sent)) == (500, 1)
    _, sent = answers(failure(500), retries=Retries(requests=5, first_wait_s=0.0))
    assert len(sent) == 6


def test_a_repeated_post_carries_one_idempotency_key_and_the_next_post_another() -> None:
    troubled = scripted(LOST, failure(500), OK)
    with troubled as (address, script), Client(address, retries=AT_ONCE) as client:
        client.create_thread()
        client.create_thread()
        client.create_thread(idempotency_key="my own")
    keys = [request.headers["idempotency-key"] for request in script.sent]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[4] == "my own"
    assert all(len(key) >= 22 for key in keys[:4])


def test_an_answer_that_is_lost_on_the_way_creates_nothing_twice(server: Server) -> None:
    with cutting(server.address) as (address, cutter):
        cutter.cuts = [0, 1, 100, None]
        retries = Retries(requests=5, first_wait_s=0.0)
        with Client(f"{address}/v1", retries=retries) as client:
            thread = client.create_thread(body={"metadata": {"made": "once"}})
            assert [each.id for each in client.list_threads(metadata={"made": "once"})] == [
                thread.id
            ]
        assert cutter.connections == 4


def test_a_server_that_is_not_there_is_told_after_all_attempts() -> None:
    with scripted(OK) as (address, _):
        pass
    with Client(address, retries=AT_ONCE) as client, pytest.raises(NoAnswer, match="refused"):
        client.create_thread()


def test_a_server_that_is_silent_times_out() -> None:
    with scripted(SILENT) as (address, script):
        with Client(address, retries=0, timeout=0.05) as client, pytest.raises(TimedOut):
            client.get_thread("thread_a")
        with Client(address, retries=0) as client, pytest.raises(TimedOut):
            client.get_thread("thread_a", timeout=0.05)
    assert len(script.sent) == 2


def test_connections_are_used_again() -> None:
    with scripted(OK) as (address, _), cutting(address) as (front, cutter):
        with Client(front) as client:
            for _ in range(5):
                client.get_thread("thread_a")
        assert cutter.connections == 1


def test_the_asynchronous_client_has_the_same_patience() -> None:
    async def call(address: str) -> str:
        async with AsyncClient(address, retries=AT_ONCE) as client:
            return (await client.create_thread()).id

    with scripted(LOST, failure(503), OK) as (address, script):
        assert asyncio.run(call(address)) == "thread_abc123"
    assert len(script.sent) == 3
    with scripted(failure(400)) as (address, script), pytest.raises(BadRequest):
        asyncio.run(call(address))
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    ("has_key", "trouble", "times"),
    [
        (True, LOST, 3),
        (True, failure(500), 3),
        (False, LOST, 1),
        (False, failure(500), 1),
        (False, failure(429), 3),
    ],
)
def test_a_foreign_post_is_repeated_only_if_it_knows_idempotency_keys_or_was_not_begun(
    has_key: bool, trouble: Reply, times: int
) -> None:
    header = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    post = {"operationId": "pay", "parameters": [header] if has_key else [], "responses": {}}
    description = Description({"openapi": "3.1.0", "paths": {"/pay": {"post": post}}})
    with scripted(trouble) as (address, script):
        core = Core(lambda: description, address, Credentials(), retries=AT_ONCE)
        with SpecClient(core) as client, pytest.raises((ApiError, NoAnswer)):
            client.pay()
    assert len(script.sent) == times


# --- how long to wait: no clock, no socket ------------------------------------------------------

UNREACHABLE = Lost(NoAnswer("x"), was_sent=False)


def wait_s(headers: dict[str, str], attempt: int = 0, chance: float = 0.0) -> float | None:
    """Return how long a client waits behind a 503 with these headers."""
    retries = Retries(requests=9, chance=lambda: chance, now_s=lambda: 784_111_777.0)
    return retries.wait_s(Answer(503, headers), attempt, is_repeatable=True)


def test_waiting_doubles_up_to_a_limit() -> None:
    assert [wait_s({}, attempt) for attempt in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_chance_makes_waiting_shorter_so_that_clients_do_not_come_back_together() -> None:
    assert wait_s({}, chance=0.5) == 0.375
    assert wait_s({}, chance=1.0) == 0.25
    drawn = {Retries().wait_s(UNREACHABLE, 0, is_repeatable=True) for _ in range(10)}
    assert len(drawn) > 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT"}, 3.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:30 GMT"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, 0.5),
        ({"retry-after": str(LONGEST_RETRY_AFTER_S)}, LONGEST_RETRY_AFTER_S),
        ({"retry-after": str(LONGEST_RETRY_AFTER_S + 1)}, None),
    ],
)
def test_what_the_server_asks_for_is_respected(
    headers: dict[str, str], expected: float | None
) -> None:
    assert wait_s(headers) == expected


def test_a_server_that_asks_for_more_patience_than_there_is_is_told_of_at_once() -> None:
    fault, sent = answers(failure(503, retry_after="3600"), OK)
    assert isinstance(fault, Unavailable)
    assert len(sent) == 1


# --- errors as exceptions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error":{"message":"No.","type":"t","param":"p","code":"c"}}', "No.", "c"),
        (b'{"message":"Nope","code":"E1"}', "Nope", "E1"),
        (b'{"detail":"Not here"}', "Not here", None),
        (b'{"title":"Gone","status":410}', "Gone", None),
        (b'{"error":"plain words"}', "plain words", None),
        (b"<html>\n Bad   gateway</html>", "<html> Bad gateway</html>", None),
        (b"", "The server answered 418.", None),
        (b"[1]", "[1]", None),
        (b"\xff\xfe", "��", None),
    ],
)
def test_an_error_is_read_in_whatever_form_it_comes(
    body: bytes, message: str, code: str | None
) -> None:
    fault, _ = answers(Reply(418, body, {"X-Request-Id": "req_1"}))
    assert type(fault) is ApiError
    assert (str(fault), fault.status, fault.code) == (message, 418, code)
    assert fault.request_id == "req_1"


@pytest.mark.parametrize("kind", ApiError.__subclasses__())
def test_each_status_has_its_class(kind: type[ApiError]) -> None:
    fault, _ = answers(failure(kind.status), retries=Retries(requests=0))
    assert type(fault) is kind
    assert (fault.type, fault.param) == ("server_error", None)

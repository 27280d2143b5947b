"""Every way in which an upstream can fail, and what a person is told of it."""

import asyncio
import socket
from typing import Any

import pytest

from tests.llm import upstream as up
from tests.llm.hearing import Hear, Heard
from weft.llm.sse import LIMIT_BYTES

HI = up.chunk({"content": "Hi"})
SERVER, LIMIT, PROMPT = "server_error", "rate_limit_exceeded", "invalid_prompt"

# behaviour, code, what the message holds, how often the upstream is asked
FAILURES: dict[str, tuple[up.Behaviour, str, list[str], int]] = {
    "401": (up.failing(401), SERVER, ["did not accept the API key", "api_key in weft.toml"], 1),
    "403": (up.failing(403, "Not yours."), SERVER, ["does not allow", "Not yours."], 1),
    "404": (up.failing(404, "No such."), SERVER, ['no model "gpt-4o"', "/v1", "No such."], 1),
    "404 of a web server": (up.whole(404, b"<h1>Nope</h1>"), SERVER, ["url in weft.toml"], 1),
    "redirect": (up.whole(308, b"", {"location": "/"}), SERVER, ["redirects", "url"], 1),
    "429": (up.limited(), LIMIT, ["no more requests now", "Rate limit reached."], 3),
    "no quota": (up.failing(429, code="insufficient_quota"), LIMIT, ["quota", "billing"], 1),
    "no money": (up.failing(402), LIMIT, ["quota", "billing"], 1),
    "400 context": (up.too_long(), PROMPT, ["too long", "8192", "truncation_strategy"], 1),
    "413": (up.failing(413), PROMPT, ["too long"], 1),
    "context in a 500": (up.failing(500, "exceeds the context size"), PROMPT, ["too long"], 1),
    "400": (up.failing(400, "Say the word JSON."), PROMPT, ["refused", "Say the word JSON."], 1),
    "422 of FastAPI": (up.whole(422, {"detail": [{"loc": ["x"]}]}), PROMPT, ['"loc":["x"]'], 1),
    "400 in words": (up.whole(400, {"error": "model is tired"}), PROMPT, ["model is tired"], 1),
    "500": (up.failing(500), SERVER, ["failed (500)", "on fire", "Try again later."], 3),
    "503 without words": (up.whole(503, b""), SERVER, ["failed (503)."], 3),
    "dropped": (up.dropped(), SERVER, ["closed the connection"], 3),
    "empty stream": (up.cut(), SERVER, ["closed the connection"], 3),
    "garbage in an event": (up.stream(b"{nope"), SERVER, ["no chat completion", "{nope"], 1),
    "a number": (up.stream(b"42"), SERVER, ["no chat completion"], 1),
    "wrong types": (up.stream({"choices": "none"}), SERVER, ["no chat completion"], 1),
    "a web page": (up.raw(b"<html>\n"), SERVER, ["no chat completion", "<html>", "/v1"], 1),
    "bytes": (up.raw(b"\x1f\x8b\xff\n"), SERVER, ["no chat completion"], 1),
    "another document": (up.whole(200, {"x": 1}), SERVER, ["no chat completion"], 1),
    "half a document": (up.raw(b'{"choices": [{"mess'), SERVER, ["closed the connection"], 3),
    "error in the stream": (up.stream({"error": {"message": "Boom."}}), SERVER, ["Boom."], 3),
    "bare error": (up.stream({"object": "error", "message": "Boom."}), SERVER, ["Boom."], 3),
    "error line": (up.raw(b'error: {"message": "Boom."}\n\n'), SERVER, ["Boom."], 3),
    "error document": (up.whole(200, {"error": {"message": "Boom."}}), SERVER, ["Boom."], 3),
    "limit in the stream": (up.stream({"error": {"code": 429}}), LIMIT, ["no more requests"], 3),
    "context in the stream": (
        up.stream({"error": {"message": "maximum context length", "code": 400}}),
        *(PROMPT, ["too long"], 1),
    ),
    "broken arguments": (
        up.calls(("get_weather", '{"city": ')),
        *(SERVER, ['"get_weather"', "not JSON", '{"city": ', "Start the run again"], 1),
    ),
    "nameless call": (up.stream(up.chunk(up.part(0, "a"))), SERVER, ["without saying which"], 1),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_says_which_host_what_happened_and_what_to_do(hear: Hear, name: str) -> None:
    behaviour, code, holds, attempts = FAILURES[name]
    heard = hear(behaviour)
    got, message = heard.failure
    assert got == code
    assert [words for words in ["127.0.0.1:", *holds] if words not in message] == []
    assert "sk-secret-key" not in message
    assert len(heard.seen) == attempts


def closed_port() -> int:
    """Return a port where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def failure_at(hear: Hear, url: str, **endpoint: Any) -> tuple[str, str, Heard]:
    heard = hear(up.text("never"), url=url, **endpoint)
    assert heard.seen == []
    return *heard.failure, heard


def test_a_refused_connection_is_told_as_one(hear: Hear) -> None:
    code, message, heard = failure_at(hear, f"http://127.0.0.1:{closed_port()}/v1")
    assert (code, len(heard.waits)) == (SERVER, 2)
    assert "refused the connection" in message
    assert "In a container" in message


def test_a_name_without_an_address_is_told_as_one(hear: Hear) -> None:
    code, message, _ = failure_at(hear, "http://no-such-host.invalid/v1")
    assert code == SERVER
    assert "no-such-host.invalid cannot be found" in message


def test_a_server_that_never_accepts_is_given_up(hear: Hear) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # fills its queue
            url = f"http://127.0.0.1:{port}/v1"
            code, message, _ = failure_at(hear, url, connect_timeout_s=0.05, timeout_s=0.05)
    assert code == SERVER
    assert "did not accept a connection within 0.05 s" in message


def test_a_server_that_is_no_web_server_is_told_as_one(hear: Hear) -> None:
    async def ssh(call: up.Call) -> None:
        await call.raw(b"SSH-2.0-OpenSSH_9.2\r\n")
        await call.until_left()

    code, message = hear(ssh).failure
    assert code == SERVER
    assert "does not speak HTTP" in message


@pytest.mark.parametrize("before", [[], [HI]], ids=["from the start", "in the middle"])
def test_silence_ends_after_its_time_and_is_not_asked_again(hear: Hear, before: list[Any]) -> None:
    heard = hear(up.silent(*before), timeout_s=0.5)
    code, message = heard.failure
    assert (code, len(heard.seen), len(heard.deltas)) == (SERVER, 1, len(before))
    assert "said nothing for 0.5 s" in message
    assert "timeout_s in weft.toml" in message


def test_a_server_that_takes_the_request_and_says_nothing_is_given_up(hear: Hear) -> None:
    async def mute(call: up.Call) -> None:
        await call.until_left()

    assert "said nothing" in hear(mute, timeout_s=0.05).failure[1]


def test_a_sign_of_life_is_no_silence(hear: Hear) -> None:
    async def slow(call: up.Call) -> None:
        await call.begin()
        for _ in range(6):
            await asyncio.sleep(0.2)
            await call.piece(b": still thinking\n\n")
        await call.event(up.chunk({"content": "Hi"}, finish="stop"))
        await call.end()

    assert hear(slow, timeout_s=1.0).text == "Hi"


@pytest.mark.parametrize(
    "rest",
    [b"", b'data: {"choices": [{"del', b"data: [DON"],
    ids=["between chunks", "in a chunk", "in the end"],
)
def test_a_cut_in_the_middle_keeps_what_came_and_says_so(hear: Hear, rest: bytes) -> None:
    heard = hear(up.raw(up.event(HI) + rest))
    assert heard.text == "Hi"
    assert "closed the connection before its answer was complete" in heard.failure[1]


def test_a_torn_chunk_of_the_transfer_is_a_cut(hear: Hear) -> None:
    async def torn(call: up.Call) -> None:
        await call.begin()
        await call.event(HI)
        await call.raw(b"fff\r\ndata: ")

    heard = hear(torn)
    assert heard.text == "Hi"
    assert "closed the connection" in heard.failure[1]


def test_what_came_before_an_error_in_one_piece_is_passed_on_first(hear: Hear) -> None:
    events = up.event(HI) + up.event({"error": {"message": "Boom."}})
    heard = hear(up.raw(events))
    assert heard.text == "Hi"
    assert "Boom." in heard.failure[1]
    assert len(heard.seen) == 1


def test_a_key_that_the_upstream_repeats_is_not_passed_on(hear: Hear) -> None:
    said = "The key sk-secret-key and the token of-the-header are wrong."
    heard = hear(up.failing(400, said), headers={"X-Token": "of-the-header"})
    assert "The key *** and the token *** are wrong." in heard.failure[1]


def test_a_401_without_a_key_asks_for_one(hear: Hear) -> None:
    assert "asks for an API key" in hear(up.failing(401), api_key=None).failure[1]


def test_long_words_of_an_upstream_are_shortened(hear: Hear) -> None:
    message = hear(up.failing(400, "no " * 5000)).failure[1]
    assert len(message) < 700
    assert " ..." in message


def test_an_endless_line_is_not_kept_in_memory(hear: Hear) -> None:
    async def flood(call: up.Call) -> None:
        await call.begin()
        for _ in range(LIMIT_BYTES // 2**20 + 1):
            await call.piece(b"x" * 2**20)
        await call.until_left()

    assert "no chat completion" in hear(flood).failure[1]


def test_endless_headers_are_refused(hear: Hear) -> None:
    async def flood(call: up.Call) -> None:
        await call.head(200, {f"x-{number}": "y" * 1000 for number in range(100)})
        await call.until_left()

    assert "does not speak HTTP" in hear(flood).failure[1]

"""What is not lawful JSON, or not even HTTP: refused in JSON, and nothing is stored."""

import json
from typing import Any

import pytest

from tests.api.conftest import MAX_BODY_BYTES, Untouched
from tests.api.making import RawAnswer, a_thread, as_wire, open_socket, read_all, speak
from tests.harness import Api

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not "
    "valid JSON. If you have trouble figuring out how to fix this, please contact us through our "
    "help center at help.openai.com.)"
)
DEEP = 100_000
MANY_DIGITS = "1" * 400
HEAD = b"Host: 127.0.0.1\r\nConnection: close\r\n"
FUNCTION = '{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":%s}}]}'


def fault(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """Return an error object."""
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"{]",
        b"{'metadata': {}}",
        b'{"metadata": {},}',
        b'{"metadata": {}} {}',
        b"undefined",
        b" ",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"metadata":{"a":"\xff"}}',
        b'{"metadata":{"\xff":"a"}}',
        b'{"metadata":{"a":"\xed\xa0\x80"}}',
        b'{"metadata":{"a":"\xc0\x80"}}',
        b'{"metadata":{"a":"\\ud800"}}',
        b'{"metadata":{"\\udc00":"a"}}',
        b'{"metadata":{"a":"\\ude00\\ud83d"}}',
        b'{"metadata":{"a":"a\x00b"}}',
        b'{"metadata":{"a":"\\x41"}}',
        b'{"id":"thread_1","created_at":1e400}',
        b'{"id":"thread_1","created_at":NaN}',
        b'{"id":"thread_1","created_at":-Infinity}',
        b'{"id":"thread_1","created_at":01}',
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        b'{"metadata":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"metadata":{"a":' + b"[" * DEEP,
    ],
    ids=lambda raw: repr(raw)[:40],
)
def test_what_is_not_json_is_refused(untouched: Untouched, raw: bytes) -> None:
    for path in (
        "/threads",
        f"/threads/{untouched.thread}",
        f"/threads/{untouched.thread}/messages",
    ):
        answer = untouched.api.call("POST", path, raw=raw)
        assert (answer.status_code, answer.json()["error"]) == (400, fault(NOT_JSON))


@pytest.mark.parametrize("path", ["/threads/{thread}", "/threads/{thread}/messages", "/assistants"])
def test_an_operation_that_needs_a_body_says_so_when_there_is_none(
    untouched: Untouched, path: str
) -> None:
    status, error = untouched.api.error("POST", untouched.named(path), raw=b"")
    assert (status, error) == (400, fault(NOT_JSON))


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/plain", "text/plain"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("multipart/form-data; boundary=x", "multipart/form-data"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("application/jsonp", "application/jsonp"),
    ],
)
def test_a_body_that_says_it_is_not_json_is_refused(
    untouched: Untouched, content_type: str, kind: str
) -> None:
    status, error = untouched.api.error(
        "POST", "/threads", raw=b"{}", headers={"Content-Type": content_type}
    )
    assert (status, error) == (
        400,
        fault(
            f"Unsupported content type: '{kind}'. This API method only accepts "
            "'application/json' requests, but you specified the header "
            f"'Content-Type: {content_type}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        ),
    )


@pytest.mark.parametrize(
    ("metadata", "param"),
    [({"a": "x\0"}, "metadata.a"), ({"a\0": "x"}, "metadata"), ({"\0": "\0"}, "metadata")],
)
def test_a_nul_is_refused_in_metadata(
    untouched: Untouched, metadata: dict[str, str], param: str
) -> None:
    for path in ("/threads", f"/threads/{untouched.thread}"):
        status, error = untouched.api.error("POST", path, {"metadata": metadata})
        message = f"Invalid '{param}': the character U+0000 is not allowed in metadata."
        assert (status, error) == (400, fault(message, "invalid_value", param))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (MANY_DIGITS, "integer_above_max_value"),
        (f"-{MANY_DIGITS}", "integer_below_min_value"),
        ("9223372036854775808", "integer_above_max_value"),
        ("1e300", "invalid_type"),
        ("0.5", "invalid_type"),
        ('"1"', "invalid_type"),
        ("true", "invalid_type"),
    ],
)
def test_a_date_that_is_no_sensible_integer_is_refused(
    untouched: Untouched, number: str, code: str
) -> None:
    raw = f'{{"id":"thread_1","created_at":{number}}}'.encode()
    status, error = untouched.api.error("POST", "/threads", raw=raw)
    assert (status, error["code"], error["param"]) == (400, code, "created_at")
    assert len(error["message"]) < 300


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 5000])
def test_a_number_beyond_every_range_is_refused_in_a_functions_parameters_too(
    untouched: Untouched, number: str
) -> None:
    raw = (FUNCTION % f'{{"x":{number}}}').encode()
    assert untouched.api.error("POST", "/assistants", raw=raw) == (400, fault(NOT_JSON))


@pytest.mark.parametrize(
    "number", [MANY_DIGITS, f"-{MANY_DIGITS}", "1.7e308", "18446744073709551616"]
)
def test_a_large_number_in_a_functions_parameters_is_kept(api: Api, number: str) -> None:
    raw = (FUNCTION % f'{{"x":{number}}}').encode()
    made = api.call("POST", "/assistants", raw=raw)
    assert f'"parameters":{{"x":{number}}}'.encode() in made.content
    path = f"/assistants/{made.json()['id']}"
    assert api.call("GET", path).content == made.content
    assert api.call("POST", path, {}).content == made.content


def test_a_functions_parameters_nest_100_levels_and_no_deeper(
    api: Api, untouched: Untouched
) -> None:
    def nested(depth: int) -> bytes:
        return (FUNCTION % ('{"a":' * depth + "[1]" + "}" * depth)).encode()

    made = api.ok("POST", "/assistants", raw=nested(99))
    path = f"/assistants/{made['id']}"
    assert api.ok("POST", path, {}, headers={"Idempotency-Key": "deep"}) == made
    status, error = untouched.api.error("POST", "/assistants", raw=nested(100))
    param = "tools[0].function.parameters"
    message = f"Invalid '{param}': it is nested more than 100 levels deep."
    assert (status, error) == (400, fault(message, "invalid_value", param))


def test_of_a_key_that_comes_twice_the_last_one_counts(api: Api) -> None:
    raw = b'{"metadata":5,"metadata":{"a":"1","b":"2","a":"3"}}'
    assert api.ok("POST", "/threads", raw=raw)["metadata"] == {"a": "3", "b": "2"}
    raw = b'{"role":"human","content":[],"role":"user","content":"Hi"}'
    made = api.ok("POST", f"/threads/{a_thread(api)}/messages", raw=raw)
    assert made["content"][0]["text"]["value"] == "Hi"
    twice = ",".join(f'"k":"{index}"' for index in range(17))
    raw = f'{{"metadata":{{{twice}}}}}'.encode()
    assert api.ok("POST", "/threads", raw=raw)["metadata"] == {"k": "16"}


def test_an_integer_may_be_written_with_an_empty_fraction(api: Api) -> None:
    raw = (
        b'{"model":"m","temperature":2,"top_p":1,"tools":[{"type":"file_search",'
        b'"file_search":{"max_num_results":5.0}}]}'
    )
    made = api.call("POST", "/assistants", raw=raw)
    assert b'"max_num_results":5,' in made.content
    assert b'"top_p":1.0,"temperature":2.0,' in made.content


# --- HTTP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/threads", "GET, POST"),
        ("PATCH", "/threads/{thread}", "DELETE, GET, POST"),
        ("DELETE", "/assistants", "GET, POST"),
        ("OPTIONS", "/threads/{thread}/messages", "GET, POST"),
        ("PUT", "/threads/{thread}/messages/{message}", "DELETE, GET, POST"),
    ],
)
def test_another_method_on_a_known_url_is_told_which_there_are(
    untouched: Untouched, method: str, path: str, allowed: str
) -> None:
    path = untouched.named(path)
    answer = untouched.api.call(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["error"] == fault(f"Invalid method for URL ({method} /v1{path})")


def test_an_error_is_written_in_the_order_that_clients_know(api: Api) -> None:
    answer = api.call("GET", "/threadz")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == as_wire({"error": fault("Invalid URL (GET /v1/threadz)")})


def test_delete_works_with_a_json_content_type_and_an_empty_body(api: Api) -> None:
    thread_id = a_thread(api)
    headers = {"Content-Type": "application/json"}
    gone = api.ok("DELETE", f"/threads/{thread_id}", raw=b"", headers=headers)
    assert gone == {"id": thread_id, "object": "thread.deleted", "deleted": True}


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"BREW /v1/threads HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /v1/threads HTTP/9.9\r\n" + HEAD + b"\r\n",
        b"GET /v1/threads /x HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /v1/\xff HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /v1/threads HTTP/1.1\r\nno colon\r\n\r\n",
        b"CONNECT a.example:443 HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/threads HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n",
        b"POST /v1/threads HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/threads HTTP/1.1\r\n" + HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"POST /v1/threads HTTP/1.1\r\n"
        + HEAD
        + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        # Headers without end: refused at the first byte beyond the limit.
        (b"GET /v1/threads HTTP/1.1\r\n" + HEAD + b"X: ").ljust(64 * 1024 + 1, b"x"),
    ],
    ids=lambda request_bytes: repr(request_bytes)[:40],
)
def test_what_is_not_http_is_refused_in_json(untouched: Untouched, request_bytes: bytes) -> None:
    answer = speak(untouched.address, request_bytes)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    error = answer.error()
    assert error == fault(error["message"])


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"*", 404),
        (b"/", 404),
        (b"//v1/threads", 404),
        (b"/v1/threads/thread_%00", 404),
        (b"/v1/threads/thread_%ff%0d%0a", 404),
        (b"/v1/threads/thread_x%2Fmessages", 404),
        (b"/v1/threads?limit=%ff", 400),
        (b"/v1/" + b"x" * 60_000, 404),
        (b"http://127.0.0.1/v1/threads", 200),
    ],
)
def test_a_strange_target_is_answered_in_json(
    untouched: Untouched, target: bytes, status: int
) -> None:
    method = b"OPTIONS " if target == b"*" else b"GET "
    answer = speak(untouched.address, method + target + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert answer.status == status
    assert len(answer.body) < 10_000
    assert next(iter(json.loads(answer.body))) == ("object" if status == 200 else "error")


# --- bodies over the limit -----------------------------------------------------------------------


def is_too_large(answer: RawAnswer) -> bool:
    """Say whether an answer refuses a body for its size."""
    return answer.status == 413 and answer.error() == fault(
        f"The request body is larger than this server accepts ({MAX_BODY_BYTES} bytes). "
        "The limit is the setting max_body_bytes.",
        "request_too_large",
    )


def test_a_body_is_taken_up_to_the_limit_and_not_a_byte_beyond(untouched: Untouched) -> None:
    body = b'{"metadata":{}, "x":""}'.ljust(MAX_BODY_BYTES)
    status, error = untouched.api.error("POST", "/threads", raw=body)
    assert (status, error["code"]) == (400, "unknown_parameter")
    status, error = untouched.api.error("POST", "/threads", raw=body + b" ")
    assert (status, error["code"]) == (413, "request_too_large")


def test_a_body_that_is_announced_too_large_need_not_be_sent(untouched: Untouched) -> None:
    head = b"POST /v1/threads HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000000000000\r\n\r\n"
    assert is_too_large(speak(untouched.address, head))


def test_a_client_that_asks_first_is_not_told_to_send_a_body_that_is_too_large(
    untouched: Untouched,
) -> None:
    head = b"POST /v1/threads HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\n"
    assert is_too_large(speak(untouched.address, head + b"Content-Length: 1000000000000\r\n\r\n"))


def test_a_body_without_length_is_refused_where_it_passes_the_limit(untouched: Untouched) -> None:
    head = b"POST /v1/threads HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    full = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    count, rest = divmod(MAX_BODY_BYTES + 1, 0x10000)
    with open_socket(untouched.address) as connection:
        connection.sendall(head + full * count)
        # The end of this chunk never comes, nor the last one.
        connection.sendall(b"%x\r\n" % rest + b" " * rest)
        assert is_too_large(RawAnswer(read_all(connection)))


def test_a_refused_body_leaves_the_connection_usable(untouched: Untouched) -> None:
    large = b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n"
    then = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    with open_socket(untouched.address) as connection:
        connection.sendall(large + b" " * 3_000_000 + then)
        first = RawAnswer(read_all(connection))
    assert is_too_large(first)
    assert RawAnswer(first.rest).status == 200

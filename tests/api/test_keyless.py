"""The server without keys: open to programs on this machine, and to no web page."""

from pathlib import Path

import pytest

from tests.api.conftest import Untouched
from tests.api.making import RawAnswer, a_thread, speak
from tests.harness import Server, api_of, weft

BODY = b'{"metadata":{"from":"a web page"}}'

# What a browser sends by itself for each way in which a page can reach another origin.
PAGE = b"Origin: https://evil.example\r\nReferer: https://evil.example/\r\n"
FETCH = b"Accept: */*\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: %b\r\nSec-Fetch-Dest: %b\r\n"


def ask(
    address: str, headers: bytes, *, method: bytes = b"GET", host: bytes | None = None
) -> RawAnswer:
    """Send a request for the threads with a Host header of choice; a POST brings a thread."""
    if host is None:
        host = address.removeprefix("http://").encode()
    body = BODY if method == b"POST" else b""
    return speak(
        address,
        method
        + b" /v1/threads HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)
        + (b"Host: " + host + b"\r\n" if host else b"")
        + headers
        + b"\r\n"
        + body,
    )


def shares_nothing(answer: RawAnswer) -> bool:
    """Say whether an answer lets no other page read it."""
    return not any(name.startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LocalHost"])
@pytest.mark.parametrize("port", ["", ":8000"])
def test_a_program_on_this_machine_needs_no_key(untouched: Untouched, host: str, port: str) -> None:
    answer = ask(untouched.address, b"", host=f"{host}{port}".encode())
    assert (answer.status, shares_nothing(answer)) == (200, True)


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"localhost.evil.example",
        b"127.0.0.1.evil.example:8000",
        b"evil-localhost",
        b"192.168.1.5:8000",
        b"0.0.0.0",
        b"127.0.0.2",
        b"[::]:8000",
        b"[fe80::1]",
        b"",
    ],
)
def test_a_name_that_is_not_this_machine_is_refused(untouched: Untouched, host: bytes) -> None:
    answer = ask(untouched.address, b"", host=host, method=b"POST")
    assert (answer.status, answer.error()["type"]) == (403, "invalid_request_error")
    assert f"not to '{host.decode()}'" in answer.error()["message"]
    assert shares_nothing(answer)


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example",
        b"http://localhost:8000.evil.example",
        b"http://localhost",
        b"http://localhost:1",
        b"http://[::1]:8000",
        b"null",
        b"file://",
        b"chrome-extension://abcdef",
        b"http://[",
        b"",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_foreign_origin_is_refused(untouched: Untouched, origin: bytes, method: bytes) -> None:
    answer = ask(untouched.address, b"Origin: " + origin + b"\r\n", method=method)
    assert answer.status == 403
    assert "does not answer other web pages" in answer.error()["message"]
    assert shares_nothing(answer)


def test_the_servers_own_pages_are_answered(untouched: Untouched) -> None:
    own = b"Origin: " + untouched.address.encode() + b"\r\nSec-Fetch-Site: same-origin\r\n"
    answer = ask(untouched.address, own)
    assert (answer.status, shares_nothing(answer)) == (200, True)


@pytest.mark.parametrize(
    ("site", "status"),
    [(b"cross-site", 403), (b"same-site", 403), (b"same-origin", 200), (b"none", 200)],
)
def test_the_browsers_word_about_the_page_is_taken(
    untouched: Untouched, site: bytes, status: int
) -> None:
    answer = ask(untouched.address, b"Sec-Fetch-Site: " + site + b"\r\n")
    assert (answer.status, shares_nothing(answer)) == (status, True)


@pytest.mark.parametrize(
    "request_headers",
    [
        PAGE + FETCH % (b"no-cors", b"empty") + b"Content-Type: text/plain;charset=UTF-8\r\n",
        PAGE + FETCH % (b"cors", b"empty") + b"Content-Type: application/json\r\n",
        PAGE
        + FETCH % (b"navigate", b"document")
        + b"Sec-Fetch-User: ?1\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        # A sandboxed frame, and a page kept in a file.
        b"Origin: null\r\n" + FETCH % (b"cors", b"empty") + b"Content-Type: application/json\r\n",
        # A browser that does not send Sec-Fetch headers.
        PAGE + b"Accept: */*\r\nContent-Type: application/json\r\n",
        # No Content-Type at all, as fetch sends a Blob without a type.
        PAGE + FETCH % (b"no-cors", b"empty"),
    ],
)
def test_a_page_cannot_store_anything(untouched: Untouched, request_headers: bytes) -> None:
    answer = ask(untouched.address, request_headers, method=b"POST")
    assert (answer.status, shares_nothing(answer)) == (403, True)


@pytest.mark.parametrize(
    "request_headers",
    [
        FETCH % (b"no-cors", b"image"),
        FETCH % (b"no-cors", b"script"),
        FETCH % (b"navigate", b"iframe"),
        PAGE + FETCH % (b"cors", b"empty"),
    ],
)
def test_a_page_cannot_read_anything(untouched: Untouched, request_headers: bytes) -> None:
    answer = ask(untouched.address, request_headers)
    assert (answer.status, shares_nothing(answer)) == (403, True)


def test_a_preflight_is_not_granted(untouched: Untouched) -> None:
    asked = (
        b"Access-Control-Request-Method: DELETE\r\n"
        b"Access-Control-Request-Headers: authorization\r\n"
        b"Access-Control-Request-Private-Network: true\r\n"
    )
    answer = ask(untouched.address, PAGE + asked, method=b"OPTIONS")
    assert (answer.status >= 400, shares_nothing(answer)) == (True, True)


@pytest.mark.parametrize(
    "header",
    [
        b"Forwarded: for=203.0.113.1",
        b"X-Forwarded-For: 203.0.113.1",
        b"X-Forwarded-Host: weft.example",
        b"X-Forwarded-Proto: https",
        b"X-Real-IP: 203.0.113.1",
        b"Via: 1.1 proxy",
    ],
)
def test_what_came_through_a_proxy_is_refused(untouched: Untouched, header: bytes) -> None:
    answer = ask(untouched.address, header + b"\r\n", method=b"POST")
    assert answer.status == 403
    assert "does not answer forwarded requests" in answer.error()["message"]


def test_any_key_will_do_while_there_is_none(untouched: Untouched) -> None:
    for shown in (b"Authorization: Bearer sk-anything\r\n", b"api-key: anything\r\n"):
        assert ask(untouched.address, shown).status == 200


def test_the_server_says_who_may_come_in(tmp_path: Path) -> None:
    """The harness reads the line with the address; the line about keys is the last."""
    with Server(tmp_path / "data") as server:
        assert server.process.stdout is not None
        told = [server.process.stdout.readline() for _ in range(2)]
    assert told[1] == "  keys: none yet, open to this machine only (weft keys create)\n"


def test_another_address_is_not_opened_to_everybody(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "127.0.0.2"):
        done = weft("serve", "--host", host, "--port", "0", cwd=tmp_path, status=1)
        assert done.stdout == ""
        lines = [line for line in done.stderr.splitlines() if "applied migration" not in line]
        assert len(lines) == 1
        assert lines[0].startswith(f"weft: No API key exists, so {host} would let anybody in.")


def test_another_address_is_opened_when_the_operator_insists(tmp_path: Path) -> None:
    flags = ("--host", "0.0.0.0", "--insecure")
    with Server(tmp_path / "data", *flags) as server, api_of(server) as api:
        a_thread(api)
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        assert ask(address, b"X-Forwarded-For: 203.0.113.1\r\n", host=b"weft.example").status == 200
        # A page may still not use the person who visits it.
        for page in (PAGE, FETCH % (b"no-cors", b"image")):
            answer = ask(address, page, host=b"weft.example")
            assert (answer.status, shares_nothing(answer)) == (403, True)

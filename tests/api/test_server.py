"""The server as a process: how it speaks HTTP, starts, stops, and fails."""

import json
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.api.making import RawAnswer, a_message, a_thread, everything, ids, open_socket, read_all
from tests.harness import START_S, Api, Server, api_of, weft

GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n"
CLOSE = b"Connection: close\r\n"


# --- what it says of itself ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_server_says_that_it_is_well(api: Api, path: str) -> None:
    answer = api.http.get(path)
    assert (answer.status_code, answer.content) == (200, b'{"status":"ok"}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("query", "version"), [("", "3.1"), ("?version=3.1", "3.1"), ("?version=3.0", "3.0")]
)
def test_the_contract_comes_in_the_version_that_is_asked_for(
    api: Api, query: str, version: str
) -> None:
    document = api.http.get(f"/openapi.json{query}").json()
    assert document["openapi"].startswith(version)
    assert {"/threads", "/threads/{thread_id}/messages", "/assistants"} <= set(document["paths"])


def test_there_are_no_other_versions_of_the_contract(api: Api) -> None:
    answer = api.http.get("/openapi.json?version=2.0")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"] == "Invalid value: '2.0'. Supported values are: '3.0' and '3.1'."
    assert (error["param"], error["code"]) == ("version", "invalid_value")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_load_balancer_may_ask_with_head(api: Api, path: str) -> None:
    answer = api.http.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_what_the_server_says_of_itself_can_only_be_read(api: Api, path: str) -> None:
    answer = api.http.post(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["message"] == f"Invalid method for URL (POST {path})"


# --- where the API stands -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefix", ["/v1", "/openai", "/openai/v1", "/api/projects/anything", "/api/projects/a b"]
)
def test_the_api_stands_under_each_prefix(server: Server, prefix: str) -> None:
    with api_of(server, prefix=prefix) as api:
        thread_id = a_thread(api)
        message_id = a_message(api, thread_id)
        path = f"/threads/{thread_id}/messages?api-version=2024-05-01-preview"
        assert ids(api.ok("GET", path)["data"]) == [message_id]
        status, error = api.error("GET", "/threadz")
        assert (status, error["message"]) == (404, f"Invalid URL (GET {prefix}/threadz)")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/threads", "/v2/threads", "/V1/threads", "/openai/v2/threads", "/v1", "/openai"),
        *("/api/threads", "/api/projects", "/api/projects/x", "/api/projects/threads"),
        *("/openai/deployments/gpt/threads", "/v1/v1/threads", "/v1/threads/x/y/z", "/doc"),
    ],
)
def test_it_stands_nowhere_else(api: Api, path: str) -> None:
    answer = api.http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == f"Invalid URL (GET {path})"


# --- HTTP -----------------------------------------------------------------------------------------


def test_every_answer_has_a_request_id_of_its_own(api: Api) -> None:
    answers = [api.call("GET", path) for path in ("/threads", "/threadz", "/threads/x") * 5]
    found = {answer.headers["x-request-id"] for answer in answers}
    assert len(found) == len(answers)
    for answer in answers:
        assert len(answer.headers["x-request-id"]) == len("req_") + 32
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["openai-version"] == "2020-10-01"
        assert answer.headers["openai-processing-ms"].isdecimal()
        assert "server" not in answer.headers


def test_a_connection_serves_one_request_after_another(server: Server) -> None:
    with open_socket(server.address) as connection:
        for _ in range(3):
            connection.sendall(GET % (b"/v1/threads?limit=1", b""))
            answer = connection.recv(65536)
            assert RawAnswer(answer).status == 200


def test_requests_sent_without_waiting_are_answered_in_their_order(server: Server) -> None:
    with api_of(server) as api:
        path = f"/v1/threads/{a_thread(api)}".encode()
    change = (
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 22\r\n\r\n{"metadata":{"n":"%d"}}'
    )
    requests = [change % (path, number) for number in range(9)]
    requests.insert(5, GET % (path, b""))
    requests.append(GET % (path, CLOSE))
    with open_socket(server.address) as connection:
        connection.sendall(b"".join(requests))
        rest = read_all(connection)
    seen = []
    while rest:
        answer = RawAnswer(rest)
        seen.append(json.loads(answer.body)["metadata"]["n"])
        rest = answer.rest
    assert seen == ["0", "1", "2", "3", "4", "4", "5", "6", "7", "8", "8"]


@pytest.mark.parametrize("pieces", [1, 2, 7], ids=lambda pieces: f"{pieces} pieces")
@pytest.mark.parametrize(
    "offer",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    ],
)
def test_a_request_that_offers_another_protocol_loses_nothing(
    server: Server, offer: bytes, pieces: int
) -> None:
    """Java's own client offers HTTP/2 with every request that it makes over plain HTTP."""
    body = b'{"metadata":{"kept":"yes"}}'
    head = b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = head + offer + b"Content-Length: %d\r\n\r\n" % len(body) + body
    whole = request + request + GET % (b"/healthz", CLOSE)
    size = len(whole) // pieces + 1
    with open_socket(server.address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(whole), size):
            connection.sendall(whole[start : start + size])
        first = RawAnswer(read_all(connection))
    second = RawAnswer(first.rest)
    for answer in (first, second):
        assert json.loads(answer.body)["metadata"] == {"kept": "yes"}
    assert RawAnswer(second.rest).body == b'{"status":"ok"}'


def test_a_client_that_goes_away_harms_nobody(server: Server, api: Api) -> None:
    head = b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    for _ in range(20):
        with open_socket(server.address) as connection:
            connection.sendall(head)
    log = server.log_path.read_bytes()
    assert a_thread(api)
    assert b"Traceback" not in log


# --- starting and stopping ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_with_status_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    server = Server(tmp_path / "data")
    with api_of(server) as api, open_socket(server.address) as idle:
        a_thread(api)
        # Connections that are kept alive, or never said anything, do not hold it up.
        server.process.send_signal(number)
        assert server.process.wait(START_S) == 0
        assert idle.recv(1) == b""
    assert server.stop() == 0
    assert not list((tmp_path / "data").glob("*-wal"))  # the database was closed, not left


def test_a_request_that_has_begun_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    body = b'{"metadata":{"late":"yes"}}'
    with Server(tmp_path / "data") as server:
        with open_socket(server.address) as connection:
            connection.sendall(
                b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
            server.process.send_signal(signal.SIGTERM)
            _wait_until_refused(server)
            connection.sendall(body)
            answer = RawAnswer(read_all(connection))
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert server.stop() == 0
    with Server(tmp_path / "data") as server, api_of(server) as api:
        made = json.loads(answer.body)
        assert api.ok("GET", f"/threads/{made['id']}")["metadata"] == {"late": "yes"}


@pytest.mark.full
def test_a_request_that_never_ends_is_told_that_the_server_stopped(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, open_socket(server.address) as connection:
        connection.sendall(
            b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            b"Content-Length: 100\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(b"{")
        answer = RawAnswer(read_all(connection))
        assert (answer.status, answer.headers["content-type"]) == (503, "application/json")
        assert answer.error()["message"].startswith("The server stopped before the request was")
        # Nor does a second signal stop it short of closing its database.
        assert server.stop() == 0
        assert "Traceback" not in server.log_path.read_text()


def _wait_until_refused(server: Server) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            open_socket(server.address).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was closed while this connection waited to be accepted
    raise AssertionError("the server went on to accept connections")


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server, api_of(server) as api:
        thread_id = a_thread(api, metadata={"ключ": "значение"})
        for number in range(3):
            a_message(api, thread_id, f"{number}")
        paths = (f"/threads/{thread_id}", f"/threads/{thread_id}/messages", "/threads")
        before = [api.call("GET", path).content for path in paths]
        server.kill()
    with Server(tmp_path / "data") as server, api_of(server) as api:
        assert [api.call("GET", path).content for path in paths] == before
        a_message(api, thread_id, "3")
        texts = [
            message["content"][0]["text"]["value"]
            for message in everything(api, paths[1], order="asc")
        ]
    assert texts == ["0", "1", "2", "3"]


@pytest.mark.sqlite
def test_a_second_server_on_a_folder_is_told_who_holds_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with Server(folder) as server, api_of(server) as api:
        done = weft("serve", "--port", "0", "--data-dir", str(folder), cwd=tmp_path, status=1)
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"weft: {folder} is in use by another Weft server")
        assert f"(process {server.process.pid} at {server.address})" in line
        assert a_thread(api)
        server.kill()
    # Nothing is held by the dead.
    with Server(folder) as server, api_of(server) as api:
        assert len(everything(api, "/threads")) == 1


def test_a_port_that_is_taken_is_said_in_a_line(server: Server, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    done = weft("serve", "--port", port, cwd=tmp_path, status=1)
    assert done.stdout == ""
    assert done.stderr == (
        f"weft: Cannot listen on 127.0.0.1 port {port}: Address already in use. Choose another "
        "with --port (0 takes a free one).\n"
    )


# --- failing --------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_a_fault_that_nobody_foresaw_is_told_with_its_request_id_and_logged(tmp_path: Path) -> None:
    """E22. The fault: somebody else dropped a table of the database."""
    with Server(tmp_path / "data") as server, api_of(server) as api:
        with closing(sqlite3.connect(tmp_path / "data" / "weft.db")) as vandal:
            vandal.execute("DROP TABLE assistant")
        for method, path, body in (
            ("GET", "/assistants", None),
            ("GET", "/assistants/asst_1%0Aforged", None),
            ("POST", "/assistants", {"model": "m"}),
        ):
            answer = api.call(method, path, body)
            request_id = answer.headers["x-request-id"]
            assert (answer.status_code, answer.json()["error"]) == (
                500,
                {
                    "message": "The server had an error processing your request. Sorry about "
                    "that! You can retry your request; if it keeps failing, look for this request "
                    f"in the server's log. (Please include the request ID {request_id} when you "
                    "report it.)",
                    "type": "server_error",
                    "param": None,
                    "code": None,
                },
            )
            log = server.log_path.read_text()
            assert f"{request_id} {method} /v1/assistants" in log
            assert "no such table: assistant" in log
            assert "\nforged" not in log
        # What is whole goes on, also in the same commit.
        assert a_message(api, a_thread(api))

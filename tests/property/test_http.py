"""Whatever bytes come in, what goes out is JSON, no failure of the server, and soon.

Some requests are well framed but odd in every part; others are torn, mixed up or no HTTP at all.
"""

import contextlib
import json
import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.making import RawAnswer, open_socket, read_all
from tests.harness import Server
from tests.property.lawful import lawful, spoilt, values
from tests.property.profiles import examples
from weft.wire.body import Body
from weft.wire.operations import TABLE

MAX_BODY_BYTES = 4096
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

Bytes: TypeAlias = st.SearchStrategy[bytes]

KINDS = [
    kind
    for operation in TABLE
    if isinstance(operation.body, Body)
    for kind in (operation.body.struct, operation.body.restore)
    if kind is not None
]

# --- the parts of a request -------------------------------------------------------------------

# Not HEAD: its answer announces a body and has none, so that what follows cannot be told apart.
_methods = st.sampled_from(
    [b"GET"] * 3
    + [b"POST"] * 4
    + [b"DELETE", b"OPTIONS", b"PUT", b"PATCH", b"TRACE", b"PROPFIND", b"M-SEARCH"]
)
_segments = st.one_of(
    st.sampled_from([b"v1", b"openai", b"api", b"projects", b"default", b"threads", b"messages"]),
    st.sampled_from([b"assistants", b"thread_a", b"msg_a", b"asst_a", b"thread_", b"healthz"]),
    st.sampled_from([b"files", b"file-a", b"content", b"uploads", b"upload_a", b"parts"]),
    st.sampled_from([b"readyz", b"openapi.json", b"", b".", b"..", b"%2e%2e", b"%2F", b"%00"]),
    st.sampled_from([b"%ff%fe", b"%", b"%zz", b"%ED%A0%80", b";", b"*", b"[", b"~", b"a" * 5000]),
    st.text(max_size=4).map(lambda text: text.encode("utf-8")),
)
_known_paths = st.sampled_from(
    [
        f"{prefix}{operation.path}".replace("{", "").replace("}", "").encode()
        for prefix in ("/v1", "/openai", "/openai/v1", "/api/projects/default")
        for operation in TABLE
    ]
)
_paths = st.one_of(
    _known_paths,
    _known_paths,
    st.lists(_segments, min_size=1, max_size=7).map(lambda parts: b"/" + b"/".join(parts)),
    st.sampled_from([b"*", b"/", b"//", b"http://[::1/v1", b"http://x@y:z/v1/threads", b"v1"]),
)
_queries = st.one_of(
    st.just(b""),
    st.lists(
        st.sampled_from([b"limit", b"order", b"after", b"metadata", b"[", b"]", b"=", b"&", b"%"])
        | st.sampled_from([b"1", b"asc", b"%5B", b"%00", b"%ff", b"+", b"?", b"version", b"3.0"]),
        max_size=10,
    ).map(lambda parts: b"?" + b"".join(parts)),
)
# Bytes that may stand in a header's value.
_text = st.binary(max_size=12).map(
    lambda raw: bytes(byte for byte in raw if byte >= 32 and byte != 127).strip()
)
_headers = st.lists(
    st.one_of(
        st.tuples(
            st.just(b"Origin"),
            st.one_of(_text, st.sampled_from([b"http://[", b"null", b"http://localhost", b""])),
        ),
        st.tuples(
            st.sampled_from([b"Authorization", b"api-key", b"Idempotency-Key"]),
            st.one_of(_text, st.sampled_from([b"Bearer x", b"bearer", b"k" * 256, b""])),
        ),
        st.tuples(
            st.sampled_from([b"Host", b"OpenAI-Beta", b"Content-Type", b"Accept-Encoding"]),
            st.one_of(_text, st.sampled_from([b"localhost", b"application/json", b"a/b+json"])),
        ),
        st.tuples(
            st.sampled_from([b"Upgrade", b"Expect", b"Via", b"Sec-Fetch-Site", b"Cookie"]),
            st.one_of(_text, st.sampled_from([b"h2c", b"websocket", b"100-continue", b"none"])),
        ),
        st.tuples(st.sampled_from([b"X-" + b"a" * 3000, b"a", b"~!#$"]), _text),
    ),
    max_size=4,
)
_bodies = st.one_of(
    st.binary(max_size=60),
    values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(KINDS).flatmap(lawful).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(KINDS).flatmap(spoilt).map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"", b"[" * 4000, b"1" * (MAX_BODY_BYTES + 1), b"{}" + b" " * 3000]),
)


def _chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return a request that is framed as HTTP wants it and asks to close the connection."""
    body = draw(_bodies)
    connection = draw(st.sampled_from([b"close", b"close, Upgrade", b"upgrade, close"]))
    headers = [(b"Host", b"localhost"), *draw(_headers), (b"Connection", connection)]
    if draw(st.booleans()):
        headers.append((b"Content-Length", b"%d" % len(body)))
    else:
        headers.append((b"Transfer-Encoding", b"chunked"))
        body = _chunked(body, draw(st.integers(1, 5000)))
    target = draw(_paths) + draw(_queries)
    head = b"%b %b HTTP/1.1\r\n" % (draw(_methods), target)
    return head + b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n" + body


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """Return requests that are cut, glued together and changed in places, or random bytes."""
    raw = b"".join(draw(st.lists(requests().map(_kept_alive), max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        end = at + draw(st.sampled_from([0, 0, 1, 2, 20, len(raw)]))
        scrap = st.sampled_from([b"", b"\r\n", b"\n", b"\0", b" ", b":", b"-1", b"\r\n\r\n"])
        raw = raw[:at] + draw(st.one_of(st.binary(max_size=8), scrap)) + raw[end:]
    return raw


def _kept_alive(request: bytes) -> bytes:
    return request.replace(b"Connection: close", b"Connection: keep-alive")


# --- speaking ---------------------------------------------------------------------------------


class Fuzzed:
    """A server and what its log has said since it was last looked at."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._seen = 0

    def answer_to(self, request: bytes) -> RawAnswer | None:
        """Return the answer to a well-framed request.

        None: it was refused before it was read whole, and the system threw the refusal away.
        """
        with open_socket(self.server.address) as connection:
            try:
                connection.sendall(request)
                received = read_all(connection)
            except (BrokenPipeError, ConnectionResetError):
                return None
        return RawAnswer(received.removeprefix(CONTINUE))

    def answers_to(self, raw: bytes) -> Iterator[RawAnswer]:
        """Yield the complete answers to bytes behind which nothing more comes."""
        received = b""
        # The server may have had enough and close; what it said before counts.
        with open_socket(self.server.address) as connection, contextlib.suppress(OSError):
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        received = received.replace(CONTINUE, b"")
        while b"\r\n\r\n" in received:
            answer = RawAnswer(received)
            yield answer
            received = answer.rest

    def has_clean_log(self) -> bool:
        """Say whether nothing went wrong inside since the last look."""
        with Path(self.server.log_path).open("rb") as log:
            log.seek(self._seen)
            news = log.read()
        self._seen += len(news)
        return b"Traceback" not in news and b" ERROR " not in news


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """A server of its own without a key, so that requests come through the door."""
    folder = tmp_path_factory.mktemp("http") / "data"
    with Server(folder, "--max-body-bytes", str(MAX_BODY_BYTES)) as server:
        found = Fuzzed(server)
        yield found
    assert found.has_clean_log(), "something went wrong while the server stopped"


def is_proper(answer: RawAnswer) -> bool:
    """Say whether an answer is JSON, of the form that its status promises."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    body = json.loads(answer.body)
    if answer.status == HTTPStatus.OK:
        return isinstance(body, dict) and "error" not in body
    return 400 <= answer.status < 500 and bool(body["error"]["message"])


@examples(800)
@given(request=requests())
def test_a_well_framed_request_gets_one_answer_in_json(fuzzed: Fuzzed, request: bytes) -> None:
    answer = fuzzed.answer_to(request)
    assert answer is None or (is_proper(answer) and not answer.rest)
    assert fuzzed.has_clean_log()


@examples(500)
@given(raw=st.one_of(torn(), torn(), st.binary(max_size=200)))
def test_torn_requests_get_answers_in_json_or_none(fuzzed: Fuzzed, raw: bytes) -> None:
    assert all(is_proper(answer) for answer in fuzzed.answers_to(raw))
    assert fuzzed.has_clean_log()


OFFER = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
CREATE = b"POST /v1/threads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


def test_offers_right_behind_each_other_are_all_declined_and_answered(fuzzed: Fuzzed) -> None:
    """As many as one packet holds: more than the depth to which Python may nest calls."""
    last = OFFER.replace(b"upgrade", b"close")
    with open_socket(fuzzed.server.address) as connection:
        connection.sendall(OFFER * 1500 + last)
        received = read_all(connection)
    assert received.count(b'{"status":"ok"}') == 1501
    assert fuzzed.has_clean_log()


def test_a_client_that_goes_away_before_its_answers_is_no_fault_of_the_server(
    fuzzed: Fuzzed,
) -> None:
    """The first of its requests waits for the disk, the others wait behind it."""
    for _ in range(20):
        with open_socket(fuzzed.server.address) as connection:
            connection.sendall(CREATE * 3)
    # All that was taken before this one has been written, or given up, when it is answered.
    answer = fuzzed.answer_to(CREATE.replace(b"Host", b"Connection: close\r\nHost"))
    assert answer is not None
    assert answer.status == HTTPStatus.OK
    assert fuzzed.has_clean_log()

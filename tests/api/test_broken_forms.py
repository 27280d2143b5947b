"""Forms and ranges as nobody should send them: refused clearly, or read rightly."""

import os
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.api.making import BOUNDARY, a_file, open_socket, read_all, send_file
from tests.api.test_files import wait_until_left
from tests.harness import Api, Server, api_of

KIND = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
LAWFUL = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    "Content-Type: text/plain\r\n\r\nOver one, under one.\r\n"
    f"--{BOUNDARY}--\r\n"
).encode()
# What a form is made of, to be put where it does not belong.
SCRAPS = [
    *(b"\r\n", b"\r", b"\n", b"--", b"\0", b'"', b";", b":", b"=", b"\xff", b"\\", b" ", b"\t"),
    *(b"--" + BOUNDARY.encode(), b"--" + BOUNDARY.encode() + b"--", b"\r\n\r\n"),
    b'Content-Disposition: form-data; name="file"; filename="b"\r\n\r\n',
    b"Content-Transfer-Encoding: base64\r\n",
    b"filename*=UTF-8''%00%2F",
    b'name="purpose"',
    b"x" * 70_000,
]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Server, Api]]:
    """A server of one's own, whose folder can be looked into."""
    with Server(tmp_path / "data") as server, api_of(server) as api:
        yield server, api


def broken(chance: random.Random) -> bytes:
    """Return a lawful form with one to four mistakes."""
    form = bytearray(LAWFUL)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(form) + 1)
        until = min(len(form), at + chance.choice([0, 1, 2, 10, 60]))
        scrap = chance.choice([b"", *SCRAPS, bytes(form[chance.randrange(len(form) + 1) :])])
        form[at:until] = scrap
    return bytes(form)


def test_any_broken_form_is_stored_whole_or_refused_and_leaves_nothing(
    own: tuple[Server, Api],
) -> None:
    """Each answer is as the contract says; a file that is made holds what its size says."""
    server, api = own
    chance = random.Random(5)  # noqa: S311  # no secret
    seen = {200: 0, 400: 0, 413: 0}
    for _ in range(300):
        answer = api.call("POST", "/files", raw=broken(chance), headers=KIND)
        seen[answer.status_code] += 1
        if answer.status_code == 200:
            made = answer.json()
            content = api.call("GET", f"/files/{made['id']}/content").content
            assert len(content) == made["bytes"]
            api.ok("DELETE", f"/files/{made['id']}")
    assert min(seen[200], seen[400]) > 10
    wait_until_left(server.data_dir, 0)
    assert "Traceback" not in server.log_path.read_text()


def test_a_form_that_is_cut_anywhere_is_refused(own: tuple[Server, Api]) -> None:
    server, api = own
    whole = len(LAWFUL) - len("--\r\n")
    for length in range(0, whole, 3):
        answer = api.call("POST", "/files", raw=LAWFUL[:length], headers=KIND)
        assert answer.status_code == 400
    assert api.ok("GET", "/files")["data"] == []
    wait_until_left(server.data_dir, 0)


def test_a_form_that_comes_byte_by_byte_is_read_like_another(api: Api, server: Server) -> None:
    """In chunks of one byte, so that every boundary and head is cut everywhere."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in LAWFUL) + b"0\r\n\r\n"
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {KIND['Content-Type']}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with open_socket(server.address) as connection:
        connection.sendall(head.encode() + chunks)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    found = re.search(rb'"id":"(file-[^"]+)"', answer)
    assert found is not None
    content = api.call("GET", f"/files/{found[1].decode()}/content").content
    assert content == b"Over one, under one."


def test_a_body_that_is_longer_than_it_says_is_no_second_request(
    own: tuple[Server, Api],
) -> None:
    server, api = own
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: {KIND['Content-Type']}\r\nContent-Length: {len(LAWFUL) - 40}\r\n\r\n"
    )
    with open_socket(server.address) as connection:
        connection.sendall(head.encode() + LAWFUL)
        answers = read_all(connection)
    assert answers.startswith(b"HTTP/1.1 400")
    assert b" 200 " not in answers
    assert api.ok("GET", "/files")["data"] == []


# As it stands in the header, and the name that it means; None: it must be refused.
NAMES: list[tuple[bytes, str | None]] = [
    (b'filename="a\\"b.txt"', 'a"b.txt'),
    (b'filename="a%22b.txt"', None),
    (b"filename=plain.txt", "plain.txt"),
    (b"filename=\"x\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt", None),
    (b'filename="../../../../etc/cron.d/x"', "../../../../etc/cron.d/x"),
    (b'filename="..\\..\\boot.ini"', None),
    (b'filename="nul\0byte.txt"', None),
    (b'filename="new\nline.txt"', None),
    (b'filename="carriage\rreturn.txt"', None),
    (b'filename="' + b"x" * 10_240 + b'"', None),
    (b'filename="' + "ö".encode() * 255 + b'"', "ö" * 255),
    (b'filename="tab\there"', "tab\there"),
    (b'filename="a"; filename="b"', None),
    (b'filename="semi;colon=yes"', "semi;colon=yes"),
    (b'filename="\xe2\x80\xaetxt.exe"', "\u202etxt.exe"),
    (b'filename=""', "upload"),
]


@pytest.mark.parametrize(("header", "name"), NAMES, ids=[str(h[:24]) for h, _ in NAMES])
def test_a_name_however_it_is_written_is_data_that_comes_back_or_is_refused(
    own: tuple[Server, Api], header: bytes, name: str | None
) -> None:
    """It never leaves the folder, nor breaks a header of the download."""
    server, api = own
    raw = LAWFUL.replace(b'filename="a.txt"', header)
    answer = api.call("POST", "/files", raw=raw, headers=KIND)
    assert answer.status_code in (200, 400)
    if name is not None:
        assert answer.status_code == 200
        assert answer.json()["filename"] == name
    if answer.status_code == 200:
        made = answer.json()
        assert api.ok("GET", f"/files/{made['id']}")["filename"] == made["filename"]
        shown = api.call("GET", f"/files/{made['id']}/content").headers["content-disposition"]
        assert shown.isascii()
        assert shown.isprintable()
        assert unquote(shown.partition("filename*=UTF-8''")[2]) == made["filename"]
    lying = [path for path in server.data_dir.parent.rglob("*") if path.is_file()]
    assert {path.name for path in lying if path.parent == server.data_dir.parent} == {"data.log"}
    wait_until_left(server.data_dir, int(answer.status_code == 200))


DATA = bytes(range(256)) * 4


def ranges() -> Iterator[str]:
    """Yield ranges as nobody should ask for them, and some as they should."""
    chance = random.Random(7)  # noqa: S311  # no secret
    yield from ("bytes=0-", "bytes=-1", "bytes= 0-1", "bytes=0 -1", "Bytes=0-1", "bytes=+1-2")
    yield from ("bytes=0-1,", "bytes=,0-1", "bytes=0-1-2", "bytes=--1", "bytes=1-0", "bytes=1e1-")
    yield from (f"bytes={'9' * 400}-", f"bytes=-{'9' * 400}", f"bytes=0-{'9' * 400}", "bytes")
    yield from ("bytes=0x0-0x1", "bytes=0-0;q=1", "", "=", "bytes==0-1")
    yield from ("bytes=" + ",".join(["0-1"] * 1000), f"bytes={0:0400}-{1:0400}")
    for _ in range(200):
        asked = "".join(chance.choice("0123456789-, ") for _ in range(chance.randint(0, 9)))
        yield f"bytes={asked}".rstrip()


def test_any_range_brings_its_part_or_the_whole_or_416(api: Api) -> None:
    path = f"/files/{a_file(api, DATA)}/content"
    seen = set()
    for asked in ranges():
        answer = api.call("GET", path, headers={"Range": asked})
        seen.add(answer.status_code)
        if answer.status_code == 200:
            assert answer.content == DATA
        elif answer.status_code == 206:
            told = re.fullmatch(r"bytes (\d+)-(\d+)/1024", answer.headers["content-range"])
            assert told is not None
            assert answer.content == DATA[int(told[1]) : int(told[2]) + 1]
            assert answer.content
        else:
            assert answer.status_code == 416
            assert answer.headers["content-range"] == "bytes */1024"
    assert seen == {200, 206, 416}


def test_a_range_of_an_empty_file_is_refused_and_the_whole_is_empty(api: Api) -> None:
    path = f"/files/{a_file(api, b'')}/content"
    assert api.call("GET", path).content == b""
    for asked in ("bytes=0-", "bytes=0-0", "bytes=-1"):
        assert api.call("GET", path, headers={"Range": asked}).status_code == 416


def test_two_of_the_same_header_are_one_answer(server: Server, api: Api) -> None:
    path = f"/files/{a_file(api, DATA)}/content"
    request = (
        f"GET /v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Range: bytes=0-1\r\nRange: bytes=5-6\r\n\r\n"
    )
    with open_socket(server.address) as connection:
        connection.sendall(request.encode())
        answer = read_all(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (b" 206 " in head, len(body)) in ((True, 2), (False, len(DATA)))


def test_the_same_form_twice_at_once_under_a_key_is_one_file(own: tuple[Server, Api]) -> None:
    server, api = own
    key = {"Idempotency-Key": os.urandom(8).hex()}
    data = os.urandom(300_000)
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: send_file(api, data, purpose="batch", headers=key), range(16))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(api.ok("GET", "/files")["data"]) == 1
    wait_until_left(server.data_dir, 1)

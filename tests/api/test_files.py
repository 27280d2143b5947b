"""Files: what comes in goes out to the last byte, under its own name, whole or in part."""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.api.making import (
    BOUNDARY,
    a_file,
    as_wire,
    everything,
    ids,
    open_socket,
    send_file,
)
from tests.harness import Api, Server, api_of

DATA = bytes(range(256)) * 40

NAMES = [
    "plain.txt",
    "größe 日本.txt",
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "C:boot.ini",
    "a/b/c",
    "semi;colon",
    "per%20cent",
    "new%0Aline",
    "-rf",
    "x" * 255,
    "👩‍👩‍👧",
    "CON",
    "a\\b",
    "\x7f\x01",
]


def files_below(folder: Path) -> list[Path]:
    """Return the files that hold the bytes of a data folder."""
    return [path for path in (folder / "files").rglob("*") if path.is_file()]


def wait_until_left(folder: Path, count: int) -> None:
    """Return once so many files are left; the server has some seconds to remove the others."""
    give_up_at = time.monotonic() + 20
    while len(files_below(folder)) != count:
        assert time.monotonic() < give_up_at, files_below(folder)
        time.sleep(0.02)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Server, Api]]:
    """A server of one's own, whose folder can be looked into."""
    with Server(tmp_path / "data") as server, api_of(server) as api:
        yield server, api


def test_a_file_is_stored_and_described_as_it_was_sent(api: Api) -> None:
    earliest = int(time.time())
    answer = send_file(api, DATA, name="table.bin", purpose="user_data")
    made = answer.json()
    assert re.fullmatch(r"file-[A-Za-z0-9]{24}", made["id"])
    assert made["created_at"] in range(earliest, int(time.time()) + 1)
    assert answer.content == as_wire(
        {
            "object": "file",
            "id": made["id"],
            "purpose": "user_data",
            "filename": "table.bin",
            "bytes": len(DATA),
            "created_at": made["created_at"],
            "expires_at": None,
            "status": "processed",
            "status_details": None,
        }
    )
    assert api.call("GET", f"/files/{made['id']}").content == answer.content


def test_the_bytes_come_back_with_the_headers_of_a_download(api: Api) -> None:
    answer = api.call("GET", f"/files/{a_file(api, DATA, name='a.bin')}/content")
    assert answer.content == DATA
    headers = answer.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-length"] == str(len(DATA))
    assert headers["content-disposition"] == (
        "attachment; filename=\"a.bin\"; filename*=UTF-8''a.bin"
    )
    assert headers["etag"] == f'"{hashlib.sha256(DATA).hexdigest()}"'
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 262_144, 1_048_576, 3_000_001])
def test_any_number_of_bytes_comes_back(api: Api, size: int) -> None:
    data = os.urandom(size)
    made = send_file(api, data, purpose="batch").json()
    assert made["bytes"] == size
    assert api.call("GET", f"/files/{made['id']}/content").content == data


def test_bytes_that_look_like_a_boundary_are_bytes(api: Api) -> None:
    near = f"\r\n--{BOUNDARY[:-1]}".encode()
    text = f"x--{BOUNDARY}--".encode()
    for piece in (near, near * 5000, text * 5000, b"\r\n" * 1000, b"\r\n--" * 1000, b"\r", b"-"):
        file_id = a_file(api, piece)
        assert api.call("GET", f"/files/{file_id}/content").content == piece


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_kept_as_it_is_and_is_never_a_path(own: tuple[Server, Api], name: str) -> None:
    server, api = own
    before = {path for path in server.data_dir.parent.rglob("*") if path.is_file()}
    made = send_file(api, b"data", name=name, purpose="assistants").json()
    assert made["filename"] == name
    new = {path for path in server.data_dir.parent.rglob("*") if path.is_file()} - before
    stored = [path for path in new if path.suffix not in (".db-wal", ".db-shm")]
    (path,) = stored
    assert re.fullmatch(r"files/[0-9a-f]{2}/[0-9a-f]{32}", str(path.relative_to(server.data_dir)))
    assert path.stat().st_mode & 0o777 == 0o600
    disposition = api.call("GET", f"/files/{made['id']}/content").headers["content-disposition"]
    assert disposition.isascii()
    assert disposition.isprintable()
    assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name


def test_a_file_without_a_name_gets_one(api: Api) -> None:
    assert send_file(api, b"x", name="", purpose="assistants").json()["filename"] == "upload"


def test_a_field_may_name_the_file(api: Api) -> None:
    """azure-ai-agents sends it."""
    made = send_file(api, b"x", name="a", purpose="assistants", filename="b.txt").json()
    assert made["filename"] == "b.txt"


def test_files_are_listed_newest_first_by_purpose_and_in_pages(own: tuple[Server, Api]) -> None:
    _, api = own
    made = [
        send_file(api, b"x", purpose=purpose).json()
        for purpose in ("assistants", "batch", "assistants", "vision", "assistants")
    ]
    answer = api.call("GET", "/files")
    listed = {"object": "list", "data": made[::-1], "has_more": False}
    assert answer.content == as_wire(
        {**listed, "first_id": made[-1]["id"], "last_id": made[0]["id"]}
    )
    assert everything(api, "/files", limit=2) == made[::-1]
    assert everything(api, "/files", limit=2, order="asc") == made
    assert everything(api, "/files", purpose="assistants", limit=1) == made[::-2]
    assert everything(api, "/files", purpose="assistants", order="asc") == made[::2]
    empty = api.ok("GET", "/files", params={"purpose": "nonsense"})
    assert (empty["data"], empty["first_id"], empty["has_more"]) == ([], None, False)
    api.ok("DELETE", f"/files/{made[2]['id']}")
    page = api.ok("GET", "/files", params={"after": made[2]["id"]})
    assert ids(page["data"]) == [made[1]["id"], made[0]["id"]]


@pytest.mark.parametrize(
    ("query", "param"),
    [({"limit": 0}, "limit"), ({"limit": 10_001}, "limit"), ({"order": "x"}, "order")],
)
def test_a_page_of_files_has_its_limits(api: Api, query: dict[str, Any], param: str) -> None:
    status, error = api.error("GET", "/files", params=query)
    assert (status, error["param"]) == (400, param)
    assert api.call("GET", "/files", params={"limit": 10_000}).status_code == 200


def test_a_cursor_that_never_was_is_not_found(api: Api) -> None:
    status, error = api.error("GET", "/files", params={"after": "file-none"})
    assert (status, error["message"]) == (404, "No file found with id 'file-none'.")


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("DELETE", ""), ("GET", "/content")])
@pytest.mark.parametrize("file_id", ["file-none", "fake_id", "thread_a", "...", "a%00b"])
def test_a_file_that_is_not_there_is_not_found(
    api: Api, method: str, tail: str, file_id: str
) -> None:
    status, error = api.error(method, f"/files/{file_id}{tail}")
    assert status == 404
    assert (error["param"], error["code"]) == ("id", None)
    shown = unquote(file_id).replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert error["message"] == f"No such File object: {shown}"


def test_a_deleted_file_is_gone_and_its_bytes_with_the_last_that_has_them(
    own: tuple[Server, Api],
) -> None:
    server, api = own
    one, same, other = a_file(api, DATA), a_file(api, DATA, name="b"), a_file(api, b"other")
    wait_until_left(server.data_dir, 2)
    gone = api.call("DELETE", f"/files/{one}")
    assert gone.content == as_wire({"id": one, "object": "file", "deleted": True})
    assert api.call("GET", f"/files/{one}").status_code == 404
    assert api.call("GET", f"/files/{one}/content").status_code == 404
    assert api.call("DELETE", f"/files/{one}").status_code == 404
    assert api.call("GET", f"/files/{same}/content").content == DATA
    api.ok("DELETE", f"/files/{same}")
    wait_until_left(server.data_dir, 1)
    assert api.call("GET", f"/files/{other}/content").content == b"other"


def test_a_file_may_expire(api: Api) -> None:
    brackets = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    in_json = {"expires_after": '{"anchor":"created_at","seconds":3600}'}
    for how in (brackets, in_json):
        form: dict[str, Any] = {"purpose": "assistants", **how}
        made = send_file(api, b"x", **form).json()
        assert made["expires_at"] == made["created_at"] + 3600


PURPOSES = ["fine-tune", "assistants", "batch", "user_data", "vision", "evals"]
LEAST = "minimum value. Expected a value >= 3600"
LONGEST = "Expected a string with maximum length 255"
GOT = "a string with length 256"
REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    (
        {"purpose": "world_domination"},
        f"'world_domination' is not one of {PURPOSES} - 'purpose'",
        "purpose",
    ),
    ({}, "'purpose' is a required property", None),
    ({"purpose": "batch", "field": "other"}, "Unknown parameter: 'other'.", "other"),
    ({"purpose": "batch", "more": "x"}, "Unknown parameter: 'more'.", "more"),
    (
        {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": "9"},
        f"Invalid 'expires_after.seconds': integer below {LEAST}, but got 9 instead.",
        "expires_after.seconds",
    ),
    (
        {"purpose": "batch", "expires_after": "soon"},
        "Invalid type for 'expires_after': expected an object, but got a string instead.",
        "expires_after",
    ),
    (
        {"purpose": "batch", "name": "x" * 256},
        f"Invalid 'filename': string too long. {LONGEST}, but got {GOT} instead.",
        "filename",
    ),
]


@pytest.mark.parametrize(("how", "message", "param"), REFUSED)
def test_a_form_that_is_not_lawful_is_explained_and_stores_nothing(
    own: tuple[Server, Api], how: dict[str, Any], message: str, param: str | None
) -> None:
    server, api = own
    answer = send_file(api, b"data", **how)
    error = answer.json()["error"]
    if "field" in how:
        message, param = "'file' is a required property", None
    assert (answer.status_code, error["message"], error["param"]) == (400, message, param)
    assert api.ok("GET", "/files")["data"] == []
    wait_until_left(server.data_dir, 0)


HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
PURPOSE = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
END = f"\r\n--{BOUNDARY}--\r\n"

BROKEN = {
    "it ends in the middle of the file": PURPOSE + HEAD + "data",
    "it ends behind a part": PURPOSE + HEAD + f"data\r\n--{BOUNDARY}",
    "it is empty": "",
    "it has another boundary": "--other\r\n" + PURPOSE,
    "a part has no name": f"--{BOUNDARY}\r\n\r\ndata{END}",
    "there are two files": PURPOSE + HEAD + "a\r\n" + HEAD + f"b{END}",
    "a header is too long": PURPOSE + HEAD.replace('"a"', f'"{"a" * 100_000}"') + f"x{END}",
    "a header is no header": f"--{BOUNDARY}\r\n\x00\x01: x\r\n\r\ndata{END}",
    "there are too many parts": PURPOSE * 65 + HEAD + f"x{END}",
    "a name is not UTF-8": PURPOSE + HEAD.replace('"a"', '"\udcff"') + f"x{END}",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_form_that_is_broken_is_refused_and_leaves_nothing(
    own: tuple[Server, Api], text: str
) -> None:
    server, api = own
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    raw = text.encode("utf-8", "surrogateescape")
    status, error = api.error("POST", "/files", raw=raw, headers=kind)
    assert status == 400
    assert error["message"].startswith("We could not read the form (multipart/form-data)")
    assert api.ok("GET", "/files")["data"] == []
    wait_until_left(server.data_dir, 0)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("application/json", "Unsupported content type: 'application/json'."),
        ("text/plain", "Unsupported content type: 'text/plain'."),
        ("multipart/form-data", "names no boundary"),
        (f"multipart/form-data; boundary={'x' * 300}", "oundary length"),
    ],
)
def test_a_body_of_another_kind_is_refused(api: Api, kind: str, text: str) -> None:
    status, error = api.error("POST", "/files", raw=b"{}", headers={"Content-Type": kind})
    assert status == 400
    assert text in error["message"]


def test_fields_have_a_limit(api: Api) -> None:
    answer = send_file(api, b"x", purpose="x" * 70_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(own: tuple[Server, Api]) -> None:
    server, _ = own
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {600 * 1024 * 1024}\r\n\r\n"
    )
    with open_socket(server.address) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(65536)
    assert b"413" in answer.split(b"\r\n")[0]
    assert b"536870912 bytes" in answer


def test_an_upload_that_is_broken_off_leaves_nothing(own: tuple[Server, Api]) -> None:
    server, api = own
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {10_000_000}\r\n\r\n{PURPOSE}{HEAD}"
    )
    with open_socket(server.address) as connection:
        connection.sendall(head.encode() + b"x" * 3_000_000)
        wait_until_left(server.data_dir, 1)  # it is arriving
    wait_until_left(server.data_dir, 0)
    assert api.ok("GET", "/files")["data"] == []


def test_a_download_that_is_broken_off_harms_nobody(own: tuple[Server, Api]) -> None:
    server, api = own
    data = os.urandom(8_000_000)
    path = f"/files/{a_file(api, data)}/content"
    for _ in range(5):
        with open_socket(server.address) as connection:
            connection.sendall(f"GET /v1{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert api.call("GET", path).content == data
    api.ok("DELETE", path.removesuffix("/content"))
    wait_until_left(server.data_dir, 0)
    log = server.log_path.read_text()
    assert " ERROR " not in log
    assert "Traceback" not in log


def test_what_arrived_when_the_server_was_killed_is_removed_at_the_next_start(
    tmp_path: Path,
) -> None:
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {10_000_000}\r\n\r\n{PURPOSE}{HEAD}"
    )
    with Server(tmp_path / "data") as server, api_of(server) as api:
        kept = a_file(api, DATA)
        with open_socket(server.address) as connection:
            connection.sendall(head.encode() + b"x" * 3_000_000)
            wait_until_left(server.data_dir, 2)
            server.kill()
    with Server(tmp_path / "data") as server, api_of(server) as api:
        wait_until_left(server.data_dir, 1)
        assert ids(api.ok("GET", "/files")["data"]) == [kept]
        assert api.call("GET", f"/files/{kept}/content").content == DATA


def test_the_same_key_brings_the_same_file_whatever_the_boundary(api: Api) -> None:
    key = {"Idempotency-Key": os.urandom(8).hex()}
    first = send_file(api, DATA, purpose="batch", headers=key)
    raw = first.request.content.replace(BOUNDARY.encode(), b"another-boundary")
    kind = {"Content-Type": "multipart/form-data; boundary=another-boundary", **key}
    again = api.call("POST", "/files", raw=raw, headers=kind)
    assert again.content == first.content
    for other in ({"data": b"other"}, {"name": "other"}, {"purpose": "vision"}):
        how: dict[str, Any] = {"data": DATA, "purpose": "batch", **other}
        refused = send_file(api, headers=key, **how)
        assert refused.json()["error"]["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("prefix", ["/openai", "/openai/v1", "/api/projects/default"])
def test_files_stand_under_every_prefix(server: Server, prefix: str) -> None:
    with api_of(server, prefix=prefix) as api:
        file_id = a_file(api, b"here too")
        assert api.call("GET", f"/files/{file_id}/content").content == b"here too"

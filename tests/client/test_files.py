"""Files: sent in forms however they are given, received as bytes or straight to disk."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import IO, Any

import pytest

from tests.client.test_spec import OFFICIAL
from tests.client.test_terminal import run
from tests.client.trouble import LOST, Reply, Script, Sent, failure, scripted
from tests.harness import weft
from weft import ApiError, AsyncClient, Client, File, InvalidRequest, NoAnswer, NotFound, Retries
from weft.client.files import PIECE, Form

AT_ONCE = Retries(first_wait_s=0.0)
KEY = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
FORM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "more": {"type": "array", "items": {"contentMediaType": "application/octet-stream"}},
        "purpose": {"enum": ["assistants", "vision"]},
        "expires_after": {"type": "object", "properties": {"seconds": {"type": "integer"}}},
        "labels": {"type": "object"},
    },
}
ENCODING = {
    "expires_after": {"style": "deepObject", "explode": True},
    "more": {"contentType": "text/csv"},
}
ARCHIVE: dict[str, Any] = {
    "openapi": "3.1.0",
    "components": {"schemas": {"Form": FORM}},
    "paths": {
        "/files": {
            "post": {
                "operationId": "createFile",
                "parameters": [KEY],
                "requestBody": {
                    "required": True,
                    "content": {
                        "multipart/form-data": {
                            "schema": {"$ref": "#/components/schemas/Form"},
                            "encoding": ENCODING,
                        }
                    },
                },
                "responses": {"200": {"content": {"application/json": {"schema": {}}}}},
            }
        },
        "/files/{file_id}/content": {
            "parameters": [
                {"name": "file_id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "get": {
                "operationId": "downloadFile",
                "responses": {"200": {"content": {"application/octet-stream": {}}}},
            },
            "put": {
                "operationId": "replaceFile",
                "requestBody": {"content": {"application/octet-stream": {}}},
                "responses": {"204": {"description": "Replaced."}},
            },
        },
    },
}
MADE = Reply(200, b'{"id": "file-1"}')
# Longer than is read at a time, and with bytes that are no text.
BYTES = bytes(range(256)) * 1025
assert len(BYTES) > PIECE


def content(data: bytes = BYTES, *, length: int | None = None) -> Reply:
    """Return an answer of bytes, which may announce more than there are."""
    return Reply(200, data, {"Content-Type": "application/octet-stream"}, length)


def fields(sent: Sent) -> list[tuple[str, str | None, str | None, bytes]]:
    """Return (name, file name, type if it is said, content) of each part of a form."""
    assert sent.headers["content-length"] == str(len(sent.body))
    head = f"Content-Type: {sent.headers['content-type']}\r\n\r\n".encode()
    found = []
    for part in message_from_bytes(head + sent.body).get_payload():
        assert not isinstance(part, str)
        name = part.get_param("name", header="content-disposition")
        kind = part.get_content_type() if "content-type" in part else None
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        found.append((str(name), part.get_filename(), kind, data))
    return found


@pytest.fixture
def archive() -> Iterator[tuple[Any, Script]]:
    """A client of the archive, and what it sends."""
    with scripted(MADE) as (address, script):
        spec = {**ARCHIVE, "servers": [{"url": address}]}
        with Client.from_spec(spec, retries=AT_ONCE) as client:
            yield client, script


# --- sending ------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "path": lambda path: path,
    "open": lambda path: path.open("rb"),
    "memory": lambda path: io.BytesIO(path.read_bytes()),
    "named": lambda path: ("b.bin", path.read_bytes()),
    "typed": lambda path: ("b.bin", path, "image/png"),
    "file": lambda path: File("b.bin", path.open("rb"), "image/png"),
}
NAMES = {
    "path": "yarn.bin",
    "open": "yarn.bin",
    "named": "b.bin",
    "typed": "b.bin",
    "file": "b.bin",
}


def close(given: Any) -> None:
    """Close what a test opened."""
    for one in given if isinstance(given, tuple) else (given,):
        if hasattr(one, "close"):
            one.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_given_in_any_way_and_sent_as_it_is(way: str, tmp_path: Path) -> None:
    (tmp_path / "yarn.bin").write_bytes(BYTES)
    kind = "image/png" if way in ("typed", "file") else "application/octet-stream"
    expected = [
        ("purpose", None, None, b"assistants"),
        ("file", NAMES.get(way, "upload"), kind, BYTES),
    ]

    async def send(address: str, body: Any) -> Any:
        async with AsyncClient.from_spec(ARCHIVE, base_url=address) as client:
            return await client.create_file(body=body)

    with scripted(MADE) as (address, script):
        for is_async in (False, True):
            body = {"purpose": "assistants", "file": WAYS[way](tmp_path / "yarn.bin")}
            if is_async:
                assert asyncio.run(send(address, body)) == {"id": "file-1"}
            else:
                with Client.from_spec(ARCHIVE, base_url=address) as client:
                    assert client.create_file(body=body) == {"id": "file-1"}
            close(body["file"])
    assert [fields(sent) for sent in script.sent] == [expected, expected]


def test_a_file_may_be_empty(archive: tuple[Any, Script], tmp_path: Path) -> None:
    client, script = archive
    (tmp_path / "empty").touch()

    async def send(file: Any) -> None:
        at = client.description.document["servers"][0]["url"]
        async with AsyncClient.from_spec(ARCHIVE, base_url=at) as other:
            await other.create_file(body={"purpose": "vision", "file": file})

    for file in (b"", tmp_path / "empty"):
        client.create_file(body={"purpose": "vision", "file": file})
        asyncio.run(send(file))
    assert [fields(sent)[1][3] for sent in script.sent] == [b""] * 4


def test_a_file_that_grows_is_sent_as_it_was_and_one_that_shrinks_is_told(tmp_path: Path) -> None:
    (path := tmp_path / "log").write_bytes(b"two lines\n")
    form = Form([b"head ", path])
    path.write_bytes(b"two lines\nand a third\n")
    assert b"".join(form) == b"head two lines\n"
    path.write_bytes(b"gone")
    with pytest.raises(OSError, match="log became shorter while it was sent"):
        b"".join(form)


def test_an_open_file_is_sent_from_where_it_stands_and_a_text_as_utf_8(
    archive: tuple[Any, Script], tmp_path: Path
) -> None:
    client, script = archive
    path = tmp_path / "a.txt"
    path.write_text("skipped: Grüße", encoding="utf-8")

    def send(opened: IO[Any]) -> bytes:
        with opened:
            opened.seek(9)
            client.create_file(body={"purpose": "vision", "file": opened})
        return fields(script.sent[-1])[1][3]

    assert send(path.open("rb")) == "Grüße".encode()
    assert send(path.open(encoding="utf-8")) == "Grüße".encode()


def test_other_fields_are_written_as_the_description_says(archive: tuple[Any, Script]) -> None:
    client, script = archive
    body = {
        "file": b"",
        "purpose": "vision",
        "expires_after": {"seconds": 3600, "anchor": "created_at"},
        "labels": {"by": "ada"},
        "more": [("a.csv", b"1;2"), b"3"],
    }
    client.create_file(body=body)
    assert fields(script.sent[0]) == [
        ("file", "upload", "application/octet-stream", b""),
        ("purpose", None, None, b"vision"),
        ("expires_after[seconds]", None, None, b"3600"),
        ("expires_after[anchor]", None, None, b"created_at"),
        ("labels", None, "application/json", b'{"by":"ada"}'),
        ("more", "a.csv", "text/csv", b"1;2"),
        ("more", "upload", "text/csv", b"3"),
    ]


def test_a_form_is_checked_before_it_is_sent(archive: tuple[Any, Script], tmp_path: Path) -> None:
    client, script = archive
    with pytest.raises(InvalidRequest) as caught:
        client.create_file(
            body={"file": "yarn.pdf", "more": ["a.csv"], "purpose": "fun", "colour": b"red"}
        )
    assert {problem.path for problem in caught.value.problems} == {
        *("body.file", "body.more", "body.purpose", "body.colour")
    }
    assert "body.file: is a text; a file is given as bytes, a pathlib.Path" in str(caught.value)
    assert [str(each) for each in client.check("create_file", body={"purpose": "vision"})] == [
        "body.file: is required"
    ]
    assert client.check("create_file", body={"purpose": "vision", "file": b"x"}) == []
    with pytest.raises(FileNotFoundError):
        client.create_file(body={"purpose": "vision", "file": tmp_path / "missing"})
    assert script.sent == []


@pytest.mark.parametrize("way", WAYS)
def test_a_form_that_is_lost_is_sent_again_whole_and_under_its_key(
    way: str, tmp_path: Path
) -> None:
    (tmp_path / "yarn.bin").write_bytes(BYTES)
    body = {"purpose": "vision", "file": WAYS[way](tmp_path / "yarn.bin")}
    with (
        scripted(LOST, failure(503), MADE) as (address, script),
        Client.from_spec(ARCHIVE, base_url=address, retries=AT_ONCE) as client,
    ):
        client.create_file(body=body)
    close(body["file"])
    assert [fields(sent)[1][3] == BYTES for sent in script.sent] == [True] * 3
    assert len({sent.headers["idempotency-key"] for sent in script.sent}) == 1


def test_a_body_that_is_a_file_is_sent_as_it_is(
    archive: tuple[Any, Script], tmp_path: Path
) -> None:
    client, script = archive
    (tmp_path / "yarn.bin").write_bytes(BYTES)
    for body in (BYTES, tmp_path / "yarn.bin"):
        client.replace_file("file-1", body=body)
        sent = script.sent[-1]
        assert (sent.body == BYTES, sent.headers["content-type"]) == (
            True,
            "application/octet-stream",
        )


# --- receiving ----------------------------------------------------------------------------------


def test_bytes_are_answered_as_they_are_whatever_their_type(tmp_path: Path) -> None:
    for reply in (content(), Reply(200, b"{}"), Reply(200, b"", {"Content-Type": "text/plain"})):
        with (
            scripted(reply) as (address, script),
            Client.from_spec(ARCHIVE, base_url=address) as client,
        ):
            response = client.with_response(client.download_file, "file-1")
            assert (response.data, response.status) == (reply.body, 200)
            assert response.headers["content-length"] == str(len(reply.body))
        assert script.sent[0].headers["accept"] == "*/*"


def saved(address: str, path: Path, *, is_async: bool) -> Any:
    """Receive a file at a path and return the answer."""

    async def receive() -> Any:
        async with AsyncClient.from_spec(ARCHIVE, base_url=address, retries=AT_ONCE) as client:
            return await client.with_response(client.download_file, "file-1", save_to=str(path))

    if is_async:
        return asyncio.run(receive())
    with Client.from_spec(ARCHIVE, base_url=address, retries=AT_ONCE) as client:
        return client.with_response(client.download_file, "file-1", save_to=path)


@pytest.mark.parametrize("is_async", [False, True], ids=["blocking", "async"])
def test_an_answer_is_saved_as_a_file_and_begun_again_when_it_breaks_off(
    tmp_path: Path, is_async: bool
) -> None:
    path = tmp_path / "yarn.bin"
    path.write_bytes(b"old, and longer" * 100_000)
    cut = content(BYTES[:70_000], length=len(BYTES))
    with scripted(cut, failure(503), content()) as (address, script):
        answer = saved(address, path, is_async=is_async)
    assert (answer.data, answer.status, len(script.sent)) == (path, 200, 3)
    assert path.read_bytes() == BYTES
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("is_async", [False, True], ids=["blocking", "async"])
@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (content(BYTES[:70_000], length=len(BYTES)), NoAnswer),
        (failure(404), NotFound),
        (failure(500), ApiError),
    ],
    ids=["cut", "404", "500"],
)
def test_a_file_that_cannot_be_received_leaves_what_was_there(
    tmp_path: Path, reply: Reply, fault: type[Exception], is_async: bool
) -> None:
    path = tmp_path / "yarn.bin"
    path.write_bytes(b"old")
    with scripted(reply) as (address, _), pytest.raises(fault):
        saved(address, path, is_async=is_async)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_any_answer_can_be_saved_and_what_is_no_file_stays_what_it_is(
    archive: tuple[Any, Script], tmp_path: Path
) -> None:
    client, _ = archive
    body = {"purpose": "vision", "file": b"x"}
    assert client.create_file(body=body, save_to=tmp_path / "a.json") == tmp_path / "a.json"
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"id": "file-1"}
    client.download_file("file-1", save_to="/dev/null")
    assert Path("/dev/null").is_char_device()


def test_a_list_has_no_single_answer_to_save(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="save_to: "):
        client.call("list_threads", save_to=tmp_path / "a.json")


# --- another's description, and the command line ------------------------------------------------


def test_the_description_of_the_real_service_sends_and_receives_files() -> None:
    for path in OFFICIAL:
        _send_and_receive(path)


def _send_and_receive(path: Path) -> None:
    with scripted(MADE) as (address, script), Client.from_spec(path, base_url=address) as client:
        client.create_file(body={"purpose": "assistants", "file": ("a.txt", b"x")})
        client.add_upload_part("upload_1", body={"data": b"y"})
        with pytest.raises(InvalidRequest, match=r"body\.data: is a text"):
            client.add_upload_part("upload_1", body={"data": "y"})
    with scripted(content()) as (address, _), Client.from_spec(path, base_url=address) as client:
        assert client.download_file("file-1") == BYTES
    assert [fields(sent) for sent in script.sent] == [
        [
            ("purpose", None, None, b"assistants"),
            ("file", "a.txt", "application/octet-stream", b"x"),
        ],
        [("data", "upload", "application/octet-stream", b"y")],
    ]


def test_call_sends_files_and_saves_answers(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text(json.dumps(ARCHIVE))
    (tmp_path / "yarn.bin").write_bytes(BYTES)
    spec = ("--spec", "archive.json")
    with scripted(MADE, content()) as (address, script):
        done = run(
            *("call", *spec, "create_file", "--body", '{"purpose": "vision"}'),
            *("--file", "file=@yarn.bin", "--file", "more=yarn.bin", "--file", "more=archive.json"),
            url=address,
            folder=tmp_path,
        )
        assert json.loads(done.stdout) == {"id": "file-1"}
        done = run(
            *("call", *spec, "download_file", "--param", "file_id=file-1", "--output", "got.bin"),
            url=address,
            folder=tmp_path,
        )
        assert (done.stdout, (tmp_path / "got.bin").read_bytes() == BYTES) == ("", True)
    assert [(name, file) for name, file, *_ in fields(script.sent[0])] == [
        ("purpose", None),
        ("file", "yarn.bin"),
        ("more", "yarn.bin"),
        ("more", "archive.json"),
    ]


def test_help_says_what_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text(json.dumps(ARCHIVE))
    page = weft("help", "create_file", "--spec", "archive.json", cwd=tmp_path).stdout
    assert "Body (multipart/form-data)" in page
    assert "    file  file  required\n" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create_file", "--file", "yarn.bin"], "  yarn.bin: write it as NAME=PATH"),
        (["create_file", "--file", "purpose=a"], "  body.purpose: files here are: file, more"),
        (["download_file", "--file", "file=a"], "  body.file: files here are: none"),
        (["create_file", "--file", "file=missing"], "  body.purpose: is required"),
        (
            ["create_file", "--body", '{"purpose": "vision"}', "--file", "file=missing"],
            "No such file or directory: 'missing'",
        ),
        (
            ["create_file", "--body", "[]", "--file", "file=missing"],
            "  body: a form is an object, so that it can have files",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_words(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "archive.json").write_text(json.dumps(ARCHIVE))
    arguments = ["call", "--spec", "archive.json", *arguments]
    done = run(*arguments, url="http://127.0.0.1:9", folder=tmp_path, status=1)
    assert (said in done.stderr, "Traceback" in done.stderr) == (True, False), done.stderr

"""Making objects, reading whole lists, and speaking HTTP by hand."""

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.harness import Api

ANSWER_S = 20.0
BOUNDARY = "a-boundary-that-no-file-holds"


def a_thread(api: Api, **body: Any) -> str:
    """Make a thread and return its id."""
    made: str = api.ok("POST", "/threads", body)["id"]
    return made


def a_message(api: Api, thread_id: str, content: Any = "Hello", **body: Any) -> str:
    """Append a message and return its id."""
    message = {"role": "user", "content": content, **body}
    made: str = api.ok("POST", f"/threads/{thread_id}/messages", message)["id"]
    return made


def an_assistant(api: Api, **body: Any) -> str:
    """Make an assistant and return its id."""
    made: str = api.ok("POST", "/assistants", {"model": "demo", **body})["id"]
    return made


def send_file(
    api: Api,
    data: bytes = b"Over one, under one.",
    *,
    name: str = "weave.txt",
    path: str = "/files",
    field: str = "file",
    headers: Mapping[str, str] | None = None,
    **fields: str,
) -> httpx2.Response:
    """Send a form with a file, as browsers and SDKs write it, and return the answer, checked."""
    lines = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    lines.append(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    raw = "".join(lines).encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return api.call("POST", path, raw=raw, headers={**kind, **(headers or {})})


def a_file(api: Api, data: bytes = b"Over one, under one.", *, name: str = "weave.txt") -> str:
    """Upload a file for assistants and return its id."""
    answer = send_file(api, data, name=name, purpose="assistants")
    assert answer.status_code == 200, answer.text
    made: str = answer.json()["id"]
    return made


def an_upload(api: Api, size: int = 8, **body: Any) -> str:
    """Announce a file that arrives in parts, and return the upload's id."""
    announced = {
        "filename": "parts.txt",
        "purpose": "assistants",
        "bytes": size,
        "mime_type": "text/plain",
        **body,
    }
    made: str = api.ok("POST", "/uploads", announced)["id"]
    return made


def pages(api: Api, path: str, **query: Any) -> Iterator[Any]:
    """Yield the pages of a list as a client reads them: `after` the last id while there is more."""
    while True:
        page = api.ok("GET", path, params=query)
        yield page
        if not page["has_more"] or not page["data"]:
            return
        query["after"] = page["last_id"]


def everything(api: Api, path: str, **query: Any) -> list[Any]:
    """Return every object of a list."""
    return [one for page in pages(api, path, **query) for one in page["data"]]


def ids(objects: list[Any]) -> list[str]:
    """Return the ids of objects."""
    return [one["id"] for one in objects]


def as_wire(value: Any) -> bytes:
    """Return JSON as the wire has it: compact, raw UTF-8, keys in the order that they have."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def open_socket(address: str) -> socket.socket:
    """Connect to a server."""
    place = urlsplit(address)
    return socket.create_connection((str(place.hostname), place.port or 80), timeout=ANSWER_S)


def read_all(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


class RawAnswer:
    """One HTTP answer, taken from the front of some bytes; `rest` is what stands behind it."""

    def __init__(self, received: bytes) -> None:
        head, found, behind = received.partition(b"\r\n\r\n")
        assert found, f"no complete HTTP head in {received!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        length = int(self.headers["content-length"])
        assert len(behind) >= length, f"the body is not complete: {behind!r}"
        self.body = behind[:length]
        self.rest = behind[length:]

    def error(self) -> Any:
        """Return the error object of the body."""
        return json.loads(self.body)["error"]


def speak(address: str, request: bytes) -> RawAnswer:
    """Send bytes as they are, and return the one answer that comes before the server closes.

    The request must make the server close: `Connection: close`, or something malformed.
    """
    with open_socket(address) as connection:
        connection.sendall(request)
        answer = RawAnswer(read_all(connection))
    assert not answer.rest, f"more than one answer: {answer.rest!r}"
    return answer

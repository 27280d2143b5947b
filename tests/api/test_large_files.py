"""Large files need no memory: what arrives goes to disk, what leaves comes from there."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from tests.api.making import BOUNDARY, an_upload, open_socket, send_file
from tests.harness import Api, Server, api_of

MB = 1024 * 1024
PIECE = os.urandom(MB)
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n'
).encode()
END = f"\r\n--{BOUNDARY}--\r\n".encode()


def peak_bytes(server: Server) -> int:
    """Return the most memory that a server ever had."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def send(connection: socket.socket, size_mb: int) -> bytes:
    """Send a file of so many pieces and return the answer."""
    length = len(HEAD) + size_mb * MB + len(END)
    connection.sendall(
        "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {length}\r\n\r\n".encode()
        + HEAD
    )
    for _ in range(size_mb):
        connection.sendall(PIECE)
    connection.sendall(END)
    answer = b""
    while part := connection.recv(65536):
        answer += part
    return answer


def hash_of(size_mb: int) -> str:
    """Return the SHA-256 of so many pieces."""
    found = hashlib.sha256()
    for _ in range(size_mb):
        found.update(PIECE)
    return found.hexdigest()


def downloaded(api: Api, path: str) -> str:
    """Return the SHA-256 of a download that is not held in memory."""
    found = hashlib.sha256()
    with api.http.stream("GET", f"/v1{path}") as answer:
        for part in answer.iter_bytes():
            found.update(part)
    return found.hexdigest()


def in_and_out(folder: Path, size_mb: int) -> None:
    """Upload and download a file, and hold the memory that it took against 20 MB."""
    with Server(folder) as server, api_of(server) as api:
        with open_socket(server.address) as connection:
            send(connection, 1)  # what is needed once is there now
        before = peak_bytes(server)
        with open_socket(server.address) as connection:
            connection.settimeout(120)
            assert send(connection, size_mb).startswith(b"HTTP/1.1 200")
        file = api.ok("GET", "/files", params={"limit": 1})["data"][0]
        assert file["bytes"] == size_mb * MB
        assert downloaded(api, f"/files/{file['id']}/content") == hash_of(size_mb)
        assert peak_bytes(server) - before < 20 * MB


def test_a_file_of_64_mb_takes_less_than_20_mb_of_memory(tmp_path: Path) -> None:
    in_and_out(tmp_path / "data", 64)


@pytest.mark.full
def test_the_largest_file_takes_less_than_20_mb_of_memory(tmp_path: Path) -> None:
    in_and_out(tmp_path / "data", 512)


def in_parts(folder: Path, count: int, size_mb: int) -> None:
    """Upload a file in parts, with its MD5, and hold the memory that it took against 20 MB."""
    with Server(folder) as server, api_of(server) as api:
        upload_id = an_upload(api, count * size_mb * MB)
        path = f"/uploads/{upload_id}"
        send_file(api, b"x", path=f"{path}/parts", field="data")
        before = peak_bytes(server)
        part_ids = [
            send_file(api, PIECE * size_mb, path=f"{path}/parts", field="data").json()["id"]
            for _ in range(count)
        ]
        md5 = hashlib.md5(usedforsecurity=False)
        for _ in range(count * size_mb):
            md5.update(PIECE)
        wrong = {"part_ids": part_ids, "md5": hashlib.md5(b"", usedforsecurity=False).hexdigest()}
        status, error = api.error("POST", f"{path}/complete", wrong)
        assert (status, error["param"]) == (400, "md5")
        assert md5.hexdigest() in error["message"]
        right = {"part_ids": part_ids, "md5": md5.hexdigest()}
        done = api.ok("POST", f"{path}/complete", right)
        assert downloaded(api, f"/files/{done['file']['id']}/content") == hash_of(count * size_mb)
        assert peak_bytes(server) - before < 20 * MB


def test_an_upload_of_48_mb_takes_less_than_20_mb_of_memory(tmp_path: Path) -> None:
    in_parts(tmp_path / "data", 3, 16)


@pytest.mark.full
def test_an_upload_of_the_largest_parts_takes_less_than_20_mb_of_memory(tmp_path: Path) -> None:
    in_parts(tmp_path / "data", 8, 64)

"""How fast files come and go, beside a file that is only copied through the same stack."""

import json
import re
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench.copying import COPY
from bench.process import Server
from bench.report import Result, Section, Target
from bench.stage import Stage, say

SECTION = Section(
    "Files",
    "Beside them, in the same process, a copy: a body written to a file and synced, or a file "
    "sent, in pieces of the same size, without a form, a hash or a database. Megabytes a second, "
    "medians; the ratio is of rounds in turns.",
)
MB = 1_000_000
BOUNDARY = "bench"
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
).encode()
END = f"\r\n--{BOUNDARY}--\r\n".encode()
PIECE = bytes(range(256)) * 4096


class Line:
    """One connection, kept open, that can send and take more than memory should hold."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(server.place, timeout=300)
        self._host = f"Host: localhost\r\nAuthorization: Bearer {server.key}\r\n"

    def post(self, path: str, size: int, *, is_form: bool) -> bytes:
        """Send so many bytes and return the body of the answer."""
        head, end = (HEAD, END) if is_form else (b"", b"")
        length = len(head) + size + len(end)
        self._socket.sendall(
            f"POST {path} HTTP/1.1\r\n{self._host}Content-Length: {length}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode()
            + head
        )
        for sent in range(0, size, len(PIECE)):
            self._socket.sendall(memoryview(PIECE)[: min(len(PIECE), size - sent)])
        self._socket.sendall(end)
        length, body = self._answer()
        while len(body) < length:
            body += self._socket.recv(65536)
        return body

    def get(self, path: str) -> int:
        """Take a body and return how many bytes it had."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{self._host}\r\n".encode())
        length, body = self._answer()
        taken = len(body)
        room = bytearray(1024 * 1024)
        while taken < length:
            taken += self._socket.recv_into(room)
        return taken

    def _answer(self) -> tuple[int, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._socket.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(received.decode("latin-1"))
        found = re.search(rb"content-length: (\d+)", head)
        assert found is not None
        return int(found[1]), body


class Kind(NamedTuple):
    """Files of a size, how many in one measurement, and the least of the copy, in and out."""

    title: str
    size: int
    times: int
    least: tuple[float, float]


def files(stage: Stage) -> Iterator[Result]:
    """Measure one large file and many small ones, in both directions."""
    with Server(stage.new_path("data")) as server:
        line = Line(server)
        size = stage.scale.file_mb * MB
        large = Kind(f"a file of {stage.scale.file_mb} MB", size, 1, (0.6, 0.8))
        # Each is a file of its own: two commits and two syncs more than the copy.
        small = Kind("files of 1 MB, one after another", MB, 20, (0.2, 0.5))
        for kind in (large, small):
            yield from _both_ways(stage, line, kind)


def _both_ways(stage: Stage, line: Line, kind: Kind) -> Iterator[Result]:
    title, size, count, least = kind
    ids: list[str] = []

    def upload() -> None:
        ids.append(json.loads(line.post("/v1/files", size, is_form=True))["id"])

    def copy_in() -> None:
        line.post(COPY, size, is_form=False)

    def download() -> None:
        line.get(f"/v1/files/{ids[0]}/content")

    def copy_out() -> None:
        line.get(COPY)

    ways = (("Upload", upload, copy_in), ("Download", download, copy_out))
    for (what, ours, copied), limit in zip(ways, least, strict=True):
        rates: list[tuple[float, float]] = []
        for number in range(stage.scale.rounds + 1):
            pair = tuple(size * count / MB / _seconds(act, count) for act in (ours, copied))
            say(f"  {what} of {title}, Weft / copy: {pair[0]:,.0f} / {pair[1]:,.0f} MB/s")
            if number:  # the first one warms up
                rates.append((pair[0], pair[1]))
        of_copy = statistics.median(one / other for one, other in rates)
        cells = {
            "What": f"{what} of {title}",
            "MB/s": f"{statistics.median(one for one, _ in rates):,.0f}",
            "Copy, MB/s": f"{statistics.median(other for _, other in rates):,.0f}",
            "Of the copy": f"{of_copy:.2f}",
        }
        yield Result(SECTION, cells, of_copy, Target.at_least(limit))


def _seconds(act: Callable[[], None], count: int) -> float:
    started = time.monotonic()
    for _ in range(count):
        act()
    return time.monotonic() - started

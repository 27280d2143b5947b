"""A full disk: writes are refused cleanly, reads go on, and it goes on when there is room again."""

import asyncio
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.crash.load import Answer, Line
from tests.harness import Server

ROOM = 6 * 1024 * 1024
CONNECTIONS = 8
TEXT = "x" * 20_000


class Disk(Protocol):
    """A folder with little room for a server's data."""

    folder: Path

    def fill(self, server: Server, /) -> None:
        """Leave no room for much more."""

    def make_room(self, server: Server, /) -> None:
        """Give the server room again."""


class SmallDisk:
    """A file system of its own, too small, with a file on it that can be removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, _: Server) -> None:
        """See Disk."""
        self._ballast.write_bytes(b"x" * (ROOM // 2))

    def make_room(self, _: Server) -> None:
        """See Disk."""
        self._ballast.unlink()


class Quota:
    """The system's own limit for the size of a file, set and lifted from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, server: Server) -> None:
        """See Disk."""
        self._limit(server, ROOM // 2)

    def make_room(self, server: Server) -> None:
        """See Disk."""
        self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server: Server, soft: int) -> None:
        pid = server.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft if soft >= 0 else hard, hard))


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """Mount a small file system on a folder, if this user may; say whether."""
    options = f"size={ROOM},mode=0700,uid={os.getuid()}"
    command = ["mount", "-t", "tmpfs", "-o", options, "weft-test", str(folder)]
    may = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield may
    finally:
        if may:
            subprocess.run(["umount", str(folder)], check=True)


def kinds() -> list[str]:
    """Return the kinds of disk that this machine lets us fill: a mount needs root."""
    with tempfile.TemporaryDirectory() as folder, mounted(Path(folder)) as may:
        return ["quota", "small disk"] if may else ["quota"]


@pytest.fixture(params=kinds())
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A folder with little room."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    if request.param == "quota":
        yield Quota(folder)
        return
    with mounted(folder) as may:
        assert may
        yield SmallDisk(folder)


def body(thread_id: str, text: str = TEXT) -> dict[str, object]:
    """A thread with an id of ours, so that it can be asked for whatever became of it."""
    return {"id": thread_id, "messages": [{"role": "user", "content": text}] * 2}


def check_refusal(answer: Answer) -> None:
    """A refusal is an error in JSON that says to come again."""
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["retry-after"] == "1"
    error = answer.body["error"]
    assert "nothing was stored" in error["message"].lower()
    assert error["type"] == "server_error"
    assert error["code"] is None
    assert error["param"] is None


async def write_until_refused(address: str, name: str) -> dict[str, bool]:
    """Write on several connections until each was refused; say what became of each thread."""
    stored: dict[str, bool] = {}

    async def write(number: int) -> None:
        line = await Line.open(address)
        for count in range(1000):
            thread_id = f"thread_{name}_{number}_{count}"
            answer = await line.call("POST", "/threads", body(thread_id))
            stored[thread_id] = answer.status == 200
            if answer.status != 200:
                check_refusal(answer)
                break
        line.close()

    await asyncio.gather(*map(write, range(CONNECTIONS)))
    return stored


async def check_stored(address: str, stored: dict[str, bool]) -> None:
    """What was acknowledged is there, whole; what was refused is not."""
    line = await Line.open(address)
    for thread_id, is_stored in stored.items():
        found = await line.call("GET", f"/threads/{thread_id}")
        assert found.status == (200 if is_stored else 404)
        if is_stored:
            listed = await line.ok("GET", f"/threads/{thread_id}/messages")
            texts = [message["content"][0]["text"]["value"] for message in listed["data"]]
            assert texts == [TEXT, TEXT]
    listed = await line.ok("GET", "/threads?limit=100")
    assert len(listed["data"]) == min(100, sum(stored.values()))
    line.close()


async def check_every_write_is_refused(address: str, thread_id: str) -> None:
    """Whatever is asked to be written, it is refused in the same way."""
    line = await Line.open(address)
    more = TEXT * 5  # than what is left where two texts found no room
    message = {"role": "user", "content": more}
    for method, path, sent in [
        ("POST", "/threads", body("thread_refused", more)),
        ("POST", f"/threads/{thread_id}/messages", message),
        ("POST", "/assistants", {"model": "m", "instructions": more}),
    ]:
        check_refusal(await line.call(method, path, sent))
    assert (await line.ok("GET", f"/threads/{thread_id}"))["id"] == thread_id
    line.close()


async def write_again(address: str, stored: dict[str, bool]) -> None:
    """Repeat what was refused, as a client does; the same server takes it now."""
    line = await Line.open(address)
    for thread_id in [name for name, is_stored in stored.items() if not is_stored]:
        await line.ok("POST", "/threads", body(thread_id))
        stored[thread_id] = True
    line.close()


def test_a_full_disk_refuses_writes_and_loses_nothing(disk: Disk) -> None:
    with Server(disk.folder) as server:
        disk.fill(server)
        stored = asyncio.run(write_until_refused(server.address, "full"))
        assert {True, False} == set(stored.values())
        asyncio.run(check_stored(server.address, stored))
        kept = next(thread_id for thread_id, is_stored in stored.items() if is_stored)
        asyncio.run(check_every_write_is_refused(server.address, kept))

        disk.make_room(server)
        asyncio.run(write_again(server.address, stored))
        asyncio.run(check_stored(server.address, stored))
    assert "Traceback" not in server.log_path.read_text()
    # And all of it is on the disk.
    with Server(disk.folder) as again:
        asyncio.run(check_stored(again.address, stored))


def test_a_server_ends_and_starts_on_a_full_disk(disk: Disk) -> None:
    """Both are done without writing what there is no room for, and reading needs none."""
    with Server(disk.folder) as server:
        disk.fill(server)
        stored = asyncio.run(write_until_refused(server.address, "full"))
        assert server.stop() == 0
    with Server(disk.folder) as again:
        asyncio.run(check_stored(again.address, stored))
        assert again.stop() == 0
    assert "Traceback" not in server.log_path.read_text()

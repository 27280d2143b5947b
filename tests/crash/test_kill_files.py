"""kill -9 while files arrive, whole and in parts: a file is whole or not there, nothing is over."""

import hashlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.making import everything, ids
from tests.crash.stored import check, count, is_swept, lying
from tests.harness import Api, Server, api_of, within

CLIENTS = 8
SHARED = [random.Random(number).randbytes(50_000) for number in range(3)]  # noqa: S311  # no secret
PATIENCE_S = 60.0


class Known:
    """What clients know of files: what was acknowledged. A name is the hash of what is in it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.maybe_deleted: set[str] = set()
        self.deleted: set[str] = set()
        self.pending: set[str] = set()
        self.acknowledged = 0
        self._more = threading.Condition()

    def count(self) -> None:
        """Note an acknowledgement."""
        with self._more:
            self.acknowledged += 1
            self._more.notify_all()

    def wait_for(self, enough: int) -> None:
        """Return when so much was acknowledged."""
        with self._more:
            assert self._more.wait_for(lambda: self.acknowledged >= enough, PATIENCE_S)


class Client:
    """One client: uploads, in parts too, and deletes, until the server is gone."""

    def __init__(self, address: str, known: Known, seed: int) -> None:
        self._known = known
        self._chance = random.Random(seed)  # noqa: S311  # no secret
        self._mine: list[str] = []
        self._http = httpx2.Client(base_url=address, timeout=PATIENCE_S)

    def work(self) -> None:
        """Work until the server is gone."""
        try:
            with self._http:
                while True:
                    act = self._chance.choice([self._upload, self._in_parts, self._delete])
                    act()
                    self._known.count()
        except httpx2.TransportError:
            pass

    def _post(self, path: str, **how: Any) -> Any:
        answer = self._http.post(f"/v1{path}", **how)
        answer.raise_for_status()
        return answer.json()

    def _data(self) -> bytes:
        if self._chance.random() < 0.3:
            return self._chance.choice(SHARED)
        return self._chance.randbytes(self._chance.randrange(300_000))

    def _upload(self) -> None:
        data = self._data()
        name = hashlib.sha256(data).hexdigest()
        self._keep(self._post("/files", data={"purpose": "batch"}, files={"file": (name, data)}))

    def _in_parts(self) -> None:
        data = self._data()
        name = hashlib.sha256(data).hexdigest()
        about = {"filename": name, "purpose": "batch", "mime_type": "x/y", "bytes": len(data)}
        upload = self._post("/uploads", json=about)["id"]
        self._known.pending.add(upload)
        cut = self._chance.randrange(len(data) + 1)
        parts = [
            self._post(f"/uploads/{upload}/parts", files={"data": ("upload", part)})["id"]
            for part in (data[:cut], data[cut:])
        ]
        done = self._post(f"/uploads/{upload}/complete", json={"part_ids": parts})
        self._known.pending.discard(upload)
        self._keep(done["file"])

    def _delete(self) -> None:
        if not self._mine:
            return
        file = self._mine.pop(self._chance.randrange(len(self._mine)))
        self._known.maybe_deleted.add(file)
        self._http.delete(f"/v1/files/{file}").raise_for_status()
        self._known.deleted.add(file)

    def _keep(self, file: Any) -> None:
        self._known.kept[file["id"]] = file["filename"]
        self._mine.append(file["id"])


def work_until_killed(folder: Path, enough: int) -> Known:
    """Let clients work, and kill the server in the middle of it."""
    known = Known()
    with Server(folder) as server, ThreadPoolExecutor(CLIENTS) as threads:
        clients = [Client(server.address, known, enough + n) for n in range(CLIENTS)]
        working = [threads.submit(client.work) for client in clients]
        known.wait_for(enough)
        server.kill()
        for each in working:
            each.result()
    return known


def check_known(api: Api, known: Known) -> None:
    """Hold what clients know against what the server has; end what was begun."""
    there = {file["id"]: file["filename"] for file in everything(api, "/files")}
    assert known.kept.keys() - known.maybe_deleted <= there.keys()
    assert not known.deleted & there.keys()
    for file, name in there.items():
        content = api.call("GET", f"/files/{file}/content").content
        assert hashlib.sha256(content).hexdigest() == name
    for upload in known.pending:
        ended = api.call("POST", f"/uploads/{upload}/cancel")
        assert ended.status_code == 200 or "has status 'completed'" in ended.text


def kill_and_check(folder: Path, enough: int) -> None:
    """Work, kill, start again, and look at everything; the folder may hold older files."""
    known = work_until_killed(folder, enough)
    with Server(folder) as server, api_of(server) as api:
        check_known(api, known)
        distinct = {file["filename"] for file in everything(api, "/files")}
        assert within(PATIENCE_S, lambda: is_swept(folder))
        assert len(lying(folder)) == len(distinct)
        assert len(ids(everything(api, "/files", limit=7))) == count(folder, "file WHERE wire > ''")
        assert "Traceback" not in server.log_path.read_text()
    check(folder)


def test_a_kill_leaves_every_acknowledged_file_whole_and_nothing_over(tmp_path: Path) -> None:
    for enough in (5, 60):
        kill_and_check(tmp_path / "data", enough)


@pytest.mark.full
def test_many_kills_leave_every_acknowledged_file_whole_and_nothing_over(tmp_path: Path) -> None:
    for enough in (1, 2, 9, 20, 33, 50, 80, 120, 170, 250):
        kill_and_check(tmp_path / "data", enough)

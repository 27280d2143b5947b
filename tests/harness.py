"""A real server process for tests, and a client that holds every answer against the contract."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx2

from tests import postgres

if TYPE_CHECKING:
    from tests.contract.checker import Event

START_S = 20.0
EVENTS = "text/event-stream; charset=utf-8"
BYTES = "application/octet-stream"


class Server:
    """`weft serve` on a data folder: a process of its own, on a free port of the loopback."""

    def __init__(self, data_dir: Path, *flags: str, env: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.log_path = data_dir.parent / f"{data_dir.name}.log"
        self._log = self.log_path.open("ab")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-W", "error", "-m", "weft", "serve"),
                *("--port", "0", "--data-dir", str(data_dir), *flags),
            ],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=data_dir.parent,
            env={**_environment(), **_database(data_dir), **(env or {})},
        )
        self.address = self._announced()

    def _announced(self) -> str:
        """Return the address that the server says it serves at; it listens by then."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"at (http://\S+)/v1", line):
                return found.group(1)
        self.process.wait(START_S)
        raise AssertionError(f"the server did not start:\n{self.log_path.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would end it."""
        self.process.send_signal(signal.SIGKILL)
        self._close()

    def stop(self) -> int:
        """End it as an operator would, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._close()

    def _close(self) -> int:
        status = self.process.wait(START_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Api:
    """HTTP against a server. Each answer is checked against the server's own OpenAPI document."""

    def __init__(self, address: str, *, key: str | None = None, prefix: str = "/v1") -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.prefix = prefix
        self.http = httpx2.Client(base_url=address, headers=headers, timeout=60.0)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx2.Response:
        """Send a request (`body` as JSON, or `raw` as it is) and return the answer, checked."""
        sent = dict(headers or {})
        content = raw
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        answer = self.http.request(
            method, self.prefix + path, content=content, headers=sent, params=params
        )
        _check(answer, method, path.partition("?")[0])
        return answer

    def ok(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        """Send a request that must succeed and return its JSON."""
        answer = self.call(method, path, body, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events(self, method: str, path: str, body: Any = None, **how: Any) -> "list[Event]":
        """Send a request that must be answered by a whole stream and return its events."""
        from tests.contract.checker import check_events

        answer = self.call(method, path, body, **how)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == EVENTS
        return check_events(answer.content)

    def error(self, method: str, path: str, body: Any = None, **how: Any) -> tuple[int, Any]:
        """Send a request that must fail and return (status, error object)."""
        answer = self.call(method, path, body, **how)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["error"]

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()


def _check(answer: httpx2.Response, method: str, path: str) -> None:
    """Hold an answer against the contract."""
    from tests.contract.checker import check_answer, check_bytes, check_events

    assert answer.headers["x-request-id"].startswith("req_")
    if answer.headers["content-type"] == EVENTS:
        assert answer.status_code == 200
        check_events(answer.content)
    elif answer.headers["content-type"] == BYTES:
        check_bytes(method, path, answer.status_code, answer.headers)
    else:
        check_answer(method, path, answer.status_code, answer.json())


def within(deadline_s: float, is_so: Callable[[], bool]) -> bool:
    """Ask again and again until it is so, or the time is over."""
    end = time.monotonic() + deadline_s
    while not is_so():
        if time.monotonic() > end:
            return False
    return True


def _database(data_dir: Path) -> dict[str, str]:
    """Return the setting that names the database of a data folder that is on PostgreSQL."""
    url = postgres.url_of(data_dir)
    return {} if url is None else {"WEFT_DATABASE_URL": url}


def weft(*arguments: str, cwd: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line and return what it printed; its exit status must be as given."""
    named = "--data-dir" in arguments and arguments[arguments.index("--data-dir") + 1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "weft", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**_environment(), **(_database(Path(named)) if named else {})},
        timeout=60,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def _environment() -> dict[str, str]:
    """Return the environment without settings of Weft: a developer's own must not leak in."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}


@contextmanager
def api_of(server: Server, **how: Any) -> Iterator[Api]:
    """Open an `Api` on a server and close it in the end."""
    api = Api(server.address, **how)
    try:
        yield api
    finally:
        api.close()

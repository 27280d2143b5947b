"""The stage of the demo: a real server, requests shown, answers checked."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

WIDTH = 96
SHOWN_ITEMS = 2  # of a list that does not fit one line
START_S = 10.0


class Like(NamedTuple):
    """A text that matches `pattern`, where the exact one is not known beforehand."""

    pattern: str


class Wrong(Exception):
    """An answer that was not as it has to be."""


class Event(NamedTuple):
    """One event of a stream: its number, its name and its data."""

    number: int
    name: str
    data: Any


AN_INSTANT = int  # unix seconds: any whole number


# --- showing --------------------------------------------------------------------------------


def _painted() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(style: str, text: str) -> str:
    """Return `text` in a style, where colours are welcome."""
    codes = {"bold": "1", "faint": "2", "green": "32", "red": "31", "cyan": "36"}
    return f"\033[{codes[style]}m{text}\033[0m" if _painted() else text


def pretty(value: Any, width: int = WIDTH) -> str:
    """Return JSON for a reader: lines are filled up to `width`, a long list is cut."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(line) <= width:
        return line
    if isinstance(value, dict):
        opening, closing = "{}"
        pieces = [f"{json.dumps(key)}: {pretty(item, width - 2)}" for key, item in value.items()]
    else:
        opening, closing = "[]"
        pieces = [pretty(item, width - 2) for item in value[:SHOWN_ITEMS]]
        if len(value) > SHOWN_ITEMS:
            pieces.append(f"... {len(value) - SHOWN_ITEMS} more")
    lines = [pieces[0]]
    for piece in pieces[1:]:
        is_short = "\n" not in piece + lines[-1] and len(lines[-1]) + len(piece) < width - 4
        if is_short:
            lines[-1] += f", {piece}"
        else:
            lines.append(piece)
    joined = ",\n".join(lines).replace("\n", "\n  ")
    return f"{opening}\n  {joined}\n{closing}"


def say(text: str = "", margin: str = "") -> None:
    """Print every line of `text` behind a margin."""
    try:
        for line in text.split("\n"):
            print(f"{margin}{line}".rstrip(), flush=True)
    except BrokenPipeError:  # the reader went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


# --- checking -------------------------------------------------------------------------------


def differences(expected: Any, got: Any, path: str = "") -> Iterator[str]:
    """Yield what is not as expected, each with its path. `Like` and types stand for a value."""
    where = path or "the answer"
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in expected.keys() | got.keys():
            inner = f"{path}.{key}" if path else key
            if key not in got:
                yield f"{inner} is missing; expected {expected[key]!r}"
            elif key not in expected:
                yield f"{inner} is {got[key]!r}; expected none"
            else:
                yield from differences(expected[key], got[key], inner)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, pair in enumerate(zip(expected, got, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif isinstance(expected, Like):
        if not isinstance(got, str) or not re.fullmatch(expected.pattern, got):
            yield f"{where} is {got!r}; expected a text like {expected.pattern}"
    elif isinstance(expected, type):
        if type(got) is not expected:
            yield f"{where} is {got!r}; expected some {expected.__name__}"
    elif type(got) is not type(expected) or got != expected:
        yield f"{where} is {got!r}; expected {expected!r}"


# --- the server and its client --------------------------------------------------------------


class Server:
    """`weft serve` on a folder, at a free port."""

    def __init__(self, data: Path) -> None:
        settings = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_")}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "weft", "serve", "--port", "0"),
                *("--data-dir", str(data), "--log-level", "warning"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=data.parent,
            env=settings,
        )
        assert self.process.stdout is not None
        # A server that says nothing is ended, and so is the wait for its word.
        guard = threading.Timer(START_S, self.process.kill)
        guard.start()
        for line in self.process.stdout:
            if found := re.search(r"http://([\d.]+):(\d+)", line):
                guard.cancel()
                self.host, self.port = found[1], int(found[2])
                return
        guard.cancel()
        raise Wrong("the server did not start; what it said stands above")

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running(data: Path) -> Iterator[Server]:
    """Run a server and end it in the end, whatever happens."""
    server = Server(data)
    try:
        yield server
    finally:
        server.kill()


class Demo:
    """Sends requests and tells what happened."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        self.checked = 0

    def step(
        self,
        title: str,
        request: str,
        body: Any = None,
        *,
        status: int = 200,
        expected: Any,
    ) -> Any:
        """Send a request such as `GET /v1/threads`, show it, and return its checked answer.

        Raises: Wrong when the answer is another than expected.
        """
        say()
        say(paint("bold", title))
        say(paint("cyan", request), "  > ")
        if body is not None:
            say(pretty(body), "  > ")
        got_status, answer, elapsed_ms = self._send(request, body)
        say(paint("faint", f"{_named(got_status)}, {elapsed_ms:.1f} ms"), "  < ")
        say(pretty(answer), "  < ")
        wrong = list(differences(expected, answer))
        if got_status != status:
            wrong.insert(0, f"the status is {got_status}; expected {_named(status)}")
        if wrong:
            raise Wrong("\n".join(wrong))
        self.checked += 1
        say(f"  {paint('green', 'ok')}")
        return answer

    def listen(
        self,
        title: str,
        request: str,
        body: Any = None,
        *,
        after: int = 0,
        leave_at: int | None = None,
    ) -> list[Event]:
        """Send a request for a stream, show its events, and return them, checked.

        They must be numbered from `after` + 1 without a gap. `leave_at` breaks the connection
        behind the event of that number; otherwise the stream must end by itself.
        """
        say()
        say(paint("bold", title))
        say(paint("cyan", request), "  > ")
        headers = {"Content-Type": "application/json"}
        if after:
            headers["Last-Event-ID"] = str(after)
            say(f"Last-Event-ID: {after}", "  > ")
        if body is not None:
            say(pretty(body), "  > ")
        method, path = request.split(" ")
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        heard: list[Event] = []
        for event in _events(response):
            heard.append(event)
            if event.number == leave_at:
                self._connection.close()
                break
        say("\n".join(_told(heard)), "  < ")
        numbers = [event.number for event in heard if event.name != "done"]
        if numbers != list(range(after + 1, after + 1 + len(numbers))) or not numbers:
            raise Wrong(f"the events are numbered {numbers}; expected {after + 1} and on")
        if leave_at is None and heard[-1].name != "done":
            raise Wrong(f"the stream ended with {heard[-1].name}; expected done")
        self.checked += 1
        say(f"  {paint('green', 'ok')}")
        return heard

    def _send(self, request: str, body: Any) -> tuple[int, Any, float]:
        method, path = request.split(" ")
        sent = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        started = time.perf_counter()
        self._connection.request(method, path, sent, headers)
        response = self._connection.getresponse()
        raw = response.read()
        elapsed_ms = (time.perf_counter() - started) * 1000
        return response.status, json.loads(raw), elapsed_ms

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def _named(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


def _events(response: http.client.HTTPResponse) -> Iterator[Event]:
    """Yield the events of a stream as they arrive."""
    number, name = 0, ""
    for line in response:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "id":
            number = int(value)
        elif field == "event":
            name = value
        elif field == "data":
            yield Event(number, name, value if name == "done" else json.loads(value))


def _told(heard: list[Event]) -> Iterator[str]:
    """Yield a line for each event, and one for deltas that follow each other."""
    for name, group in groupby(heard, lambda event: event.name):
        events = list(group)
        if name == "done":
            yield paint("faint", "done")
        elif name != "thread.message.delta":
            yield from (f"{event.number:3}  {name}" for event in events)
        else:
            text = "".join(e.data["delta"]["content"][0]["text"]["value"] for e in events)
            yield f"{events[0].number:3}  {name}, to {events[-1].number}: {paint('green', text)}"

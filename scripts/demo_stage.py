"""The stage of the demo: a real server, requests shown, answers checked."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from weft import ApiError, Event, SpecClient

WIDTH = 96
SHOWN_ITEMS = 2  # of a list that does not fit one line
START_S = 10.0


class Like(NamedTuple):
    """A text that matches `pattern`, where the exact one is not known beforehand."""

    pattern: str


class Wrong(Exception):
    """An answer that was not as it has to be."""


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


class Wire(logging.Handler):
    """Notes what goes over the wire, as the client's HTTP library logs it."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []
        self.answers: list[str] = []
        self._logger = logging.getLogger("httpx2")
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Note a request and the status of its answer."""
        assert isinstance(record.args, tuple)
        method, url, _, status, reason = record.args
        self.requests.append(f"{method} /{unquote(str(url)).split('/', 3)[3]}")
        self.answers.append(f"{status} {reason}")

    def close(self) -> None:
        """Note no more."""
        self._logger.removeHandler(self)
        super().close()


class Demo:
    """Calls operations with Weft's own client and tells what happened.

    The client is made from what the server says of itself, so its answers are what was sent.
    """

    def __init__(self, server: Server) -> None:
        from weft import Client

        url = f"http://{server.host}:{server.port}/openapi.json"
        self._client = Client.from_spec(url)
        self._careless = Client.from_spec(url, check=False)
        self._wire = Wire()
        self.checked = 0

    def step(
        self,
        title: str,
        operation: str,
        *path: str,
        expected: Any,
        status: int = 200,
        is_checked: bool = True,
        **arguments: Any,
    ) -> Any:
        """Call an operation, show it, and return its checked answer.

        Without `is_checked` the client sends whatever it is given.
        Raises: Wrong when the answer is another than expected.
        """
        self._announce(title, operation, path, arguments)
        client = self._client if is_checked else self._careless
        client.check(operation, *path, **arguments)  # the first check takes longer than it should
        started = time.perf_counter()
        got_status, answer, fault = _answer(client, operation, path, arguments)
        elapsed_ms = (time.perf_counter() - started) * 1000
        self._tell_request(arguments)
        raised = f", raised as {type(fault).__name__}" if fault else ""
        heads = ", ".join(self._wire.answers)
        say(paint("faint", f"{heads}, {elapsed_ms:.1f} ms{raised}"), "  < ")
        say(pretty(answer), "  < ")
        wrong = list(differences(expected, answer))
        if got_status != status:
            wrong.insert(0, f"the status is {got_status}; expected {status}")
        self._judge(wrong)
        return answer

    def refuse(self, title: str, operation: str, *, expected: list[str], **arguments: Any) -> None:
        """Call an operation in a way that the client must not send, and show why.

        Raises: Wrong when it was sent, or refused for other reasons than expected.
        """
        from weft import InvalidRequest

        self._announce(title, operation, (), arguments)
        say(pretty(arguments["body"]), "    ")
        problems: list[str] = []
        try:
            self._client.call(operation, **arguments)
        except InvalidRequest as fault:
            say(paint("faint", f"{type(fault).__name__}: {fault}"), "  ")
            problems = [str(problem) for problem in fault.problems]
        sent = [f"{request} was sent" for request in self._wire.requests]
        self._judge([*sent, *differences(expected, problems)])

    def listen(
        self,
        title: str,
        operation: str,
        *path: str,
        behind: int = 0,
        leave_at: int | None = None,
        **arguments: Any,
    ) -> "list[Event]":
        """Call an operation for its events, show them, and return them, checked.

        They must be numbered from `behind` + 1 without a gap. `leave_at` lets go of the connection
        behind the event of that number; otherwise the stream must end by itself.
        """
        arguments["stream"] = True
        self._announce(title, operation, path, arguments)
        heard: list[Event] = []
        with self._client.call(operation, *path, **arguments) as events:
            self._tell_request(arguments)
            for event in events:
                heard.append(event)
                if event.id == str(leave_at):
                    break
        say("\n".join(_told(heard)), "  < ")
        numbers = [int(event.id or 0) for event in heard]
        wrong = []
        if numbers != list(range(behind + 1, behind + 1 + len(numbers))) or not numbers:
            wrong = [f"the events are numbered {numbers}; expected {behind + 1} and on"]
        self._judge(wrong)
        return heard

    def _announce(
        self, title: str, operation: str, path: tuple[str, ...], arguments: dict[str, Any]
    ) -> None:
        self._wire.requests.clear()
        self._wire.answers.clear()
        say()
        say(paint("bold", title))
        given = [f'"{part}"' for part in path]
        for name, value in arguments.items():
            if name == "body":
                given.append("body=...")
                continue
            shown = json.dumps(value) if isinstance(value, str | dict | list) else repr(value)
            given.append(f"{name}={shown}")
        say(paint("cyan", f"client.{operation}({', '.join(given)})"), "  ")

    def _tell_request(self, arguments: dict[str, Any]) -> None:
        for request in self._wire.requests:
            say(request, "  > ")
        if "body" in arguments:
            is_stream = {"stream": True} if "stream" in arguments else {}
            body = {name: _sent(value) for name, value in arguments["body"].items()}
            say(pretty({**body, **is_stream}), "  > ")

    def _judge(self, wrong: list[str]) -> None:
        if wrong:
            raise Wrong("\n".join(wrong))
        self.checked += 1
        say(f"  {paint('green', 'ok')}")

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()
        self._careless.close()
        self._wire.close()


@contextmanager
def speaking(server: Server) -> Iterator[Demo]:
    """Speak to a server, and let go of it in the end.

    Raises: Wrong, also when no answer came.
    """
    # Where there is no Weft to import, one should read that the server did not start.
    from weft import WeftError

    demo = Demo(server)
    try:
        yield demo
    except WeftError as fault:
        raise Wrong(f"{type(fault).__name__}: {fault}") from fault
    finally:
        demo.close()


def _answer(
    client: "SpecClient", operation: str, path: tuple[str, ...], arguments: dict[str, Any]
) -> tuple[int, Any, "ApiError | None"]:
    """Return the status of an answer, what it holds, and what the client raised."""
    from weft import ApiError, Listing

    method = getattr(client, operation)
    try:
        if client.description.find(operation).is_list:
            listing = method(*path, **arguments)
            assert isinstance(listing, Listing)
            response = next(listing.pages())
        else:
            response = client.with_response(method, *path, **arguments)
    except ApiError as fault:
        said = {name: getattr(fault, name) for name in ("message", "type", "param", "code")}
        return fault.status, {"error": said}, fault
    return response.status, response.data, None


def _sent(value: Any) -> Any:
    """Return a field of a body as it is shown: of a file, (name, bytes), the name and the size."""
    if not isinstance(value, tuple):
        return value
    name, content = value
    return f"({name}, {len(content)} bytes)"


def _told(heard: "list[Event]") -> Iterator[str]:
    """Yield a line for each event, and one for the text of deltas that follow each other."""
    for name, group in groupby(heard, lambda event: event.event):
        events = list(group)
        if name != "thread.message.delta":
            yield from (f"{event.id:>3}  {name}" for event in events)
        else:
            text = "".join(event.text for event in events)
            yield f"{events[0].id:>3}  {name}, to {events[-1].id}: {paint('green', text)}"

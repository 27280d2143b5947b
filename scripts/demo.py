"""The demo: a real server, every request and answer shown, every answer checked.

It speaks plain HTTP, so that what is seen is what any client sees. The exit
status is 0 only if every answer was right.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

WIDTH = 96
SHOWN_ITEMS = 2  # of a list that does not fit one line
START_S = 10.0

THE_EXAMPLE = {
    "created_at": 1699012949,
    "id": "thread_abc123",
    "metadata": {},
    "object": "thread",
    "tool_resources": {},
}


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


# --- the story ------------------------------------------------------------------------------


def message(thread_id: str, role: str, text: str) -> dict[str, Any]:
    """Return the message object that a text must become."""
    return {
        "id": Like(r"msg_[A-Za-z0-9]{24}"),
        "object": "thread.message",
        "created_at": AN_INSTANT,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": AN_INSTANT,
        "role": role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }


def page(objects: list[Any]) -> dict[str, Any]:
    """Return the list object that must hold these objects and no more."""
    return {
        "object": "list",
        "data": objects,
        "first_id": objects[0]["id"],
        "last_id": objects[-1]["id"],
        "has_more": False,
    }


QUESTION = "Which yarn runs across the loom?"
ANSWER = "The weft. The warp is held still while the weft is carried back and forth."
THANKS = "Thank you! Grüße aus Köln."
METADATA = {"customer": "ada", "state": "open"}


def tell_threads(demo: Demo) -> list[Any]:
    """Create, list, find and append; return the messages that the thread must then hold."""
    thread = {
        "id": Like(r"thread_[A-Za-z0-9]{24}"),
        "object": "thread",
        "created_at": AN_INSTANT,
        "metadata": METADATA,
        "tool_resources": {},
    }
    made = demo.step(
        "Create a thread with two messages: all of it is stored, or nothing",
        "POST /v1/threads",
        {
            "messages": [
                {"role": "user", "content": QUESTION},
                {"role": "assistant", "content": ANSWER},
            ],
            "metadata": METADATA,
        },
        expected=thread,
    )
    thread_id = made["id"]
    messages = [message(thread_id, "user", QUESTION), message(thread_id, "assistant", ANSWER)]
    listed = demo.step(
        "List its messages, oldest first",
        f"GET /v1/threads/{thread_id}/messages?order=asc",
        expected=page(messages),
    )
    # Read threads show an empty list here, created ones do not: so did the real service.
    read = {**made, "tool_resources": {"code_interpreter": {"file_ids": []}}}
    demo.step(
        "Find it by its metadata (the service that Weft replaces never could)",
        "GET /v1/threads?metadata[customer]=ada&metadata[state]=open",
        expected=page([read]),
    )
    appended = demo.step(
        "Append a message",
        f"POST /v1/threads/{thread_id}/messages",
        {"role": "user", "content": THANKS},
        expected=message(thread_id, "user", THANKS),
    )
    return [*listed["data"], appended]


def tell_restore(demo: Demo) -> None:
    """Restore the documented example, and be refused the second time."""
    demo.step(
        "Restore a thread from elsewhere: it gets its own id and date back",
        "POST /v1/threads",
        THE_EXAMPLE,
        expected=THE_EXAMPLE,
    )
    demo.step(
        "Restore it again: refused, and nothing is changed",
        "POST /v1/threads",
        THE_EXAMPLE,
        status=400,
        expected={
            "error": {
                "message": "A thread with id 'thread_abc123' already exists. Nothing was changed; "
                "delete it first if you want to restore it again.",
                "type": "invalid_request_error",
                "param": "id",
                "code": "already_exists",
            }
        },
    )


def tell_error(demo: Demo) -> None:
    """Make a mistake."""
    demo.step(
        "Make a mistake: the error says where it is and what would be right",
        "POST /v1/threads",
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "human", "content": "Hi"}]},
        status=400,
        expected={
            "error": {
                "message": "Invalid value: 'human'. Supported values are: 'user' and 'assistant'.",
                "type": "invalid_request_error",
                "param": "messages[1].role",
                "code": "invalid_value",
            }
        },
    )


def tell_survival(demo: Demo, messages: list[Any]) -> None:
    """Read everything back after the crash."""
    thread_id = messages[0]["thread_id"]
    demo.step(
        "All messages are still there, exactly as they were answered",
        f"GET /v1/threads/{thread_id}/messages?order=asc",
        expected=page(messages),
    )
    demo.step(
        "So is the restored thread",
        f"GET /v1/threads/{THE_EXAMPLE['id']}",
        expected={**THE_EXAMPLE, "tool_resources": {"code_interpreter": {"file_ids": []}}},
    )


GOING_ON = """
How to go on
  make serve                      the server on http://127.0.0.1:8000/v1, data in ./weft-data
  curl -X POST http://127.0.0.1:8000/v1/threads
  .venv/bin/weft --help           keys, backup, every option

  # pip install openai
  from openai import OpenAI
  client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="any, while no key exists")
  thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
  print(client.beta.threads.messages.list(thread.id).data[0].content[0].text.value)
"""


def tell(data: Path) -> int:
    """Run the whole demo on a data folder and return how many answers were checked."""
    with running(data) as server:
        say(paint("bold", f"Weft serves http://{server.host}:{server.port}/v1, data in {data}"))
        demo = Demo(server)
        messages = tell_threads(demo)
        tell_restore(demo)
        tell_error(demo)
        say()
        say(paint("bold", "Kill the server (SIGKILL, no goodbye) and start it again"))
    demo.close()
    with running(data) as server:
        say(f"  {paint('green', 'ok')}  it serves http://{server.host}:{server.port}/v1 again")
        again = Demo(server)
        tell_survival(again, messages)
    again.close()
    return demo.checked + again.checked


def main() -> int:
    """Return the exit status: 0 only if every answer was right."""
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="weft-demo-") as folder:
            checked = tell(Path(folder) / "weft-data")
    except KeyboardInterrupt:
        return 130
    except Wrong as wrong:
        say()
        say(f"{paint('red', 'This answer is wrong:')}\n{wrong}")
        return 1
    except (OSError, http.client.HTTPException, json.JSONDecodeError) as fault:
        say()
        say(paint("red", f"The server could not be asked: {type(fault).__name__}: {fault}"))
        return 1
    elapsed_s = time.perf_counter() - started
    say()
    say(paint("green", f"All {checked} answers were right ({elapsed_s:.1f} s)."))
    say(GOING_ON.rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""weft call, weft help and weft chat, as processes."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.slow import MODEL, Slow
from tests.harness import Server, weft
from tests.llm.upstream import text
from weft import Client
from weft.client.contract import contract
from weft.client.terminal import parameters
from weft.config import Access, load_access

TIMEOUT_S = 30.0


def run(
    *arguments: str, url: str, folder: Path, status: int = 0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command line against a server and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "weft", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        input=stdin,
        env={**os.environ, "WEFT_BASE_URL": url},
        timeout=TIMEOUT_S,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


# --- weft call ----------------------------------------------------------------------------------


def test_call_prints_the_answer_as_the_server_sent_it(url: str, tmp_path: Path) -> None:
    body = '{"messages": [{"role": "user", "content": "Grüße"}], "metadata": {"by": "call"}}'
    made = json.loads(run("call", "create_thread", "--body", body, url=url, folder=tmp_path).stdout)
    assert made["metadata"] == {"by": "call"}
    listed = run(
        *("call", "listMessages", "--param", f"thread_id={made['id']}", "--param", "limit=1"),
        url=url,
        folder=tmp_path,
    )
    assert "Grüße" in listed.stdout
    assert json.loads(listed.stdout)["has_more"] is False
    found = run(
        *("call", "list_threads", "--param", "metadata[by]=call", "--param", "order=asc"),
        url=url,
        folder=tmp_path,
    )
    assert [each["id"] for each in json.loads(found.stdout)["data"]] == [made["id"]]


def test_a_body_is_read_from_a_file_and_from_standard_input(url: str, tmp_path: Path) -> None:
    (tmp_path / "thread.json").write_text('{"metadata": {"from": "file"}}')
    for given, stdin in (("@thread.json", ""), ("-", '{"metadata": {"from": "file"}}')):
        done = run("call", "create_thread", "--body", given, url=url, folder=tmp_path, stdin=stdin)
        assert json.loads(done.stdout)["metadata"] == {"from": "file"}


def test_call_prints_events_as_lines_of_json(
    url: str, tmp_path: Path, client: Client, assistant_id: str
) -> None:
    message = {"role": "user", "content": "Hi"}
    body = {"assistant_id": assistant_id, "thread": {"messages": [message]}}
    for more, asked in ((["--stream"], body), ([], {**body, "stream": True})):
        done = run(
            *("call", "create_thread_and_run", "--body", json.dumps(asked), *more),
            url=url,
            folder=tmp_path,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert [event["id"] for event in events] == [str(n + 1) for n in range(len(events))]
        assert events[0]["event"] == "thread.created"
        assert events[-1]["data"]["status"] == "completed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["get_thread", "--param", "thread_id=thread_no"], "weft: No thread found with id"),
        (["create_thread", "--body", '{"x": 1}'], "  body.x: is not known here"),
        (["create_thread", "--body", "{x"], "  body: is not JSON"),
        (["create_thread", "--body", "@missing.json"], "No such file"),
        (["list_threads", "--param", "limit"], "  limit: write it as NAME=VALUE"),
        (["list_threads", "--param", "limit=many"], 'limit: "many" is not of type integer'),
        (["list_threads", "--param", "colour=red"], "  colour: is not known here; there are: "),
        (["creat_thread"], "Did you mean create_thread"),
        (["get_health", "--spec", "missing.json"], "missing.json cannot be read"),
        (["get_health", "--base-url", "http://127.0.0.1:9/v1"], "weft: No answer to GET"),
    ],
)
def test_what_goes_wrong_is_said_in_words_with_status_1(
    arguments: list[str], said: str, url: str, tmp_path: Path
) -> None:
    done = run("call", *arguments, url=url, folder=tmp_path, status=1)
    assert (done.stdout, "Traceback" in done.stderr) == ("", False)
    assert said in done.stderr


def test_call_without_an_operation_says_how_to_find_one(url: str, tmp_path: Path) -> None:
    done = run("call", url=url, folder=tmp_path, status=2)
    assert "--list" in done.stderr


def test_list_has_every_operation_of_ours_or_of_another_api(url: str, tmp_path: Path) -> None:
    lines = run("call", "--list", url=url, folder=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        operation.name for operation in contract().operations.values()
    ]
    spec = {
        "openapi": "3.1.0",
        "servers": [{"url": "http://127.0.0.1:9"}],
        "paths": {"/pets": {"get": {"operationId": "listPets", "responses": {}}}},
    }
    (tmp_path / "pets.json").write_text(json.dumps(spec))
    done = run("call", "--spec", "pets.json", "--list", url=url, folder=tmp_path)
    assert done.stdout == "list_pets  GET     /pets\n"


def test_call_speaks_to_another_api_by_its_description(url: str, tmp_path: Path) -> None:
    address = f"{url.removesuffix('/v1')}/openapi.json"
    done = run("call", "--spec", address, "getHealth", url=url, folder=tmp_path)
    assert json.loads(done.stdout) == {"status": "ok"}


def test_the_key_comes_from_the_environment_or_a_flag(tmp_path: Path) -> None:
    key = weft("keys", "create", "--data-dir", "keyed", cwd=tmp_path).stdout.strip()
    with Server(tmp_path / "keyed") as server:
        url = f"{server.address}/v1"
        refused = run("call", "list_threads", url=url, folder=tmp_path, status=1)
        assert "You didn't provide an API key" in refused.stderr
        given = run("call", "list_threads", "--api-key", key, url=url, folder=tmp_path)
        assert json.loads(given.stdout)["data"] == []


def test_a_flag_goes_before_the_environment() -> None:
    environment = {"WEFT_BASE_URL": "http://a", "WEFT_API_KEY": "k"}
    flags = {"base_url": "http://b", "api_key": None}
    assert load_access(flags, environment) == Access(base_url="http://b", api_key="k")
    assert load_access({}, {}) == Access()


@pytest.mark.parametrize(
    ("operation_id", "given", "expected"),
    [
        ("listThreads", ["limit=5", "after=5"], {"limit": 5, "after": "5"}),
        ("listThreads", ["metadata[a]=1", "metadata[b]=="], {"metadata": {"a": "1", "b": "="}}),
        ("listRunSteps", ["include=x", "include[]=y"], {"include": ["x", "y"]}),
        ("getRun", ["starting_after=x"], {"starting_after": "x"}),
        ("createThread", ["Idempotency-Key=7"], {"idempotency_key": "7"}),
    ],
)
def test_the_schema_says_what_a_text_means(
    operation_id: str, given: list[str], expected: dict[str, Any]
) -> None:
    assert parameters(contract().find(operation_id), given) == expected


# --- weft help ----------------------------------------------------------------------------------


def test_help_prints_the_page_of_an_operation(tmp_path: Path) -> None:
    page = weft("help", "create_thread", cwd=tmp_path).stdout
    for part in (
        "CREATE A THREAD",
        "POST /v1/threads (createThread)",
        "client.create_thread(body={...})",
        "Idempotency-Key  header  string",
        "messages  list (at most 32) of CreateMessageRequest or null",
        '"content": "How does a loom work?"',
        '"object": "thread"',
        "SCHEMAS",
        "\nThreadObject\n",
        "\nMetadata\n",
        'object  "thread"  required',
    ):
        assert part in page, part
    assert page == weft("help", "createThread", cwd=tmp_path).stdout


def test_help_knows_every_operation_and_every_path(tmp_path: Path) -> None:
    contents = weft("help", cwd=tmp_path).stdout
    for operation in contract().operations.values():
        assert operation.name in contents
        assert operation.path in contents
    page = weft("help", "/v1/threads/{thread_id}", cwd=tmp_path).stdout
    for title in ("RETRIEVE A THREAD", "MODIFY A THREAD", "DELETE A THREAD"):
        assert title in page
    assert "no path" in weft("help", "/nowhere", cwd=tmp_path, status=1).stderr
    assert "Did you mean" in weft("help", "create_thred", cwd=tmp_path, status=1).stderr


def test_help_explains_another_api_too(tmp_path: Path, server: Server) -> None:
    spec = f"{server.address}/openapi.json?version=3.0"
    page = weft("help", "listThreads", "--spec", spec, cwd=tmp_path).stdout
    assert "GET /threads (listThreads)" in page


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -W error -m weft help create_run | head -1"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path, timeout=TIMEOUT_S
    )
    assert (done.stdout, done.stderr) == ("CREATE A RUN\n", "")


# --- weft chat ----------------------------------------------------------------------------------


def chatting(url: str, *flags: str) -> list[str]:
    """Return the command of a chat."""
    return [sys.executable, "-W", "error", "-m", "weft", "chat", "--base-url", url, *flags]


class Chatting:
    """`weft chat` as a process that is talked to through pipes."""

    def __init__(self, url: str, folder: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            chatting(url, *flags),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        self.printed = ""

    def say(self, text: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()

    def interrupt(self) -> None:
        """Press Ctrl-C until something is printed.

        A signal that comes as Python is about to wait for bytes is seen with the next byte only.
        """
        assert self.process.stdout is not None
        for _ in range(5):
            self.process.send_signal(signal.SIGINT)
            if select.select([self.process.stdout], [], [], TIMEOUT_S / 6)[0]:
                return

    def until(self, pattern: str) -> str:
        """Return what was printed since the last time, up to a pattern."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (found := re.search(pattern, self.printed, re.DOTALL)):
            assert self.process.stdout is not None
            wait_s = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, wait_s))
            assert ready, f"no {pattern!r} in: {self.printed}"
            piece = os.read(self.process.stdout.fileno(), 4096).decode()
            assert piece, f"it ended before {pattern!r}: {self.printed}"
            self.printed += piece
        text, self.printed = self.printed[: found.end()], self.printed[found.end() :]
        return text

    def end(self) -> str:
        """Close the input and return what was printed until the end."""
        rest, _ = self.process.communicate(timeout=TIMEOUT_S)
        assert self.process.returncode == 0, self.printed + rest.decode()
        return self.printed + rest.decode()


@pytest.fixture
def chats() -> Iterator[list[Chatting]]:
    """Chats that are ended with the test, however it ends."""
    found: list[Chatting] = []
    yield found
    for chat in found:
        chat.process.kill()
        chat.process.communicate()


def test_a_chat_answers_keeps_its_thread_and_goes_on_with_it(
    url: str, client: Client, tmp_path: Path, chats: list[Chatting]
) -> None:
    chats.append(chat := Chatting(url, tmp_path))
    thread_id = re.findall(r"thread_\w+", chat.until(r"Ctrl-C stops an answer\.\n"))[0]
    chat.say("Hello there")
    assert "Hello" in chat.until(r"Hello there[^\n]*\n")
    chat.say("")
    assert f"weft chat --thread {thread_id}" in chat.end()
    roles = [message.role for message in client.list_messages(thread_id, order="asc")]
    assert roles == ["user", "assistant"]
    chats.append(again := Chatting(url, tmp_path, "--thread", thread_id))
    again.until(r"> Hello there\n[^\n]*Hello there[^\n]*\n")
    again.say("And again")
    again.until(r"And again[^\n]*\n")
    again.end()
    assert len(list(client.list_messages(thread_id))) == 4


def test_at_a_terminal_a_chat_has_a_prompt_arrows_and_the_lines_before(
    url: str, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    chat = subprocess.Popen(
        chatting(url),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    printed = ""

    def until(text: str) -> None:
        nonlocal printed
        while text not in printed:
            ready, _, _ = select.select([ours], [], [], TIMEOUT_S)
            assert ready, printed
            printed += os.read(ours, 4096).decode()
        printed = printed.partition(text)[2]

    try:
        until("> ")
        os.write(ours, b"Helo\x1b[Dl\n")  # an arrow to the left
        until("You wrote: “Hello”")
        until("> ")
        os.write(ours, b"\x1b[A\n")  # an arrow up
        until("You wrote: “Hello”")
        until("> ")
        os.write(ours, b"\x04")
        until("\r\nGo on with: weft chat --thread thread_")
        assert chat.wait(TIMEOUT_S) == 0
    finally:
        chat.kill()
        chat.wait()
        os.close(ours)


def test_a_chat_makes_one_assistant_for_a_model_or_takes_the_one_it_is_given(
    url: str, client: Client, tmp_path: Path, assistant_id: str
) -> None:
    run("chat", url=url, folder=tmp_path)
    run("chat", "--model", "weft-demo", url=url, folder=tmp_path)
    own = [each for each in client.list_assistants() if each.metadata == {"made_by": "weft chat"}]
    assert [each.model for each in own] == ["weft-demo"]
    chatted = run("chat", "--assistant", assistant_id, url=url, folder=tmp_path, stdin="Hi\n")
    thread_id = re.findall(r"thread_\w+", chatted.stdout)[0]
    assert {run.assistant_id for run in client.list_runs(thread_id)} == {assistant_id}


def test_a_chat_shows_what_functions_are_called_and_asks_what_they_return(
    url: str, client: Client, tmp_path: Path
) -> None:
    function = {"name": "yarn_price", "parameters": {"type": "object"}}
    tools = [{"type": "function", "function": function}]
    assistant = client.create_assistant(body={"model": "weft-demo", "tools": tools})
    said = "Please call yarn_price.\n12 euros\n13 euros\n14 euros\n"
    done = run("chat", "--assistant", assistant.id, url=url, folder=tmp_path, stdin=said)
    assert "  calls yarn_price({" in done.stdout
    assert "  used yarn_price: 12 euros" in done.stdout


def test_a_chat_says_what_went_wrong_and_goes_on(url: str, tmp_path: Path) -> None:
    done = run("chat", "--assistant", "asst_no", url=url, folder=tmp_path, stdin="Hi\n")
    assert "weft: No assistant found with id 'asst_no'." in done.stderr
    assert "Go on with: weft chat --thread" in done.stdout
    done = run("chat", "--thread", "thread_no", url=url, folder=tmp_path, status=1)
    assert "weft: No thread found" in done.stderr


def begun(chat: Chatting) -> str:
    """Wait until a chat listens, and return its thread."""
    return str(re.findall(r"thread_\w+", chat.until(r"Ctrl-C stops an answer\.\n"))[0])


def chat_of(slow: Slow, *flags: str) -> Chatting:
    """Begin a chat with a slow model."""
    return Chatting(slow.url, slow.folder, "--model", MODEL, *flags)


def test_ctrl_c_stops_an_answer_and_the_chat_goes_on(slow: Slow, chats: list[Chatting]) -> None:
    chats.append(chat := chat_of(slow))
    thread_id = begun(chat)
    slow.upstream.play(slow.answer, text("quick as a shuttle"))
    slow.gate.let(2)
    chat.say("Take your time")
    chat.until(r"warp weft ")
    chat.interrupt()
    chat.until(r"\(stopped\)\n")
    chat.say("Now be quick")
    chat.until(r"quick as a shuttle\n")
    chat.end()
    statuses = [run.status for run in slow.client.list_runs(thread_id, order="asc")]
    assert statuses == ["cancelled", "completed"]


def test_a_chat_survives_a_restart_of_the_server_in_the_middle_of_an_answer(
    slow: Slow, chats: list[Chatting]
) -> None:
    chats.append(chat := chat_of(slow))
    thread_id = begun(chat)
    slow.gate.let(2)
    chat.say("Take your time")
    chat.until(r"warp weft ")
    slow.kill_and_start()
    # What was said is told to be broken off, and the answer begins anew.
    chat.until(r"\(broken off\)\nwarp weft ")
    slow.gate.open()
    chat.until(r"loom\n")
    chat.say("Still there?")
    chat.until(r"warp weft loom\n")
    chat.end()
    roles = [message.role for message in slow.client.list_messages(thread_id, order="asc")]
    assert roles == ["user", "assistant", "assistant", "user", "assistant"]


def test_an_answer_that_was_left_alone_is_shown_when_the_chat_goes_on(
    slow: Slow, chats: list[Chatting]
) -> None:
    message = {"role": "user", "content": "Take your time"}
    thread = slow.client.create_thread(body={"messages": [message]})
    assistant = slow.client.create_assistant(body={"model": MODEL})
    slow.client.create_run(thread.id, body={"assistant_id": assistant.id})
    slow.gate.let(2)
    chats.append(chat := chat_of(slow, "--thread", thread.id))
    chat.until(r"> Take your time\n.*warp weft ")
    slow.gate.open()
    chat.until(r"loom\n")
    chat.end()

"""The demo: a real server, every request and answer shown, every answer checked.

It calls the server with Weft's own client, and shows what goes over the wire. The exit
status is 0 only if every answer was right.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from demo_files import tell_files
from demo_runs import tell_runs
from demo_stage import AN_INSTANT, Demo, Like, Wrong, paint, running, say, speaking

THE_EXAMPLE: dict[str, Any] = {
    "created_at": 1699012949,
    "id": "thread_abc123",
    "metadata": {},
    "object": "thread",
    "tool_resources": {},
}


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
WRONG = {"role": "human", "content": "Hi"}
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
        "create_thread",
        body={
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
        "list_messages",
        thread_id,
        order="asc",
        expected=page(messages),
    )
    # Read threads show an empty list here, created ones do not: so did the real service.
    read = {**made, "tool_resources": {"code_interpreter": {"file_ids": []}}}
    demo.step(
        "Find it by its metadata (the service that Weft replaces never could)",
        "list_threads",
        metadata=METADATA,
        expected=page([read]),
    )
    appended = demo.step(
        "Append a message",
        "create_message",
        thread_id,
        body={"role": "user", "content": THANKS},
        expected=message(thread_id, "user", THANKS),
    )
    return [*listed["data"], appended]


def tell_restore(demo: Demo) -> None:
    """Restore the documented example, and be refused the second time."""
    demo.step(
        "Restore a thread from elsewhere: it gets its own id and date back",
        "create_thread",
        body=THE_EXAMPLE,
        expected=THE_EXAMPLE,
    )
    demo.step(
        "Restore it again: refused, and nothing is changed",
        "create_thread",
        body=THE_EXAMPLE,
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
    """Make mistakes, and make one so that the server has to find it."""
    demo.refuse(
        "Make mistakes: the client finds all of them and sends nothing",
        "create_thread",
        body={"messages": [{"role": "user"}, WRONG], "metadata": {"customer": 7}},
        expected=[
            "body.messages[0].content: is required",
            'body.messages[1].role: "human" is not one of "user" or "assistant"',
            "body.metadata.customer: 7 is not of type string",
        ],
    )
    demo.step(
        "Send one all the same: the server's error says where it is and what would be right",
        "create_thread",
        body={"messages": [{"role": "user", "content": "Hi"}, WRONG]},
        is_checked=False,
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
        "list_messages",
        thread_id,
        order="asc",
        expected=page(messages),
    )
    demo.step(
        "So is the restored thread",
        "get_thread",
        THE_EXAMPLE["id"],
        expected={**THE_EXAMPLE, "tool_resources": {"code_interpreter": {"file_ids": []}}},
    )


GOING_ON = """
How to go on
  make serve                      the server on http://127.0.0.1:8000/v1, data in ./weft-data
  .venv/bin/weft chat             talk to it
  .venv/bin/weft --help           any call, keys, backup, every option

  from weft import Client         # docs/client.md
  client = Client("http://127.0.0.1:8000/v1")
  thread = client.create_thread(body={"messages": [{"role": "user", "content": "Hello"}]})
  print(client.list_messages(thread.id).first().data[0].content[0].text.value)

  # or, as before: pip install openai
  from openai import OpenAI
  client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="any, while no key exists")
  thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
  print(client.beta.threads.messages.list(thread.id).data[0].content[0].text.value)
"""


def tell(data: Path) -> int:
    """Run the whole demo on a data folder and return how many answers were checked."""
    with running(data) as server, speaking(server) as demo:
        say(paint("bold", f"Weft serves http://{server.host}:{server.port}/v1, data in {data}"))
        messages = tell_threads(demo)
        tell_restore(demo)
        tell_error(demo)
        tell_runs(demo)
        tell_files(demo)
        say()
        say(paint("bold", "Kill the server (SIGKILL, no goodbye) and start it again"))
    with running(data) as server, speaking(server) as again:
        say(f"  {paint('green', 'ok')}  it serves http://{server.host}:{server.port}/v1 again")
        tell_survival(again, messages)
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
    elapsed_s = time.perf_counter() - started
    say()
    say(paint("green", f"All {checked} answers were right ({elapsed_s:.1f} s)."))
    say(GOING_ON.rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A conversation in the terminal: weft chat.

Everything said is in the thread, so a chat goes on where it was left, after a restart of the
server as well as of the chat. An answer that was being written when the connection broke goes
on by itself.
"""

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from weft.client.blocking import Client, EventStream
from weft.client.errors import WeftError
from weft.client.events import Event
from weft.wire.messages import MessageContentTextObject, MessageObject
from weft.wire.runs import RunObject
from weft.wire.threads import ThreadObject

MADE_BY = {"made_by": "weft chat"}
SHOWN = 6  # messages of a thread that is gone on with
ACTIVE = frozenset({"queued", "in_progress", "requires_action", "cancelling"})


class Chat:
    """A thread, the assistant that answers in it, and a person at a terminal."""

    def __init__(self, client: Client, thread: ThreadObject, assistant_id: str) -> None:
        self._client = client
        self._thread = thread
        self._assistant_id = assistant_id

    @classmethod
    def begin(
        cls, client: Client, thread_id: str | None, assistant_id: str | None, model: str | None
    ) -> "Chat":
        """Return a chat on a thread, or on a new one."""
        assistant = assistant_id or _assistant(client, model)
        if thread_id is not None:
            return cls(client, client.get_thread(thread_id), assistant)
        return cls(client, client.create_thread(body={"metadata": MADE_BY}), assistant)

    def run(self) -> int:
        """Talk until the person has no more to say, and return the exit status."""
        self._greet()
        try:
            self._catch_up()
            while (said := _ask("> ")) is not None:
                if said.strip():
                    self._say(said)
        except KeyboardInterrupt:
            print()
        print(f"Go on with: weft chat --thread {self._thread.id}")
        return 0

    def _greet(self) -> None:
        print(f"{self._thread.id}; Ctrl-D ends, Ctrl-C stops an answer.")
        newest = self._client.list_messages(self._thread.id, limit=SHOWN).first().data
        for message in reversed(newest):
            sign = "> " if message.role == "user" else ""
            print(f"{sign}{_text(message)}")

    def _catch_up(self) -> None:
        """Follow a run that was left alone when the chat before this one ended."""
        for run in self._client.list_runs(self._thread.id, limit=1).first().data:
            if run.status in ACTIVE:
                self._show(self._client.get_run(self._thread.id, run.id, stream=True))

    def _say(self, text: str) -> None:
        body: dict[str, Any] = {
            "assistant_id": self._assistant_id,
            "additional_messages": [{"role": "user", "content": text}],
        }
        try:
            self._show(self._client.create_run(self._thread.id, body=body, stream=True))
        except WeftError as fault:
            print(f"weft: {fault}", file=sys.stderr)

    def _show(self, stream: EventStream) -> None:
        """Show an answer as it is written, and hand in what its functions return."""
        while True:
            run = self._follow(stream)
            if run is None or run.required_action is None:
                return
            calls = run.required_action.submit_tool_outputs.tool_calls
            outputs = []
            for call in calls:
                output = _ask(f"  {call.function.name} returns: ")
                outputs.append({"tool_call_id": call.id, "output": output or ""})
            stream = self._client.submit_tool_outputs_to_run(
                self._thread.id, run.id, body={"tool_outputs": outputs}, stream=True
            )

    def _follow(self, stream: EventStream) -> RunObject | None:
        """Show events until the run rests; Ctrl-C cancels it."""
        run = None
        with stream:
            try:
                for event in stream:
                    run = event.run or run
                    _show_event(event)
            except KeyboardInterrupt:
                print("\n  (stopped)", flush=True)
                if run is not None:
                    self._cancel(run)
                return None
        return run

    def _cancel(self, run: RunObject) -> None:
        """End a run and wait until it has ended, so that the next can begin."""
        try:
            self._client.cancel_run(run.thread_id, run.id)
        except WeftError:
            return  # it was faster
        for _ in self._client.get_run(run.thread_id, run.id, stream=True):
            pass


def _assistant(client: Client, model: str | None) -> str:
    """Return the assistant that an earlier chat made for this model, or a new one."""
    names = [each.id for each in client.list_models()]
    if model is None and not names:
        raise WeftError("The server has no model: configure one, or say --model or --assistant.")
    wanted = model or names[0]
    for assistant in client.list_assistants():
        if assistant.metadata == MADE_BY and assistant.model == wanted:
            return assistant.id
    return client.create_assistant(body={"model": wanted, "metadata": MADE_BY}).id


def _show_event(event: Event) -> None:
    if event.text:
        print(event.text, end="", flush=True)
    elif event.event == "thread.message.completed":
        print(flush=True)
    elif event.event == "thread.message.incomplete":
        print("\n  (broken off)", flush=True)
    elif event.event == "thread.run.step.completed" and event.step is not None:
        for call in getattr(event.step.step_details, "tool_calls", ()):
            print(f"  used {_call(call)}", flush=True)
    elif event.run is not None:
        _show_run(event.run)


def _show_run(run: RunObject) -> None:
    if run.status == "requires_action" and run.required_action is not None:
        for call in run.required_action.submit_tool_outputs.tool_calls:
            print(f"  calls {call.function.name}({call.function.arguments})", flush=True)
    elif run.status in ("failed", "expired", "incomplete"):
        reason = f": {run.last_error.message}" if run.last_error else ""
        print(f"  (the run {run.status}{reason})", flush=True)


def _call(call: Any) -> str:
    function = getattr(call, "function", None)
    kind = type(call).__struct_config__.tag
    return str(kind) if function is None else f"{function.name}: {function.output}"


def _text(message: MessageObject) -> str:
    parts: Iterable[Any] = message.content
    return "\n".join(
        part.text.value if isinstance(part, MessageContentTextObject) else "[not a text]"
        for part in parts
    )


def _ask(prompt: str) -> str | None:
    """Return a line, or None at the end. A prompt is only for people."""
    is_person = sys.stdin.isatty()
    if is_person:
        with suppress(ImportError):
            import readline  # noqa: F401  # arrows, and the lines before, for input()
    try:
        return input(prompt if is_person else "")
    except EOFError:
        if is_person:
            print()
        return None

"""What the SDK tests of runs send, what must come back, and a handler that notes every callback.

Works with `openai` 1.x to 3.x: nothing is imported here beyond the SDK.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from openai import AssistantEventHandler, AsyncAssistantEventHandler

DEMO = "weft-demo"
INCLUDE: Any = ["step_details.tool_calls[*].file_search.results[*].content"]


def function(name: str, parameter: str) -> dict[str, Any]:
    """Return a function tool with one text parameter."""
    schema = {
        "type": "object",
        "properties": {parameter: {"type": "string"}},
        "required": [parameter],
    }
    return {"type": "function", "function": {"name": name, "parameters": schema}}


# An assistant, and what makes the demo model call both of its functions at once.
LIBRARIAN: dict[str, Any] = {
    "model": DEMO,
    "instructions": "Answer in one sentence.",
    "tools": [function("lend", "book"), function("weather", "city")],
}
ASKS_FOR_BOTH: Any = {
    "role": "user",
    "content": "Please lend “Weaving” and tell me the weather in “Köln”.",
}
HELLO: Any = {"role": "user", "content": "Hello"}
OUTPUTS = {"lend": "It is yours.", "weather": "Rain."}

# Every setting that a run takes and gives back.
SETTINGS: dict[str, Any] = {
    "model": DEMO,
    "instructions": "Answer in one word.",
    "tools": [function("sell", "book")],
    "metadata": {"question": "q_1"},
    "temperature": 0.5,
    "top_p": 0.25,
    "max_prompt_tokens": 5000,
    "max_completion_tokens": 256,
    "truncation_strategy": {"type": "last_messages", "last_messages": 3},
    "tool_choice": "none",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
}
SELL = {**SETTINGS["tools"][0]["function"], "strict": False}
SETTINGS_READ: dict[str, Any] = {**SETTINGS, "tools": [{"type": "function", "function": SELL}]}


def outputs_of(run: Any) -> list[Any]:
    """Return what to hand in for the calls that a run waits for."""
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": OUTPUTS[call.function.name]} for call in calls]


# --- what a handler hears -----------------------------------------------------------------------

# What an AssistantEventHandler offers, without what belongs to failures and to images.
CALLBACKS = (
    *("on_event", "on_end"),
    *("on_run_step_created", "on_run_step_delta", "on_run_step_done"),
    *("on_tool_call_created", "on_tool_call_delta", "on_tool_call_done"),
    *("on_message_created", "on_message_delta", "on_message_done"),
    *("on_text_created", "on_text_delta", "on_text_done"),
    *("on_timeout", "on_exception", "on_image_file_done"),
)

# What is heard, without on_event, and what comes several times over only once.
OF_A_TEXT = [
    *("on_run_step_created", "on_message_created", "on_text_created"),
    *("on_text_delta", "on_message_delta"),
    *("on_text_done", "on_message_done", "on_run_step_done", "on_end"),
]
OF_TWO_CALLS = [
    *("on_run_step_created", "on_tool_call_created", "on_run_step_delta"),
    *("on_tool_call_delta", "on_run_step_delta"),
    *("on_tool_call_done", "on_tool_call_created", "on_run_step_delta"),
    *("on_tool_call_delta", "on_run_step_delta", "on_tool_call_done", "on_end"),
]
OF_A_SUBMISSION = ["on_run_step_done", *OF_A_TEXT]

Heard = list[tuple[str, tuple[Any, ...]]]


def in_short(heard: Heard) -> list[str]:
    """Return the names of what was heard; a group of one or two that repeats stands once."""
    short: list[str] = []
    for name, _ in heard:
        if name != "on_event" and name not in short[-1:]:
            short.append(name)
            if short[-4:-2] == short[-2:]:
                del short[-2:]
    return short


def values(heard: Heard, callback: str) -> list[Any]:
    """Return the first argument of each call of a callback."""
    return [arguments[0] for name, arguments in heard if name == callback]


class Recorder(AssistantEventHandler):
    """Notes each callback with its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Heard = []


class AsyncRecorder(AsyncAssistantEventHandler):
    """Notes each callback with its arguments, as coroutines."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Heard = []


def _noting(name: str) -> Callable[..., None]:
    def note(self: Recorder, *arguments: Any) -> None:
        self.heard.append((name, arguments))

    return note


def _noting_async(name: str) -> Callable[..., Awaitable[None]]:
    async def note(self: AsyncRecorder, *arguments: Any) -> None:
        self.heard.append((name, arguments))

    return note


for _name in CALLBACKS:
    setattr(Recorder, _name, _noting(_name))
    setattr(AsyncRecorder, _name, _noting_async(_name))

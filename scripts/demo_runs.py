"""The second act of the demo: an assistant answers, calls a function, and a stream breaks."""

from typing import TYPE_CHECKING, Any

from demo_stage import AN_INSTANT, Demo, Like, Wrong

if TYPE_CHECKING:
    from weft import Event

RUN_EVENTS = [
    "thread.created",
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": False,
    },
}


def tell_runs(demo: Demo) -> None:
    """Have an assistant answer in three ways."""
    assistant_id = _make_assistant(demo)
    _answer(demo, assistant_id)
    _call_a_function(demo, assistant_id)
    _break_and_resume(demo, assistant_id)


def _make_assistant(demo: Demo) -> str:
    made = demo.step(
        "Make an assistant (weft-demo is built in and does not think; any model can answer)",
        "create_assistant",
        body={"model": "weft-demo", "name": "Guide", "tools": [WEATHER]},
        expected={
            "id": Like(r"asst_[A-Za-z0-9]{24}"),
            "object": "assistant",
            "created_at": AN_INSTANT,
            "name": "Guide",
            "description": None,
            "model": "weft-demo",
            "instructions": None,
            "tools": [WEATHER],
            "top_p": 1.0,
            "temperature": 1.0,
            "reasoning_effort": None,
            "tool_resources": {},
            "metadata": {},
            "response_format": "auto",
        },
    )
    return str(made["id"])


def _ask(assistant_id: str, text: str) -> dict[str, Any]:
    return {
        "assistant_id": assistant_id,
        "thread": {"messages": [{"role": "user", "content": text}]},
    }


def _answer(demo: Demo, assistant_id: str) -> None:
    heard = demo.listen(
        "Let it answer, and watch it write: every event is on the disk before it is sent",
        "create_thread_and_run",
        body=_ask(assistant_id, "Hello!"),
    )
    names = list(dict.fromkeys(event.event for event in heard))
    if names != RUN_EVENTS:
        raise Wrong(f"the events were {names}; expected {RUN_EVENTS}")


def _call_a_function(demo: Demo, assistant_id: str) -> None:
    heard = demo.listen(
        "Ask for something that it needs your function for",
        "create_thread_and_run",
        body=_ask(assistant_id, "Call weather for the city 'Lisbon', please."),
    )
    run = _last(heard, "thread.run.requires_action")
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    if [call["function"]["name"] for call in calls] != ["weather"]:
        raise Wrong(f"the calls are {calls}; expected one of weather")
    heard = demo.listen(
        "Hand in what the function returned, and it goes on",
        "submit_tool_outputs_to_run",
        run["thread_id"],
        run["id"],
        body={"tool_outputs": [{"tool_call_id": calls[0]["id"], "output": "sunny"}]},
        behind=int(heard[-1].id or 0),
    )
    _last(heard, "thread.run.completed")


def _break_and_resume(demo: Demo, assistant_id: str) -> None:
    heard = demo.listen(
        "Leave in the middle of an answer",
        "create_thread_and_run",
        body=_ask(assistant_id, "Tell me once more who you are."),
        leave_at=12,
    )
    run = heard[1].data
    heard = demo.listen(
        "Come back and go on behind the last event: nothing is missing, nothing comes twice",
        "get_run",
        run["thread_id"],
        run["id"],
        starting_after=12,
        behind=12,
    )
    _last(heard, "thread.run.completed")


def _last(heard: "list[Event]", name: str) -> Any:
    """Return the data of the last event, which must have this name."""
    if heard[-1].event != name:
        raise Wrong(f"the last event is {heard[-1].event}; expected {name}")
    return heard[-1].data

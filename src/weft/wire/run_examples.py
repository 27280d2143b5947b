"""The part of the examples' story that is about runs and models."""

from typing import Any

from weft.wire import events
from weft.wire.example_objects import (
    ASSISTANT,
    ASSISTANT_ID,
    IDS,
    NEWEST,
    RUN_ID,
    STEP_ID,
    THREAD_ID,
    Example,
    a_page,
)
from weft.wire.shapes import encode

_CALL_ID = "call_8f14e45fceea167a5a36dedd"
_FORCED_ID = "run_0N9sVm5XqDt3YbHc7WkRz2Pf"
_LATER_ID = "run_0N9sVm8KgTn6LxPw4JvBs9Qd"
_LAST_ID = "run_0N9sVmBHrFz1CyUe5MaNt7Gk"
_LAST_THREAD_ID = "thread_0N9sVmB9wSj4DuXo2ViLp8Ec"
_ANSWER_STEP_ID = "step_0N9sVkQ2nRb7KzGt3WmYd5Hx"
_ANSWER_ID = "msg_0N9sVkQ4sPc9JyFu1XlZe6Gv"

_ASKED = {"role": "user", "content": "What is the yarn_price of “merino”?"}
_EXPIRES = NEWEST + 600


def _run(run_id: str, **fields: Any) -> dict[str, Any]:
    run = {
        "id": run_id,
        "object": "thread.run",
        "created_at": NEWEST,
        "assistant_id": ASSISTANT_ID,
        "thread_id": THREAD_ID,
        "status": "queued",
        "started_at": None,
        "expires_at": _EXPIRES,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": "weft-demo",
        "instructions": ASSISTANT["instructions"],
        "tools": ASSISTANT["tools"],
        "tool_resources": {},
        "metadata": {},
        "temperature": ASSISTANT["temperature"],
        "top_p": 1.0,
        "reasoning_effort": None,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": None,
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    return run | fields


def _step(step_id: str, details: dict[str, Any], **fields: Any) -> dict[str, Any]:
    step = {
        "id": step_id,
        "object": "thread.run.step",
        "created_at": NEWEST,
        "run_id": RUN_ID,
        "assistant_id": ASSISTANT_ID,
        "thread_id": THREAD_ID,
        "type": details["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expires_at": _EXPIRES,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": None,
        "metadata": {},
    }
    return step | fields


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_token_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _calls(output: str | None) -> dict[str, Any]:
    """Return the details of the step that calls the function."""
    function = {**_FUNCTION_CALL, "output": output}
    call = {"type": "function", "id": _CALL_ID, "function": function}
    return {"type": "tool_calls", "tool_calls": [call]}


_FUNCTION_CALL = {"name": "yarn_price", "arguments": '{"yarn": "merino"}'}
_MODEL = {"id": IDS["model"], "object": "model", "created": 0, "owned_by": "weft"}
_NOTED = {"question": "q_7"}
_QUEUED = _run(RUN_ID, metadata=_NOTED)
_WAITING = {
    **_QUEUED,
    "status": "requires_action",
    "started_at": NEWEST,
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [{"id": _CALL_ID, "type": "function", "function": _FUNCTION_CALL}]
        },
    },
}
_RATED = {**_WAITING, "metadata": {**_NOTED, "shop": "cologne"}}
_SUBMITTED = {**_RATED, "status": "queued", "required_action": None}
_COMPLETED = {
    **_SUBMITTED,
    "status": "completed",
    "expires_at": None,
    "completed_at": NEWEST,
    "usage": _usage(1765, 37),
}
_CALL_USAGE = _usage(869, 5)
_CALLING = _step(STEP_ID, _calls(None), usage=_CALL_USAGE)
_CALLED = _step(
    STEP_ID,
    _calls("4.20"),
    usage=_CALL_USAGE,
    status="completed",
    completed_at=NEWEST,
    expires_at=None,
)
_ANSWERED = _step(
    _ANSWER_STEP_ID,
    {"type": "message_creation", "message_creation": {"message_id": _ANSWER_ID}},
    status="completed",
    completed_at=NEWEST,
    usage=_usage(896, 32),
)
_FORCED = _run(
    _FORCED_ID,
    tool_choice={"type": "function", "function": {"name": "yarn_price"}},
    max_completion_tokens=1000,
)
# The end of the run's events: how many there are depends on the words of the answer.
_LAST_EVENTS = b"".join(
    (
        events.frame(35, "thread.run.step.completed", encode(_ANSWERED)),
        events.frame(36, "thread.run.completed", encode(_COMPLETED)),
        events.DONE,
    )
).decode()

RUN_EXAMPLES: tuple[Example, ...] = (
    Example(
        "createRun",
        "ask",
        "Ask something and have it answered",
        _QUEUED,
        {
            "assistant_id": ASSISTANT_ID,
            "model": "weft-demo",
            "additional_messages": [_ASKED],
            "metadata": _NOTED,
        },
    ),
    Example("getRun", "waiting", "The run waits for the output of a function", _WAITING),
    Example(
        "modifyRun",
        "metadata",
        "Add metadata",
        _RATED,
        {"metadata": {"shop": "cologne"}},
    ),
    Example("listRunSteps", "page", "What it has done so far", a_page(_CALLING)),
    Example(
        "submitToolOuputsToRun",
        "outputs",
        "Hand in what the function returned: the run goes on",
        _SUBMITTED,
        {"tool_outputs": [{"tool_call_id": _CALL_ID, "output": "4.20"}]},
    ),
    Example("getRunStep", "called", "The step with the function's output", _CALLED),
    Example(
        "getRun",
        "follow",
        "Its events, behind the last one that was received",
        _LAST_EVENTS,
        query=(("stream", "true"), ("starting_after", "34")),
    ),
    Example("listRuns", "page", "The runs of the thread", a_page(_COMPLETED)),
    Example(
        "createRun",
        "force",
        "Have a function called, within a budget",
        _FORCED,
        {
            "assistant_id": ASSISTANT_ID,
            "model": "weft-demo",
            "tool_choice": {"type": "function", "function": {"name": "yarn_price"}},
            "max_completion_tokens": 1000,
        },
    ),
    Example(
        "createRun",
        "queue",
        "Wait for the end of the run that is active",
        _run(_LATER_ID, expires_at=None),
        {"assistant_id": ASSISTANT_ID, "model": "weft-demo", "queue_when_busy": True},
    ),
    Example(
        "cancelRun",
        "cancel",
        "The run is being cancelled",
        {
            **_FORCED,
            "status": "cancelling",
            "started_at": NEWEST,
        },
        other_ids=(("run_id", _FORCED_ID),),
    ),
    Example(
        "createThreadAndRun",
        "create",
        "Start a conversation",
        _run(_LAST_ID, thread_id=_LAST_THREAD_ID, tools=[], instructions="Answer in one sentence."),
        {
            "assistant_id": ASSISTANT_ID,
            "model": "weft-demo",
            "instructions": "Answer in one sentence.",
            "tools": [],
            "thread": {"messages": [{"role": "user", "content": "Hello!"}]},
        },
    ),
    Example(
        "listModels",
        "models",
        "A server without any setting has only the demo model",
        {"object": "list", "data": [_MODEL]},
    ),
    Example("retrieveModel", "model", "The demo model", _MODEL),
)

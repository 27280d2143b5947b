"""One story in examples: for each operation requests with the answers they bring.

They appear in the OpenAPI document and in the reference. Sent in the order in which
they stand here, to an empty server, each request brings its answer, except for the
identifiers and dates that the server makes itself.
"""

from typing import Any, NamedTuple

THREAD_ID = "thread_abc123"
MESSAGE_ID = "msg_abc123"
ASSISTANT_ID = "asst_abc123"
RUN_ID = "run_abc123"
STEP_ID = "step_abc123"
MODEL = "weft-demo"

# Values of the path parameters in all examples.
IDS = {
    "thread_id": THREAD_ID,
    "message_id": MESSAGE_ID,
    "assistant_id": ASSISTANT_ID,
    "run_id": RUN_ID,
    "step_id": STEP_ID,
    "model": MODEL,
}

_NEW_THREAD_ID = "thread_0N9sT4kZgq1dVx7RbWc2LmYh"
_QUESTION_ID = "msg_0N9sUbXyWf3mHqK8rTnJ5vCe"
_PICTURE_ID = "msg_0N9sUbYa1LpGz6DsVtQ4wRkX"
_NEWEST = 1_788_264_000


class Example(NamedTuple):
    """A request and its answer. Without a `body` none is sent; `query` is the query string."""

    operation_id: str
    name: str
    summary: str
    answer: dict[str, Any]
    body: dict[str, Any] | None = None
    query: tuple[tuple[str, str], ...] = ()


def _thread(
    thread_id: str, created_at: int, metadata: dict[str, str], tool_resources: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": thread_id,
        "object": "thread",
        "created_at": created_at,
        "metadata": metadata,
        "tool_resources": tool_resources,
    }


def _message(
    message_id: str,
    created_at: int,
    content: list[dict[str, Any]],
    *,
    role: str = "user",
    metadata: dict[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": created_at,
        "assistant_id": None,
        "thread_id": THREAD_ID,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": created_at,
        "role": role,
        "content": content,
        "attachments": [],
        "metadata": metadata or {},
    }


def _text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def _page(only: dict[str, Any], *, has_more: bool = False) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [only],
        "first_id": only["id"],
        "last_id": only["id"],
        "has_more": has_more,
    }


def _deleted(object_id: str, kind: str) -> dict[str, Any]:
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}


_RESTORED = _thread(THREAD_ID, 1_699_012_949, {}, {})
_WEAVER = {"customer": "c_1024", "topic": "weaving"}
_NEW_THREAD = _thread(_NEW_THREAD_ID, _NEWEST, _WEAVER, {})
# Read again, a thread without resources shows an empty list, as the real service did.
_NO_FILES: dict[str, Any] = {"code_interpreter": {"file_ids": []}}

_ANSWER = _message(
    MESSAGE_ID,
    1_699_012_977,
    [_text("A loom holds the warp threads tight while the weft passes between them.")],
    role="assistant",
)
_RATED = {**_ANSWER, "metadata": {"rating": "helpful"}}
_QUESTION = _message(
    _QUESTION_ID, _NEWEST, [_text("And what is a shuttle?")], metadata={"channel": "web"}
)
_PICTURE = {"url": "https://example.com/pattern.png"}
_LOOK = _message(
    _PICTURE_ID,
    _NEWEST,
    [
        _text("Which pattern is this?"),
        {"type": "image_url", "image_url": {**_PICTURE, "detail": "auto"}},
    ],
)

_FUNCTION = {
    "name": "yarn_price",
    "description": "The price of a yarn, in euros for 100 g.",
    "parameters": {
        "type": "object",
        "properties": {"yarn": {"type": "string"}},
        "required": ["yarn"],
    },
}
_ASSISTANT = {
    "id": ASSISTANT_ID,
    "object": "assistant",
    "created_at": _NEWEST,
    "name": "Weaving teacher",
    "description": None,
    "model": "gpt-4o",
    "instructions": "You explain weaving in plain words.",
    "tools": [{"type": "function", "function": {**_FUNCTION, "strict": False}}],
    "top_p": 1.0,
    "temperature": 0.2,
    "reasoning_effort": None,
    "tool_resources": {},
    "metadata": {},
    "response_format": "auto",
}
_MODIFIED_ASSISTANT = {
    **_ASSISTANT,
    "tools": [{"type": "code_interpreter"}],
    "tool_resources": _NO_FILES,
    "metadata": {"stage": "draft"},
}

EXAMPLES: tuple[Example, ...] = (
    Example(
        "createThread",
        "restore",
        "Restore a thread that was exported elsewhere",
        _RESTORED,
        _RESTORED,
    ),
    Example(
        "createThread",
        "create",
        "Start a thread with a message",
        _NEW_THREAD,
        {"messages": [{"role": "user", "content": "How does a loom work?"}], "metadata": _WEAVER},
    ),
    Example(
        "createThread",
        "empty",
        "Start an empty thread",
        _thread("thread_0N9sT4kZhc8uPf5JxAe3QnWs", _NEWEST, {}, {}),
        {},
    ),
    Example(
        "listThreads",
        "search",
        "Find threads by metadata",
        _page({**_NEW_THREAD, "tool_resources": _NO_FILES}),
        query=(("metadata[customer]", "c_1024"), ("metadata[topic]", "weaving")),
    ),
    Example(
        "modifyThread",
        "metadata",
        "Add metadata",
        {**_RESTORED, "metadata": {"customer": "c_2048"}},
        {"metadata": {"customer": "c_2048"}},
    ),
    Example(
        "getThread",
        "thread",
        "A thread",
        _thread(THREAD_ID, 1_699_012_949, {"customer": "c_2048"}, _NO_FILES),
    ),
    Example(
        "createMessage",
        "restore",
        "Restore a message that was exported elsewhere",
        _ANSWER,
        _ANSWER,
    ),
    Example(
        "createMessage",
        "text",
        "Say something",
        _QUESTION,
        {
            "role": "user",
            "content": "And what is a shuttle?",
            "metadata": {"channel": "web"},
        },
    ),
    Example(
        "createMessage",
        "parts",
        "Show a picture",
        _LOOK,
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Which pattern is this?"},
                {"type": "image_url", "image_url": _PICTURE},
            ],
        },
    ),
    Example(
        "listMessages",
        "page",
        "The oldest message",
        _page(_ANSWER, has_more=True),
        query=(("order", "asc"), ("limit", "1")),
    ),
    Example(
        "modifyMessage",
        "metadata",
        "Add metadata",
        _RATED,
        {"metadata": {"rating": "helpful"}},
    ),
    Example("getMessage", "message", "A message", _RATED),
    Example(
        "deleteMessage",
        "deleted",
        "The message is gone",
        _deleted(MESSAGE_ID, "thread.message"),
    ),
    Example(
        "deleteThread",
        "deleted",
        "The thread and its messages are gone",
        _deleted(THREAD_ID, "thread"),
    ),
    Example(
        "createAssistant",
        "create",
        "An assistant with a function of its own",
        _ASSISTANT,
        {
            "model": "gpt-4o",
            "name": "Weaving teacher",
            "instructions": "You explain weaving in plain words.",
            "tools": [{"type": "function", "function": _FUNCTION}],
            "temperature": 0.2,
        },
    ),
    Example("listAssistants", "page", "The newest assistant", _page(_ASSISTANT)),
    Example(
        "modifyAssistant",
        "tools",
        "Give it another tool",
        _MODIFIED_ASSISTANT,
        {"tools": [{"type": "code_interpreter"}], "metadata": {"stage": "draft"}},
    ),
    Example("getAssistant", "assistant", "An assistant", _MODIFIED_ASSISTANT),
    Example(
        "deleteAssistant",
        "deleted",
        "The assistant is gone",
        _deleted(ASSISTANT_ID, "assistant"),
    ),
)

"""One story in examples: for each operation requests with the answers they bring.

They appear in the OpenAPI document and in the reference. Sent in the order in which
they stand here, to an empty server, each request brings its answer, except for the
identifiers, the dates and the token counts that the server makes itself. Where an
example speaks of a run that goes on, it is sent once that run rests.
"""

from typing import Any

from weft.wire.example_objects import (
    ASSISTANT,
    ASSISTANT_ID,
    FUNCTION,
    MESSAGE_ID,
    NEWEST,
    THREAD_ID,
    Example,
    a_message,
    a_page,
    a_text,
    a_thread,
    deleted,
)
from weft.wire.file_examples import FILE_EXAMPLES
from weft.wire.run_examples import RUN_EXAMPLES
from weft.wire.vector_store_examples import VECTOR_STORE_EXAMPLES

_PICTURE_ID = "msg_0N9sUbYa1LpGz6DsVtQ4wRkX"
_QUESTION_ID = "msg_0N9sUbXyWf3mHqK8rTnJ5vCe"
_NEW_THREAD_ID = "thread_0N9sT4kZgq1dVx7RbWc2LmYh"

_RESTORED = a_thread(THREAD_ID, 1_699_012_949, {}, {})
_WEAVER = {"customer": "c_1024", "topic": "weaving"}
_NEW_THREAD = a_thread(_NEW_THREAD_ID, NEWEST, _WEAVER, {})
# Read again, a thread without resources shows an empty list, as the real service did.
_NO_FILES: dict[str, Any] = {"code_interpreter": {"file_ids": []}}

_ANSWER = a_message(
    MESSAGE_ID,
    1_699_012_977,
    [a_text("A loom holds the warp threads tight while the weft passes between them.")],
    role="assistant",
)
_RATED = {**_ANSWER, "metadata": {"rating": "helpful"}}
_QUESTION = a_message(
    _QUESTION_ID, NEWEST, [a_text("And what is a shuttle?")], metadata={"channel": "web"}
)
_PICTURE = {"url": "https://example.com/pattern.png"}
_LOOK = a_message(
    _PICTURE_ID,
    NEWEST,
    [
        a_text("Which pattern is this?"),
        {"type": "image_url", "image_url": {**_PICTURE, "detail": "auto"}},
    ],
)

_MODIFIED_ASSISTANT = {
    **ASSISTANT,
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
        a_thread("thread_0N9sT4kZhc8uPf5JxAe3QnWs", NEWEST, {}, {}),
        {},
    ),
    Example(
        "listThreads",
        "search",
        "Find threads by metadata",
        a_page({**_NEW_THREAD, "tool_resources": _NO_FILES}),
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
        a_thread(THREAD_ID, 1_699_012_949, {"customer": "c_2048"}, _NO_FILES),
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
        a_page(_ANSWER, has_more=True),
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
        "createAssistant",
        "create",
        "An assistant with a function of its own",
        ASSISTANT,
        {
            "model": "gpt-4o",
            "name": "Weaving teacher",
            "instructions": "You explain weaving in plain words.",
            "tools": [{"type": "function", "function": FUNCTION}],
            "temperature": 0.2,
        },
    ),
    Example("listAssistants", "page", "The newest assistant", a_page(ASSISTANT)),
    *RUN_EXAMPLES,
    *FILE_EXAMPLES,
    *VECTOR_STORE_EXAMPLES,
    Example(
        "deleteMessage",
        "deleted",
        "The message is gone",
        deleted(MESSAGE_ID, "thread.message"),
    ),
    Example(
        "deleteThread",
        "deleted",
        "The thread and its messages are gone",
        deleted(THREAD_ID, "thread"),
    ),
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
        deleted(ASSISTANT_ID, "assistant"),
    ),
)

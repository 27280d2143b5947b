"""What the SDK tests send, and what must come back, whichever client and version it is.

Everything that `client.beta` takes for assistants, threads and messages is in
here once. `REFUSALS` pairs each wrong call with the error that the SDK must
raise; its `call` works on either client (the async one gives something to await).
`tests/clients` holds other versions of the SDK against the same facts, each in an
environment of its own: so nothing is imported here beyond the SDK.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import openai

ASSISTANT: dict[str, Any] = {
    "model": "any-model-1",
    "name": "Librarian",
    "description": "Knows the books.",
    "instructions": "Answer in one sentence.",
    "reasoning_effort": "low",
    "metadata": {"team": "books", "größe": "日本語"},
    "temperature": 0.25,
    "top_p": 0.5,
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "book",
            "description": "A book.",
            "schema": {"type": "object", "properties": {"title": {"type": "string"}}},
            "strict": True,
        },
    },
    "tools": [
        {"type": "code_interpreter"},
        {
            "type": "file_search",
            "file_search": {
                "max_num_results": 7,
                "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
            },
        },
        {"type": "function", "function": {"name": "lend", "description": "Lend a book."}},
    ],
    "tool_resources": {
        "code_interpreter": {"file_ids": ["file-1", "file-2"]},
        "file_search": {"vector_store_ids": ["vs_1"]},
    },
}

ASSISTANT_READ: dict[str, Any] = {
    **ASSISTANT,
    "object": "assistant",
    "tools": [
        {"type": "code_interpreter"},
        {
            "type": "file_search",
            "file_search": {
                "max_num_results": 7,
                "ranking_options": {
                    "ranker": "default_2024_08_21",
                    "score_threshold": 0.5,
                    "hybrid_search": None,
                },
            },
        },
        {
            "type": "function",
            "function": {
                "name": "lend",
                "description": "Lend a book.",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        },
    ],
}

ASSISTANT_OF_A_MODEL_ALONE: dict[str, Any] = {
    "object": "assistant",
    "name": None,
    "description": None,
    "model": "any-model-1",
    "instructions": None,
    "tools": [],
    "top_p": 1.0,
    "temperature": 1.0,
    "reasoning_effort": None,
    "tool_resources": {},
    "metadata": {},
    "response_format": "auto",
}

ASSISTANT_CHANGE: dict[str, Any] = {
    "model": "any-model-2",
    "name": "Archivist",
    "description": None,
    "instructions": "Answer in two sentences.",
    "reasoning_effort": None,
    "metadata": {"team": "archive"},
    "temperature": None,
    "top_p": 1,
    "response_format": {"type": "json_object"},
    "tools": [{"type": "code_interpreter"}],
    "tool_resources": {"code_interpreter": {"file_ids": ["file-3"]}},
}

ASSISTANT_CHANGED: dict[str, Any] = {
    **ASSISTANT_CHANGE,
    "object": "assistant",
    "metadata": {"team": "archive", "größe": "日本語"},
    "temperature": 1.0,
    "top_p": 1.0,
    "tool_resources": {
        "code_interpreter": {"file_ids": ["file-3"]},
        "file_search": {"vector_store_ids": ["vs_1"]},
    },
}

PARTS: list[dict[str, Any]] = [
    {"type": "text", "text": "What is on these two?"},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "high"}},
    {"type": "image_file", "image_file": {"file_id": "file-1"}},
]

PARTS_READ: list[dict[str, Any]] = [
    {"type": "text", "text": {"value": "What is on these two?", "annotations": []}},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "high"}},
    {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "auto"}},
]

ATTACHMENTS: list[dict[str, Any]] = [
    {"file_id": "file-1", "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]},
    {"file_id": "file-2", "tools": [{"type": "file_search"}]},
]

MESSAGE: dict[str, Any] = {
    "role": "user",
    "content": PARTS,
    "attachments": ATTACHMENTS,
    "metadata": {"lang": "en"},
}

MESSAGE_READ: dict[str, Any] = {
    "object": "thread.message",
    "assistant_id": None,
    "run_id": None,
    "status": "completed",
    "incomplete_details": None,
    "incomplete_at": None,
    "role": "user",
    "content": PARTS_READ,
    "attachments": ATTACHMENTS,
    "metadata": {"lang": "en"},
}

THREAD: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Good day."}, MESSAGE],
    "metadata": {"user": "u1", "state": "open"},
    "tool_resources": {
        "code_interpreter": {"file_ids": ["file-1"]},
        "file_search": {"vector_store_ids": ["vs_1"]},
    },
}

THREAD_READ: dict[str, Any] = {
    "object": "thread",
    "metadata": THREAD["metadata"],
    "tool_resources": THREAD["tool_resources"],
}

THREAD_CHANGE: dict[str, Any] = {
    "metadata": {"state": "closed"},
    "tool_resources": {"code_interpreter": {"file_ids": []}},
}

THREAD_CHANGED: dict[str, Any] = {
    "object": "thread",
    "metadata": {"user": "u1", "state": "closed"},
    "tool_resources": {
        "code_interpreter": {"file_ids": []},
        "file_search": {"vector_store_ids": ["vs_1"]},
    },
}


# What the facts above call the files and the vector store that they refer to.
FILES = ("file-1", "file-2", "file-3")
STORE = "vs_1"


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a fact with the identifiers that a server made instead of its own."""
    if isinstance(value, dict):
        return {key: renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


class Refusal(NamedTuple):
    """A call that must fail, and how the SDK must show it. `call` gets a thread that exists."""

    call: Callable[[Any, str], Any]
    error: type[openai.APIStatusError]
    message: str
    param: str | None = None
    code: str | None = None


REFUSALS: dict[str, Refusal] = {
    "a missing thread": Refusal(
        lambda client, _: client.beta.threads.retrieve("thread_gone"),
        openai.NotFoundError,
        "No thread found with id 'thread_gone'.",
    ),
    "a missing message": Refusal(
        lambda client, thread_id: client.beta.threads.messages.delete(
            "msg_gone", thread_id=thread_id
        ),
        openai.NotFoundError,
        "No message found with id 'msg_gone'.",
    ),
    "a missing assistant": Refusal(
        lambda client, _: client.beta.assistants.update("asst_gone", name="x"),
        openai.NotFoundError,
        "No assistant found with id 'asst_gone'.",
    ),
    "an id of another kind": Refusal(
        lambda client, _: client.beta.threads.messages.retrieve("msg_1", thread_id="undefined"),
        openai.BadRequestError,
        "Invalid 'thread_id': 'undefined'. Expected an ID that begins with 'thread'.",
        "thread_id",
        "invalid_value",
    ),
    "an unknown role": Refusal(
        lambda client, thread_id: client.beta.threads.messages.create(
            thread_id, role="human", content="x"
        ),
        openai.BadRequestError,
        "Invalid value: 'human'. Supported values are: 'user' and 'assistant'.",
        "role",
        "invalid_value",
    ),
    "a metadata value that is no string": Refusal(
        lambda client, thread_id: client.beta.threads.update(thread_id, metadata={"n": 1}),
        openai.BadRequestError,
        "Invalid type for 'metadata.n': expected a string, but got an integer instead.",
        "metadata.n",
        "invalid_type",
    ),
    "an unknown field deep inside": Refusal(
        lambda client, _: client.beta.threads.create(
            messages=[{"role": "user", "content": "x", "file_ids": []}]
        ),
        openai.BadRequestError,
        "Unknown parameter: 'messages[0].file_ids'.",
        "messages[0].file_ids",
        "unknown_parameter",
    ),
    "a page that is too long": Refusal(
        lambda client, thread_id: client.beta.threads.messages.list(thread_id, limit=101),
        openai.BadRequestError,
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, "
        "but got 101 instead.",
        "limit",
        "integer_above_max_value",
    ),
    "a key that was never made": Refusal(
        lambda client, _: client.with_options(
            api_key="sk-weft-nobody-made-this"
        ).beta.threads.create(),
        openai.AuthenticationError,
        "Incorrect API key provided: sk-we***this. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        None,
        "invalid_api_key",
    ),
}


def check_refused(error: openai.APIStatusError, refusal: Refusal) -> None:
    """Check what a program can read of an error."""
    assert error.body is not None
    assert isinstance(error.body, dict)
    assert error.body["message"] == refusal.message
    assert error.type == "invalid_request_error"
    assert (error.param, error.code) == (refusal.param, refusal.code)
    assert error.request_id is not None
    assert error.request_id.startswith("req_")

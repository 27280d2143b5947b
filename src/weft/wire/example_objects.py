"""What the examples are made of: their identifiers, and objects as answers show them."""

from typing import Any, NamedTuple

THREAD_ID = "thread_abc123"
MESSAGE_ID = "msg_abc123"
ASSISTANT_ID = "asst_abc123"

RUN_ID = "run_abc123"
STEP_ID = "step_abc123"
FILE_ID = "file-abc123"
UPLOAD_ID = "upload_abc123"
VECTOR_STORE_ID = "vs_abc123"
BATCH_ID = "vsfb_abc123"

# Values of the path parameters, where an example names no others.
IDS = {
    "thread_id": THREAD_ID,
    "message_id": MESSAGE_ID,
    "assistant_id": ASSISTANT_ID,
    "run_id": RUN_ID,
    "step_id": STEP_ID,
    "file_id": FILE_ID,
    "upload_id": UPLOAD_ID,
    "vector_store_id": VECTOR_STORE_ID,
    "batch_id": BATCH_ID,
    "model": "weft-demo",
}

BOUNDARY = "part"

NEWEST = 1_788_264_000


class SentFile(NamedTuple):
    """The file of a form: its field, its name and its text."""

    field: str
    name: str
    text: str


class Example(NamedTuple):
    """A request and its answer: JSON, or text: a stream, or the bytes of a file.

    Without a `body` none is sent; `query` is the query string; `other_ids` are path parameters
    that are not those of `IDS`. With a `file` the body is a form.
    """

    operation_id: str
    name: str
    summary: str
    answer: dict[str, Any] | str
    body: dict[str, Any] | None = None
    query: tuple[tuple[str, str], ...] = ()
    other_ids: tuple[tuple[str, str], ...] = ()
    file: SentFile | None = None

    @property
    def ids(self) -> dict[str, str]:
        """The path parameters."""
        return {**IDS, **dict(self.other_ids)}

    @property
    def form(self) -> str:
        """The body as a form, its lines ended by a line feed only."""
        assert self.file is not None  # noqa: S101  # narrows the type
        form = "form-data; name="
        parts = [f'{form}"{name}"\n\n{value}' for name, value in (self.body or {}).items()]
        field, name, text = self.file
        parts.append(f'{form}"{field}"; filename="{name}"\n\n{text}')
        return "".join(
            [f"--{BOUNDARY}\nContent-Disposition: {part}\n" for part in parts] + [f"--{BOUNDARY}--"]
        )


def a_thread(
    thread_id: str, created_at: int, metadata: dict[str, str], tool_resources: dict[str, Any]
) -> dict[str, Any]:
    """Return a thread."""
    return {
        "id": thread_id,
        "object": "thread",
        "created_at": created_at,
        "metadata": metadata,
        "tool_resources": tool_resources,
    }


def a_message(
    message_id: str,
    created_at: int,
    content: list[dict[str, Any]],
    *,
    role: str = "user",
    metadata: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return a message of the restored thread."""
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


def a_text(value: str) -> dict[str, Any]:
    """Return a part of content."""
    return {"type": "text", "text": {"value": value, "annotations": []}}


def a_page(only: dict[str, Any], *, has_more: bool = False) -> dict[str, Any]:
    """Return a page of one object."""
    return {
        "object": "list",
        "data": [only],
        "first_id": only["id"],
        "last_id": only["id"],
        "has_more": has_more,
    }


def deleted(object_id: str, kind: str) -> dict[str, Any]:
    """Return what a deletion answers."""
    return {"id": object_id, "object": f"{kind}.deleted", "deleted": True}


FUNCTION = {
    "name": "yarn_price",
    "description": "The price of a yarn, in euros for 100 g.",
    "parameters": {
        "type": "object",
        "properties": {"yarn": {"type": "string"}},
        "required": ["yarn"],
    },
}
ASSISTANT = {
    "id": ASSISTANT_ID,
    "object": "assistant",
    "created_at": NEWEST,
    "name": "Weaving teacher",
    "description": None,
    "model": "gpt-4o",
    "instructions": "You explain weaving in plain words.",
    "tools": [{"type": "function", "function": {**FUNCTION, "strict": False}}],
    "top_p": 1.0,
    "temperature": 0.2,
    "reasoning_effort": None,
    "tool_resources": {},
    "metadata": {},
    "response_format": "auto",
}

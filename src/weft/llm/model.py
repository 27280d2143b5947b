"""The port: what a model is asked, what it streams back, and how it fails.

A model answers with deltas in this order: text, refusals and tool calls as they
come, then at most one `Usage`, then exactly one `Finished`. Anything else is a
`ModelError`, after which nothing comes.
"""

from collections.abc import AsyncGenerator
from typing import Any, Literal, Protocol

from msgspec import Struct

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]


class TextPart(Struct, frozen=True):
    """Text in a message of several parts."""

    text: str


class ImagePart(Struct, frozen=True):
    """An image in a message; `url` may be a `data:` URL."""

    url: str
    detail: str = "auto"


ContentPart = TextPart | ImagePart


class ToolCall(Struct, frozen=True):
    """A function that the model called; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class ChatMessage(Struct, frozen=True):
    """One message of the conversation. `tool_call_id` says which call a `tool` message answers."""

    role: Role
    content: str | list[ContentPart] | None = None
    tool_calls: list[ToolCall] = []
    tool_call_id: str | None = None


class FunctionTool(Struct, frozen=True):
    """A function that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] = {}
    strict: bool = False


class ModelRequest(Struct, frozen=True, kw_only=True):
    """One call of a model. None means: whatever the model does by itself."""

    model: str
    messages: list[ChatMessage]
    tools: list[FunctionTool] = []
    # One of none, auto and required, or an object that names a function.
    tool_choice: str | dict[str, Any] = "auto"
    parallel_tool_calls: bool = True
    response_format: dict[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None


class TextDelta(Struct, frozen=True, gc=False):
    """More text of the answer; never empty."""

    text: str


class RefusalDelta(Struct, frozen=True, gc=False):
    """More text of a refusal; never empty."""

    text: str


class ToolCallDelta(Struct, frozen=True, gc=False):
    """More of a tool call. Indexes count from 0 without a gap.

    The first delta of an index has both `id` and `name`, later ones have
    neither; all `arguments` of an index together are one JSON text.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str


class Usage(Struct, frozen=True, gc=False):
    """The tokens of this call as the model counted them (never our estimate of another's)."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Finished(Struct, frozen=True, gc=False):
    """The end of the answer, always the last delta."""

    reason: FinishReason


Delta = TextDelta | RefusalDelta | ToolCallDelta | Usage | Finished


class ModelError(Exception):
    """The model did not answer, or not to the end.

    `message` is for a person: which host, what happened, what to do. It never
    holds a key.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Model(Protocol):
    """Something that answers."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Answer a request piece by piece.

        Closing the generator (`aclose`) ends the call of the model at once.

        Raises: ModelError.
        """

    async def close(self) -> None:
        """Let go of connections; nothing may be streaming any more."""

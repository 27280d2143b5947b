"""Writes the body of a chat completion request, in the dialect that an endpoint takes.

Everything that is the default stays unsaid: many servers refuse what they do not
know. What an endpoint has refused once is not said to it again.
"""

import re
from typing import Any

import msgspec

from weft.llm.model import ChatMessage, ContentPart, FunctionTool, ImagePart, ModelRequest

# Not the name of a field is refused, but what it holds.
_ABOUT_VALUE = re.compile(r"too (large|small|high|low|many)|at (most|least)|exceed", re.IGNORECASE)


class Dialect(msgspec.Struct, frozen=True):
    """How one endpoint wants to be asked."""

    limit_name: str = "max_completion_tokens"
    takes_stream_options: bool = True

    def instead(self, refusal: str) -> "Dialect":
        """Return how to ask after a refusal in these words: the same, if it is about the rest."""
        if _ABOUT_VALUE.search(refusal):
            return self
        if self.takes_stream_options and "stream_options" in refusal:
            return msgspec.structs.replace(self, takes_stream_options=False)
        if self.limit_name in refusal:
            is_new = self.limit_name == "max_completion_tokens"
            other = "max_tokens" if is_new else "max_completion_tokens"
            return msgspec.structs.replace(self, limit_name=other)
        return self


def body_of(request: ModelRequest, name: str | None, dialect: Dialect) -> bytes:
    """Return the JSON body; `name` is the upstream's name of the model, if it is another."""
    body: dict[str, Any] = {
        "model": name or request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
    }
    if dialect.takes_stream_options:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body |= _tools(request)
    if request.response_format not in (None, {"type": "text"}):
        body["response_format"] = request.response_format
    if request.temperature not in (None, 1):
        body["temperature"] = request.temperature
    if request.top_p not in (None, 1):
        body["top_p"] = request.top_p
    if request.reasoning_effort is not None:
        body["reasoning_effort"] = request.reasoning_effort
    if request.max_completion_tokens is not None:
        body[dialect.limit_name] = request.max_completion_tokens
    return msgspec.json.encode(body)


def _tools(request: ModelRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in request.tools]}
    if request.tool_choice != "auto":
        fields["tool_choice"] = request.tool_choice
    if not request.parallel_tool_calls:
        fields["parallel_tool_calls"] = False
    return fields


def _tool(tool: FunctionTool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    # Some servers refuse a function without parameters or with an empty schema.
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _message(message: ChatMessage) -> dict[str, Any]:
    content = message.content
    shown = content if isinstance(content, str | None) else [_part(part) for part in content]
    wire: dict[str, Any] = {"role": message.role, "content": shown}
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _part(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        image = {"url": part.url}
        if part.detail != "auto":
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}
    return {"type": "text", "text": part.text}

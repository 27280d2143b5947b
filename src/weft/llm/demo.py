"""The built-in demo model: no network, no intelligence, and it says so.

It answers from the conversation alone: it greets, repeats what it was told,
counts messages, quotes the first one, calls a declared function whose name is
mentioned, searches the files if there are any, and tells what came back. That is
enough to try Weft, to run its examples and to see a run, a stream and a tool call
without a model.
"""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any

from weft.llm.filling import fill
from weft.llm.model import (
    ChatMessage,
    Delta,
    Finished,
    FinishReason,
    FunctionTool,
    ImagePart,
    ModelRequest,
    TextDelta,
    TextPart,
    ToolCallDelta,
    Usage,
)
from weft.llm.tokens import estimate, estimate_request

NAME = "weft-demo"
SEARCH = "file_search"
CITED = 2  # passages of a search that are told
QUOTED = 300  # characters of a message that are repeated

_GREETING = re.compile(r"\s*(hi|hello|hey|good (morning|day|evening)|greetings)\b", re.IGNORECASE)
_HOW_MANY = re.compile(r"\bhow many (messages|questions)\b|\bcount\b.*\bmessages\b", re.IGNORECASE)
_FIRST = re.compile(r"\bfirst\b", re.IGNORECASE)
_INSTRUCTIONS = re.compile(r"\binstructions?\b", re.IGNORECASE)
# A passage of a search, under the mark that cites it.
_PASSAGE = re.compile(r"^(【\d+:\d+†[^】\n]*】)\n(.*?)(?=\n\n【\d+:\d+†|\Z)", re.M | re.S)
_PIECES = re.compile(r"\s*\S+|\s+$")


class DemoModel:
    """`weft-demo`. `delay_s` is the time between two words, for those who want to watch it."""

    def __init__(
        self, *, delay_s: float = 0, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._delay_s = delay_s
        self._sleep = sleep

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Answer word by word."""
        limit = request.max_completion_tokens
        used = 0
        reason: FinishReason = "stop"
        for delta in _answer(request):
            cost = estimate(delta.text if isinstance(delta, TextDelta) else delta.arguments)
            if limit is not None and used + cost > limit:
                reason = "length"
                break
            if isinstance(delta, ToolCallDelta):
                reason = "tool_calls"
            used += cost
            yield delta
            await self._sleep(self._delay_s)
        yield Usage(estimate_request(request), used)
        yield Finished(reason)

    async def close(self) -> None:
        """Nothing is held."""


def _answer(request: ModelRequest) -> Iterator[TextDelta | ToolCallDelta]:
    last = request.messages[-1] if request.messages else ChatMessage("user", "")
    called = _called(request, last)
    if called:
        yield from _calls(called, _text(last))
    else:
        kind = (request.response_format or {}).get("type")
        text = _json(request, last) if kind in ("json_object", "json_schema") else _say(request)
        yield from map(TextDelta, _PIECES.findall(text))


# --- calling functions --------------------------------------------------------------------------


def _called(request: ModelRequest, last: ChatMessage) -> list[FunctionTool]:
    """Return the functions to call: those that the last message of the user names."""
    choice = request.tool_choice
    if last.role == "tool" or not request.tools or choice == "none":
        return []
    if isinstance(choice, dict):
        name = choice.get("function", {}).get("name")
        return [tool for tool in request.tools if tool.name == name]
    text = _text(last) if last.role == "user" else ""
    named = [tool for tool in request.tools if _names(text, tool.name)]
    search = next((tool for tool in request.tools if tool.name.endswith(SEARCH)), None)
    if not named and text and search is not None and not _GREETING.match(text):
        named = [search]
    if not named and choice == "required":
        named = request.tools[:1]
    return named if request.parallel_tool_calls else named[:1]


def _names(text: str, function: str) -> bool:
    words = re.escape(function).replace("_", "[_ ]")
    return bool(re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE))


def _calls(functions: list[FunctionTool], text: str) -> Iterator[ToolCallDelta]:
    for function in functions:
        # What names the functions must not be taken for an argument.
        text = re.sub(re.escape(function.name), " ", text, flags=re.IGNORECASE)
    for index, function in enumerate(functions):
        call_id = f"call_{secrets.token_hex(12)}"
        yield ToolCallDelta(index, call_id, function.name, "")
        arguments = json.dumps(_arguments(function, text), ensure_ascii=False)
        for piece in _PIECES.findall(arguments):
            yield ToolCallDelta(index, None, None, piece)


def _arguments(function: FunctionTool, text: str) -> dict[str, Any]:
    if function.name.endswith(SEARCH):
        return {"query": " ".join(text.split())}
    filled = fill({"type": "object"} | function.parameters, text)
    return filled if isinstance(filled, dict) else {}


# --- answering ----------------------------------------------------------------------------------


def _say(request: ModelRequest) -> str:
    messages = [message for message in request.messages if message.role != "system"]
    if not messages:
        return "I am Weft's demo model. There is no message to answer yet."
    if messages[-1].role == "tool":
        return _say_outputs(messages)
    asked = _text(messages[-1])
    said = [_introduction(asked)]
    if _HOW_MANY.search(asked):
        said.append(f"Up to now I have seen {_number(len(messages), 'message')}.")
    elif _FIRST.search(asked):
        first = next((_text(m) for m in messages if m.role == "user"), "")
        said.append(f"The first message I see is: {_quote(first)}.")
    elif _INSTRUCTIONS.search(asked):
        said.append(_say_instructions(request))
    else:
        said.append(f"You wrote: {_quote(asked)}.")
        said.append(f"This conversation has {_number(len(messages), 'message')} so far.")
    if images := _images(messages[-1]):
        said.append(f"I cannot look at the {_number(images, 'image')} that came with it.")
    if request.tools:
        names = ", ".join(tool.name for tool in request.tools)
        said.append(f"Mention one of these functions and I call it: {names}.")
    return " ".join(said)


def _introduction(asked: str) -> str:
    hello = "Hello! " if _GREETING.match(asked) else ""
    return f"{hello}I am Weft's demo model: I do not think, I only look at this conversation."


def _say_instructions(request: ModelRequest) -> str:
    system = [_text(message) for message in request.messages if message.role == "system"]
    if not system:
        return "I was given no instructions."
    return f"My instructions are: {_quote(' '.join(system))}."


def _say_outputs(messages: list[ChatMessage]) -> str:
    calls = {call.id: call for message in messages for call in message.tool_calls}
    said = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        call = calls.get(message.tool_call_id or "")
        passages = _PASSAGE.findall(_text(message))
        if passages:
            said += [_say_passage(*passage) for passage in passages[:CITED][::-1]]
            continue
        name = "A function" if call is None else f"{call.name}({call.arguments})"
        said.append(f"{name} returned {_quote(_text(message))}.")
    told = " ".join(reversed(said))
    return f"{told} I am Weft's demo model: I only repeat what the functions told me."


def _say_passage(mark: str, text: str) -> str:
    return f"In the files I found: {_quote(text)}{mark}."


def _json(request: ModelRequest, last: ChatMessage) -> str:
    wanted = (request.response_format or {}).get("json_schema")
    if isinstance(wanted, dict) and isinstance(wanted.get("schema"), dict):
        return json.dumps(fill(wanted["schema"], _text(last)), ensure_ascii=False)
    return json.dumps({"model": NAME, "answer": _say(request)}, ensure_ascii=False)


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(part.text for part in message.content or () if isinstance(part, TextPart))


def _images(message: ChatMessage) -> int:
    if isinstance(message.content, str):
        return 0
    return sum(isinstance(part, ImagePart) for part in message.content or ())


def _quote(text: str) -> str:
    shown = " ".join(text.split())
    return f"“{shown[:QUOTED]}{' ...' if len(shown) > QUOTED else ''}”"


def _number(count: int, of: str) -> str:
    return f"{count} {of}{'' if count == 1 else 's'}"

"""Puts an answer together: chunks of a chat completion go in, deltas come out.

The wire is read generously: servers leave out the index or the id of a tool
call, repeat its name, send it whole, answer with a whole message although asked
for a stream, report usage in every chunk or never, and do not say why they stopped.
What comes out keeps the promises of `model.py`.
"""

import secrets
from typing import Any

import msgspec
from msgspec import Struct

from weft.llm.model import (
    Delta,
    Finished,
    FinishReason,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

DONE = b"[DONE]"

_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
}


class NotAChunk(Exception):
    """A payload that is no chunk of a chat completion."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload[:100])
        self.payload = payload


class InStreamError(Exception):
    """The server said in the middle of the stream that it failed; `error` is what it sent."""

    def __init__(self, error: Any) -> None:
        super().__init__(str(error))
        self.error = error


class BrokenCall(Exception):
    """The model called a function in a way that nobody can carry out."""


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Call(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Message(Struct, gc=False):
    content: str | list[Any] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct, gc=False):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None
    message: Any = None  # of an error that is not wrapped


_decode = msgspec.json.Decoder(_Chunk).decode


class _OpenCall:
    """A tool call that is being streamed."""

    def __init__(self, index: int, call_id: str) -> None:
        self.index = index
        self.id = call_id
        self.name = ""  # not announced before it is known
        self.arguments: list[str] = []


class Reply:
    """What has come of one answer so far."""

    def __init__(self) -> None:
        self.began = False  # something of an answer came
        self.stopped = False  # the server said why it stopped: little may follow
        self.done = False  # the server said that nothing follows
        self._reason: str | None = None
        self._usage: dict[str, Any] | None = None
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}

    def take(self, payload: bytes, deltas: list[Delta]) -> None:
        """Add to `deltas` what a payload brings.

        Raises: NotAChunk, InStreamError.
        """
        if payload == DONE:
            self.stopped = self.done = True
            return
        try:
            chunk = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            if self.stopped:
                return  # the answer is complete; what follows does not matter
            raise NotAChunk(payload) from fault
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.choices:
            self._take_choice(chunk.choices[0], deltas)
        if chunk.error is not None:
            raise InStreamError(chunk.error)
        if chunk.message is not None and not chunk.choices:
            raise InStreamError(msgspec.json.decode(payload))

    def _take_choice(self, choice: _Choice, deltas: list[Delta]) -> None:
        self.began = True
        message = choice.delta or choice.message
        if message is not None:
            if message.content:
                content = message.content
                text = content if isinstance(content, str) else _text(content)
                if text:
                    deltas.append(TextDelta(text))
            if message.refusal:
                deltas.append(RefusalDelta(message.refusal))
            for call in message.tool_calls or ():
                self._take_call(call, deltas)
        if choice.finish_reason:
            self._reason = choice.finish_reason
            self.stopped = True
        elif choice.message is not None:
            self.stopped = True  # a whole message: servers that do not stream

    # --- tool calls -------------------------------------------------------------------------

    def _take_call(self, part: _Call, deltas: list[Delta]) -> None:
        function = part.function or _Function()
        arguments = function.arguments
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        call = self._continued(part, function.name)
        if call is None:
            call = self._opened(part)
        if not call.name:
            if not function.name:
                call.arguments.append(arguments or "")
                return
            call.name = function.name
            arguments = "".join(call.arguments) + (arguments or "")
            call.arguments = [arguments]
            deltas.append(ToolCallDelta(call.index, call.id, call.name, arguments))
        elif arguments:
            call.arguments.append(arguments)
            deltas.append(ToolCallDelta(call.index, None, None, arguments))

    def _continued(self, part: _Call, name: str | None) -> _OpenCall | None:
        """Return the call that this part belongs to, or None if it opens one.

        Some servers give every whole call the index 0, some give none; a part
        with a name and an id of its own is a call of its own. Servers that
        repeat name and id in each part mean the same call.
        """
        if part.index is not None:
            call = self._by_index.get(part.index)
            foreign = call is not None and name and part.id and part.id != call.id
            return None if foreign else call
        if part.id:
            return next((call for call in self._calls if call.id == part.id), None)
        return None if name or not self._calls else self._calls[-1]

    def _opened(self, part: _Call) -> _OpenCall:
        call = _OpenCall(len(self._calls), part.id or f"call_{secrets.token_hex(12)}")
        self._calls.append(call)
        if part.index is not None:
            self._by_index[part.index] = call
        return call

    # --- the end ----------------------------------------------------------------------------

    def end(self) -> list[Delta]:
        """Return the last deltas, now that nothing more comes.

        Raises: BrokenCall.
        """
        deltas: list[Delta] = []
        reason = self._finish_reason()
        for call in self._calls:
            if reason == "tool_calls":
                _check(call, deltas)
        if self._usage is not None and (usage := _usage(self._usage)) is not None:
            deltas.append(usage)
        deltas.append(Finished(reason))
        return deltas

    def _finish_reason(self) -> FinishReason:
        """Return why it stopped. A call counts even where the server says "stop" (several do)."""
        known = _REASONS.get((self._reason or "").lower())
        return known or ("tool_calls" if self._calls else "stop")


def _check(call: _OpenCall, deltas: list[Delta]) -> None:
    """Hold a finished call against JSON; a function without parameters may have said nothing."""
    if not call.name:
        raise BrokenCall("called a function without saying which")
    arguments = "".join(call.arguments)
    if not arguments.strip():
        deltas.append(ToolCallDelta(call.index, None, None, "{}"))
        return
    try:
        msgspec.json.decode(arguments)
    except msgspec.DecodeError as fault:
        shown = arguments if len(arguments) <= 200 else arguments[:200] + " ..."
        raise BrokenCall(
            f'called the function "{call.name}" with arguments that are not JSON: {shown}'
        ) from fault


def _text(parts: list[Any]) -> str:
    """Return the text of a content list; thoughts and other kinds of parts are not the answer."""
    dicts = (part for part in parts if isinstance(part, dict))
    texts = (part.get("text") for part in dicts if part.get("type", "text") == "text")
    return "".join(text for text in texts if isinstance(text, str))


def _usage(reported: dict[str, Any]) -> Usage | None:
    """Return the reported usage, or None where the server only pretends to count."""
    prompt, completion = _count(reported, "prompt_tokens"), _count(reported, "completion_tokens")
    if not prompt and not completion:
        return None
    cached = _count(reported.get("prompt_tokens_details"), "cached_tokens")
    reasoning = _count(reported.get("completion_tokens_details"), "reasoning_tokens")
    return Usage(prompt, completion, cached, reasoning)


def _count(counts: Any, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else 0

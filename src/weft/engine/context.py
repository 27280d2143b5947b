"""From a thread to what the model reads.

Instructions first, then the thread, read backwards until the budget of tokens
is used up, so that a thread of 100,000 messages starts as fast as one of 100;
last what this run has done so far: its messages and its tool calls with their
outputs.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec

from weft.engine.images import FileImage, Images
from weft.engine.searching import MAX_ROUNDS, Search, name_for, told
from weft.llm.model import (
    ChatMessage,
    FunctionTool,
    ImagePart,
    ModelRequest,
    TextPart,
    ToolCall,
)
from weft.llm.tokens import ANSWER_TOKENS, Calibration, estimate_message, estimate_tools
from weft.store import runs as store
from weft.store import searches
from weft.store.contents import Contents
from weft.store.database import Database
from weft.store.places import Bounds, Place
from weft.store.runs import RunKey
from weft.store.searches import SearchRow
from weft.wire.messages import (
    ImageFilePart,
    ImageUrlPart,
    MessageContentRefusalObject,
    MessageContentTextObject,
    MessageObject,
)
from weft.wire.messages import stored as stored_message
from weft.wire.runs import RunObject, RunStepObject, ToolCalls, stored_step
from weft.wire.search_calls import MARK as SEARCHED
from weft.wire.search_calls import FileSearchToolCall
from weft.wire.tools import FunctionTool as DeclaredFunction

SLICE = 50  # messages read at a time


class OutOfTokens(Exception):
    """The prompt budget of the run does not hold even the newest message."""


class Prompt(NamedTuple):
    """What the model is asked, and about how many tokens that has, not adjusted to the model."""

    request: ModelRequest
    estimated: int


async def build(
    database: Database,
    contents: Contents,
    key: RunKey,
    run: RunObject,
    *,
    prompt_tokens: int,
    completion_tokens: int | None,
    calibration: Calibration,
    search: Search | None = None,
) -> Prompt:
    """Return what the model is asked in the next turn of a run.

    `prompt_tokens` is what the prompt may hold; `completion_tokens` what the answer may, None
    for no limit.
    Raises: OutOfTokens.
    """

    def adjusted(tokens: int) -> int:
        return calibration.adjust(run.model, tokens)

    head = [ChatMessage(role="system", content=run.instructions)] if run.instructions else []
    tail = await own_turns(database, key, name_for(run))
    tools = offered(run, search, tail)
    fixed = estimate_tools(tools) + sum(map(estimate_message, (*head, *tail)))
    left = prompt_tokens - adjusted(fixed)
    if left < 0:
        raise OutOfTokens
    thread, read = await newest_messages(database, key, run, left, adjusted)
    thread = await Images(database, contents, key.project).shown(thread)
    request = ModelRequest(
        model=run.model,
        messages=[*head, *thread, *tail],
        tools=tools,
        tool_choice=chosen(run, tools, has_called=any(message.tool_calls for message in tail)),
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=response_format(run),
        temperature=run.temperature,
        top_p=run.top_p,
        reasoning_effort=run.reasoning_effort,
        max_completion_tokens=completion_tokens,
    )
    return Prompt(request, ANSWER_TOKENS + fixed + read)


def offered(
    run: RunObject, search: Search | None = None, tail: Sequence[ChatMessage] = ()
) -> list[FunctionTool]:
    """Return the tools that the model may call: those that something executes.

    `tail` are the run's own turns: a model that has searched often enough has to answer.
    """
    functions = [
        FunctionTool(
            name=tool.function.name,
            description=tool.function.description or None,
            parameters=tool.function.parameters,
            strict=tool.function.strict,
        )
        for tool in run.tools
        if isinstance(tool, DeclaredFunction)
    ]
    if search is None:
        return functions
    rounds = sum(any(call.name == search.name for call in each.tool_calls) for each in tail)
    return functions if rounds >= MAX_ROUNDS else [search.offer, *functions]


def chosen(
    run: RunObject, tools: list[FunctionTool], *, has_called: bool = False
) -> str | dict[str, Any]:
    """Return the tool choice for the model; without tools there is none to make.

    Who must call a function must do so before it answers: once this run has called, it may answer.
    """
    if not tools:
        return "none"
    choice: str | dict[str, Any] = msgspec.to_builtins(run.tool_choice)
    if isinstance(choice, dict) and choice["type"] == "file_search":
        name = name_for(run)
        if has_called or all(tool.name != name for tool in tools):
            return "auto"
        return {"type": "function", "function": {"name": name}}
    if isinstance(choice, dict) and choice["type"] != "function":
        return "auto"
    return "auto" if has_called and choice != "none" else choice


def response_format(run: RunObject) -> dict[str, Any] | None:
    """Return the format that the answer must have, None for plain text."""
    form = msgspec.to_builtins(run.response_format)
    return form if isinstance(form, dict) and form["type"] != "text" else None


class _Read(NamedTuple):
    """A message as the model reads it, where it stands, and up to where its author had read."""

    chat: ChatMessage
    place: Place
    seen: Place | None


async def newest_messages(
    database: Database,
    key: RunKey,
    run: RunObject,
    budget: int,
    adjusted: Callable[[int], int],
) -> tuple[list[ChatMessage], int]:
    """Return the newest messages of the thread that fit, oldest first, without this run's own.

    With them comes how many tokens they have about, not adjusted to the model.
    Raises: OutOfTokens when not even the newest one fits.
    """
    is_limited = run.truncation_strategy.type == "last_messages"
    most = run.truncation_strategy.last_messages if is_limited else None
    found: list[_Read] = []
    total = 0
    async with aclosing(_backwards(database, key)) as backwards:
        async for read in backwards:
            tokens = estimate_message(read.chat)
            budget -= adjusted(tokens)
            if budget < 0:
                if not found:
                    raise OutOfTokens
                break
            found.append(read)
            total += tokens
            if len(found) == most:
                break
    return _as_spoken(found[::-1]), total


async def _backwards(database: Database, key: RunKey) -> AsyncGenerator[_Read, None]:
    """Yield what a run reads of its thread, newest first, a slice at a time."""
    before: Place | None = None
    while True:
        bounds = Bounds.between(before, None, is_descending=True, by=int)
        page = await database.page("message_context", key.params(limit=SLICE, **bounds.params))
        for created_at, position, wire, sees_at, sees_position in page.rows:
            before = (created_at, position)
            chat = as_chat(stored_message.decode(wire))
            if chat is not None:
                seen = None if sees_at is None else (sees_at, sees_position)
                yield _Read(chat, before, seen)
        if len(page.rows) < SLICE:
            return
        await asyncio.sleep(0)  # a long prompt is much to read: others go first


def _as_spoken(messages: list[_Read]) -> list[ChatMessage]:
    """Return messages with each answer ahead of what its author had not read.

    What came with a waiting run stands in the thread ahead of the answer that was being written;
    for the model it is the newest word.
    """
    spoken: list[_Read] = []
    for message in messages:
        at = len(spoken)
        while message.seen and at and spoken[at - 1].seen is None:
            if spoken[at - 1].place <= message.seen:
                break
            at -= 1
        spoken.insert(at, message)
    return [message.chat for message in spoken]


def as_chat(message: MessageObject) -> ChatMessage | None:
    """Return a message as the model reads it, None when nothing of it can be read."""
    parts: list[TextPart | ImagePart] = []
    for part in message.content:
        if isinstance(part, MessageContentTextObject):
            if part.text.value:  # an empty answer says nothing, and some models refuse it
                parts.append(TextPart(part.text.value))
        elif isinstance(part, MessageContentRefusalObject):
            parts.append(TextPart(part.refusal))
        elif isinstance(part, ImageUrlPart):
            parts.append(ImagePart(part.image_url.url, part.image_url.detail))
        elif isinstance(part, ImageFilePart):
            parts.append(FileImage(part.image_file.file_id, part.image_file.detail))
    if not parts:
        return None
    if all(isinstance(part, TextPart) for part in parts):
        text = "\n".join(part.text for part in parts if isinstance(part, TextPart))
        return ChatMessage(role=message.role, content=text)
    return ChatMessage(role=message.role, content=parts)


async def own_turns(database: Database, key: RunKey, search_name: str) -> list[ChatMessage]:
    """Return what this run has done: its finished messages, its calls and their outputs."""
    turns: list[ChatMessage] = []
    searched: dict[str, SearchRow] | None = None
    for wire in await store.steps(database, key):
        step = stored_step.decode(wire)
        if step.status != "completed":
            continue
        if isinstance(step.step_details, ToolCalls):
            said = turns.pop().content if turns and turns[-1].role == "assistant" else None
            if searched is None and SEARCHED in wire:
                searched = await searches.of_run(database, key)
            turns += _tool_turn(step.step_details, said, search_name, searched or {})
        else:
            turns += await _message_turn(database, key, step)
    return turns


async def _message_turn(database: Database, key: RunKey, step: RunStepObject) -> list[ChatMessage]:
    assert not isinstance(step.step_details, ToolCalls)  # noqa: S101  # narrows the type
    params = {
        "thread_id": key.thread_id,
        "project": key.project,
        "id": step.step_details.message_creation.message_id,
    }
    row = await database.one("message_get", params)
    chat = as_chat(stored_message.decode(row[0])) if row else None
    return [chat] if chat else []


def _tool_turn(
    details: ToolCalls,
    said: str | list[TextPart | ImagePart] | None,
    search_name: str,
    searched: Mapping[str, SearchRow],
) -> list[ChatMessage]:
    """Return a turn's calls with what was said ahead of them, and the outputs."""
    calls: list[ToolCall] = []
    outputs: list[ChatMessage] = []
    for call in details.tool_calls:
        if isinstance(call, FileSearchToolCall):
            row = searched[call.id]
            calls.append(ToolCall(id=call.id, name=search_name, arguments=row.arguments))
            output = told(call, row)
        else:
            function = call.function
            calls.append(ToolCall(id=call.id, name=function.name, arguments=function.arguments))
            output = function.output or ""
        outputs.append(ChatMessage(role="tool", content=output, tool_call_id=call.id))
    return [ChatMessage(role="assistant", content=said, tool_calls=calls), *outputs]

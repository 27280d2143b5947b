"""Threads: what a client sends, restores and reads."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from weft.wire.messages import CreateMessageRequest, RestoreMessageRequest
from weft.wire.shapes import (
    PAGE,
    CreatedAt,
    FirstId,
    HasMore,
    Id,
    LastId,
    ListQuery,
    Metadata,
    Request,
    Response,
    restored_id,
)
from weft.wire.tools import ToolResources, ToolResourcesModifyRequest, ToolResourcesRequest

MAX_MESSAGES = 32  # initial messages of a new thread


class CreateThreadRequest(Request):
    """A new thread; every field may be left out."""

    messages: Annotated[
        Annotated[list[CreateMessageRequest], Meta(max_length=MAX_MESSAGES)] | None,
        Meta(description="Up to 32 messages to start with, oldest first."),
    ] = None
    metadata: Metadata | None = None
    tool_resources: ToolResourcesRequest | None = None


class RestoreThreadRequest(Request):
    """A whole thread object: it gets back its own id and date. Nothing limits its messages."""

    id: restored_id("thread")  # type: ignore[valid-type]  # the type is made by a call
    object: Annotated[
        Literal["thread"] | None, Meta(description="Says what it is; may be left out.")
    ] = None
    created_at: CreatedAt | None = None
    messages: Annotated[
        list[RestoreMessageRequest] | None,
        Meta(description="The messages of the thread, oldest first, whole or as for a new one."),
    ] = None
    metadata: Metadata | None = None
    tool_resources: ToolResourcesRequest | None = None


class ModifyThreadRequest(Request):
    """A change of a thread; only what is sent changes."""

    metadata: Annotated[
        Metadata | None, Meta(description="Pairs to add or overwrite; other pairs remain.")
    ] = None
    tool_resources: Annotated[
        ToolResourcesModifyRequest | UnsetType | None,
        Meta(description="Each list that is sent replaces the one before; null empties them."),
    ] = UNSET


class ThreadObject(Response, kw_only=True):
    """A thread: a conversation and what its tools may use."""

    id: Id
    object: Literal["thread"] = "thread"
    created_at: CreatedAt
    metadata: dict[str, str]
    tool_resources: ToolResources


class ListThreadsResponse(Response, kw_only=True):
    """A page of threads."""

    object: Literal["list"] = "list"
    data: Annotated[list[ThreadObject], PAGE]
    first_id: FirstId
    last_id: LastId
    has_more: HasMore


class ListThreadsQuery(ListQuery):
    """How threads are paged and searched."""

    metadata: Annotated[
        Metadata | None,
        Meta(description="metadata[key]=value: only threads with this pair; several are AND-ed."),
    ] = None


class DeleteThreadResponse(Response, kw_only=True):
    """Says that a thread and all its messages are gone."""

    id: Id
    object: Literal["thread.deleted"] = "thread.deleted"
    deleted: Literal[True] = True


class DeleteMessageResponse(Response):
    """Says that a message is gone."""

    id: Id
    object: Literal["thread.message.deleted"] = "thread.message.deleted"
    deleted: Literal[True] = True


stored = msgspec.json.Decoder(ThreadObject)

# A stored thread holds what it was given. The service showed a thread without resources in
# two ways: `{}` in the answer to a POST, and with an empty list whenever it was read.
_UNSET_END = '"tool_resources":{}}'
_READ_END = '"tool_resources":{"code_interpreter":{"file_ids":[]}}}'


def as_read(wire: str) -> str:
    """Return a stored thread as `GET` shows it."""
    if wire.endswith(_UNSET_END):
        return wire[: -len(_UNSET_END)] + _READ_END
    return wire

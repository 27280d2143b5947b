"""What a stream shows, for the contract: each event with its data. `events` writes them."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from weft.wire.messages import MessageObject
from weft.wire.runs import Arguments, CallId, FunctionName, RunObject, RunStepObject
from weft.wire.search_calls import SearchCall
from weft.wire.shapes import ErrorResponse, Id, Response
from weft.wire.threads import ThreadObject

Index = Annotated[int, Meta(description="Its place in the list that it is a piece of.")]


class CitedPiece(Response):
    """The file that a citation names."""

    file_id: Annotated[str, Meta(description="The identifier of the file.")]
    quote: Annotated[str, Meta(description="Always empty; clients of the service expect it.")]


class FileCitationPiece(Response, tag_field="type", tag="file_citation"):
    """A place in a text that rests on a file. Offsets count characters, the end is exclusive."""

    index: Index
    text: Annotated[str, Meta(description="The words in the text that it stands for.")]
    start_index: Annotated[int, Meta(description="Where they begin.")]
    end_index: Annotated[int, Meta(description="Where they end, exclusive.")]
    file_citation: CitedPiece


class TextPiece(Response):
    """A piece of a text."""

    value: Annotated[str, Meta(description="What comes behind the text so far.")]
    annotations: Annotated[
        list[FileCitationPiece] | UnsetType,
        Meta(
            description="Begins as an empty list with the first piece; comes with a piece that is "
            "a source mark."
        ),
    ] = UNSET


class TextDelta(Response, tag_field="type", tag="text"):
    """A piece of a text part."""

    index: Index
    text: TextPiece


class RefusalDelta(Response, tag_field="type", tag="refusal"):
    """A piece of a refusal."""

    index: Index
    refusal: Annotated[str, Meta(description="What comes behind the refusal so far.")]


class MessageDelta(Response):
    """What is new of a message."""

    content: Annotated[list[TextDelta | RefusalDelta], Meta(description="Pieces of its parts.")]


class MessageDeltaObject(Response, kw_only=True):
    """A piece of a message that is being written."""

    id: Id
    object: Literal["thread.message.delta"] = "thread.message.delta"
    delta: MessageDelta


class FunctionPiece(Response, kw_only=True):
    """A piece of a function call: the name comes first, then the arguments bit by bit."""

    name: FunctionName | UnsetType = UNSET
    arguments: Arguments
    output: Annotated[UnsetType | None, Meta(description="None yet.")] = UNSET


class FunctionCallDelta(Response, tag_field="type", tag="function", kw_only=True):
    """A piece of a function call."""

    index: Index
    id: CallId | UnsetType = UNSET
    function: FunctionPiece


class FileSearchCallDelta(Response, tag_field="type", tag="file_search", kw_only=True):
    """A search in files that begins."""

    index: Index
    id: CallId
    file_search: SearchCall


class ToolCallsDelta(Response, tag_field="type", tag="tool_calls"):
    """What is new of the calls of a step."""

    tool_calls: Annotated[
        list[FunctionCallDelta | FileSearchCallDelta], Meta(description="Pieces of its calls.")
    ]


class RunStepDelta(Response):
    """What is new of a step."""

    step_details: ToolCallsDelta


class RunStepDeltaObject(Response, kw_only=True):
    """A piece of a step whose calls are being written."""

    id: Id
    object: Literal["thread.run.step.delta"] = "thread.run.step.delta"
    delta: RunStepDelta


class ThreadStreamEvent(Response):
    """A thread was made for the run."""

    event: Literal["thread.created"]
    data: ThreadObject


class RunStreamEvent(Response):
    """A run took another status: the one that the event is named after."""

    event: Annotated[
        Literal[
            "thread.run.created",
            "thread.run.queued",
            "thread.run.in_progress",
            "thread.run.requires_action",
            "thread.run.completed",
            "thread.run.incomplete",
            "thread.run.failed",
            "thread.run.cancelling",
            "thread.run.cancelled",
            "thread.run.expired",
        ],
        Meta(description="What became of it."),
    ]
    data: RunObject


class RunStepStreamEvent(Response):
    """A step began or ended."""

    event: Annotated[
        Literal[
            "thread.run.step.created",
            "thread.run.step.in_progress",
            "thread.run.step.completed",
            "thread.run.step.failed",
            "thread.run.step.cancelled",
            "thread.run.step.expired",
        ],
        Meta(description="What became of it."),
    ]
    data: RunStepObject


class RunStepDeltaStreamEvent(Response):
    """A step's calls grew."""

    event: Literal["thread.run.step.delta"]
    data: RunStepDeltaObject


class MessageStreamEvent(Response):
    """A message began or ended."""

    event: Annotated[
        Literal[
            "thread.message.created",
            "thread.message.in_progress",
            "thread.message.completed",
            "thread.message.incomplete",
        ],
        Meta(description="What became of it."),
    ]
    data: MessageObject


class MessageDeltaStreamEvent(Response):
    """A message grew."""

    event: Literal["thread.message.delta"]
    data: MessageDeltaObject


class ErrorStreamEvent(Response):
    """The stream cannot go on: follow the run again, later, behind the last event that came."""

    event: Literal["error"]
    data: ErrorResponse


class DoneEvent(Response):
    """The run rests: the last frame of every stream that was not cut."""

    event: Literal["done"]
    data: Literal["[DONE]"]


STREAM_EVENTS: tuple[type[Response], ...] = (
    ThreadStreamEvent,
    RunStreamEvent,
    RunStepStreamEvent,
    RunStepDeltaStreamEvent,
    MessageStreamEvent,
    MessageDeltaStreamEvent,
    ErrorStreamEvent,
    DoneEvent,
)

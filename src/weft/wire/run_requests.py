"""Runs: what a client sends. `runs` has what it reads."""

from typing import Annotated, Literal

from msgspec import Meta

from weft.wire.assistants import Instructions, ReasoningEffort, ResponseFormat, Temperature, TopP
from weft.wire.messages import CreateMessageRequest
from weft.wire.shapes import EXACT, ListQuery, Metadata, Query, Request
from weft.wire.threads import CreateThreadRequest
from weft.wire.tools import (
    FileSearchResourcesRequest,
    Tool,
    ToolResourcesModifyRequest,
    ToolResourcesRequest,
)

MIN_TOKENS = 256

RunTools = Annotated[list[Tool], Meta(max_length=20)]
TokenLimit = Annotated[int, Meta(ge=MIN_TOKENS, le=EXACT)]
Include = Literal["step_details.tool_calls[*].file_search.results[*].content"]


class TruncationObject(Request, kw_only=True):
    """How much of the thread the model sees."""

    type: Annotated[
        Literal["auto", "last_messages"],
        Meta(description="auto: the newest messages that fit; last_messages: so many of them."),
    ]
    last_messages: Annotated[
        Annotated[int, Meta(ge=1, le=EXACT)] | None,
        Meta(description="With last_messages: how many of the newest messages."),
    ] = None


class NamedFunction(Request):
    """The function to call."""

    name: Annotated[
        str, Meta(min_length=1, max_length=64, description="Its name, among the run's tools.")
    ]


class ChooseFunction(Request, tag_field="type", tag="function"):
    """The model must call this function."""

    function: NamedFunction


class ChooseCodeInterpreter(Request, tag_field="type", tag="code_interpreter"):
    """The model must run code."""


class ChooseFileSearch(Request, tag_field="type", tag="file_search"):
    """The model must search files."""


ToolChoice = Annotated[
    Literal["none", "auto", "required"] | ChooseFunction | ChooseCodeInterpreter | ChooseFileSearch,
    Meta(
        description="Whether the model calls tools: none, as it likes (auto, the default), at "
        "least one (required), or this one."
    ),
]
ParallelToolCalls = Annotated[
    bool, Meta(description="Whether the model may call several functions at once; true by default.")
]
Stream = Annotated[
    bool | None,
    Meta(description="Answer with the run's events as they happen, instead of the run."),
]


class RunSettings(Request, kw_only=True):
    """What every request that starts a run may set; what is left out comes from the assistant."""

    assistant_id: Annotated[
        str,
        Meta(
            pattern="^asst",
            extra={"id_prefix": "asst"},
            description="The assistant that answers: its identifier.",
        ),
    ]
    model: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="The model that answers, instead of the assistant's."),
    ] = None
    reasoning_effort: ReasoningEffort | None = None
    instructions: Annotated[
        Instructions | None, Meta(description="Instead of the assistant's instructions.")
    ] = None
    tools: Annotated[
        RunTools | None, Meta(description="Instead of the assistant's tools; at most 20.")
    ] = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: Stream = None
    max_prompt_tokens: Annotated[
        TokenLimit | None,
        Meta(description="What all prompts of the run together may hold, at least 256 tokens."),
    ] = None
    max_completion_tokens: Annotated[
        TokenLimit | None,
        Meta(description="What all answers of the run together may hold, at least 256 tokens."),
    ] = None
    truncation_strategy: TruncationObject | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: ParallelToolCalls | None = None
    response_format: ResponseFormat | None = None


class CreateRunRequest(RunSettings, kw_only=True):
    """A run on a thread that exists."""

    additional_instructions: Annotated[
        Instructions | None, Meta(description="Appended to the instructions of this run.")
    ] = None
    additional_messages: Annotated[
        list[CreateMessageRequest] | None,
        Meta(description="Appended to the thread ahead of the run."),
    ] = None
    queue_when_busy: Annotated[
        bool | None,
        Meta(
            description="If the thread has an active run: wait for its end instead of being "
            "refused. An extension."
        ),
    ] = None


class CreateThreadAndRunRequest(RunSettings, kw_only=True):
    """A new thread and a run on it."""

    thread: CreateThreadRequest | None = None
    tool_resources: ToolResourcesModifyRequest | None = None

    @property
    def resources(self) -> ToolResourcesRequest | None:
        """What the thread gets: for each tool what the run brings, else what the thread does."""
        own = self.thread.tool_resources if self.thread else None
        if not self.tool_resources:
            return own
        found = ToolResourcesRequest(own.code_interpreter, own.file_search) if own else None
        found = found or ToolResourcesRequest()
        if self.tool_resources.code_interpreter:
            found.code_interpreter = self.tool_resources.code_interpreter
        if self.tool_resources.file_search:
            store_ids = self.tool_resources.file_search.vector_store_ids
            found.file_search = FileSearchResourcesRequest(store_ids)
        return found


class ModifyRunRequest(Request):
    """A change of a run: only its metadata can change."""

    metadata: Annotated[
        Metadata | None, Meta(description="Pairs to add or overwrite; other pairs remain.")
    ] = None


class ToolOutput(Request):
    """What a function returned."""

    tool_call_id: Annotated[str, Meta(min_length=1, description="The call that it answers.")]
    output: Annotated[
        str | None, Meta(description="The result, as the model shall read it; empty by default.")
    ] = None


class SubmitToolOutputsRunRequest(Request):
    """The results of all functions that the run asks for."""

    tool_outputs: Annotated[
        list[ToolOutput], Meta(description="One for each call that waits, in any order.")
    ]
    stream: Stream = None


class IncludeQuery(Query):
    """What else to put into an answer."""

    include: Annotated[
        list[Include] | None,
        Meta(description="Show the text of what a file search found as well."),
    ] = None


class ListRunStepsQuery(ListQuery):
    """How steps are paged, and what else to put into them."""

    include: Annotated[
        list[Include] | None,
        Meta(description="Show the text of what a file search found as well."),
    ] = None


class FollowQuery(Query):
    """Following a run."""

    stream: Annotated[
        Literal["true", "false"] | None,
        Meta(
            description="true: replay the run's events and follow them to where the run rests. "
            "An extension."
        ),
    ] = None
    starting_after: Annotated[
        Annotated[int, Meta(ge=0, le=EXACT)] | None,
        Meta(
            description="With stream: only the events behind this number. It goes ahead of a "
            "`Last-Event-ID`. An extension."
        ),
    ] = None

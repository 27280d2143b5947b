"""Runs and their steps: what a client sends and reads."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from weft.domain.lifecycle import FORGETS_EXPIRY, STAMPS, TERMINAL, Cause, Status, after
from weft.wire.assistants import (
    AssistantObject,
    Instructions,
    ReasoningEffort,
    ResponseFormat,
    Temperature,
    TopP,
)
from weft.wire.messages import CreateMessageRequest
from weft.wire.shapes import CreatedAt, ListQuery, Metadata, Query, Request, Response
from weft.wire.threads import CreateThreadRequest
from weft.wire.tools import (
    DeclaredTool,
    Tool,
    ToolResources,
    ToolResourcesRequest,
    declared,
)

MIN_TOKENS = 256

RunTools = Annotated[list[Tool], Meta(max_length=20)]
TokenLimit = Annotated[int, Meta(ge=MIN_TOKENS)]


# --- what a client sends --------------------------------------------------------------------


class TruncationObject(Request, kw_only=True):
    """How much of the thread the model sees."""

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="With last_messages: how many of the newest messages."),
    ] = None


class NamedFunction(Request):
    """The function to call."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]


class ChooseFunction(Request, tag_field="type", tag="function"):
    """The model must call this function."""

    function: NamedFunction


class ChooseCodeInterpreter(Request, tag_field="type", tag="code_interpreter"):
    """The model must run code."""


class ChooseFileSearch(Request, tag_field="type", tag="file_search"):
    """The model must search files."""


ToolChoice = (
    Literal["none", "auto", "required"] | ChooseFunction | ChooseCodeInterpreter | ChooseFileSearch
)


class RunSettings(Request, kw_only=True):
    """What every request that starts a run may set; what is left out comes from the assistant."""

    assistant_id: Annotated[
        str, Meta(extra={"id_prefix": "asst"}, description="The assistant that answers.")
    ]
    model: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="Another model.")
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
    stream: Annotated[
        bool | None, Meta(description="Answer with the run's events as they happen.")
    ] = None
    max_prompt_tokens: Annotated[
        TokenLimit | None, Meta(description="For all model calls of the run together.")
    ] = None
    max_completion_tokens: Annotated[
        TokenLimit | None, Meta(description="For all model calls of the run together.")
    ] = None
    truncation_strategy: TruncationObject | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None


class CreateRunRequest(RunSettings, kw_only=True):
    """A run on a thread that exists."""

    additional_instructions: Annotated[
        Instructions | None, Meta(description="Appended to the instructions of this run.")
    ] = None
    additional_messages: Annotated[
        list[CreateMessageRequest] | None,
        Meta(description="Appended to the thread before the run."),
    ] = None
    queue_when_busy: Annotated[
        bool | None,
        Meta(description="Wait for the thread's active run to end instead of being refused."),
    ] = None


class CreateThreadAndRunRequest(RunSettings, kw_only=True):
    """A new thread and a run on it."""

    thread: CreateThreadRequest | None = None
    tool_resources: ToolResourcesRequest | None = None


class ModifyRunRequest(Request):
    """A change of a run: only its metadata can change."""

    metadata: Metadata | None = None


class ToolOutput(Request):
    """What a function returned."""

    tool_call_id: Annotated[str, Meta(min_length=1, description="The call that it answers.")]
    output: Annotated[str | None, Meta(description="The result, as the model shall read it.")] = (
        None
    )


class SubmitToolOutputsRunRequest(Request):
    """The results of all functions that the run asks for."""

    tool_outputs: list[ToolOutput]
    stream: bool | None = None


class IncludeQuery(Query):
    """What else to put into an answer."""

    include: Annotated[
        list[str] | None,
        Meta(description="include[]=step_details.tool_calls[*].file_search.results[*].content"),
    ] = None


class ListRunStepsQuery(ListQuery):
    """How steps are paged."""

    include: Annotated[
        list[str] | None,
        Meta(description="include[]=step_details.tool_calls[*].file_search.results[*].content"),
    ] = None


class FollowQuery(Query):
    """Following a run: an extension."""

    stream: Annotated[
        Literal["true", "false"] | None,
        Meta(description="true: replay the run's events and follow them to the end."),
    ] = None
    starting_after: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="With stream: only events behind this number (as Last-Event-ID)."),
    ] = None


# --- what Weft answers ----------------------------------------------------------------------


class FunctionCall(Response):
    """A function and its arguments, as the model wrote them."""

    name: str
    arguments: str


class RunToolCallObject(Response, kw_only=True):
    """A function that the client has to call."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class ToolCallsToSubmit(Response):
    """The calls that wait for their results."""

    tool_calls: list[RunToolCallObject]


class RequiredAction(Response, kw_only=True):
    """What the run waits for."""

    type: Literal["submit_tool_outputs"] = "submit_tool_outputs"
    submit_tool_outputs: ToolCallsToSubmit


class LastError(Response):
    """Why a run failed."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class RunIncompleteDetails(Response):
    """Which budget was used up."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"]


class CachedTokens(Response):
    """Of the prompt: what the model had seen before."""

    cached_tokens: int = 0


class ReasoningTokens(Response):
    """Of the completion: what the model thought."""

    reasoning_tokens: int = 0


class Usage(Response):
    """Tokens used. The first detail is spelt as the service spelt it."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_token_details: CachedTokens = msgspec.field(default_factory=CachedTokens)
    completion_tokens_details: ReasoningTokens = msgspec.field(default_factory=ReasoningTokens)

    def plus(self, other: "Usage") -> "Usage":
        """Return the sum of two usages."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
            CachedTokens(
                self.prompt_token_details.cached_tokens + other.prompt_token_details.cached_tokens
            ),
            ReasoningTokens(
                self.completion_tokens_details.reasoning_tokens
                + other.completion_tokens_details.reasoning_tokens
            ),
        )


class RunObject(Response, kw_only=True):
    """A run: an assistant answering in a thread."""

    id: str
    object: Literal["thread.run"] = "thread.run"
    created_at: CreatedAt
    assistant_id: str
    thread_id: str
    status: Status = "queued"
    started_at: int | None = None
    expires_at: int | None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    model: str
    instructions: str | None
    tools: list[DeclaredTool]
    tool_resources: ToolResources
    metadata: dict[str, str]
    temperature: float
    top_p: float
    reasoning_effort: ReasoningEffort | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    truncation_strategy: TruncationObject
    incomplete_details: RunIncompleteDetails | None = None
    usage: Usage | None = None
    response_format: ResponseFormat
    tool_choice: ToolChoice
    parallel_tool_calls: bool


class ListRunsResponse(Response, kw_only=True):
    """A page of runs."""

    object: Literal["list"] = "list"
    data: list[RunObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class CalledFunction(Response):
    """A function that was called, with its output once there is one."""

    name: str
    arguments: str
    output: str | None


class FunctionToolCall(Response, tag_field="type", tag="function", kw_only=True):
    """A call of a function."""

    id: str
    function: CalledFunction


class CreatedMessage(Response):
    """The message that a step wrote."""

    message_id: str


class MessageCreation(Response, tag_field="type", tag="message_creation"):
    """A step that wrote a message."""

    message_creation: CreatedMessage


class ToolCalls(Response, tag_field="type", tag="tool_calls"):
    """A step that called tools."""

    tool_calls: list[FunctionToolCall]


StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]


class RunStepObject(Response, kw_only=True):
    """One step of a run: a message, or the tool calls of one turn."""

    id: str
    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: CreatedAt
    run_id: str
    assistant_id: str
    thread_id: str
    type: Literal["message_creation", "tool_calls"]
    status: StepStatus = "in_progress"
    cancelled_at: int | None = None
    completed_at: int | None = None
    expires_at: int | None = None
    expired_at: int | None = None
    failed_at: int | None = None
    last_error: LastError | None = None
    step_details: MessageCreation | ToolCalls
    usage: Usage | None = None
    metadata: dict[str, str] = {}


class ListRunStepsResponse(Response, kw_only=True):
    """A page of steps."""

    object: Literal["list"] = "list"
    data: list[RunStepObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


stored_run = msgspec.json.Decoder(RunObject)
stored_step = msgspec.json.Decoder(RunStepObject)


# --- how a run changes ------------------------------------------------------------------------


def advance(run: RunObject, cause: Cause, now: int) -> RunObject:
    """Return a run after something happened to it: status and stamps as the table says.

    Raises: domain.lifecycle.NotPossible.
    """
    status = after(run.status, cause)
    changed = msgspec.structs.replace(run, status=status)
    if status in STAMPS:
        setattr(changed, STAMPS[status], now)
    if status in FORGETS_EXPIRY:
        changed.expires_at = None
    if status != "requires_action":
        changed.required_action = None
    return changed


def step_ended(
    step: RunStepObject, status: StepStatus, now: int, *, error: LastError | None = None
) -> RunStepObject:
    """Return a step that ends with a status."""
    ended = msgspec.structs.replace(step, status=status, last_error=error)
    setattr(ended, f"{status}_at", now)
    return ended


def is_over(run: RunObject) -> bool:
    """Say whether nothing will ever happen to a run again."""
    return run.status in TERMINAL


# What changes of a run as it lives; everything else of an event is read from the run itself.
VOLATILE = (
    "status",
    "started_at",
    "expires_at",
    "cancelled_at",
    "failed_at",
    "completed_at",
    "required_action",
    "last_error",
    "incomplete_details",
    "usage",
)


def new_run(
    request: RunSettings,
    assistant: AssistantObject,
    *,
    run_id: str,
    thread_id: str,
    now: int,
    expires_s: int,
) -> RunObject:
    """Return the run that a request queues: what it leaves out comes from the assistant."""
    instructions = assistant.instructions if request.instructions is None else request.instructions
    if isinstance(request, CreateRunRequest) and request.additional_instructions:
        both = (instructions, request.additional_instructions)
        instructions = "\n".join(part for part in both if part)
    return RunObject(
        id=run_id,
        created_at=now,
        assistant_id=assistant.id,
        thread_id=thread_id,
        expires_at=now + expires_s,
        model=request.model or assistant.model,
        instructions=instructions,
        tools=assistant.tools if request.tools is None else declared(request.tools),
        tool_resources=ToolResources(),
        metadata=request.metadata or {},
        temperature=assistant.temperature if request.temperature is None else request.temperature,
        top_p=assistant.top_p if request.top_p is None else request.top_p,
        reasoning_effort=request.reasoning_effort or assistant.reasoning_effort,
        max_completion_tokens=request.max_completion_tokens,
        max_prompt_tokens=request.max_prompt_tokens,
        truncation_strategy=request.truncation_strategy or TruncationObject(type="auto"),
        response_format=request.response_format or assistant.response_format,
        tool_choice=request.tool_choice or "auto",
        parallel_tool_calls=request.parallel_tool_calls is not False,
    )

"""Runs and their steps: what a client reads, and how they change."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from weft.domain.errors import BadRequest, shown
from weft.domain.lifecycle import FORGETS_EXPIRY, STAMPS, TERMINAL, Cause, Status, after
from weft.wire.assistants import AssistantObject, ReasoningEffort, ResponseFormat
from weft.wire.run_requests import (
    ChooseCodeInterpreter,
    ChooseFileSearch,
    ChooseFunction,
    CreateRunRequest,
    RunSettings,
    ToolChoice,
    TruncationObject,
)
from weft.wire.search_calls import FileSearchToolCall
from weft.wire.shapes import PAGE, CreatedAt, FirstId, HasMore, Id, LastId, Response
from weft.wire.tools import (
    CodeInterpreterTool,
    DeclaredTool,
    FileSearchTool,
    FunctionTool,
    ToolResources,
    declared,
)

Arguments = Annotated[str, Meta(description="The arguments as JSON, as the model wrote them.")]
FunctionName = Annotated[str, Meta(description="Its name.")]
CallId = Annotated[str, Meta(description="The identifier of the call.")]
AssistantId = Annotated[str, Meta(description="The assistant that answers.")]
ThreadId = Annotated[str, Meta(description="The thread that it belongs to.")]
Tokens = Annotated[int, Meta(description="A number of tokens.")]


class FunctionCall(Response):
    """A function and its arguments."""

    name: FunctionName
    arguments: Arguments


class RunToolCallObject(Response, kw_only=True):
    """A function that the client has to call."""

    id: CallId
    type: Literal["function"] = "function"
    function: FunctionCall


class ToolCallsToSubmit(Response):
    """The calls that wait for their outputs."""

    tool_calls: Annotated[
        list[RunToolCallObject], Meta(description="All of one turn; one request answers them all.")
    ]


class RequiredAction(Response, kw_only=True):
    """What the run waits for."""

    type: Literal["submit_tool_outputs"] = "submit_tool_outputs"
    submit_tool_outputs: ToolCallsToSubmit


class LastError(Response):
    """Why it failed."""

    code: Annotated[
        Literal["server_error", "rate_limit_exceeded", "invalid_prompt"],
        Meta(description="The kind of error, for programs."),
    ]
    message: Annotated[str, Meta(description="What happened and what to do, for people.")]


class RunIncompleteDetails(Response):
    """Why a run is incomplete."""

    reason: Annotated[
        Literal["max_completion_tokens", "max_prompt_tokens"],
        Meta(description="Which budget was used up."),
    ]


class CachedTokens(Response):
    """Of the prompt: what the model had seen before."""

    cached_tokens: Tokens = 0


class ReasoningTokens(Response):
    """Of the answers: what the model thought and did not say."""

    reasoning_tokens: Tokens = 0


class Usage(Response):
    """Tokens used. The first detail is spelt as the service spelt it."""

    prompt_tokens: Annotated[int, Meta(description="What the model read.")] = 0
    completion_tokens: Annotated[int, Meta(description="What it wrote.")] = 0
    total_tokens: Annotated[int, Meta(description="Both together.")] = 0
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

    id: Id
    object: Literal["thread.run"] = "thread.run"
    created_at: CreatedAt
    assistant_id: AssistantId
    thread_id: ThreadId
    status: Annotated[Status, Meta(description="Where it stands in its life.")] = "queued"
    started_at: Annotated[
        int | None, Meta(description="When it was last taken up, in unix seconds.")
    ] = None
    expires_at: Annotated[
        int | None,
        Meta(
            description="When it expires, in unix seconds; null while it waits for its turn, and "
            "once it has ended in another way."
        ),
    ]
    cancelled_at: Annotated[
        int | None, Meta(description="When it was cancelled, in unix seconds.")
    ] = None
    failed_at: Annotated[int | None, Meta(description="When it failed, in unix seconds.")] = None
    completed_at: Annotated[
        int | None, Meta(description="When it was completed or incomplete, in unix seconds.")
    ] = None
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    model: Annotated[str, Meta(description="The model that answers.")]
    instructions: Annotated[
        str | None, Meta(description="What the model is told before the conversation.")
    ]
    tools: Annotated[list[DeclaredTool], Meta(description="The tools that the model may use.")]
    tool_resources: ToolResources
    metadata: dict[str, str]
    temperature: Annotated[float, Meta(description="How freely the model chooses its words.")]
    top_p: Annotated[float, Meta(description="The share of likely words to choose from.")]
    reasoning_effort: ReasoningEffort | None
    max_completion_tokens: Annotated[
        int | None, Meta(description="What all answers of the run together may hold.")
    ]
    max_prompt_tokens: Annotated[
        int | None, Meta(description="What all prompts of the run together may hold.")
    ]
    truncation_strategy: TruncationObject
    incomplete_details: RunIncompleteDetails | None = None
    usage: Usage | None = None
    response_format: ResponseFormat
    tool_choice: ToolChoice
    parallel_tool_calls: Annotated[
        bool, Meta(description="Whether the model may call several functions at once.")
    ]


class ListRunsResponse(Response, kw_only=True):
    """A page of runs."""

    object: Literal["list"] = "list"
    data: Annotated[list[RunObject], PAGE]
    first_id: FirstId
    last_id: LastId
    has_more: HasMore


class CalledFunction(Response):
    """A function that was called."""

    name: FunctionName
    arguments: Arguments
    output: Annotated[str | None, Meta(description="What it returned, once the client said so.")]


class FunctionToolCall(Response, tag_field="type", tag="function", kw_only=True):
    """A call of a function."""

    id: CallId
    function: CalledFunction


class CreatedMessage(Response):
    """The message that a step wrote."""

    message_id: Annotated[str, Meta(description="The identifier of the message.")]


class MessageCreation(Response, tag_field="type", tag="message_creation"):
    """A step that wrote a message."""

    message_creation: CreatedMessage


class ToolCalls(Response, tag_field="type", tag="tool_calls"):
    """A step that called tools."""

    tool_calls: Annotated[
        list[FunctionToolCall | FileSearchToolCall],
        Meta(description="All calls of one turn of the model."),
    ]


StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]


class RunStepObject(Response, kw_only=True):
    """One step of a run: a message, or the tool calls of one turn."""

    id: Id
    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: CreatedAt
    run_id: Annotated[str, Meta(description="The run that it belongs to.")]
    assistant_id: AssistantId
    thread_id: ThreadId
    type: Annotated[
        Literal["message_creation", "tool_calls"], Meta(description="What the step does.")
    ]
    status: Annotated[
        StepStatus,
        Meta(description="A step of tool calls is in progress until their outputs come."),
    ] = "in_progress"
    cancelled_at: Annotated[
        int | None, Meta(description="When it was cancelled, in unix seconds.")
    ] = None
    completed_at: Annotated[
        int | None, Meta(description="When it was completed, in unix seconds.")
    ] = None
    expires_at: Annotated[
        int | None, Meta(description="When its run expires, in unix seconds, while it goes on.")
    ] = None
    expired_at: Annotated[int | None, Meta(description="When it expired, in unix seconds.")] = None
    failed_at: Annotated[int | None, Meta(description="When it failed, in unix seconds.")] = None
    last_error: LastError | None = None
    step_details: Annotated[
        MessageCreation | ToolCalls, Meta(description="The message, or the calls.")
    ]
    usage: Usage | None = None
    metadata: dict[str, str] = {}


class ListRunStepsResponse(Response, kw_only=True):
    """A page of steps."""

    object: Literal["list"] = "list"
    data: Annotated[list[RunStepObject], PAGE]
    first_id: FirstId
    last_id: LastId
    has_more: HasMore


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


def searches(run: RunObject) -> bool:
    """Say whether a run may search files."""
    return any(isinstance(tool, FileSearchTool) for tool in run.tools)


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
    """Return the run that a request queues: what it leaves out comes from the assistant.

    Raises: BadRequest when it must use a tool that it does not have.
    """
    instructions = assistant.instructions if request.instructions is None else request.instructions
    if isinstance(request, CreateRunRequest) and request.additional_instructions:
        both = (instructions, request.additional_instructions)
        instructions = "\n".join(part for part in both if part)
    tools = assistant.tools if request.tools is None else declared(request.tools)
    _require_chosen(request.tool_choice, tools)
    return RunObject(
        id=run_id,
        created_at=now,
        assistant_id=assistant.id,
        thread_id=thread_id,
        expires_at=now + expires_s,
        model=request.model or assistant.model,
        instructions=instructions,
        tools=tools,
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


def _require_chosen(choice: ToolChoice | None, tools: list[DeclaredTool]) -> None:
    """Raise BadRequest for a choice of a tool that the run does not have."""
    match choice:
        case ChooseFunction(function=chosen):
            names = [tool.function.name for tool in tools if isinstance(tool, FunctionTool)]
            is_there, wanted, where = chosen.name in names, chosen.name, "tool_choice.function.name"
        case ChooseCodeInterpreter():
            is_there = any(isinstance(tool, CodeInterpreterTool) for tool in tools)
            wanted, where = "code_interpreter", "tool_choice.type"
        case ChooseFileSearch():
            is_there = any(isinstance(tool, FileSearchTool) for tool in tools)
            wanted, where = "file_search", "tool_choice.type"
        case _:
            return
    if not is_there:
        raise BadRequest(
            f"Invalid value: '{shown(wanted)}'. It is not among the tools of this run.",
            param=where,
            code="invalid_value",
        )

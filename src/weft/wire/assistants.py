"""Assistants: what a client sends and reads."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from weft.wire.shapes import (
    NO_NEWLINE,
    PAGE,
    CreatedAt,
    FirstId,
    HasMore,
    Id,
    LastId,
    Metadata,
    Request,
    Response,
    merge_metadata,
    refuse_deep,
)
from weft.wire.tools import (
    DeclaredTool,
    Tool,
    ToolResources,
    ToolResourcesModifyRequest,
    ToolResourcesRequest,
    declared,
    replace_resources,
    with_lists,
)

ReasoningEffort = Annotated[
    Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    Meta(description="How much the model thinks before it answers, if it can."),
]
Name = Annotated[str, Meta(max_length=256, description="A name of at most 256 characters.")]
Description = Annotated[
    str, Meta(max_length=512, description="What it is for, in at most 512 characters.")
]
Instructions = Annotated[
    str,
    Meta(max_length=256_000, description="What the model is told before the conversation."),
]
Tools = Annotated[list[Tool], Meta(max_length=128)]
Temperature = Annotated[
    float,
    Meta(ge=0, le=2, description="How freely the model chooses its words, 0 to 2; 1 by default."),
]
TopP = Annotated[
    float,
    Meta(
        ge=0,
        le=1,
        description="The share of likely words to choose from, 0 to 1; 1 by default.",
    ),
]
Model = Annotated[str, Meta(min_length=1, description="The model that answers: any name.")]


class ResponseFormatText(Request, tag_field="type", tag="text"):
    """The model answers in plain text."""


class ResponseFormatJsonObject(Request, tag_field="type", tag="json_object"):
    """The model answers with some JSON object."""


class JsonSchemaFormat(Request, omit_defaults=True):
    """The schema that the model's answer follows."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            pattern=f"^[a-zA-Z0-9_-]+${NO_NEWLINE}",
            description="Letters, digits, underscores and dashes, at most 64.",
        ),
    ]
    description: Annotated[
        str | None, Meta(description="What the answer is for; the model reads it.")
    ] = None
    schema: Annotated[dict[str, Any] | None, Meta(description="A JSON Schema.")] = None
    strict: Annotated[
        bool | None, Meta(description="Whether the model must follow the schema exactly.")
    ] = None

    def __post_init__(self) -> None:
        refuse_deep("schema", self.schema)


class ResponseFormatJsonSchema(Request, tag_field="type", tag="json_schema"):
    """The model answers with JSON that follows a schema."""

    json_schema: JsonSchemaFormat


ResponseFormat = Annotated[
    Literal["auto"] | ResponseFormatText | ResponseFormatJsonObject | ResponseFormatJsonSchema,
    Meta(description="The form of the model's answers; auto by default."),
]


class CreateAssistantRequest(Request):
    """A new assistant."""

    model: Model
    name: Name | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    reasoning_effort: ReasoningEffort | None = None
    tools: Annotated[Tools | None, Meta(description="At most 128 tools.")] = None
    tool_resources: ToolResourcesRequest | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None


class ModifyAssistantRequest(Request):
    """A change of an assistant: only what is sent changes, null resets to the default."""

    model: Model | UnsetType = UNSET
    name: Name | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    instructions: Instructions | UnsetType | None = UNSET
    reasoning_effort: ReasoningEffort | UnsetType | None = UNSET
    tools: Annotated[Tools | UnsetType | None, Meta(description="Replaces the whole list.")] = UNSET
    tool_resources: Annotated[
        ToolResourcesModifyRequest | UnsetType | None,
        Meta(description="Each list that is sent replaces the one before; null empties them."),
    ] = UNSET
    metadata: Annotated[
        Metadata | None, Meta(description="Pairs to add or overwrite; other pairs remain.")
    ] = None
    temperature: Temperature | UnsetType | None = UNSET
    top_p: TopP | UnsetType | None = UNSET
    response_format: ResponseFormat | UnsetType | None = UNSET


class AssistantObject(Response, kw_only=True):
    """An assistant: a model, its instructions and its tools."""

    id: Id
    object: Literal["assistant"] = "assistant"
    created_at: CreatedAt
    name: Annotated[str | None, Meta(description="Its name.")]
    description: Annotated[str | None, Meta(description="What it is for.")]
    model: Annotated[str, Meta(description="The model that answers.")]
    instructions: Annotated[
        str | None, Meta(description="What the model is told before the conversation.")
    ]
    tools: Annotated[list[DeclaredTool], Meta(description="Its tools, every default written out.")]
    top_p: Annotated[
        float, Meta(description="The share of likely words that the model chooses from.")
    ]
    temperature: Annotated[float, Meta(description="How freely the model chooses its words.")]
    reasoning_effort: ReasoningEffort | None
    tool_resources: ToolResources
    metadata: dict[str, str]
    response_format: ResponseFormat


class ListAssistantsResponse(Response, kw_only=True):
    """A page of assistants."""

    object: Literal["list"] = "list"
    data: Annotated[list[AssistantObject], PAGE]
    first_id: FirstId
    last_id: LastId
    has_more: HasMore


class DeleteAssistantResponse(Response):
    """Says that an assistant is gone; its threads remain."""

    id: Id
    object: Literal["assistant.deleted"] = "assistant.deleted"
    deleted: Literal[True] = True


stored = msgspec.json.Decoder(AssistantObject)


def new_assistant(
    request: CreateAssistantRequest, found: ToolResources, *, assistant_id: str, now: int
) -> AssistantObject:
    """Return the assistant that a request makes, every default written out.

    `found` are its resources, with the stores that were made for it.
    """
    tools = declared(request.tools)
    return AssistantObject(
        id=assistant_id,
        created_at=now,
        name=request.name,
        description=request.description,
        model=request.model,
        instructions=request.instructions,
        tools=tools,
        top_p=_or_one(request.top_p),
        temperature=_or_one(request.temperature),
        reasoning_effort=request.reasoning_effort,
        tool_resources=with_lists(found, tools),
        metadata=request.metadata or {},
        response_format=request.response_format or "auto",
    )


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


def modified(assistant: AssistantObject, request: ModifyAssistantRequest) -> AssistantObject:
    """Return an assistant with a change applied: what was not sent stays, null resets.

    Raises: BadRequest when the merged metadata has too many pairs.
    """
    for name in ("model", "name", "description", "instructions", "reasoning_effort"):
        value = getattr(request, name)
        if value is not UNSET:
            setattr(assistant, name, value)
    if request.temperature is not UNSET:
        assistant.temperature = _or_one(request.temperature)
    if request.top_p is not UNSET:
        assistant.top_p = _or_one(request.top_p)
    if request.response_format is not UNSET:
        assistant.response_format = request.response_format or "auto"
    if request.tools is not UNSET:
        assistant.tools = declared(request.tools)
    assistant.metadata = merge_metadata(assistant.metadata, request.metadata)
    assistant.tool_resources = with_lists(
        replace_resources(assistant.tool_resources, request.tool_resources), assistant.tools
    )
    return assistant

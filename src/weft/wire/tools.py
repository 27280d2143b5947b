"""Tools and the resources they work on, as assistants and threads declare them."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from weft.domain.errors import BadRequest
from weft.wire.shapes import (
    NO_NEWLINE,
    Broken,
    FileId,
    Metadata,
    Request,
    Response,
    VectorStoreId,
    refuse_deep,
)

MAX_HELPER_FILES = 10_000

Weight = Annotated[float, Meta(ge=0, le=1000)]

DEFAULT_RANKER: Literal["default_2024_08_21"] = "default_2024_08_21"


# --- what a client declares ---------------------------------------------------------------


class HybridSearch(Request):
    """The weights of the two ways to rank, as later versions of the service sent them."""

    embedding_weight: Annotated[Weight, Meta(description="The weight of meaning, 0 to 1,000.")]
    text_weight: Annotated[Weight, Meta(description="The weight of words, 0 to 1,000.")]


class FileSearchRankingOptions(Request):
    """How results of a file search are ranked and cut."""

    ranker: Annotated[
        Literal["auto", "default_2024_08_21"] | None, Meta(description="The ranker to use.")
    ] = None
    score_threshold: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="Results below this score (0 to 1) are left out."),
    ] = None
    hybrid_search: HybridSearch | None = None


class FileSearchOptions(Request):
    """Overrides of the file search tool."""

    max_num_results: Annotated[
        Annotated[int, Meta(ge=1, le=50)] | None,
        Meta(description="How many results at most, 1 to 50."),
    ] = None
    ranking_options: FileSearchRankingOptions | None = None


class FunctionObject(Request):
    """A function that the model may call."""

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
        Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="When and how the model should call it."),
    ] = None
    parameters: Annotated[
        dict[str, Any] | None, Meta(description="The arguments, as a JSON Schema object.")
    ] = None
    strict: Annotated[
        bool | None, Meta(description="Whether the model must follow the schema exactly.")
    ] = None

    def __post_init__(self) -> None:
        refuse_deep("parameters", self.parameters)


class AssistantToolsCode(Request, tag_field="type", tag="code_interpreter"):
    """The tool that runs code."""


class AssistantToolsFileSearch(Request, tag_field="type", tag="file_search"):
    """The tool that searches vector stores."""

    file_search: FileSearchOptions | None = None


class AssistantToolsFunction(Request, tag_field="type", tag="function"):
    """A function of the client's own."""

    function: FunctionObject


Tool = AssistantToolsCode | AssistantToolsFileSearch | AssistantToolsFunction


class AutoChunkingStrategy(Request, tag_field="type", tag="auto"):
    """800 tokens a chunk, 400 shared with the next."""


class StaticChunkingStrategy(Request):
    """Chunks of a fixed size, in tokens."""

    max_chunk_size_tokens: Annotated[
        int, Meta(ge=100, le=4096, description="The size of a chunk, in tokens.")
    ]
    chunk_overlap_tokens: Annotated[
        int, Meta(ge=0, le=2048, description="What two neighbours share: at most half a chunk.")
    ]

    def __post_init__(self) -> None:
        if self.chunk_overlap_tokens * 2 > self.max_chunk_size_tokens:
            raise Broken(
                BadRequest(
                    "Invalid 'chunk_overlap_tokens': it must not exceed half of "
                    f"max_chunk_size_tokens ({self.max_chunk_size_tokens}).",
                    param="chunk_overlap_tokens",
                    code="invalid_value",
                )
            )


class StaticChunkingStrategyRequestParam(Request, tag_field="type", tag="static"):
    """Chunks of a fixed size."""

    static: StaticChunkingStrategy


class VectorStoreHelper(Request):
    """A vector store to make and attach in the same request."""

    file_ids: Annotated[
        Annotated[list[FileId], Meta(max_length=MAX_HELPER_FILES)] | None,
        Meta(description="The files to put into it, at most 10,000."),
    ] = None
    chunking_strategy: Annotated[
        AutoChunkingStrategy | StaticChunkingStrategyRequestParam | None,
        Meta(description="How the files are cut; auto by default."),
    ] = None
    metadata: Metadata | None = None


class CodeInterpreterResourcesRequest(Request):
    """Files for the code interpreter."""

    file_ids: Annotated[
        Annotated[list[FileId], Meta(max_length=20)] | None,
        Meta(description="At most 20 files."),
    ] = None


class FileSearchResourcesRequest(Request):
    """What a file search looks through, when an object is made."""

    vector_store_ids: Annotated[
        Annotated[list[VectorStoreId], Meta(max_length=1)] | None,
        Meta(description="At most one vector store."),
    ] = None
    vector_stores: Annotated[
        Annotated[list[VectorStoreHelper], Meta(max_length=1)] | None,
        Meta(description="At most one store to make; not together with vector_store_ids."),
    ] = None

    def __post_init__(self) -> None:
        if self.vector_store_ids and self.vector_stores:
            raise Broken(
                BadRequest(
                    "Invalid 'vector_stores': give either vector_store_ids or vector_stores, "
                    "not both.",
                    param="vector_stores",
                    code="invalid_value",
                )
            )


class FileSearchResourcesModifyRequest(Request):
    """What a file search looks through, when an object is changed."""

    vector_store_ids: Annotated[
        Annotated[list[VectorStoreId], Meta(max_length=1)] | None,
        Meta(description="At most one vector store; replaces the list."),
    ] = None


class ToolResourcesRequest(Request):
    """The files and stores of an object that is made."""

    code_interpreter: CodeInterpreterResourcesRequest | None = None
    file_search: FileSearchResourcesRequest | None = None


class ToolResourcesModifyRequest(Request):
    """The files and stores of an object that is changed: each list is replaced whole."""

    code_interpreter: CodeInterpreterResourcesRequest | UnsetType | None = UNSET
    file_search: FileSearchResourcesModifyRequest | UnsetType | None = UNSET


# --- what Weft answers ----------------------------------------------------------------------


class CodeInterpreterResources(Response):
    """Files of the code interpreter."""

    file_ids: Annotated[list[str], Meta(description="The files.")]


class FileSearchResources(Response):
    """Vector stores of the file search."""

    vector_store_ids: Annotated[list[str], Meta(description="The vector stores.")]


class ToolResources(Response):
    """The files and stores of an object; a tool without any is left out."""

    code_interpreter: CodeInterpreterResources | UnsetType = UNSET
    file_search: FileSearchResources | UnsetType = UNSET


class RankingOptions(Response):
    """How results are ranked."""

    ranker: Annotated[str, Meta(description="The ranker.")]
    score_threshold: Annotated[float, Meta(description="Results below this score are left out.")]
    hybrid_search: HybridSearch | None = None


class FileSearchSettings(Response, kw_only=True):
    """The file search tool's settings."""

    max_num_results: Annotated[int | UnsetType, Meta(description="How many results at most.")] = (
        UNSET
    )
    ranking_options: RankingOptions


class Function(Response, kw_only=True):
    """A declared function."""

    name: Annotated[str, Meta(description="Its name.")]
    description: Annotated[
        str | UnsetType, Meta(description="When and how the model should call it.")
    ] = UNSET
    parameters: Annotated[
        dict[str, Any], Meta(description="The arguments, as a JSON Schema object.")
    ]
    strict: Annotated[bool, Meta(description="Whether the model must follow the schema exactly.")]


class CodeInterpreterTool(Response, tag_field="type", tag="code_interpreter"):
    """The code interpreter, declared."""


class FileSearchTool(Response, tag_field="type", tag="file_search"):
    """The file search, declared."""

    file_search: FileSearchSettings


class FunctionTool(Response, tag_field="type", tag="function"):
    """A function, declared."""

    function: Function


DeclaredTool = CodeInterpreterTool | FileSearchTool | FunctionTool


def declared(tools: list[Tool] | None) -> list[DeclaredTool]:
    """Return tools as the service gave them back: every default written out."""
    return [_declared(tool) for tool in tools or ()]


def _declared(tool: Tool) -> DeclaredTool:
    match tool:
        case AssistantToolsCode():
            return CodeInterpreterTool()
        case AssistantToolsFileSearch(file_search=options):
            options = options or FileSearchOptions()
            ranking = options.ranking_options or FileSearchRankingOptions()
            return FileSearchTool(
                file_search=FileSearchSettings(
                    max_num_results=options.max_num_results or UNSET,
                    ranking_options=RankingOptions(
                        # "auto" was resolved by the service when the tool was declared.
                        ranker=DEFAULT_RANKER,
                        score_threshold=ranking.score_threshold or 0.0,
                        hybrid_search=ranking.hybrid_search,
                    ),
                )
            )
        case AssistantToolsFunction(function=function):
            return FunctionTool(
                function=Function(
                    name=function.name,
                    description=UNSET if function.description is None else function.description,
                    parameters=function.parameters or {"type": "object", "properties": {}},
                    strict=function.strict or False,
                )
            )


def resources(
    given: ToolResourcesRequest | ToolResourcesModifyRequest | None,
) -> ToolResources:
    """Return what a client gave as an answer shows it.

    Stores to be made (`vector_stores`) have no identifier yet and are left out here.
    """
    found = ToolResources()
    if given is not None and given.code_interpreter:
        found.code_interpreter = CodeInterpreterResources(given.code_interpreter.file_ids or [])
    if given is not None and given.file_search:
        found.file_search = FileSearchResources(given.file_search.vector_store_ids or [])
    return found


def with_lists(found: ToolResources, tools: list[DeclaredTool]) -> ToolResources:
    """Return an assistant's resources with an empty list for each tool that has none."""
    for tool in tools:
        if isinstance(tool, CodeInterpreterTool):
            found.code_interpreter = found.code_interpreter or CodeInterpreterResources([])
        elif isinstance(tool, FileSearchTool):
            found.file_search = found.file_search or FileSearchResources([])
    return found


def replace_resources(
    old: ToolResources, given: ToolResourcesModifyRequest | UnsetType | None
) -> ToolResources:
    """Return resources after a change: what is given replaces what was, null empties it."""
    if given is UNSET:
        return old
    if given is None:
        return ToolResources()
    new = resources(given)
    return ToolResources(
        old.code_interpreter if given.code_interpreter is UNSET else new.code_interpreter,
        old.file_search if given.file_search is UNSET else new.file_search,
    )

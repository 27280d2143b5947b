"""Vector stores, the files in them and batches of files: what a client sends and reads."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from weft.domain.errors import BadRequest
from weft.wire.shapes import (
    PAGE,
    Broken,
    CreatedAt,
    FileId,
    FirstId,
    HasMore,
    Id,
    LastId,
    ListQuery,
    Metadata,
    Request,
    Response,
    encode,
    merge_metadata,
)
from weft.wire.tools import (
    AutoChunkingStrategy,
    StaticChunkingStrategy,
    StaticChunkingStrategyRequestParam,
)

MAX_FILES = 500  # of a new store
MAX_BATCH = 2000
DAY_S = 86400
# What "auto" stands for, in tokens.
AUTO = (800, 400)

EXACT = 2**53  # from here on a float is not each whole number
StoreName = Annotated[str, Meta(max_length=256, description="A name of at most 256 characters.")]
StoreDescription = Annotated[
    str, Meta(max_length=512, description="What it is for, in at most 512 characters.")
]
ChunkingStrategy = Annotated[
    AutoChunkingStrategy | StaticChunkingStrategyRequestParam | None,
    Meta(description="How the text of files is cut: auto by default, which is 800 and 400 tokens."),
]
AttributeValue = Annotated[str, Meta(max_length=512)] | float | bool
Attributes = Annotated[
    dict[Annotated[str, Meta(max_length=64)], AttributeValue],
    Meta(
        max_length=16,
        description="Up to 16 pairs that searches can ask for: texts of at most 512 characters, "
        "numbers and booleans.",
    ),
]
FileStatus = Annotated[
    Literal["in_progress", "completed", "failed", "cancelled"],
    Meta(description="How far the indexing is: only what is completed is found."),
]


# --- what a client sends ------------------------------------------------------------------------


class VectorStoreExpirationAfter(Request):
    """How long a store is kept without being used."""

    anchor: Annotated[Literal["last_active_at"], Meta(description="Since when: its last use.")]
    days: Annotated[int, Meta(ge=1, le=365, description="So many days, 1 to 365.")]


class CreateVectorStoreRequest(Request):
    """A new vector store; every field may be left out."""

    file_ids: Annotated[
        Annotated[list[FileId], Meta(max_length=MAX_FILES)] | None,
        Meta(description="The files to put into it, at most 500."),
    ] = None
    name: StoreName | None = None
    description: StoreDescription | None = None
    expires_after: VectorStoreExpirationAfter | None = None
    chunking_strategy: ChunkingStrategy = None
    metadata: Metadata | None = None


class UpdateVectorStoreRequest(Request):
    """A change of a vector store: only what is sent changes, null resets."""

    name: StoreName | UnsetType | None = UNSET
    expires_after: VectorStoreExpirationAfter | UnsetType | None = UNSET
    metadata: Annotated[
        Metadata | None, Meta(description="Pairs to add or overwrite; other pairs remain.")
    ] = None


class CreateVectorStoreFileRequest(Request):
    """A file to put into a store."""

    file_id: FileId
    chunking_strategy: ChunkingStrategy = None
    attributes: Attributes | None = None


class UpdateVectorStoreFileAttributesRequest(Request):
    """Other attributes of a file."""

    attributes: Annotated[Attributes | None, Meta(description="They replace all it had.")]


class CreateVectorStoreFileBatchRequest(Request):
    """Files to put into a store at once."""

    file_ids: Annotated[
        Annotated[list[FileId], Meta(min_length=1, max_length=MAX_BATCH)] | None,
        Meta(description="The files, at most 2,000, all treated alike."),
    ] = None
    files: Annotated[
        Annotated[list[CreateVectorStoreFileRequest], Meta(min_length=1, max_length=MAX_BATCH)]
        | None,
        Meta(description="Or the files, at most 2,000, each with settings of its own."),
    ] = None
    chunking_strategy: ChunkingStrategy = None
    attributes: Attributes | None = None

    def __post_init__(self) -> None:
        if (self.file_ids is None) is (self.files is None):
            raise Broken(
                BadRequest.missing_parameter("file_ids")
                if self.files is None
                else BadRequest(
                    "Invalid 'files': give either file_ids or files, not both.",
                    param="files",
                    code="invalid_value",
                )
            )

    @property
    def entries(self) -> list[CreateVectorStoreFileRequest]:
        """The files, each with the settings that apply to it."""
        if self.files is not None:
            return self.files
        return [
            CreateVectorStoreFileRequest(file_id, self.chunking_strategy, self.attributes)
            for file_id in self.file_ids or ()
        ]


class ListVectorStoreFilesQuery(ListQuery):
    """How the files of a store, or of a batch, are paged."""

    filter: Annotated[
        Literal["in_progress", "completed", "failed", "cancelled"] | None,
        Meta(description="Only the files with this status."),
    ] = None


# --- what a client reads ------------------------------------------------------------------------


Count = Annotated[int, Meta(description="How many.")]


class FileCounts(Response):
    """How many files there are, by status."""

    in_progress: Count
    completed: Count
    failed: Count
    cancelled: Count
    total: Count


class VectorStoreObject(Response, kw_only=True):
    """A vector store: files that can be searched."""

    id: Id
    object: Literal["vector_store"] = "vector_store"
    created_at: CreatedAt
    name: Annotated[str | None, Meta(description="Its name.")]
    description: Annotated[str | None, Meta(description="What it is for.")]
    usage_bytes: Annotated[int, Meta(description="What the texts and vectors in it take.")]
    file_counts: FileCounts
    status: Annotated[
        Literal["expired", "in_progress", "completed"],
        Meta(description="in_progress while files are being indexed."),
    ]
    expires_after: VectorStoreExpirationAfter | None
    expires_at: Annotated[int | None, Meta(description="When it expires, in unix seconds.")]
    last_active_at: Annotated[
        int | None, Meta(description="When it was last used, in unix seconds.")
    ]
    metadata: dict[str, str]


class ListVectorStoresResponse(Response, kw_only=True):
    """A page of vector stores."""

    object: Literal["list"] = "list"
    data: Annotated[list[VectorStoreObject], PAGE]
    first_id: FirstId
    last_id: LastId
    has_more: HasMore


class DeleteVectorStoreResponse(Response):
    """Says that a vector store is gone; its files remain."""

    id: Id
    object: Literal["vector_store.deleted"] = "vector_store.deleted"
    deleted: Literal[True] = True


class IndexingError(Response):
    """Why a file cannot be searched."""

    code: Annotated[
        Literal["server_error", "unsupported_file", "invalid_file"],
        Meta(description="The kind of error, for programs."),
    ]
    message: Annotated[str, Meta(description="What is wrong, for people.")]


class StaticChunkingStrategyResponseParam(Response, tag_field="type", tag="static"):
    """How the text of a file is cut."""

    static: StaticChunkingStrategy


class VectorStoreFileObject(Response, kw_only=True):
    """A file in a vector store."""

    id: Annotated[str, Meta(description="The identifier of the file.")]
    object: Literal["vector_store.file"] = "vector_store.file"
    usage_bytes: Annotated[int, Meta(description="What its texts and vectors take.")]
    created_at: Annotated[int, Meta(description="When it was put in, in unix seconds.")]
    vector_store_id: Annotated[str, Meta(description="The store that it is in.")]
    status: FileStatus
    last_error: IndexingError | None
    chunking_strategy: StaticChunkingStrategyResponseParam
    attributes: Annotated[
        dict[str, str | float | bool], Meta(description="What searches can ask for.")
    ]


class ListVectorStoreFilesResponse(Response, kw_only=True):
    """A page of the files in a store."""

    object: Literal["list"] = "list"
    data: Annotated[list[VectorStoreFileObject], PAGE]
    first_id: FirstId
    last_id: LastId
    has_more: HasMore


class DeleteVectorStoreFileResponse(Response):
    """Says that a file is no longer in a store; the file itself remains."""

    id: Annotated[str, Meta(description="The identifier of the file.")]
    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"
    deleted: Literal[True] = True


class FileText(Response, tag_field="type", tag="text"):
    """A piece of a file's text."""

    text: Annotated[str, Meta(description="The text.")]


class VectorStoreFileContentResponse(Response, kw_only=True):
    """The text of a file as it is searched."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: Annotated[list[FileText], Meta(description="The text, in one piece.")]
    has_more: Annotated[bool, Meta(description="Whether there is another page: there is none.")] = (
        False
    )
    next_page: Annotated[str | None, Meta(description="The next page: none.")] = None


class VectorStoreFileBatchObject(Response, kw_only=True):
    """Files that were put into a store at once."""

    id: Id
    object: Literal["vector_store.file_batch"] = "vector_store.file_batch"
    created_at: CreatedAt
    status: FileStatus
    vector_store_id: Annotated[str, Meta(description="The store that they are in.")]
    file_counts: FileCounts


# --- making an answer ---------------------------------------------------------------------------


class Settings(msgspec.Struct):
    """What clients set on a store: kept as it is."""

    name: str | None = None
    description: str | None = None
    expires_after: VectorStoreExpirationAfter | None = None
    metadata: dict[str, str] = {}

    @property
    def expires_days(self) -> int | None:
        """So long it is kept without use; None for ever."""
        return self.expires_after.days if self.expires_after else None


stored_settings = msgspec.json.Decoder(Settings)
_attributes = msgspec.json.Decoder(dict[str, str | int | float | bool])
_error = msgspec.json.Decoder(IndexingError)


def stored_attributes(given: Attributes | None) -> str:
    """Return attributes as they are kept: whole numbers without a fraction, as they were sent."""
    return encode({name: _whole(value) for name, value in (given or {}).items()})


def _whole(value: str | float | bool) -> str | float | bool:
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return int(value) if is_whole else value


def modified(settings: Settings, request: UpdateVectorStoreRequest) -> Settings:
    """Return a store's settings after a change.

    Raises: BadRequest when the merged metadata has too many pairs.
    """
    changed = msgspec.structs.replace(settings)
    if request.name is not UNSET:
        changed.name = request.name
    if request.expires_after is not UNSET:
        changed.expires_after = request.expires_after
    changed.metadata = merge_metadata(settings.metadata, request.metadata)
    return changed


def counted(in_progress: int, completed: int, failed: int, cancelled: int) -> FileCounts:
    """Return counts with their total."""
    total = in_progress + completed + failed + cancelled
    return FileCounts(in_progress, completed, failed, cancelled, total)


def store_wire(
    now: int,
    *,
    id: str,  # noqa: A002  # the columns' names
    created_at: int,
    usage_bytes: int,
    in_progress: int,
    completed: int,
    failed: int,
    cancelled: int,
    last_active_at: int,
    expires_at: int | None,
    wire: str,
) -> str:
    """Return a stored vector store as an answer shows it at `now`; `wire` are its settings."""
    settings = stored_settings.decode(wire)
    status: Literal["expired", "in_progress", "completed"] = "completed"
    if expires_at is not None and expires_at <= now:
        status = "expired"
    elif in_progress:
        status = "in_progress"
    return encode(
        VectorStoreObject(
            id=id,
            created_at=created_at,
            name=settings.name,
            description=settings.description,
            usage_bytes=usage_bytes,
            file_counts=counted(in_progress, completed, failed, cancelled),
            status=status,
            expires_after=settings.expires_after,
            expires_at=expires_at,
            last_active_at=last_active_at,
            metadata=settings.metadata,
        )
    )


def file_wire(
    *,
    file_id: str,
    vector_store_id: str,
    created_at: int,
    status: str,
    usage_bytes: int,
    max_tokens: int,
    overlap_tokens: int,
    last_error: str | None,
    attributes: str,
) -> str:
    """Return a stored file of a store as an answer shows it."""
    return encode(
        VectorStoreFileObject(
            id=file_id,
            usage_bytes=usage_bytes,
            created_at=created_at,
            vector_store_id=vector_store_id,
            status=msgspec.convert(status, FileStatus),
            last_error=_error.decode(last_error) if last_error else None,
            chunking_strategy=StaticChunkingStrategyResponseParam(
                StaticChunkingStrategy(max_tokens, overlap_tokens)
            ),
            attributes=_attributes.decode(attributes),
        )
    )


def batch_wire(
    batch_id: str, vector_store_id: str, created_at: int, counts: FileCounts, *, is_cancelled: bool
) -> str:
    """Return a batch as an answer shows it."""
    status: FileStatus = "completed"
    if is_cancelled:
        status = "cancelled"
    elif counts.in_progress:
        status = "in_progress"
    return encode(
        VectorStoreFileBatchObject(
            id=batch_id,
            created_at=created_at,
            status=status,
            vector_store_id=vector_store_id,
            file_counts=counts,
        )
    )


def cut(
    strategy: AutoChunkingStrategy | StaticChunkingStrategyRequestParam | None,
) -> tuple[int, int]:
    """Return how a text is cut: the tokens of a passage, and of its overlap."""
    if isinstance(strategy, StaticChunkingStrategyRequestParam):
        return strategy.static.max_chunk_size_tokens, strategy.static.chunk_overlap_tokens
    return AUTO

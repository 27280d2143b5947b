"""Files, as clients send, ask for and read them."""

from typing import Annotated, Literal

from msgspec import Meta

from weft.wire.shapes import (
    PAGE,
    CreatedAt,
    FirstId,
    HasMore,
    Id,
    Instant,
    LastId,
    Query,
    Request,
    Response,
)

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_FILENAME = 255
MAX_PAGE = 10_000

# In the order in which the real service named them.
Purpose = Annotated[
    Literal["fine-tune", "assistants", "batch", "user_data", "vision", "evals"],
    Meta(description="What it is for; Weft treats all the same."),
]
Filename = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_FILENAME,
        description="Its name, kept as it is; never used as a path.",
    ),
]
FileBytes = Annotated[
    str,
    Meta(
        description="The bytes, with the name of the file.", extra_json_schema={"format": "binary"}
    ),
]


class FileExpirationAfter(Request):
    """When a file is deleted by itself."""

    anchor: Annotated[Literal["created_at"], Meta(description="From when on time counts.")]
    seconds: Annotated[
        int,
        Meta(ge=3600, le=2_592_000, description="After how many seconds: an hour to 30 days."),
    ]


class CreateFileRequest(Request):
    """A file to store, and what it is for."""

    file: Annotated[FileBytes, Meta(description="The file, at most 512 MB.")]
    purpose: Annotated[Purpose, Meta(extra={"in_form": True})]
    expires_after: FileExpirationAfter | None = None
    filename: Annotated[
        Filename | None,
        Meta(description="Its name, if not the one that it bears; clients of Azure send it."),
    ] = None


class OpenAIFile(Response, kw_only=True):
    """A file."""

    object: Literal["file"] = "file"
    id: Id
    purpose: Annotated[str, Meta(description="What it is for.")]
    filename: Annotated[str, Meta(description="Its name, as the client gave it.")]
    bytes: Annotated[int, Meta(ge=0, description="Its size.")]
    created_at: CreatedAt
    expires_at: Annotated[Instant | None, Meta(description="When it is deleted by itself.")] = None
    status: Annotated[
        Literal["uploaded", "processed", "error"], Meta(description="Always `processed`.")
    ] = "processed"
    status_details: Annotated[str | None, Meta(description="Always null.")] = None


class ListFilesResponse(Response, kw_only=True):
    """A page of files."""

    object: Literal["list"] = "list"
    data: Annotated[list[OpenAIFile], PAGE]
    has_more: HasMore
    first_id: FirstId
    last_id: LastId


class DeleteFileResponse(Response):
    """A file that was deleted."""

    id: Id
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class ListFilesQuery(Query):
    """How files are paged."""

    purpose: Annotated[str | None, Meta(description="Only files with this purpose.")] = None
    limit: Annotated[
        int, Meta(ge=1, le=MAX_PAGE, description="How many files at most, 1 to 10,000.")
    ] = MAX_PAGE
    order: Annotated[
        Literal["asc", "desc"], Meta(description="By date of creation: oldest or newest first.")
    ] = "desc"
    after: Annotated[
        str | None, Meta(description="Start behind the file with this id (it may be deleted).")
    ] = None


def new_file(
    *,
    file_id: str,
    purpose: str,
    filename: str,
    size_bytes: int,
    created_at: int,
    expires_after_s: int | None,
) -> OpenAIFile:
    """Return a file that has just arrived."""
    return OpenAIFile(
        id=file_id,
        purpose=purpose,
        filename=filename,
        bytes=size_bytes,
        created_at=created_at,
        expires_at=None if expires_after_s is None else created_at + expires_after_s,
    )

"""Uploads: large files that arrive in parts."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from weft.wire.files import FileBytes, FileExpirationAfter, Filename, OpenAIFile
from weft.wire.shapes import CreatedAt, Id, Instant, Request, Response

MAX_UPLOAD_BYTES = 8 * 1024**3
MAX_PART_BYTES = 64 * 1024 * 1024
MAX_PARTS = 10_000
EXPIRES_S = 3600

UploadStatus = Literal["pending", "completed", "cancelled", "expired"]


class CreateUploadRequest(Request):
    """What is going to arrive."""

    filename: Filename
    purpose: Annotated[
        Literal["assistants", "batch", "fine-tune", "vision"],
        Meta(description="What it is for; Weft treats all the same."),
    ]
    bytes: Annotated[int, Meta(ge=0, le=MAX_UPLOAD_BYTES, description="Its size: at most 8 GB.")]
    mime_type: Annotated[str, Meta(max_length=255, description="Its kind; not looked at.")]
    expires_after: FileExpirationAfter | None = None


class AddUploadPartRequest(Request):
    """A part of a file."""

    data: Annotated[FileBytes, Meta(description="The bytes, at most 64 MB.")]


class CompleteUploadRequest(Request):
    """How the parts make the file."""

    part_ids: Annotated[
        list[str], Meta(max_length=MAX_PARTS, description="The parts, in the order of the file.")
    ]
    md5: Annotated[
        str | None,
        Meta(description="The MD5 of the whole file, hexadecimal: it is compared if given."),
    ] = None


class Upload(Response, kw_only=True):
    """A file that arrives in parts."""

    id: Id
    object: Literal["upload"] = "upload"
    bytes: Annotated[int, Meta(ge=0, description="How many bytes the parts must have together.")]
    created_at: CreatedAt
    filename: Annotated[str, Meta(description="The name of the file.")]
    purpose: Annotated[str, Meta(description="What the file is for.")]
    status: Annotated[UploadStatus, Meta(description="Parts are taken while it is `pending`.")] = (
        "pending"
    )
    expires_at: Annotated[Instant, Meta(description="Until when it must be completed.")]
    file: Annotated[
        OpenAIFile | UnsetType, Meta(description="The file, once the upload is completed.")
    ] = UNSET


class UploadPart(Response, kw_only=True):
    """A part that has arrived."""

    id: Id
    object: Literal["upload.part"] = "upload.part"
    created_at: CreatedAt
    upload_id: Annotated[str, Meta(description="The upload that it belongs to.")]


stored: msgspec.json.Decoder[Upload] = msgspec.json.Decoder(Upload)


def new_upload(request: CreateUploadRequest, *, upload_id: str, now: int) -> Upload:
    """Return an upload that waits for its parts."""
    return Upload(
        id=upload_id,
        bytes=request.bytes,
        created_at=now,
        filename=request.filename,
        purpose=request.purpose,
        expires_at=now + EXPIRES_S,
    )


def ended(wire: str, status: UploadStatus) -> Upload:
    """Return a stored upload in the status in which it ends."""
    upload = stored.decode(wire)
    upload.status = status
    return upload

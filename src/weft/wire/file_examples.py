"""The part of the story in `examples` that is about files and uploads."""

from typing import Any

from weft.wire.example_objects import (
    FILE_ID,
    NEWEST,
    UPLOAD_ID,
    Example,
    SentFile,
)

PATTERN = "Over two, under two: a twill. Over one, under one: plain weave.\n"
_FIRST, _SECOND = PATTERN[:40], PATTERN[40:]
_PART_IDS = ("part_abc123", "part_abc456")
MADE_ID = "file-abc456"


def _a_file(file_id: str, purpose: str = "assistants") -> dict[str, Any]:
    return {
        "object": "file",
        "id": file_id,
        "purpose": purpose,
        "filename": "patterns.txt",
        "bytes": len(PATTERN),
        "created_at": NEWEST,
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    }


def _an_upload(upload_id: str, status: str = "pending", **more: Any) -> dict[str, Any]:
    return {
        "id": upload_id,
        "object": "upload",
        "bytes": len(PATTERN),
        "created_at": NEWEST,
        "filename": "patterns.txt",
        "purpose": "assistants",
        "status": status,
        "expires_at": NEWEST + 3600,
        **more,
    }


def _part(part_id: str) -> dict[str, Any]:
    return {
        "id": part_id,
        "object": "upload.part",
        "created_at": NEWEST,
        "upload_id": UPLOAD_ID,
    }


_ANNOUNCED = {
    "filename": "patterns.txt",
    "purpose": "assistants",
    "bytes": len(PATTERN),
    "mime_type": "text/plain",
}
_OTHER_ID = "upload_abc456"

FILE_EXAMPLES: tuple[Example, ...] = (
    Example(
        "createFile",
        "create",
        "Upload a text",
        _a_file(FILE_ID),
        {"purpose": "assistants"},
        file=SentFile("file", "patterns.txt", PATTERN),
    ),
    Example("retrieveFile", "file", "A file", _a_file(FILE_ID)),
    Example("downloadFile", "content", "Its bytes", PATTERN),
    Example(
        "listFiles",
        "page",
        "The newest file",
        {
            "object": "list",
            "data": [_a_file(FILE_ID)],
            "has_more": False,
            "first_id": FILE_ID,
            "last_id": FILE_ID,
        },
        query=(("limit", "1"),),
    ),
    Example("createUpload", "create", "Announce a file", _an_upload(UPLOAD_ID), _ANNOUNCED),
    Example(
        "addUploadPart",
        "first",
        "The first part",
        _part(_PART_IDS[0]),
        {},
        file=SentFile("data", "upload", _FIRST),
    ),
    Example(
        "addUploadPart",
        "second",
        "The second part",
        _part(_PART_IDS[1]),
        {},
        file=SentFile("data", "upload", _SECOND),
    ),
    Example(
        "completeUpload",
        "complete",
        "The parts become a file",
        _an_upload(UPLOAD_ID, "completed", file=_a_file(MADE_ID)),
        {"part_ids": list(_PART_IDS)},
    ),
    Example("createUpload", "another", "Announce it again", _an_upload(_OTHER_ID), _ANNOUNCED),
    Example(
        "cancelUpload",
        "cancel",
        "Think better of it",
        _an_upload(_OTHER_ID, "cancelled"),
        other_ids=(("upload_id", _OTHER_ID),),
    ),
    Example(
        "deleteFile",
        "deleted",
        "The file is gone",
        {"id": FILE_ID, "object": "file", "deleted": True},
    ),
)

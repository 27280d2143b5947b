"""What the official document says of files and uploads: names, no text."""

from tests.contract.official import OfficialOperation, OfficialSchema, page_of, schema

OPERATIONS = (
    OfficialOperation(
        "listFiles",
        "GET",
        "/files",
        (),
        ("purpose", "limit", "order", "after"),
        None,
        "ListFilesResponse",
    ),
    OfficialOperation("createFile", "POST", "/files", (), (), "CreateFileRequest", "OpenAIFile"),
    OfficialOperation(
        "deleteFile", "DELETE", "/files/{file_id}", ("file_id",), (), None, "DeleteFileResponse"
    ),
    OfficialOperation(
        "retrieveFile", "GET", "/files/{file_id}", ("file_id",), (), None, "OpenAIFile"
    ),
    # The official document says that it answers a string in JSON; bytes came.
    OfficialOperation(
        "downloadFile", "GET", "/files/{file_id}/content", ("file_id",), (), None, None
    ),
    OfficialOperation("createUpload", "POST", "/uploads", (), (), "CreateUploadRequest", "Upload"),
    OfficialOperation(
        "cancelUpload", "POST", "/uploads/{upload_id}/cancel", ("upload_id",), (), None, "Upload"
    ),
    OfficialOperation(
        "completeUpload",
        "POST",
        "/uploads/{upload_id}/complete",
        ("upload_id",),
        (),
        "CompleteUploadRequest",
        "Upload",
    ),
    OfficialOperation(
        "addUploadPart",
        "POST",
        "/uploads/{upload_id}/parts",
        ("upload_id",),
        (),
        "AddUploadPartRequest",
        "UploadPart",
    ),
)

_EXPIRY = schema("anchor seconds", "anchor seconds")
_FILE = schema(
    "id object bytes created_at filename purpose status",
    "id bytes created_at expires_at filename object purpose status status_details",
)

SCHEMAS: dict[str, OfficialSchema] = {
    "FileExpirationAfter": _EXPIRY,
    "CreateFileRequest": schema(
        "file purpose", "file purpose expires_after", within={"expires_after": _EXPIRY}
    ),
    "OpenAIFile": _FILE,
    "ListFilesResponse": page_of(_FILE),
    "DeleteFileResponse": schema("id object deleted", "id object deleted"),
    "CreateUploadRequest": schema(
        "filename purpose bytes mime_type",
        "filename purpose bytes mime_type expires_after",
        within={"expires_after": _EXPIRY},
    ),
    "AddUploadPartRequest": schema("data", "data"),
    "CompleteUploadRequest": schema("part_ids", "part_ids md5"),
    "Upload": schema(
        "bytes created_at expires_at filename id purpose status",
        "id created_at filename bytes purpose status expires_at object file",
        within={"file": _FILE},
    ),
    "UploadPart": schema("created_at id object upload_id", "id created_at upload_id object"),
}

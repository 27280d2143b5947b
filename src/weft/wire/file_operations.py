"""The operations on files and uploads: rows of the table in `operations`."""

from weft.wire.body import Body
from weft.wire.files import (
    MAX_FILE_BYTES,
    CreateFileRequest,
    DeleteFileResponse,
    ListFilesQuery,
    ListFilesResponse,
    OpenAIFile,
)
from weft.wire.form import Form
from weft.wire.operation import Operation
from weft.wire.uploads import (
    MAX_PART_BYTES,
    AddUploadPartRequest,
    CompleteUploadRequest,
    CreateUploadRequest,
    Upload,
    UploadPart,
)

FILE_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "createFile",
        "POST",
        "/files",
        "Files",
        "Upload a file",
        "Stores a file, complete or not at all. The form is read as it arrives: a large file "
        "needs no memory.",
        OpenAIFile,
        Form(
            CreateFileRequest,
            file="file",
            limit_bytes=MAX_FILE_BYTES,
            objects=("expires_after",),
        ),
    ),
    Operation(
        "listFiles",
        "GET",
        "/files",
        "Files",
        "List files",
        "Pages through the files of the project.",
        ListFilesResponse,
        query=ListFilesQuery,
    ),
    Operation(
        "retrieveFile",
        "GET",
        "/files/{file_id}",
        "Files",
        "Retrieve a file",
        "Reads what a file is; its bytes are its content.",
        OpenAIFile,
    ),
    Operation(
        "deleteFile",
        "DELETE",
        "/files/{file_id}",
        "Files",
        "Delete a file",
        "Removes a file and its bytes.",
        DeleteFileResponse,
    ),
    Operation(
        "downloadFile",
        "GET",
        "/files/{file_id}/content",
        "Files",
        "Download a file",
        "The bytes of a file, or with the header `Range` one range of them. The header `ETag` "
        "is the SHA-256 of the content. `HEAD` brings the headers alone.",
        None,
    ),
    Operation(
        "createUpload",
        "POST",
        "/uploads",
        "Uploads",
        "Create an upload",
        "Announces a file that arrives in parts: at most 8 GB, within an hour.",
        Upload,
        Body(CreateUploadRequest),
    ),
    Operation(
        "addUploadPart",
        "POST",
        "/uploads/{upload_id}/parts",
        "Uploads",
        "Add a part",
        "Stores a part of a file. Parts may come in any order, several at once.",
        UploadPart,
        Form(AddUploadPartRequest, file="data", limit_bytes=MAX_PART_BYTES),
    ),
    Operation(
        "completeUpload",
        "POST",
        "/uploads/{upload_id}/complete",
        "Uploads",
        "Complete an upload",
        "Makes a file of the parts, in the order given; their sizes must add up to what was "
        "announced.",
        Upload,
        Body(CompleteUploadRequest),
    ),
    Operation(
        "cancelUpload",
        "POST",
        "/uploads/{upload_id}/cancel",
        "Uploads",
        "Cancel an upload",
        "Ends an upload; what has arrived of it is removed.",
        Upload,
    ),
)

"""Messages: what a client sends, restores and reads."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from weft.domain.errors import BadRequest
from weft.wire.shapes import (
    EXACT,
    PAGE,
    Broken,
    CreatedAt,
    FileId,
    FirstId,
    HasMore,
    Id,
    Instant,
    LastId,
    ListQuery,
    Metadata,
    Request,
    Response,
    restored_id,
)

MAX_TEXT = 256_000  # characters in one text
MAX_PARTS = 10  # parts of one content

Role = Annotated[
    Literal["user", "assistant"],
    Meta(description="Who speaks: the user, or the assistant (to bring earlier answers along)."),
]
Status = Annotated[
    Literal["in_progress", "incomplete", "completed"],
    Meta(description="Whether the model is still writing it, broke off, or finished."),
]
Reason = Annotated[
    Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"],
    Meta(description="What ended it."),
]
Text = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_TEXT, description="A text of 1 to 256,000 characters."),
]
RestoredString = Annotated[
    str, Meta(max_length=MAX_TEXT, description="A text of at most 256,000 characters.")
]
Detail = Literal["auto", "low", "high"]


# --- parts of content, as sent ----------------------------------------------------------------


class ImageUrlRequest(Request):
    """An image somewhere on the web."""

    url: Annotated[str, Meta(min_length=1, description="Its address.")]
    detail: Annotated[
        Detail | None, Meta(description="How closely the model should look; auto by default.")
    ] = None


class ImageFileRequest(Request):
    """An image among the files."""

    file_id: FileId
    detail: Annotated[
        Detail | None, Meta(description="How closely the model should look; auto by default.")
    ] = None


class MessageRequestContentTextObject(Request, tag_field="type", tag="text"):
    """A text part."""

    text: Text


class MessageContentImageUrlObject(Request, tag_field="type", tag="image_url"):
    """An image by its address."""

    image_url: ImageUrlRequest


class MessageContentImageFileObject(Request, tag_field="type", tag="image_file"):
    """An image by its file."""

    image_file: ImageFileRequest


RequestPart = (
    MessageRequestContentTextObject | MessageContentImageUrlObject | MessageContentImageFileObject
)


class AttachmentToolCode(Request, tag_field="type", tag="code_interpreter"):
    """The file is for the code interpreter."""


class AttachmentToolFileSearch(Request, tag_field="type", tag="file_search"):
    """The file is to be searched."""


class Attachment(Request):
    """A file that comes with a message, and the tools that may use it."""

    file_id: FileId
    tools: Annotated[
        list[AttachmentToolCode | AttachmentToolFileSearch],
        Meta(description="The tools that may use it."),
    ] = []


class CreateMessageRequest(Request):
    """A new message."""

    role: Role
    content: Annotated[
        Text | Annotated[list[RequestPart], Meta(min_length=1, max_length=MAX_PARTS)],
        Meta(description="A text of 1 to 256,000 characters, or 1 to 10 parts."),
    ]
    attachments: Annotated[
        list[Attachment] | None, Meta(description="Files for the tools of the thread.")
    ] = None
    metadata: Metadata | None = None


class ModifyMessageRequest(Request):
    """A change of a message: only its metadata can change."""

    metadata: Metadata | None = None


# --- parts of content, as answered ------------------------------------------------------------


class CitedFile(Response):
    """The file that a citation names."""

    file_id: Annotated[str, Meta(description="The identifier of the file.")]


class FileCitation(Response, tag_field="type", tag="file_citation"):
    """A place in a text that rests on a file. Offsets count characters, the end is exclusive."""

    text: Annotated[str, Meta(description="The words in the text that it stands for.")]
    start_index: Annotated[int, Meta(description="Where they begin.")]
    end_index: Annotated[int, Meta(description="Where they end, exclusive.")]
    file_citation: CitedFile


class FilePath(Response, tag_field="type", tag="file_path"):
    """A place in a text that names a file made by the code interpreter."""

    text: Annotated[str, Meta(description="The words in the text that it stands for.")]
    start_index: Annotated[int, Meta(description="Where they begin.")]
    end_index: Annotated[int, Meta(description="Where they end, exclusive.")]
    file_path: CitedFile


class TextValue(Response):
    """A text and its annotations."""

    value: Annotated[str, Meta(description="The text itself.")]
    annotations: Annotated[
        list[FileCitation | FilePath], Meta(description="What stands for files in it.")
    ]


class MessageContentTextObject(Response, tag_field="type", tag="text"):
    """A text part."""

    text: TextValue


class ImageUrl(Response):
    """An image by its address."""

    url: Annotated[str, Meta(description="Its address.")]
    detail: Annotated[str, Meta(description="How closely the model should look.")]


class ImageFile(Response):
    """An image by its file."""

    file_id: Annotated[str, Meta(description="The identifier of the file.")]
    detail: Annotated[str, Meta(description="How closely the model should look.")]


class ImageUrlPart(Response, tag_field="type", tag="image_url"):
    """An image by its address."""

    image_url: ImageUrl


class ImageFilePart(Response, tag_field="type", tag="image_file"):
    """An image by its file."""

    image_file: ImageFile


class MessageContentRefusalObject(Response, tag_field="type", tag="refusal"):
    """The model would not answer."""

    refusal: Annotated[str, Meta(description="What the model said instead.")]


Part = MessageContentTextObject | ImageUrlPart | ImageFilePart | MessageContentRefusalObject


class IncompleteDetails(Response):
    """Why a message is incomplete."""

    reason: Reason


class MessageObject(Response, kw_only=True):
    """A message in a thread."""

    id: Id
    object: Literal["thread.message"] = "thread.message"
    created_at: CreatedAt
    assistant_id: Annotated[
        str | None, Meta(description="The assistant that wrote it, if one did.")
    ] = None
    thread_id: Annotated[str, Meta(description="The thread that it belongs to.")]
    run_id: Annotated[str | None, Meta(description="The run that wrote it, if one did.")] = None
    status: Status = "completed"
    incomplete_details: IncompleteDetails | None = None
    incomplete_at: Annotated[
        int | None, Meta(description="When it broke off, in unix seconds.")
    ] = None
    completed_at: Annotated[
        int | None, Meta(description="When it was complete, in unix seconds.")
    ] = None
    role: Role
    content: Annotated[list[Part], Meta(description="Its parts, in order.")]
    attachments: Annotated[list[Attachment], Meta(description="The files that came with it.")]
    metadata: dict[str, str]


class ListMessagesResponse(Response, kw_only=True):
    """A page of messages."""

    object: Literal["list"] = "list"
    data: Annotated[list[MessageObject], PAGE]
    first_id: FirstId
    last_id: LastId
    has_more: HasMore


class ListMessagesQuery(ListQuery):
    """How messages are paged."""

    run_id: Annotated[str | None, Meta(description="Only the messages that this run wrote.")] = None


# --- restoring ----------------------------------------------------------------------------------


Offset = Annotated[int, Meta(ge=0, le=EXACT)]


class RestoredFile(Request):
    """The file that a restored annotation names."""

    file_id: FileId
    quote: Annotated[str | None, Meta(description="What was cited; it is not kept.")] = None


class RestoredFileCitation(Request, tag_field="type", tag="file_citation"):
    """A citation of an exported message."""

    text: Annotated[str, Meta(description="The words in the text that it stands for.")]
    start_index: Annotated[Offset, Meta(description="Where they begin.")]
    end_index: Annotated[Offset, Meta(description="Where they end, exclusive.")]
    file_citation: RestoredFile


class RestoredFilePath(Request, tag_field="type", tag="file_path"):
    """A file path of an exported message."""

    text: Annotated[str, Meta(description="The words in the text that it stands for.")]
    start_index: Annotated[Offset, Meta(description="Where they begin.")]
    end_index: Annotated[Offset, Meta(description="Where they end, exclusive.")]
    file_path: RestoredFile


class RestoredText(Request):
    """The text of an exported message."""

    value: RestoredString
    annotations: Annotated[
        list[RestoredFileCitation | RestoredFilePath],
        Meta(description="What stands for files in it."),
    ] = []


class RestoredTextPart(Request, tag_field="type", tag="text"):
    """A text part, as requests or as answers write it."""

    text: Annotated[
        RestoredString | RestoredText, Meta(description="The text, with or without annotations.")
    ]


class RestoredRefusal(Request, tag_field="type", tag="refusal"):
    """A refusal of an exported message."""

    refusal: Annotated[str, Meta(description="What the model said instead.")]


class RestoredIncompleteDetails(Request):
    """Why an exported message is incomplete."""

    reason: Reason


RestoredPart = (
    RestoredTextPart
    | MessageContentImageUrlObject
    | MessageContentImageFileObject
    | RestoredRefusal
)


# What an exported message says of objects that may not be here.
OtherId = Annotated[str, Meta(max_length=256)]


class RestoreMessageRequest(Request, kw_only=True):
    """A whole message object: it gets back its own id and date.

    Within a restored thread a message may come without an id; it is then a new one.
    """

    id: restored_id("msg") | None = None  # type: ignore[valid-type]  # the type is made by a call
    object: Annotated[
        Literal["thread.message"] | None, Meta(description="Says what it is; may be left out.")
    ] = None
    created_at: CreatedAt | None = None
    assistant_id: Annotated[
        OtherId | None, Meta(description="The assistant that wrote it, if one did.")
    ] = None
    thread_id: Annotated[
        OtherId | None, Meta(description="The thread; must be the one in the path.")
    ] = None
    run_id: Annotated[OtherId | None, Meta(description="The run that wrote it, if one did.")] = None
    status: Status | None = None
    incomplete_details: RestoredIncompleteDetails | None = None
    incomplete_at: Instant | None = None
    completed_at: Instant | None = None
    role: Role
    content: Annotated[
        RestoredString | list[RestoredPart],
        Meta(description="A text, or parts as requests or as answers write them."),
    ]
    attachments: Annotated[
        list[Attachment] | None, Meta(description="The files that came with it.")
    ] = None
    metadata: Metadata | None = None

    def __post_init__(self) -> None:
        if self.id is None:
            for name in ("object", "created_at"):
                if getattr(self, name) is not None:
                    raise Broken(BadRequest.unknown_parameter(name))


# --- making an answer ---------------------------------------------------------------------------


def new_message(
    request: CreateMessageRequest | RestoreMessageRequest,
    *,
    message_id: str,
    thread_id: str,
    now: int,
) -> MessageObject:
    """Return the message that a request makes, complete and dated `now` unless it brings a date."""
    message = MessageObject(
        id=message_id,
        created_at=now,
        thread_id=thread_id,
        completed_at=now,
        role=request.role,
        content=_content(request.content),
        attachments=request.attachments or [],
        metadata=request.metadata or {},
    )
    if isinstance(request, RestoreMessageRequest):
        if request.created_at is not None:
            message.created_at = request.created_at
        message.assistant_id = request.assistant_id
        message.run_id = request.run_id
        message.status = request.status or (
            "incomplete" if request.incomplete_details else "completed"
        )
        if request.incomplete_details is not None:
            message.incomplete_details = IncompleteDetails(reason=request.incomplete_details.reason)
        message.incomplete_at = request.incomplete_at
        message.completed_at = request.completed_at
        if message.status == "completed" and message.completed_at is None:
            message.completed_at = message.created_at
    return message


def _content(content: str | list[Any]) -> list[Part]:
    if isinstance(content, str):
        return [MessageContentTextObject(text=TextValue(value=content, annotations=[]))]
    return [_part(part) for part in content]


def _part(part: RequestPart | RestoredPart) -> Part:
    match part:
        case MessageRequestContentTextObject(text=text) | RestoredTextPart(text=str(text)):
            return MessageContentTextObject(text=TextValue(value=text, annotations=[]))
        case RestoredTextPart(text=RestoredText(value=value, annotations=annotations)):
            return MessageContentTextObject(
                text=TextValue(
                    value=value,
                    annotations=msgspec.convert(
                        msgspec.to_builtins(annotations), list[FileCitation | FilePath]
                    ),
                )
            )
        case MessageContentImageUrlObject(image_url=image):
            return ImageUrlPart(image_url=ImageUrl(url=image.url, detail=image.detail or "auto"))
        case MessageContentImageFileObject(image_file=file):
            return ImageFilePart(
                image_file=ImageFile(file_id=file.file_id, detail=file.detail or "auto")
            )
        case RestoredRefusal(refusal=refusal):
            return MessageContentRefusalObject(refusal=refusal)
    raise AssertionError(f"a part of an unknown kind was let through: {part!r}")


stored = msgspec.json.Decoder(MessageObject)

"""The files that a request refers to: all must be there, in the same project, when it is stored.

They are only collected here. `Call.commit` asks for them in the write itself, so that a file
that is deleted at the same moment either was there or the request is refused. What is restored
may refer to files that were never exported.
"""

from collections.abc import Iterable

from weft.api.call import Call
from weft.wire.messages import (
    CreateMessageRequest,
    MessageContentImageFileObject,
    RestoreMessageRequest,
)
from weft.wire.tools import ToolResourcesModifyRequest, ToolResourcesRequest


def refer_in_messages(
    call: Call[object], messages: Iterable[CreateMessageRequest | RestoreMessageRequest]
) -> None:
    """Note the files of new messages: images in their content, and attachments."""
    for message in messages:
        if isinstance(message, RestoreMessageRequest):
            continue
        if message.attachments:
            call.file_ids += [attachment.file_id for attachment in message.attachments]
        if not isinstance(message.content, str):
            call.file_ids += [
                part.image_file.file_id
                for part in message.content
                if isinstance(part, MessageContentImageFileObject)
            ]


def refer_in_resources(
    call: Call[object], resources: ToolResourcesRequest | ToolResourcesModifyRequest | None
) -> None:
    """Note the files that the code interpreter is given."""
    if resources and resources.code_interpreter:
        call.file_ids += resources.code_interpreter.file_ids or []

"""Images among the files, as the model sees them: data URLs.

They are read only once the messages that fit into the prompt are chosen. An image that is gone,
too large or of another kind is said to be missing, so that the model does not guess.
"""

import base64

from msgspec.structs import replace

from weft.llm.model import ChatMessage, ImagePart, TextPart
from weft.store import files
from weft.store.contents import Contents
from weft.store.database import Database

MAX_IMAGE_BYTES = 20 * 1024 * 1024  # what model services take
MAX_BYTES = 3 * MAX_IMAGE_BYTES  # of one prompt

# How files of each kind begin.
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


class FileImage(ImagePart, frozen=True):
    """An image whose bytes are still to be read; `url` is the identifier of its file."""


class Images:
    """Reads the images of one prompt."""

    def __init__(self, database: Database, contents: Contents, project: str) -> None:
        self._database = database
        self._contents = contents
        self._project = project
        self._left_bytes = MAX_BYTES

    async def shown(self, messages: list[ChatMessage]) -> list[ChatMessage]:
        """Return messages with their images; the newest are read first."""
        read = [await self._message(message) for message in reversed(messages)]
        return read[::-1]

    async def _message(self, message: ChatMessage) -> ChatMessage:
        if not isinstance(message.content, list):
            return message
        parts = [
            await self._image(part) if isinstance(part, FileImage) else part
            for part in message.content
        ]
        return replace(message, content=parts)

    async def _image(self, part: FileImage) -> ImagePart | TextPart:
        data = await self._read(part.url)
        kind = _kind(data)
        if kind is None:
            return TextPart("[An image was here that cannot be shown.]")
        return ImagePart(f"data:{kind};base64,{base64.b64encode(data).decode()}", part.detail)

    async def _read(self, file_id: str) -> bytes:
        """Return the bytes of an image, none if there is none or they are too many."""
        file = await files.stored(self._database, self._project, file_id)
        if file is None or file.bytes > min(MAX_IMAGE_BYTES, self._left_bytes):
            return b""
        try:
            async with self._contents.reading(file.location, 0, file.bytes) as pieces:
                data = b"".join([piece async for piece in pieces])
        except FileNotFoundError:
            return b""  # it was deleted at this moment
        self._left_bytes -= len(data)
        return data


def _kind(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begin, kind in _KINDS.items() if data.startswith(begin)), None)

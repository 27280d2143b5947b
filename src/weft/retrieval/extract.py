"""The text of a file, read in a process of its own that cannot take the server with it."""

from pathlib import Path
from typing import Literal, TypeAlias

UnreadableCode: TypeAlias = Literal["unsupported_file", "invalid_file", "server_error"]


class Unreadable(Exception):
    """A file has no text that can be searched; `code` and `message` are those of last_error."""

    def __init__(self, code: UnreadableCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def is_supported(filename: str) -> bool:
    """Tell whether files of this name's ending can be searched."""
    raise NotImplementedError


async def text_of(path: Path, filename: str) -> str:
    """Return the text of the file at `path`, which was uploaded as `filename`.

    The name's ending says what it is. The work is done by a process of its own with bounded
    memory and time, which ends when this is cancelled.

    Raises: Unreadable.
    """
    raise NotImplementedError

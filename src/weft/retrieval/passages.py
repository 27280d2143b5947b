"""What the process that reads a file tells the one that asked for it."""

from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from msgspec import Struct

# The endings of files that can be searched: those that are text as they are, and all.
PLAIN = frozenset(
    {"c", "cpp", "cs", "css", "go", "java", "js", "json", "md", "php", "py", "rb", "sh", "tex"}
    | {"ts", "txt"}
)
ENDINGS = PLAIN | {"html", "docx", "pptx", "pdf"}

UnreadableCode: TypeAlias = Literal["unsupported_file", "invalid_file", "server_error"]


class Passage(Struct, frozen=True, array_like=True):
    """A piece of a file's text; `start` and `end` count characters of the whole.

    `terms` holds for each impact the terms that have it (`words.by_impact`).
    """

    text: str
    start: int
    end: int
    terms: list[list[str]]


class Failure(Struct, frozen=True):
    """Why a file cannot be read."""

    code: UnreadableCode
    message: str


Frame: TypeAlias = list[Passage] | Failure


def ending_of(filename: str) -> str:
    """Return the ending of a file's name, in lower case and without its dot."""
    return PurePosixPath(filename.replace("\\", "/")).suffix.removeprefix(".").lower()

"""Source marks in an answer: found as the text streams by, also when a mark comes in pieces."""

import re
from typing import NamedTuple, TypeAlias

from weft.wire.messages import CitedFile, FileCitation

# (search, result) -> the file that it is from.
Sources: TypeAlias = dict[tuple[int, int], str]

_MARK = re.compile(r"【(\d{1,9}):(\d{1,9})†[^【】\n]*】")
# What may still become a mark.
_BEGINNING = re.compile(r"【(\d{0,9}|\d{1,9}:\d{0,9}|\d{1,9}:\d{1,9}†[^【】\n]*)")
_NOT_IN_MARKS = re.compile(r"[【】†\s]+")
LONGEST = 400  # characters: a file name has at most 255


class Piece(NamedTuple):
    """A piece of text; a mark that names a source is a piece of its own."""

    text: str
    citation: FileCitation | None = None


def mark_of(search: int, result: int, filename: str) -> str:
    """Return the mark of a result."""
    name = _NOT_IN_MARKS.sub(" ", filename)[:255]
    return f"【{search}:{result}†{name}】"


class Citing:
    """Cuts the text of one message at its source marks."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._held = ""
        self._length = 0  # characters given out so far

    def take(self, text: str) -> list[Piece]:
        """Return what can be said by now; what may become a mark is held back."""
        if not self._sources:
            return [Piece(text)]
        self._held += text
        found: list[Piece] = []
        while self._held:
            before, opening, _ = self._held.partition("【")
            if before:
                found.append(self._plain(len(before)))
            elif match := _MARK.match(self._held):
                found.append(self._mark(match))
            elif opening and self._may_become_mark():
                break
            else:
                found.append(self._plain(1))
        return found

    def rest(self) -> list[Piece]:
        """Return what was held back: the text has come to its end."""
        return [self._plain(len(self._held))] if self._held else []

    def _may_become_mark(self) -> bool:
        return len(self._held) < LONGEST and _BEGINNING.fullmatch(self._held) is not None

    def _plain(self, length: int) -> Piece:
        text, self._held = self._held[:length], self._held[length:]
        self._length += length
        return Piece(text)

    def _mark(self, match: re.Match[str]) -> Piece:
        file_id = self._sources.get((int(match[1]), int(match[2])))
        start = self._length
        piece = self._plain(match.end())
        if file_id is None:
            return piece  # of another conversation, or made up
        return Piece(
            piece.text,
            FileCitation(piece.text, start, start + len(piece.text), CitedFile(file_id)),
        )

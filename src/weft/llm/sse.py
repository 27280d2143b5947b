"""Takes the payloads out of a body that arrives in pieces: events, or one JSON document.

Whatever the pieces are, the payloads are the same.
"""

from typing import Protocol

# No chunk of an answer is as large as this; garbage without a line end is.
LIMIT_BYTES = 16 * 1024 * 1024
LIMIT_LINES = 10_000  # of one event


class TooLarge(Exception):
    """More came without an end than any answer has."""


class Framing(Protocol):
    """Finds the payloads in a body."""

    strange: bytes  # the beginning of what may not belong to an answer

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that this piece completed. Raises: TooLarge."""

    def close(self) -> list[bytes]:
        """Return what was complete but for its end, now that nothing more comes."""


class Events:
    """Server-sent events: the `data` of each. Comments and other fields are passed over.

    Lines end with LF or CRLF. `error:` lines, which llama.cpp sends, count as data.
    """

    def __init__(self) -> None:
        self.strange = b""  # the first line that belongs to no event stream
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that this piece completed. Raises: TooLarge."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LIMIT_BYTES or len(self._data) > LIMIT_LINES:
            raise TooLarge
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data: "):
                self._data.append(line[6:-1] if line.endswith(b"\r") else line[6:])
            elif line and line != b"\r":
                self._other(line.removesuffix(b"\r"))
            elif self._data:
                events.append(self._event())
        return events

    def close(self) -> list[bytes]:
        """Return the last event if the empty line after it is missing."""
        events = self.feed(b"\n\n")
        self._rest = b""
        return events

    def _event(self) -> bytes:
        data, self._data = self._data, []
        return data[0] if len(data) == 1 else b"\n".join(data)

    def _other(self, line: bytes) -> None:
        field, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        if field in (b"data", b"error"):
            self._data.append(value.removeprefix(b" "))
        elif field not in (b"", b"event", b"id", b"retry") and not self.strange:
            self.strange = line[:200]


class Document:
    """One JSON document: what servers send that do not stream."""

    def __init__(self) -> None:
        self.strange = b""
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Keep the piece. Raises: TooLarge."""
        self._pieces.append(data)
        self._size_bytes += len(data)
        if self._size_bytes > LIMIT_BYTES:
            raise TooLarge
        return []

    def close(self) -> list[bytes]:
        """Return the whole body."""
        whole = b"".join(self._pieces)
        self.strange = whole[:200]
        return [whole]

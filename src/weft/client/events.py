"""Server-sent events: from bytes in any pieces to events with typed data."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from weft.client.errors import UnreadableAnswer, error_of

if TYPE_CHECKING:
    from weft.wire.messages import MessageObject
    from weft.wire.runs import RunObject, RunStepObject

DONE = "[DONE]"


class Frame(NamedTuple):
    """One event as it came."""

    id: str | None
    name: str
    data: str


class Frames:
    """Cuts a stream into frames, as the HTML standard says: LF, CR or CRLF, comments, many lines.

    What the last piece left unfinished waits for the next; a stream that broke is begun anew with
    another `Frames`, so that half a frame never counts.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._is_first = True
        self._clear()

    def _clear(self) -> None:
        self._id: str | None = None
        self._name = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """Yield the frames that a piece completes."""
        text = self._rest + piece
        if text.endswith(b"\r"):
            # A line feed may follow, which belongs to it.
            text, held = text[:-1], b"\r"
        else:
            held = b""
        *lines, rest = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = rest + held
        for line in lines:
            frame = self._line(line.decode("utf-8", "replace"))
            if frame is not None:
                yield frame

    def _line(self, line: str) -> Frame | None:
        if self._is_first:
            line, self._is_first = line.removeprefix("\ufeff"), False
        if not line:
            frame = Frame(self._id, self._name or "message", "\n".join(self._data))
            is_event = bool(self._data)
            self._clear()
            return frame if is_event else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id":
            self._id = value
        return None


class Event(NamedTuple):
    """Something that happened to a run. `id` is its number, behind which a stream can go on.

    `data` is the thread, run, step or message as it is now; of an event whose name ends in
    `.delta` it is what was added, as a dict.
    """

    id: str | None
    event: str
    data: Any

    @property
    def run(self) -> "RunObject | None":
        """The run, if the event is about one and the API is Weft's."""
        found: RunObject | None = self._typed("thread.run")
        return found

    @property
    def step(self) -> "RunStepObject | None":
        """The step of a run, if the event is about one."""
        found: RunStepObject | None = self._typed("thread.run.step")
        return found

    @property
    def message(self) -> "MessageObject | None":
        """The message, if the event is about one as a whole."""
        found: MessageObject | None = self._typed("thread.message")
        return found

    def _typed(self, kind: str) -> Any:
        return self.data if getattr(self.data, "object", None) == kind else None

    @property
    def text(self) -> str:
        """What the event adds to the text of an answer; empty for any other event."""
        if self.event != "thread.message.delta" or not isinstance(self.data, dict):
            return ""
        parts = self.data.get("delta", {}).get("content", ())
        return "".join(
            part.get("text", {}).get("value", "") or part.get("refusal", "") for part in parts
        )


def event_of(frame: Frame, types: Mapping[str, type]) -> Event:
    """Return the event of a frame; `types` are structs by the beginning of its name.

    Raises: the ApiError that the server tells of; UnreadableAnswer.
    """
    raw = frame.data.encode()
    if frame.name == "error":
        raise error_of(500, {}, raw)
    kind: Any = Any
    if not frame.name.endswith(".delta"):
        fitting = [name for name in types if frame.name.startswith(name)]
        kind = types[max(fitting, key=len)] if fitting else Any
    try:
        return Event(frame.id, frame.name, msgspec.json.decode(raw, type=kind))
    except msgspec.MsgspecError as fault:
        if kind is Any:
            return Event(frame.id, frame.name, frame.data)  # a stream of something else than JSON
        raise UnreadableAnswer(f"The event '{frame.name}' cannot be read: {fault}") from fault

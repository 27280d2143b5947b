"""What clients of many nodes saw, line by line in a file, as it came.

A client writes down what it was told (`Acknowledged`, `Refused`), what it read of a thread
(`Listed`) and what a stream brought it over all its attachments (`Streamed`); who disturbs, what he
did (`Disturbed`). When all is quiet, what is there is read once more: `Object`, `Log`.

A line is {"at": seconds, "what": name, "is": [fields]}.
"""

import json
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

Kind: TypeAlias = Literal["thread", "message", "run"]
Events: TypeAlias = tuple[tuple[int, str], ...]  # (number, what it said in short)


class Acknowledged(NamedTuple):
    """A client was told that its object is stored."""

    kind: Kind
    tag: str
    id: str
    at: float = 0.0


class Refused(NamedTuple):
    """A client was told that a node cannot answer now."""

    status: int
    retry_after: str | None


class Listed(NamedTuple):
    """A client read the messages of a thread, oldest first: all, or only the newest of them."""

    thread_id: str
    messages: tuple[str, ...]
    is_whole: bool = True
    asked_at: float = 0.0


class Streamed(NamedTuple):
    """What a client was shown of a run in the order of arrival."""

    run_id: str
    events: Events
    is_ended: bool  # it was told that this is all


class Disturbed(NamedTuple):
    """Something was killed, frozen or cut off."""

    what: str


class Object(NamedTuple):
    """An object that is there in the end; runs have a status, answers of models no tag."""

    kind: Kind
    id: str
    thread_id: str
    tag: str | None = None
    status: str | None = None


class Log(NamedTuple):
    """The log of a run as it is in the end."""

    run_id: str
    events: Events


Seen: TypeAlias = Acknowledged | Refused | Listed | Streamed | Disturbed | Object | Log

_TYPES: dict[str, Any] = {
    each.__name__: each
    for each in (Acknowledged, Refused, Listed, Streamed, Disturbed, Object, Log)
}


class History:
    """The file, and how often something was seen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refusals = 0
        self._file = path.open("w")

    def add(self, seen: Seen) -> None:
        """Write down what was seen."""
        line = {"at": round(time.monotonic(), 3), "what": type(seen).__name__, "is": seen}
        self._file.write(json.dumps(line) + "\n")
        self.refusals += isinstance(seen, Refused)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read(path: Path) -> list[Seen]:
    """Return what a file tells."""
    lines = map(json.loads, path.read_text().splitlines())
    return [msgspec.convert(line["is"], _TYPES[line["what"]]) for line in lines]

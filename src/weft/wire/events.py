"""Events of a run: how they are kept, and how a stream shows them.

The log keeps what changed, and the stream is rendered when it is read:

- a run's event keeps only the fields that change as a run lives;
- deltas are kept as batches, one row for what arrived while the last commit
  was written: a row of n deltas is n events with n numbers;
- steps, messages and threads are kept whole.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from weft.wire.messages import FileCitation
from weft.wire.runs import VOLATILE, RunObject, RunStepObject
from weft.wire.shapes import encode

RUN = "thread.run."
STEP = "thread.run.step."
STEP_DELTA = "thread.run.step.delta"
MESSAGE_DELTA = "thread.message.delta"
DELTAS = frozenset({STEP_DELTA, MESSAGE_DELTA})

DONE = b"event: done\ndata: [DONE]\n\n"
# One line feed: it joins the next block, because some clients fail on a block without an event.
PING = b": ping\n"

PartKind = Literal["text", "refusal"]
# What a message says so far: its parts in the order in which they began, as pieces.
Parts = dict[PartKind, list[str]]

NOTHING_CITED: Mapping[int, tuple[int, FileCitation]] = MappingProxyType({})

_anything = msgspec.json.Decoder()
_batch = msgspec.json.Decoder(tuple[str, list[msgspec.Raw]])


def run_data(run: RunObject) -> str:
    """Return what the log keeps of a run's change."""
    return encode({name: getattr(run, name) for name in VOLATILE})


def message_deltas(
    message_id: str,
    kind: PartKind,
    index: int,
    texts: list[str],
    *,
    is_first: bool,
    cited: Mapping[int, tuple[int, FileCitation]] = NOTHING_CITED,
) -> str:
    """Return what the log keeps of a batch of one part's text, which stands at `index`.

    `cited` holds for those of the texts that are source marks which citation of the part that is,
    from 0, and the citation. The first piece of a text shows its annotations, if there are none.
    """
    pieces: list[Any] = [{"value": text} for text in texts] if kind == "text" else [*texts]
    if is_first and kind == "text":
        pieces[0] = {"value": texts[0], "annotations": []}
    for place, (number, citation) in cited.items():
        pieces[place] = {"value": texts[place], "annotations": [_citation(number, citation)]}
    deltas = [{"content": [{"index": index, "type": kind, kind: piece}]} for piece in pieces]
    return encode((message_id, deltas))


def _citation(number: int, citation: FileCitation) -> dict[str, Any]:
    """Return a citation as deltas show it, in the order of the recorded ones."""
    return {
        "index": number,
        "type": "file_citation",
        "text": citation.text,
        "start_index": citation.start_index,
        "end_index": citation.end_index,
        "file_citation": {"file_id": citation.file_citation.file_id, "quote": ""},
    }


def call_deltas(step_id: str, calls: list[dict[str, Any]]) -> str:
    """Return what the log keeps of a batch of a tool calls step's deltas."""
    deltas = [{"step_details": {"type": "tool_calls", "tool_calls": [call]}} for call in calls]
    return encode((step_id, deltas))


def streamed(message_id: str, batches: list[str]) -> Parts:
    """Return what was streamed of a message, from delta rows in order; other messages' too."""
    parts: Parts = {}
    for data in batches:
        object_id, deltas = _anything.decode(data)
        for delta in deltas if object_id == message_id else ():
            part = delta["content"][0]
            piece = part[part["type"]]
            text = piece["value"] if part["type"] == "text" else piece
            parts.setdefault(part["type"], []).append(text)
    return parts


def cited(message_id: str, batches: list[str]) -> list[FileCitation]:
    """Return what was cited in what was streamed of a message, from delta rows in order."""
    found: list[FileCitation] = []
    for data in batches:
        object_id, deltas = _anything.decode(data)
        for delta in deltas if object_id == message_id else ():
            part = delta["content"][0]
            if part["type"] == "text":
                found += msgspec.convert(part["text"].get("annotations", []), list[FileCitation])
    return found


def frames(number: int, name: str, data: str, after: int, run: dict[str, Any]) -> bytes:
    """Return the frames of one row of the log that stand behind the event `after`.

    `run` is the run as it is now, decoded: what a run's event does not keep is taken from it.
    """
    if name in DELTAS:
        object_id, deltas = _batch.decode(data)
        shown = []
        for offset, delta in enumerate(deltas):
            if number + offset > after:
                body = f'{{"id":"{object_id}","object":"{name}","delta":{bytes(delta).decode()}}}'
                shown.append(frame(number + offset, name, body))
        return b"".join(shown)
    if name.startswith(RUN) and not name.startswith(STEP):
        data = encode({**run, **_anything.decode(data)})
    return frame(number, name, data)


def frame(number: int, name: str, data: str) -> bytes:
    """Return one frame of the stream."""
    return f"id: {number}\nevent: {name}\ndata: {data}\n\n".encode()


def error_frame(body: str) -> bytes:
    """Return the frame of an error, which is no event of the run and has no number."""
    return f"event: error\ndata: {body}\n\n".encode()


def decoded_run(wire: str) -> dict[str, Any]:
    """Return a stored run as `frames` wants it."""
    decoded: dict[str, Any] = _anything.decode(wire)
    return decoded


def step_event(step: RunStepObject) -> str:
    """Return the name of the event that says what became of a step."""
    return f"thread.run.step.{step.status}"

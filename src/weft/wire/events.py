"""Events of a run: how they are kept, and how a stream shows them.

The log keeps what changed, and the stream is rendered when it is read:

- a run's event keeps only the fields that change as a run lives;
- deltas are kept as batches, one row for what arrived while the last commit
  was written: a row of n deltas is n events with n numbers;
- steps, messages and threads are kept whole.
"""

from typing import Any

import msgspec

from weft.wire.runs import VOLATILE, RunObject, RunStepObject
from weft.wire.shapes import encode

RUN = "thread.run."
STEP_DELTA = "thread.run.step.delta"
MESSAGE_DELTA = "thread.message.delta"
DELTAS = frozenset({STEP_DELTA, MESSAGE_DELTA})

DONE = b"event: done\ndata: [DONE]\n\n"
# One line feed: it joins the next block, because some clients fail on a block without an event.
PING = b": ping\n"

_anything = msgspec.json.Decoder()
_batch = msgspec.json.Decoder(tuple[str, list[msgspec.Raw]])


def run_data(run: RunObject) -> str:
    """Return what the log keeps of a run's change."""
    return encode({name: getattr(run, name) for name in VOLATILE})


def text_deltas(message_id: str, texts: list[str], *, is_first: bool) -> str:
    """Return what the log keeps of a batch of text; the first of a message shows annotations."""
    parts: list[Any] = [{"value": text} for text in texts]
    if is_first:
        parts[0] = {"value": texts[0], "annotations": []}
    deltas = [{"content": [{"index": 0, "type": "text", "text": part}]} for part in parts]
    return encode((message_id, deltas))


def refusal_deltas(message_id: str, texts: list[str]) -> str:
    """Return what the log keeps of a batch of a refusal's text."""
    deltas = [{"content": [{"index": 0, "type": "refusal", "refusal": text}]} for text in texts]
    return encode((message_id, deltas))


def call_deltas(step_id: str, calls: list[dict[str, Any]]) -> str:
    """Return what the log keeps of a batch of a tool calls step's deltas."""
    deltas = [{"step_details": {"type": "tool_calls", "tool_calls": [call]}} for call in calls]
    return encode((step_id, deltas))


def streamed_text(batches: list[str]) -> str:
    """Return the text that was streamed of a message, from its delta rows in order."""
    return "".join(
        delta["content"][0]["text"]["value"]
        for data in batches
        for delta in _anything.decode(data)[1]
        if delta["content"][0]["type"] == "text"
    )


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
    if name.startswith(RUN) and not name.startswith("thread.run.step."):
        data = encode({**run, **_anything.decode(data)})
    return frame(number, name, data)


def frame(number: int, name: str, data: str) -> bytes:
    """Return one frame of the stream."""
    return f"id: {number}\nevent: {name}\ndata: {data}\n\n".encode()


def decoded_run(wire: str) -> dict[str, Any]:
    """Return a stored run as `frames` wants it."""
    decoded: dict[str, Any] = _anything.decode(wire)
    return decoded


def step_event(step: RunStepObject) -> str:
    """Return the name of the event that says what became of a step."""
    return f"thread.run.step.{step.status}"

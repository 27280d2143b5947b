"""What many clients saw of many nodes, and whether one database could have shown it to them.

A client writes down what it was told (`Acknowledged`), what it read of a thread (`Listed`) and what
a stream brought it over all its attachments (`Streamed`). When all is quiet, what is there is read
once more (`Found`). `anomalies` says in words what does not fit; nothing fits better than nothing.

Every object that a client makes bears a tag of its own, the same one when it tries again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

TERMINAL = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})

Kind: TypeAlias = Literal["thread", "message", "run"]


class Acknowledged(NamedTuple):
    """A client was told that its object is stored."""

    kind: Kind
    tag: str
    id: str


class Listed(NamedTuple):
    """A client read a thread from its beginning: the ids of all messages that it was shown."""

    thread_id: str
    messages: tuple[str, ...]


class Streamed(NamedTuple):
    """What a client was shown of a run: (number, what it said) in the order of arrival."""

    run_id: str
    events: tuple[tuple[int, str], ...]
    is_ended: bool  # it was told that this is all


Seen: TypeAlias = Acknowledged | Listed | Streamed


class Object(NamedTuple):
    """An object that is there in the end; runs have a status, answers of models no tag."""

    kind: Kind
    id: str
    thread_id: str
    tag: str | None = None
    status: str | None = None


class Found(NamedTuple):
    """What is there in the end: every object, and each run's log; messages in their order."""

    objects: Sequence[Object]
    logs: dict[str, tuple[tuple[int, str], ...]]


def anomalies(history: Sequence[Seen], found: Found) -> list[str]:
    """Return what cannot be, in words; nothing when all is well."""
    acknowledged = [seen for seen in history if isinstance(seen, Acknowledged)]
    listed = [seen for seen in history if isinstance(seen, Listed)]
    streamed = [seen for seen in history if isinstance(seen, Streamed)]
    return [
        *_lost(acknowledged, found),
        *_twice(acknowledged, found),
        *_unended(found),
        *_disordered(listed, found),
        *_broken_logs(found),
        *_broken_streams(streamed, found),
    ]


def _lost(acknowledged: Sequence[Acknowledged], found: Found) -> Iterator[str]:
    there = {(thing.kind, thing.tag, thing.id) for thing in found.objects}
    for ack in acknowledged:
        if (ack.kind, ack.tag, ack.id) not in there:
            yield f"{ack.kind} {ack.id} ({ack.tag}) was acknowledged and is not there"


def _twice(acknowledged: Sequence[Acknowledged], found: Found) -> Iterator[str]:
    """Look for objects that were made twice, also by a try that nobody was told of."""
    tags = Counter((thing.kind, thing.tag) for thing in found.objects if thing.tag is not None)
    for (kind, tag), count in tags.items():
        if count > 1:
            yield f"{kind} {tag} is there {count} times"
    ids = Counter((thing.kind, thing.id) for thing in found.objects)
    for (kind, name), count in ids.items():
        if count > 1:
            yield f"{kind} {name} is listed {count} times"
    told: dict[tuple[str, str], str] = {}
    for ack in acknowledged:
        if told.setdefault((ack.kind, ack.tag), ack.id) != ack.id:
            yield f"{ack.kind} {ack.tag} was acknowledged as two objects"


def _unended(found: Found) -> Iterator[str]:
    for thing in found.objects:
        if thing.kind == "run" and thing.status not in TERMINAL:
            yield f"run {thing.id} never ended: it is {thing.status}"


def _disordered(listed: Sequence[Listed], found: Found) -> Iterator[str]:
    """Messages are only ever appended: what anybody saw is how the final order begins."""
    order: dict[str, list[str]] = {}
    for thing in found.objects:
        if thing.kind == "message":
            order.setdefault(thing.thread_id, []).append(thing.id)
    for seen in listed:
        final = order.get(seen.thread_id, [])
        if list(seen.messages) != final[: len(seen.messages)]:
            yield f"thread {seen.thread_id} was seen in another order than it has"


def _broken_logs(found: Found) -> Iterator[str]:
    for run_id, log in found.logs.items():
        if [number for number, _ in log] != list(range(1, len(log) + 1)):
            yield f"the log of run {run_id} is not 1..{len(log)}"
    for thing in found.objects:
        if thing.kind == "run" and not found.logs.get(thing.id):
            yield f"run {thing.id} has no log"


def _broken_streams(streamed: Sequence[Streamed], found: Found) -> Iterator[str]:
    for seen in streamed:
        numbers = [number for number, _ in seen.events]
        log = found.logs.get(seen.run_id, ())
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"a stream of run {seen.run_id} is not 1..{len(numbers)}: {_where(numbers)}"
        elif seen.events != log[: len(seen.events)]:
            yield f"a stream of run {seen.run_id} says something else than its log"
        elif seen.is_ended and len(seen.events) < len(log):
            yield f"a stream of run {seen.run_id} ended ahead of its log"


def _where(numbers: Sequence[int]) -> str:
    for place, number in enumerate(numbers):
        if number != place + 1:
            return f"{number} came as number {place + 1}"
    return "it ends early"

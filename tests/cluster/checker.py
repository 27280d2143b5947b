"""Whether what many clients saw of many nodes could have been shown to them by one database.

`anomalies` says in words what does not fit, of a history (history.py) that ends with what is there
once all is quiet; nothing fits better than nothing.

Every object that a client makes bears a tag of its own, the same one when it tries again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.cluster.history import Acknowledged, Events, Listed, Log, Object, Refused, Seen, Streamed

TERMINAL = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


class _Found(NamedTuple):
    """What is there in the end: every object, each run's log, each thread's messages in order."""

    objects: list[Object]
    logs: dict[str, Events]
    orders: dict[str, list[str]]


def anomalies(history: Sequence[Seen]) -> list[str]:
    """Return what cannot be, in words; nothing when all is well."""
    found = _found(history)
    acknowledged = [seen for seen in history if isinstance(seen, Acknowledged)]
    listed = [seen for seen in history if isinstance(seen, Listed)]
    return [
        *_rude(history),
        *_lost(acknowledged, found),
        *_twice(acknowledged, found),
        *_unended(found),
        *_disordered(listed, found),
        *_stale(listed, acknowledged, found),
        *_broken_logs(found),
        *_broken_streams(history, found),
    ]


def _found(history: Sequence[Seen]) -> _Found:
    objects = [seen for seen in history if isinstance(seen, Object)]
    orders: dict[str, list[str]] = {}
    for thing in objects:
        if thing.kind == "message":
            orders.setdefault(thing.thread_id, []).append(thing.id)
    logs = {seen.run_id: seen.events for seen in history if isinstance(seen, Log)}
    return _Found(objects, logs, orders)


def _rude(history: Sequence[Seen]) -> Iterator[str]:
    """Look for nodes that could not answer and did not say when to come again."""
    for seen in history:
        if isinstance(seen, Refused) and (seen.status != 503 or not seen.retry_after):
            yield f"a request was answered {seen.status}, Retry-After {seen.retry_after}"


def _lost(acknowledged: Sequence[Acknowledged], found: _Found) -> Iterator[str]:
    there = {(thing.kind, thing.tag, thing.id) for thing in found.objects}
    for ack in acknowledged:
        if (ack.kind, ack.tag, ack.id) not in there:
            yield f"{ack.kind} {ack.id} ({ack.tag}) was acknowledged and is not there"


def _twice(acknowledged: Sequence[Acknowledged], found: _Found) -> Iterator[str]:
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


def _unended(found: _Found) -> Iterator[str]:
    for thing in found.objects:
        if thing.kind == "run" and thing.status not in TERMINAL:
            yield f"run {thing.id} never ended: it is {thing.status}"


def _disordered(listed: Sequence[Listed], found: _Found) -> Iterator[str]:
    """Messages are only ever appended: what anybody saw is a piece of the final order.

    Whoever saw the thread whole saw how that order begins.
    """
    for seen in listed:
        final = found.orders.get(seen.thread_id, [])
        first = _first(seen, final)
        if list(seen.messages) != final[first : first + len(seen.messages)]:
            yield f"thread {seen.thread_id} was seen in another order than it has"


def _first(seen: Listed, final: list[str]) -> int:
    """Return where in the final order a list begins."""
    if seen.is_whole or not seen.messages or seen.messages[0] not in final:
        return 0
    return final.index(seen.messages[0])


def _stale(
    listed: Sequence[Listed], acknowledged: Sequence[Acknowledged], found: _Found
) -> Iterator[str]:
    """Look for reads that did not show what somebody had been told of before they were asked."""
    told = {ack.id: ack.at for ack in acknowledged if ack.kind == "message"}
    for seen in listed:
        final = found.orders.get(seen.thread_id, [])
        for unseen in final[_first(seen, final) + len(seen.messages) :]:
            if told.get(unseen, seen.asked_at) < seen.asked_at:
                yield f"thread {seen.thread_id} was seen without {unseen}, acknowledged before"


def _broken_logs(found: _Found) -> Iterator[str]:
    for run_id, log in found.logs.items():
        if [number for number, _ in log] != list(range(1, len(log) + 1)):
            yield f"the log of run {run_id} is not 1..{len(log)}"
    for thing in found.objects:
        if thing.kind == "run" and not found.logs.get(thing.id):
            yield f"run {thing.id} has no log"


def _broken_streams(history: Sequence[Seen], found: _Found) -> Iterator[str]:
    for seen in history:
        if not isinstance(seen, Streamed):
            continue
        numbers = [number for number, _ in seen.events]
        log = found.logs.get(seen.run_id, ())
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"a stream of run {seen.run_id} is not 1..{len(numbers)}: {_where(numbers)}"
        elif seen.events != log[: len(seen.events)]:
            yield f"a stream of run {seen.run_id} says something else than its log"
        elif seen.is_ended and len(seen.events) < len(log):
            yield f"a stream of run {seen.run_id} ended ahead of its log"


def _where(numbers: list[int]) -> str:
    """Say where the count goes wrong first."""
    at = next(n for n, number in enumerate(numbers, 1) if n != number)
    return f"{numbers[at - 1]} stands in the place of {at}"

"""Following a run: events as they happen, from wherever the connection broke.

Nothing is handed over twice and nothing is left out: events are numbered, and the
server goes on behind the last number that was seen (`Last-Event-ID`).
"""

from typing import cast

from weft.client.core import Call, Core, Response, failure_of, part, switch_keyword
from weft.client.description import EVENTS, Description, Operation
from weft.client.errors import NoAnswer, UnreadableAnswer
from weft.client.events import DONE, Event, Frames, event_of
from weft.client.request import Request
from weft.client.retry import Lost, Reply
from weft.client.steps import Item, Open, Read, Steps, Wait


def events(core: Core, call: Call) -> Steps[None]:
    """Hand over the head of the answer as a Response, then the events of a run.

    Raises: ApiError, also when the stream tells of one; NoAnswer; UnreadableAnswer.
    """
    place = _Place(core, call)
    attempt = 0
    is_open = False
    while True:
        outcome = cast("Reply | Lost", (yield Open(place.request(), call.timeout_s)))
        if isinstance(outcome, Reply) and outcome.status < 300:
            if not is_open:
                is_open = True
                yield Item(Response(None, outcome.status, outcome.headers))
            before = place.last_id
            broke = yield from _read(place, outcome, core.description)
            if broke is None:
                return
            outcome = broke
            attempt = attempt if place.last_id == before else 0
        wait_s = core.retries.pause_s(outcome, attempt)
        is_last = attempt >= core.retries.streams
        if is_last or wait_s is None or not place.can_go_on(outcome):
            raise failure_of(outcome)
        yield Wait(wait_s)
        attempt += 1


def _read(place: "_Place", head: Reply, description: Description) -> Steps[Lost | None]:
    """Hand over events until there are no more; return what broke the stream, None if nothing."""
    if not head.headers.get("content-type", "").startswith(EVENTS):
        raise UnreadableAnswer("The server answered with something else than a stream of events.")
    frames = Frames()
    while True:
        piece = yield Read()
        if isinstance(piece, Lost):
            return piece
        if not isinstance(piece, bytes):
            ended = Lost(NoAnswer("The stream ended before the run did."), was_sent=True)
            return ended if place.is_attached else None
        for frame in frames.feed(piece):
            if frame.data == DONE:
                return None
            if not place.has_passed(frame.id):
                event = event_of(frame, description.event_types)
                place.passed(event)
                yield Item(event)


class _Place:
    """How far a stream came, and the request that goes on from there.

    A run is followed with `getRun` where the API has that for streams. Before the first event
    of a run that was to be made, the request that makes it is sent again under its key: the
    server then replays the run that it made already.
    """

    def __init__(self, core: Core, call: Call) -> None:
        self._core = core
        self._call = call
        self._run = {name: call.values.get(name) for name in ("thread_id", "run_id")}
        self.last_id: str | None = None

    @property
    def is_attached(self) -> bool:
        """Whether the run is known, and can be followed."""
        return self._follower is not None and None not in self._run.values()

    @property
    def _follower(self) -> Operation | None:
        description = self._core.description
        found = description.find("getRun") if "getRun" in description else None
        return found if found is not None and found.stream_switch == "query" else None

    def has_passed(self, event_id: str | None) -> bool:
        """Say whether an event was handed over before."""
        numbers = (event_id or "", self.last_id or "")
        return all(map(str.isdecimal, numbers)) and int(numbers[0]) <= int(numbers[1])

    def passed(self, event: Event) -> None:
        """Note an event that is handed over."""
        self.last_id = event.id or self.last_id
        if event.event.startswith("thread.run.") and part(event.data, "object") == "thread.run":
            self._run = {
                "thread_id": part(event.data, "thread_id"),
                "run_id": part(event.data, "id"),
            }

    def can_go_on(self, outcome: Reply | Lost) -> bool:
        """Say whether trying again may help."""
        if isinstance(outcome, Reply):
            return outcome.status in (408, 429) or outcome.status >= 500
        is_safe = self.is_attached or self._call.operation.is_repeatable
        return is_safe or not outcome.was_sent

    def request(self) -> Request:
        """Return what to send now."""
        call = self._call
        if self.last_id is None:
            return call.request
        if self.is_attached and self._follower is not None:
            values = {**self._run, switch_keyword(self._follower): "true"}
            request = self._core.request(self._follower, values, call.headers)
        elif call.operation.method == "GET":
            request = call.request
        else:
            return call.request
        return request._replace(headers={**request.headers, "Last-Event-ID": self.last_id})

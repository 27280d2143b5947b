"""What is true of every run, however it came to rest: its log, its objects and its thread agree."""

from collections import defaultdict
from typing import Any

from tests.engine.house import Event, House, P, said
from weft.domain.lifecycle import ACTIVE, AT_REST, TABLE, TERMINAL
from weft.store import runs as store
from weft.store.runs import RunKey

LEADS_TO = {(before, after) for (before, _), after in TABLE.items()}
STEP = "thread.run.step."
MESSAGE = "thread.message."
RUN = "thread.run."
STEP_ENDS = {"completed", "failed", "cancelled", "expired"}
MESSAGE_ENDS = {"completed", "incomplete"}


class Story:
    """Reads a log as a client does, and stumbles over whatever cannot be."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.steps: dict[str, Any] = {}
        self.messages: dict[str, Any] = {}
        self.streamed: dict[str, list[str]] = defaultdict(list)
        self._states: dict[str, str] = {}

    def read(self, events: list[Event]) -> None:
        """Read a log from its beginning."""
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        for event in events:
            assert not self.statuses or self.statuses[-1] not in TERMINAL, "an event behind the end"
            if event.name.startswith(STEP):
                self._read_object(event, event.name.removeprefix(STEP), self.steps, STEP_ENDS)
            elif event.name.startswith(MESSAGE):
                self._read_object(
                    event, event.name.removeprefix(MESSAGE), self.messages, MESSAGE_ENDS
                )
            elif event.name.startswith(RUN):
                self._read_run(event)
            else:
                assert (event.number, event.name) == (1, "thread.created")

    def _read_run(self, event: Event) -> None:
        name = event.name.removeprefix(RUN)
        if name == "created":
            assert not self.statuses
            assert event.data["status"] == "queued"
            return
        assert event.data["status"] == name
        if not self.statuses:
            assert name == "queued"
        else:
            assert (self.statuses[-1], name) in LEADS_TO
        self.statuses.append(name)
        if name in TERMINAL:
            assert self.open() == []

    def _read_object(self, event: Event, name: str, kept: dict[str, Any], ends: set[str]) -> None:
        object_id = event.data["id"]
        was = self._states.get(object_id)
        follows = {"created": None, "in_progress": "created"}.get(name, "in_progress")
        assert was == follows, (object_id, was, event.name)
        if name == "delta":
            self._read_delta(self.streamed[object_id], event.data["delta"])
            return
        self._states[object_id] = "ended" if name in ends else name
        kept[object_id] = event.data
        if kept is self.messages and name in ends:
            shown = [said(part) for part in event.data["content"]]
            assert shown == (self.streamed[object_id] or [""])
            for part in event.data["content"]:
                _check_citations(part)
        if name == "completed" and event.data.get("type") == "tool_calls":
            called = [_arguments(call) for call in event.data["step_details"]["tool_calls"]]
            assert called == self.streamed[object_id]

    def _read_delta(self, parts: list[str], delta: Any) -> None:
        """Put pieces together as clients do: by their index."""
        for piece in delta.get("content") or delta["step_details"]["tool_calls"]:
            assert piece["index"] <= len(parts)
            if piece["index"] == len(parts):
                parts.append("")
            is_call = piece["type"] in ("function", "file_search")
            parts[piece["index"]] += _arguments(piece) if is_call else said(piece)

    def open(self) -> list[str]:
        """The steps and messages that have not ended."""
        return [name for name, state in self._states.items() if state != "ended"]


def _arguments(call: Any) -> str:
    """What is shown of a call's arguments; the engine's own searches keep theirs."""
    return str(call["function"]["arguments"]) if call["type"] == "function" else ""


def _check_citations(part: Any) -> None:
    """Each citation stands where it says."""
    for cited in part["text"]["annotations"] if part["type"] == "text" else ():
        assert said(part)[cited["start_index"] : cited["end_index"]] == cited["text"]


async def check(house: House, key: RunKey) -> Story:
    """Hold a run against its log and its thread."""
    log = await house.log(key)
    story = Story()
    story.read(log)
    run = await house.run(key)
    assert story.statuses[-1] == run["status"]
    await _check_objects(house, key, story)
    if run["status"] in TERMINAL:
        await _check_end(house, key, run, log)
    if run["status"] in AT_REST:
        events = await house.follow(key)
        assert events[-1].name == "done"
        assert events[:-1] == log
    await _check_lock(house, key.thread_id)
    return story


async def _check_objects(house: House, key: RunKey, story: Story) -> None:
    steps = await house.steps(key)
    assert [step["id"] for step in steps] == list(story.steps)
    for step in steps:
        told = story.steps[step["id"]]
        if step["status"] == "in_progress":
            assert step["id"] in story.open()
        else:
            assert step == {**told, "expires_at": None}
    by_id = {message["id"]: message for message in await house.messages(key.thread_id)}
    for message_id, told in story.messages.items():
        assert by_id[message_id] == told


async def _check_end(house: House, key: RunKey, run: Any, log: list[Event]) -> None:
    assert log[-1].name == f"{RUN}{run['status']}"
    assert {**log[-1].data, "metadata": run["metadata"]} == run
    assert run["required_action"] is None
    assert (run["last_error"] is not None) == (run["status"] == "failed")
    assert (run["incomplete_details"] is not None) == (run["status"] == "incomplete")
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    used = [step["usage"] for step in await house.steps(key) if step["usage"]]
    assert [run["usage"][count] for count in counts] == [
        sum(usage[count] for usage in used) for count in counts
    ]


async def _check_lock(house: House, thread_id: str) -> None:
    """At most one run holds the thread, and it is the one that SQL says."""
    runs = await house.runs(thread_id)
    active = [run["id"] for run in runs if run["status"] in ACTIVE and run["expires_at"]]
    assert len(active) <= 1
    holder = await store.active_of(house.database, P, thread_id)
    assert ([holder] if holder else []) == active

"""What a project should look like after any operations: dicts, lists and plain rules.

It is written from the behaviour that clients rely on and shares no code with the server. What
the server alone chooses (new ids and dates) is told to it and must be plausible.
"""

import re
from typing import Any, NamedTuple

from tests.property.shelf import Shelf, UnknownCursor, Wire

NEVER_OLDER = 4102444800  # a date that is in the future until the year 2100
FRESH = re.compile(r"(thread|msg|asst)_[0-9A-Za-z]{24}")


class Refused(Exception):
    """The server must refuse, with this status and code."""

    def __init__(self, status: int, code: str | None = None) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code


class Told(NamedTuple):
    """What the server answered, and between which seconds."""

    answer: Wire
    began: int
    ended: int

    def new_id(self, prefix: str, taken: Shelf) -> str:
        """Return the id that the server chose."""
        chosen: str = self.answer["id"]
        assert chosen.startswith(prefix)
        assert FRESH.fullmatch(chosen)
        assert chosen not in taken.things
        return chosen

    def new_date(self, field: str = "created_at") -> int:
        """Return the date that the server chose."""
        chosen: int = self.answer[field]
        assert self.began <= chosen <= self.ended
        return chosen


class Project:
    """Everything that one project owns."""

    def __init__(self) -> None:
        self.threads = Shelf()
        self.messages: dict[str, Shelf] = {}
        self.assistants = Shelf()

    # --- threads ----------------------------------------------------------------------------

    def create_thread(self, body: Wire, told: Told) -> Wire:
        """Add a thread; its messages are added by `fill`."""
        if "id" in body:
            self._check_restored_thread(body)
        thread_id = body["id"] if "id" in body else told.new_id("thread_", self.threads)
        dated = body.get("created_at")
        wire = {
            "id": thread_id,
            "object": "thread",
            "created_at": told.new_date() if dated is None else dated,
            "metadata": body.get("metadata") or {},
            "tool_resources": resources(body.get("tool_resources")),
        }
        self.threads.put(wire, rank=thread_id)
        self.messages[thread_id] = Shelf()
        return wire

    def _check_restored_thread(self, body: Wire) -> None:
        refuse_future(body)
        seen: set[str] = set()
        for message in body.get("messages") or ():
            check_restored(message, body["id"])
            if message.get("id") in seen:
                raise Refused(400, "already_exists")
            seen |= {message["id"]} if "id" in message else set()
        if self.threads.get(body["id"]):
            raise Refused(400, "already_exists")

    def fill(self, thread_id: str, requests: list[Wire], told: Told) -> list[Wire]:
        """Add a new thread's messages and return how they should be listed, oldest first.

        `told` has the list that the server gives, and when the thread was made.
        """
        dated = sorted(requests, key=lambda request: request.get("created_at", NEVER_OLDER))
        shelf = self.messages[thread_id]
        for request, wire in zip(dated, told.answer["data"], strict=True):
            shelf.put(message_of(request, thread_id, told._replace(answer=wire), shelf))
        return shelf.wires()

    def read_thread(self, thread_id: str) -> Wire:
        """Return what GET shows."""
        return as_read(self._thread(thread_id))

    def modify_thread(self, thread_id: str, body: Wire) -> Wire:
        """Merge metadata, replace resources."""
        old = self._thread(thread_id)
        new = {**old, "metadata": merged(old, body)}
        if "tool_resources" in body:
            given = body["tool_resources"]
            kept = {} if given is None else old["tool_resources"]
            new["tool_resources"] = {**kept, **resources(given)}
        self.threads.change(thread_id, new)
        return new

    def delete_thread(self, thread_id: str) -> Wire:
        """Remove a thread with its messages."""
        self._thread(thread_id)
        self.threads.change(thread_id, None)
        del self.messages[thread_id]
        return {"id": thread_id, "object": "thread.deleted", "deleted": True}

    def list_threads(self, query: Wire, metadata: dict[str, str]) -> Wire:
        """Page through threads that have certain metadata."""
        page = paged(
            self.threads, query, where=lambda wire: metadata.items() <= wire["metadata"].items()
        )
        return {**page, "data": [as_read(wire) for wire in page["data"]]}

    def _thread(self, thread_id: str) -> Wire:
        return found(self.threads, thread_id)

    # --- messages ---------------------------------------------------------------------------

    def create_message(self, thread_id: str, body: Wire, told: Told) -> Wire:
        """Append a message, or restore one."""
        if "id" in body:
            check_restored(body, thread_id)
        self._thread(thread_id)
        shelf = self.messages[thread_id]
        if "id" in body and shelf.get(body["id"]):
            raise Refused(400, "already_exists")
        wire = message_of(body, thread_id, told, shelf)
        shelf.put(wire)
        return wire

    def read_message(self, thread_id: str, message_id: str) -> Wire:
        """Return what GET shows."""
        self._thread(thread_id)
        return found(self.messages[thread_id], message_id)

    def modify_message(self, thread_id: str, message_id: str, body: Wire) -> Wire:
        """Merge metadata."""
        old = self.read_message(thread_id, message_id)
        new = {**old, "metadata": merged(old, body)}
        self.messages[thread_id].change(message_id, new)
        return new

    def delete_message(self, thread_id: str, message_id: str) -> Wire:
        """Remove a message."""
        self.read_message(thread_id, message_id)
        self.messages[thread_id].change(message_id, None)
        return {"id": message_id, "object": "thread.message.deleted", "deleted": True}

    def list_messages(self, thread_id: str, query: Wire, run_id: str | None) -> Wire:
        """Page through messages, or those of a run."""
        self._thread(thread_id)
        return paged(
            self.messages[thread_id], query, where=lambda wire: run_id in (None, wire["run_id"])
        )

    # --- assistants -------------------------------------------------------------------------

    def create_assistant(self, body: Wire, told: Told) -> Wire:
        """Add an assistant, every default written out."""
        blank = {
            "id": told.new_id("asst_", self.assistants),
            "object": "assistant",
            "created_at": told.new_date(),
            "metadata": {},
            "tool_resources": {},
        }
        sent = {name: value for name, value in body.items() if value is not None}
        wire = self._assistant_with({**blank, **_ASSISTANT}, sent)
        self.assistants.put(wire, rank=wire["id"])
        return wire

    def modify_assistant(self, assistant_id: str, body: Wire) -> Wire:
        """Change what is sent; null resets."""
        wire = self._assistant_with(found(self.assistants, assistant_id), body)
        self.assistants.change(assistant_id, wire)
        return wire

    @staticmethod
    def _assistant_with(old: Wire, body: Wire) -> Wire:
        new = {**old, "metadata": merged(old, body)}
        for name, default in _ASSISTANT.items():
            if name in body:
                new[name] = default if body[name] is None else body[name]
        if "tools" in body:
            new["tools"] = [declared(tool) for tool in body["tools"] or ()]
        if "tool_resources" in body:
            given = body["tool_resources"]
            kept = {} if given is None else old["tool_resources"]
            new["tool_resources"] = {**kept, **resources(given)}
        for tool in new["tools"]:
            if tool["type"] in _EMPTY:
                lists = {tool["type"]: _EMPTY[tool["type"]]}
                new["tool_resources"] = {**lists, **new["tool_resources"]}
        return new

    def read_assistant(self, assistant_id: str) -> Wire:
        """Return what GET shows."""
        return found(self.assistants, assistant_id)

    def delete_assistant(self, assistant_id: str) -> Wire:
        """Remove an assistant."""
        found(self.assistants, assistant_id)
        self.assistants.change(assistant_id, None)
        return {"id": assistant_id, "object": "assistant.deleted", "deleted": True}

    def list_assistants(self, query: Wire) -> Wire:
        """Page through assistants."""
        return paged(self.assistants, query)


# --- rules that several objects share ---------------------------------------------------------

_EMPTY: dict[str, Wire] = {
    "code_interpreter": {"file_ids": []},
    "file_search": {"vector_store_ids": []},
}
_ASSISTANT: Wire = {
    "name": None,
    "description": None,
    "model": None,
    "instructions": None,
    "tools": [],
    "top_p": 1.0,
    "temperature": 1.0,
    "reasoning_effort": None,
    "response_format": "auto",
}
_SEARCH = {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}


def found(shelf: Shelf, object_id: str) -> Wire:
    """Return an object that is there."""
    wire = shelf.get(object_id)
    if wire is None:
        raise Refused(404)
    return wire


def paged(shelf: Shelf, query: Wire, **where: Any) -> Wire:
    """Return a page; a cursor that never was is a 404."""
    try:
        return shelf.page(**query, **where)
    except UnknownCursor:
        raise Refused(404) from None


def merged(old: Wire, body: Wire) -> dict[str, str]:
    """Return metadata with the pairs of a request added or overwritten."""
    metadata = {**old["metadata"], **(body.get("metadata") or {})}
    if len(metadata) > 16:
        raise Refused(400, "object_above_max_properties")
    return metadata


def resources(given: Wire | None) -> Wire:
    """Return tool resources as answers show them."""
    return {tool: {**_EMPTY[tool], **lists} for tool, lists in (given or {}).items()}


def declared(tool: Wire) -> Wire:
    """Return a tool with every default written out."""
    if tool["type"] == "function":
        blank = {"parameters": {"type": "object", "properties": {}}, "strict": False}
        return {"type": "function", "function": {**blank, **tool["function"]}}
    if tool["type"] == "file_search":
        options = tool.get("file_search") or {}
        return {"type": "file_search", "file_search": {**options, "ranking_options": _SEARCH}}
    return tool


def as_read(thread: Wire) -> Wire:
    """Return a thread as GET and lists show it."""
    shown = thread["tool_resources"] or {"code_interpreter": {"file_ids": []}}
    return {**thread, "tool_resources": shown}


def refuse_future(body: Wire) -> None:
    """Refuse what says that it was made in the future."""
    if body.get("created_at") == NEVER_OLDER:
        raise Refused(400, "invalid_value")


def check_restored(message: Wire, thread_id: str) -> None:
    """Refuse a message of another thread, or of the future."""
    if message.get("thread_id", thread_id) != thread_id:
        raise Refused(400, "invalid_value")
    refuse_future(message)


def message_of(body: Wire, thread_id: str, told: Told, shelf: Shelf) -> Wire:
    """Return the message that a request makes."""
    created_at = body["created_at"] if "created_at" in body else told.new_date()
    return {
        "id": body["id"] if "id" in body else told.new_id("msg_", shelf),
        "object": "thread.message",
        "created_at": created_at,
        "assistant_id": None,
        "thread_id": thread_id,
        "run_id": body.get("run_id"),
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": body.get("completed_at", created_at),
        "role": body["role"],
        "content": content_of(body["content"]),
        "attachments": body.get("attachments") or [],
        "metadata": body.get("metadata") or {},
    }


def content_of(content: str | list[Wire]) -> list[Wire]:
    """Return content as answers write it."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [_part(part) for part in parts]


def _part(part: Wire) -> Wire:
    inner = part[part["type"]]
    if part["type"] != "text":
        return {**part, part["type"]: {"detail": "auto", **inner}}
    if isinstance(inner, str):
        inner = {"value": inner, "annotations": []}
    return {"type": "text", "text": inner}

"""Holds answers against the OpenAPI document, more strictly than the document itself.

The document lets an answer grow new properties, as clients must; here a property that
the document does not know is a fault, so that nothing is answered that is not described.
Streams are held against the recorded framing to the byte.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec

from weft.wire.openapi import document
from weft.wire.schemas import Schema, each_subschema

# What can happen before an operation is found.
NO_OPERATION = frozenset({401, 403, 404, 405})

ERROR: Schema = {"$ref": "#/components/schemas/ErrorResponse"}


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    """Raise AssertionError unless `body` is what the document promises for this status.

    `path` stands below the prefix, without a query string. A path or method that is not in
    the document must have been refused, as an error of the usual form.
    """
    template = template_of(method, path)
    where = f"{method} {path} answered {status}"
    if template is None:
        assert status in NO_OPERATION, f"{where}, but the document has no such operation"
        _validate(validator_of(None, None, "error"), where, body)
        return
    validator = validator_of(method, template, str(status))
    assert validator is not None, f"{where}, which the document does not promise"
    _validate(validator, where, body)


def check_bytes(method: str, path: str, status: int, headers: Mapping[str, str]) -> None:
    """Raise AssertionError unless the document promises bytes here, with these headers."""
    template = template_of(method, path)
    assert template is not None, f"{method} {path} answered bytes, but there is no such operation"
    described = contract()["paths"][template][method.lower()]["responses"][str(status)]
    assert list(described["content"]) == ["application/octet-stream"]
    assert {name.lower() for name in described["headers"]} <= set(headers)


# A keep-alive has one line feed, so that it joins the next block.
_FRAME = re.compile(rb"(?:: ping\n)*(?:id: (\d+)\n)?event: (\S+)\ndata: ([^\n]+)\n\n")
_PINGS = re.compile(rb"(?:: ping\n)*")
DONE = "done"
ERROR_EVENT = "error"


class Event(NamedTuple):
    """One event of a stream."""

    number: int
    name: str
    data: Any


def check_events(stream: bytes, *, is_cut: bool = False) -> list[Event]:
    """Return the events of a stream, without `done`.

    Raises: AssertionError unless each frame is as the document promises and framed to the byte,
    the numbers have no gap, and `done` stands last; `is_cut` allows it to end behind any frame.
    An error may stand ahead of `done`, with the number 0: it is no event of the run.
    """
    frames, rest = _frames(stream)
    assert _PINGS.fullmatch(rest), f"no frame: {rest!r}"
    if not is_cut:
        assert rest == b"", f"something stands behind done: {rest!r}"
        assert frames, "the stream is empty"
        assert frames.pop() == (b"", DONE, "[DONE]"), "the last frame is not done"
    assert DONE not in [name for _, name, _ in frames], "done stands in the middle"
    events = [Event(int(number or 0), name, json.loads(data)) for number, name, data in frames]
    for event, (_, _, data) in zip(events, frames, strict=True):
        where = f"event {event.number} {event.name}"
        _validate(validator_of_events(), where, {"event": event.name, "data": event.data})
        # Not json.dumps: JSON has several spellings of a small number, and that has another.
        written = msgspec.json.encode(event.data).decode()
        assert data == written, f"{where}: its JSON is not compact, raw UTF-8: {data}"
    numbers = [event.number for event in events]
    if numbers and events[-1].name == ERROR_EVENT:
        assert numbers.pop() == 0, "an error has a number"
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)) if numbers else [])
    return events


def _frames(stream: bytes) -> tuple[list[tuple[bytes, str, str]], bytes]:
    """Return (number, event, data) of each frame, and what stands behind the last."""
    found, at = [], 0
    while match := _FRAME.match(stream, at):
        number, name, data = match.groups(default=b"")
        found.append((number, name.decode(), data.decode()))
        at = match.end()
    return found, stream[at:]


@cache
def validator_of_events() -> jsonschema_rs.Draft202012Validator:
    """Return the strict validator of a stream's frames, as `event` and `data`."""
    schema = {"$ref": "#/components/schemas/AssistantStreamEvent"}
    return jsonschema_rs.Draft202012Validator({**schema, "components": _strict_components()})


def _validate(validator: jsonschema_rs.Draft202012Validator | None, where: str, body: Any) -> None:
    assert validator is not None
    faults = [f"{fault.instance_path}: {fault.message}" for fault in validator.iter_errors(body)]
    assert not faults, f"{where} against the contract: {'; '.join(faults)}\n{body}"


@cache
def contract() -> dict[str, Any]:
    """Return the document that answers are held against."""
    return document("3.1")


@cache
def _templates() -> dict[str, re.Pattern[str]]:
    # What is written out goes ahead of what a parameter would take: /threads/runs.
    ordered = sorted(contract()["paths"], key=lambda template: template.count("{"))
    return {
        template: re.compile(re.sub(r"\\\{\w+\\\}", "[^/]*", re.escape(template)) + "/?")
        for template in ordered
    }


def template_of(method: str, path: str) -> str | None:
    """Return the path of the document that an address belongs to, or None."""
    for template, pattern in _templates().items():
        if pattern.fullmatch(path):
            return template if method.lower() in contract()["paths"][template] else None
    return None


@cache
def validator_of(
    method: str | None, template: str | None, status: str
) -> jsonschema_rs.Draft202012Validator | None:
    """Return the strict validator of an operation's answers, or None for an unknown status.

    Without a method and path it is the one of errors.
    """
    schema = ERROR
    if method is not None and template is not None:
        responses = contract()["paths"][template][method.lower()]["responses"]
        if status not in responses:
            return None
        content = resolved(responses[status])["content"]
        if "application/json" not in content:
            return None
        schema = content["application/json"]["schema"]
    return jsonschema_rs.Draft202012Validator({**schema, "components": _strict_components()})


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference to a component stands for, or the node itself."""
    found = node
    if "$ref" in node:
        found = contract()
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
    return found


@cache
def _strict_components() -> dict[str, Any]:
    schemas = contract()["components"]["schemas"]
    return {"schemas": {name: strict(schema) for name, schema in schemas.items()}}


def strict(schema: Schema) -> Schema:
    """Return a schema that allows no property beyond those that it names, at any depth."""
    result = each_subschema(schema, strict)
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    return result

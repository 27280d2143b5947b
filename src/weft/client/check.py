"""Checking a request against the schemas of its operation, before it is sent.

Everything that is wrong is found at once. Where a schema offers alternatives,
only what is wrong with the nearest one is told: of a message whose `role` is
misspelt one wants to read that, not why it is no other kind of message too.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from weft.client.description import Description, Operation
from weft.client.errors import BadDescription, Problem
from weft.client.schemas import Node

Error: TypeAlias = jsonschema_rs.ValidationError

SHOWN = 60  # characters of a value that a message repeats
SHOWN_OPTIONS = 12  # values that are offered instead

_ROOT = "urn:description"


class Checker:
    """The validators of a description, each made when it is first needed."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._registry: jsonschema_rs.Registry | None = None
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def problems(self, operation: Operation, arguments: Node) -> list[Problem]:
        """Return what is wrong with arguments by keyword, of which one may be `body`."""
        validator = self._validators.get(operation.id) or self._validator(operation)
        try:
            if validator.is_valid(arguments):
                return []
            found = [
                problem for error in validator.iter_errors(arguments) for problem in _of(error)
            ]
        except ValueError as fault:
            return [Problem("arguments", f"are no JSON: {fault}")]
        return list(dict.fromkeys(found))

    def _validator(self, operation: Operation) -> jsonschema_rs.Draft202012Validator:
        if self._registry is None:
            resources = [(_ROOT, self._description.document)]
            self._registry = jsonschema_rs.Registry(resources, draft=jsonschema_rs.Draft202012)
        try:
            made = jsonschema_rs.Draft202012Validator(
                arguments_schema(operation), registry=self._registry, offline=True
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as fault:
            reason = str(fault).partition("\n")[0]
            raise BadDescription(
                f"The schemas of '{operation.id}' cannot be used: {reason} "
                "(check=False sends without checking.)"
            ) from fault
        self._validators[operation.id] = made
        return made


def arguments_schema(operation: Operation) -> Node:
    """Return the schema of everything that a call of the operation takes, as one object."""
    properties: Node = {}
    required = []
    for parameter in operation.parameters:
        schema = _anchored(parameter.schema)
        if parameter.place == "path":
            schema = {"allOf": [schema, {"not": {"const": ""}}]}
        properties[parameter.keyword] = schema
        if parameter.is_required:
            required.append(parameter.keyword)
    if operation.body is not None:
        properties["body"] = _anchored(operation.body.schema)
        if operation.body.is_required:
            required.append("body")
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _anchored(node: Any) -> Any:
    """Return a schema whose references lead into the document, wherever the schema stands."""
    if isinstance(node, list):
        return [_anchored(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {name: _anchored(value) for name, value in node.items()}
    if isinstance(result.get("$ref"), str) and result["$ref"].startswith("#"):
        result["$ref"] = _ROOT + result["$ref"]
    return result


# --- from errors to problems --------------------------------------------------------------------


def _of(error: Error) -> Iterator[Problem]:
    """Yield the problems that an error of the validator stands for."""
    where = error.instance_path
    match error.kind:
        case Kind.AnyOf(context=branches) | Kind.OneOfNotValid(context=branches):
            yield from _of_branches(error, branches)
        case Kind.AdditionalProperties(unexpected=names):
            for name in names:
                yield Problem(_path([*where, name]), "is not known here")
        case Kind.Required(property=name):
            yield Problem(_path([*where, name]), "is required")
        case Kind.Not() if error.instance == "":
            yield Problem(_path(where), "must not be empty")
        case _:
            yield Problem(_path(where), _message(error))


def _of_branches(error: Error, branches: list[list[Error]]) -> Iterator[Problem]:
    depth = len(error.instance_path)
    fitting = [branch for branch in branches if not _is_other_type(branch, depth)]
    if not fitting:
        expected = _unique(name for branch in branches for name in _types(branch, depth))
        shown = _shown(error.instance)
        yield Problem(_path(error.instance_path), f"{shown} is not of type {_either(expected)}")
        return
    tagged = [branch for branch in fitting if not _is_other_kind(branch, depth)]
    if not tagged and (constants := _constants(fitting, depth)):
        path, value, expected = constants
        yield Problem(path, f"{_shown(value)} is not {_either(expected)}")
        return
    nearest = min(tagged or fitting, key=_weight)
    for below in nearest:
        yield from _of(below)


def _is_other_type(branch: list[Error], depth: int) -> bool:
    """Say whether a branch is for another type of value, through all branches of its own."""
    return bool(_types(branch, depth))


def _types(branch: list[Error], depth: int) -> list[str]:
    """Return the types that a branch wants instead, if the value is of another one."""
    for error in branch:
        if len(error.instance_path) != depth:
            continue
        match error.kind:
            case Kind.Type(types=types):
                return list(types)
            case Kind.AnyOf(context=inner) | Kind.OneOfNotValid(context=inner):
                wanted = [_types(below, depth) for below in inner]
                if all(wanted):
                    return _unique(name for names in wanted for name in names)
    return []


def _is_other_kind(branch: list[Error], depth: int) -> bool:
    """Say whether a field that names the kind of object (`type`) names another one."""
    return any(
        isinstance(error.kind, Kind.Constant) and len(error.instance_path) == depth + 1
        for error in branch
    )


def _constants(branches: list[list[Error]], depth: int) -> tuple[str, Any, list[str]] | None:
    """Return where all branches want a constant, what is there, and what they want."""
    found = [
        error
        for branch in branches
        for error in branch
        if isinstance(error.kind, Kind.Constant) and len(error.instance_path) == depth + 1
    ]
    paths = {_path(error.instance_path) for error in found}
    if len(paths) != 1 or len(found) < len(branches):
        return None
    wanted = _unique(_shown(getattr(error.kind, "expected_value", None)) for error in found)
    return paths.pop(), found[0].instance, wanted


def _weight(branch: list[Error]) -> int:
    return sum(len(list(_of(error))) for error in branch)


# --- words --------------------------------------------------------------------------------------


def _path(parts: Iterable[str | int]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _message(error: Error) -> str:
    """Return what the validator says, with a long value cut."""
    if isinstance(error.kind, Kind.Type):
        return f"{_shown(error.instance)} is not of type {_either(_unique(error.kind.types))}"
    if isinstance(error.kind, Kind.Enum):
        words = [_shown(option) for option in error.kind.options]
        if len(words) > SHOWN_OPTIONS:
            words = [*words[: SHOWN_OPTIONS - 1], f"{len(words) - SHOWN_OPTIONS + 1} others"]
        return f"{_shown(error.instance)} is not one of {_either(words)}"
    value = json.dumps(error.instance, ensure_ascii=False, separators=(",", ":"))
    if len(value) > SHOWN and error.message.startswith(value):
        return _shown(error.instance) + error.message[len(value) :]
    return error.message


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _either(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _unique(words: Iterable[str]) -> list[str]:
    """Return words without repetitions, null last."""
    return sorted(dict.fromkeys(words), key="null".__eq__)

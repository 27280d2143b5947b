"""Schemas in words: `list (at most 32) of CreateMessageRequest or null`."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from weft.wire.markup import link
from weft.wire.schemas import Schema

MAX_SAFE = 2**53 - 1  # the largest integer that every JSON reader keeps: no limit worth a word
_MAX_INT = 2**63 - 1

_LIMITS = {
    "string": ("minLength", "maxLength", " characters"),
    "array": ("minItems", "maxItems", ""),
    "integer": ("minimum", "maximum", ""),
    "number": ("minimum", "maximum", ""),
}


def name_of(reference: str) -> str:
    """Return the name of the schema that a reference leads to."""
    return reference.rpartition("/")[2]


def type_of(schema: Any) -> str:
    """Return what a schema allows, in words, with links to the schemas it names."""
    if not isinstance(schema, dict) or not schema:
        return "anything"
    if "$ref" in schema:
        return link(name_of(schema["$ref"]))
    if "allOf" in schema:
        return type_of(schema["allOf"][0])  # the others only narrow it
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return _either(type_of(part) for part in schema[keyword])
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return _either(_literal(value) for value in schema["enum"])
    kinds = schema.get("type", "object" if "properties" in schema else "anything")
    return _either(_single(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def described(schema: Any) -> str:
    """Return what a schema says of itself, as one paragraph."""
    text = schema.get("description", "") if isinstance(schema, dict) else ""
    return " ".join(str(text).split())


def references(schema: Any) -> Iterator[str]:
    """Yield the name of each schema that a schema mentions itself."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield name_of(schema["$ref"])
        for name, below in schema.items():
            if name not in ("example", "examples", "default", "enum", "discriminator"):
                yield from references(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from references(below)


def _either(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _single(kind: str, schema: Schema) -> str:
    """Return one type of a schema with the limits that apply to it."""
    if schema.get("format") == "binary":
        return "file"  # of its bytes JSON Schema has no more to say than that they are a string
    low, high, unit = _LIMITS.get(kind, ("", "", ""))
    limits = _limits(schema.get(low), schema.get(high), unit)
    if kind == "array":
        return f"list{limits} of {type_of(schema.get('items'))}"
    return kind + limits


def _limits(low: Any, high: Any, unit: str) -> str:
    if high in (None, MAX_SAFE, _MAX_INT):
        is_bound = isinstance(low, int | float) and low > -MAX_SAFE and low != 0
        return f" (at least {low:,}{unit})" if is_bound else ""
    return f" (at most {high:,}{unit})" if low is None else f" ({low:,} to {high:,}{unit})"


def _literal(value: object) -> str:
    return "null" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


# --- JSON for people ----------------------------------------------------------------------------


def laid_out(value: Any, depth: int = 0, room: int = 88) -> str:
    """Return JSON with what fits on a line on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    is_small = len(flat) + 2 * depth <= room and depth > 0
    if is_small or not isinstance(value, dict | list) or not value:
        return flat
    margin = "  " * (depth + 1)
    if isinstance(value, list):
        inner = [margin + laid_out(item, depth + 1) for item in value]
        return "[\n" + ",\n".join(inner) + "\n" + "  " * depth + "]"
    inner = [
        f"{margin}{json.dumps(name)}: {laid_out(item, depth + 1, room - len(name) - 4)}"
        for name, item in value.items()
    ]
    return "{\n" + ",\n".join(inner) + "\n" + "  " * depth + "}"

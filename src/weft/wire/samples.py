"""Examples of what a document describes: its own, or made up where it has none."""

from collections.abc import Callable
from typing import Any, TypeAlias

from weft.wire.schemas import Schema

Follow: TypeAlias = Callable[[Any], Schema]  # what stands behind a node that may be a reference

JSON = "application/json"
MAX_DEPTH = 6
_SIMPLE = {"string": "...", "integer": 0, "number": 0.5, "boolean": True}


def samples_of(node: Schema, follow: Follow) -> Schema:
    """Return examples, by name, of a body or an answer in JSON."""
    media = node.get("content", {}).get(JSON)
    if media is None:
        return {}
    if "example" in media:
        return {"example": media["example"]}
    given = {name: follow(each) for name, each in media.get("examples", {}).items()}
    found = {name: each["value"] for name, each in given.items() if "value" in each}
    return found or {"example": sample(media.get("schema", {}), follow)}


def sample(schema: Any, follow: Follow, depth: int = 0) -> Any:
    """Return a value that a schema could mean: what must be there, at its simplest."""
    found = follow(schema)
    for name in ("example", "default", "const"):
        if name in found:
            return found[name]
    for name in ("examples", "enum"):
        if found.get(name):
            return found[name][0]
    if depth > MAX_DEPTH:
        return None
    for name in ("allOf", "anyOf", "oneOf"):
        if found.get(name):
            return sample(found[name][0], follow, depth + 1)
    kind = found.get("type", "object")
    return _of_type(kind[0] if isinstance(kind, list) else kind, found, follow, depth)


def _of_type(kind: str, schema: Schema, follow: Follow, depth: int) -> Any:
    if kind == "object":
        inner = schema.get("properties", {})
        wanted = [name for name in inner if name in schema.get("required", ())]
        return {name: sample(inner[name], follow, depth + 1) for name in wanted}
    if kind == "array":
        return [sample(schema.get("items", {}), follow, depth + 1)]
    return _SIMPLE.get(kind)

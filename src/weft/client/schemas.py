"""Schemas of OpenAPI 3.0, and 3.1 that still writes 3.0, in the words of JSON Schema 2020-12.

Only what checking a request needs: what says nothing about a value is left as it stands.
The document given is not changed.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

Node: TypeAlias = dict[str, Any]

NULL: Node = {"type": "null"}
_EXAMPLES = frozenset({"example", "examples"})
_ONE = ("items", "additionalProperties", "propertyNames", "not", "contains", "if", "then", "else")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_BOUNDS = {"int32": 2**31, "int64": 2**63}


def modern(node: Any) -> Any:
    """Return a document, or a part of one, whose schemas are of draft 2020-12."""
    if isinstance(node, list):
        return [modern(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {name: _part(name, value) for name, value in node.items()}


def _part(name: str, value: Any) -> Any:
    if name == "schema":
        return modern_schema(value)
    if name == "schemas" and isinstance(value, dict):
        return {key: modern_schema(schema) for key, schema in value.items()}
    return value if name in _EXAMPLES else modern(value)


def modern_schema(schema: Any) -> Any:
    """Return a schema of OpenAPI as one of draft 2020-12 that says the same of a request."""
    if not isinstance(schema, dict):
        return schema  # true and false are schemas
    result = _each_below(_hoisted(schema), modern_schema)
    _without_read_only(result)
    _exclusive(result)
    _sized(result)
    return _nullable(result)


def _each_below(schema: Node, change: Callable[[Any], Any]) -> Node:
    result = dict(schema)
    for name in _ONE:
        if name in schema:
            result[name] = change(schema[name])
    for name in _LISTS:
        if name in schema:
            result[name] = [change(part) for part in schema[name]]
    for name in _MAPS:
        if name in schema:
            result[name] = {key: change(below) for key, below in schema[name].items()}
    return result


def _without_read_only(schema: Node) -> None:
    """What the server fills in need not be sent, although the schema requires it of answers."""
    properties = schema.get("properties", {})
    if isinstance(schema.get("required"), list):
        schema["required"] = [
            name
            for name in schema["required"]
            if not isinstance(properties.get(name), dict) or not properties[name].get("readOnly")
        ]


def _exclusive(schema: Node) -> None:
    for bound in ("minimum", "maximum"):
        name = f"exclusive{bound.capitalize()}"
        if isinstance(schema.get(name), bool) and schema.pop(name) and bound in schema:
            schema[name] = schema.pop(bound)


def _sized(schema: Node) -> None:
    """An integer with a format has the limits of that format."""
    limit = _BOUNDS.get(str(schema.get("format")))
    if limit is not None and "integer" in schema.get("type", ()):
        schema["minimum"] = max(schema.get("minimum", -limit), -limit)
        schema["maximum"] = min(schema.get("maximum", limit - 1), limit - 1)


def _hoisted(schema: Node) -> Node:
    """Say `nullable` of the whole where only a part of `allOf` does, which could not allow null."""
    parts = [part for part in schema.get("allOf", ()) if part != {"nullable": True}]
    if len(parts) == len(schema.get("allOf", ())):
        return schema
    rest = {name: value for name, value in schema.items() if name != "allOf"}
    return {**rest, **({"allOf": parts} if parts else {}), "nullable": True}


def _nullable(schema: Node) -> Node:
    """Write `nullable` as one more type, or as an alternative where there is no type to add to."""
    if not schema.pop("nullable", False):
        return schema
    kinds = schema.get("type", [])
    if not kinds:
        return {"anyOf": [schema, NULL]}
    kinds = [kinds] if isinstance(kinds, str) else kinds
    schema["type"] = [*dict.fromkeys((*kinds, "null"))]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema

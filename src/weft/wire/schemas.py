"""The structs of the contract as JSON Schemas (draft 2020-12, the one of OpenAPI 3.1).

msgspec describes what it checks; here that becomes a schema that people and tools
like to read: a description of each struct and field, enumerations in their declared
order, `null` as one more type, and every field of an answer required unless it may
be left out.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect as mi

from weft.wire.explain import declared_order
from weft.wire.shapes import NO_NEWLINE, Metadata, Response

Schema: TypeAlias = dict[str, Any]

REF = "#/components/schemas/{name}"
NULL = {"type": "null"}

_NAMES = {str: "string", bool: "boolean", int: "integer"}
# Metadata keeps no U+0000, a rule that the slow pass knows and msgspec cannot state.
_NO_NUL = r"^[^\x00]*$"


def schemas(structs: Iterable[type[msgspec.Struct]]) -> dict[str, Schema]:
    """Return the schema of each struct, of all that they refer to, and of `Metadata`, by name."""
    roots = list(structs)
    _, raw = msgspec.json.schema_components(roots, ref_template=REF)
    known: dict[str, mi.StructType] = {}
    for kind in mi.multi_type_info(roots):
        _collect(kind, known)
    found = {name: _finished(raw[name], known[name]) for name in raw}
    return dict(sorted({**found, "Metadata": _metadata()}.items()))


def each_subschema(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Return a copy of a schema in which each schema right below it was changed."""
    result = dict(schema)
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(keyword), dict):
            result[keyword] = change(schema[keyword])
    for keyword in ("anyOf", "allOf", "oneOf"):
        if keyword in schema:
            result[keyword] = [change(part) for part in schema[keyword]]
    if "properties" in schema:
        result["properties"] = {name: change(below) for name, below in schema["properties"].items()}
    return result


def _collect(kind: mi.Type, known: dict[str, mi.StructType]) -> None:
    """Add every struct that a type is made of."""
    if isinstance(kind, mi.StructType):
        if kind.cls.__name__ not in known:
            known[kind.cls.__name__] = kind
            for field in kind.fields:
                _collect(field.type, known)
        return
    for name in ("type", "item_type", "value_type"):
        if isinstance(below := getattr(kind, name, None), mi.Type):
            _collect(below, known)
    for part in getattr(kind, "types", ()):
        _collect(part, known)


def _finished(raw: Schema, kind: mi.StructType) -> Schema:
    """Return a struct's schema, ready to be shown."""
    schema = dict(raw)
    del schema["title"]  # it only repeats the name
    schema["description"] = inspect.cleandoc(schema["description"])
    names = {field.encode_name: field.name for field in kind.fields}
    schema["properties"] = {
        wire_name: _property(below, kind.cls, names.get(wire_name))
        for wire_name, below in schema["properties"].items()
    }
    if issubclass(kind.cls, Response):
        _require_all(schema, kind)
    if not schema["required"]:
        del schema["required"]
    return schema


def _require_all(schema: Schema, kind: mi.StructType) -> None:
    """Require every field that is always there; one that may be UNSET has no default here."""
    absent = {
        field.encode_name
        for field in kind.fields
        if not field.required
        and field.default is msgspec.NODEFAULT
        and field.default_factory is msgspec.NODEFAULT
    }
    schema["required"] = [name for name in schema["properties"] if name not in absent]
    for below in schema["properties"].values():
        below.pop("default", None)


def _property(raw: Schema, struct: type, name: str | None) -> Schema:
    if name == "metadata":
        return _metadata_reference(raw)
    order = [] if name is None else declared_order(struct, name)
    return _tidy(raw, order)


def _tidy(raw: Schema, order: list[str]) -> Schema:
    schema = each_subschema(raw, lambda below: _tidy(below, order))
    if "default" in schema and schema["default"] is None:
        del schema["default"]  # null only says: as if it were not there
    if "pattern" in schema:
        schema["pattern"] = schema["pattern"].removesuffix(NO_NEWLINE)
    if schema.get("type") == "integer" and "maximum" not in schema:
        schema["format"] = "int64"
    if "enum" in schema:
        schema = _enumeration(schema, order)
    if NULL in schema.get("anyOf", ()):
        schema = _nullable(schema)
    return schema


def _enumeration(schema: Schema, order: list[str]) -> Schema:
    """Return the schema of a Literal with its type and in its declared order (msgspec sorts)."""
    values = schema.pop("enum")
    typed = {**schema, "type": _NAMES[type(values[0])]}
    if len(values) == 1:
        return {**typed, "const": values[0]}
    return {**typed, "enum": sorted(values, key=[*order, *values].index)}


def _nullable(schema: Schema) -> Schema:
    """Return `anyOf: [one, null]` with null as one more type or alternative of the one."""
    if len(schema["anyOf"]) != 2:
        return schema
    one = schema["anyOf"][0]
    outer = {name: value for name, value in schema.items() if name != "anyOf"}
    if "anyOf" in one and "discriminator" not in one:
        return {**one, **outer, "anyOf": [*one["anyOf"], NULL]}
    if not isinstance(one.get("type"), str):
        return schema
    merged = {**one, **outer, "type": [one["type"], "null"]}
    if "const" in merged:
        merged["enum"] = [merged.pop("const"), None]
    elif "enum" in merged:
        merged["enum"] = [*merged["enum"], None]
    return merged


def _metadata() -> Schema:
    schema = msgspec.json.schema(Metadata)
    schema["propertyNames"] = {**schema["propertyNames"], "pattern": _NO_NUL}
    schema["additionalProperties"] = {**schema["additionalProperties"], "pattern": _NO_NUL}
    return schema


def _metadata_reference(raw: Schema) -> Schema:
    """Return the reference that stands for a `metadata` field, with the field's own words."""
    reference: Schema = {"$ref": REF.format(name="Metadata")}
    schema = {"description": raw["description"]} if "description" in raw else {}
    if NULL in raw.get("anyOf", []):
        return {**schema, "anyOf": [reference, NULL]}
    return {**schema, **reference}

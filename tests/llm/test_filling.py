"""What a text offers ends up where a schema has a place for it, and the schema allows it."""

from typing import Any

import jsonschema_rs
import pytest

from weft.llm.filling import fill

TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"child": {"$ref": "#"}, "name": {"type": "string"}},
    "required": ["name"],
}
ENDLESS: dict[str, Any] = {
    "type": "object",
    "properties": {"child": {"$ref": "#"}},
}


def properties(**of: Any) -> dict[str, Any]:
    return {"type": "object", "properties": of}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (properties(days={"type": "integer"}), "for 3 days", {"days": 3}),
        (properties(days={"type": "integer"}), "no number", {"days": 0}),
        (properties(x={"type": "number"}), "-2.5 degrees", {"x": -2.5}),
        (properties(x={"type": "number"}), "v1.2.3 and 7", {"x": 7}),
        (properties(a={"type": "number"}, b={"type": "number"}), "3 and 4", {"a": 3, "b": 4}),
        (properties(a={"type": "number"}, b={"type": "number"}), "b=3, a: 4", {"a": 4, "b": 3}),
        (properties(city={"type": "string"}), "weather in New York", {"city": "New York"}),
        (properties(city={"type": "string"}), 'for "old york"', {"city": "old york"}),
        (properties(city={"type": "string"}), "city=oslo", {"city": "oslo"}),
        (properties(city={"type": "string"}), "nothing", {"city": "demo"}),
        (properties(unit={"enum": ["c", "f"]}), "in f please", {"unit": "f"}),
        (properties(unit={"enum": ["c", "f"]}), "nothing", {"unit": "c"}),
        (properties(loud={"type": "boolean"}), "loud=false", {"loud": False}),
        (properties(loud={"type": "boolean"}), "nothing", {"loud": True}),
        (properties(x={"const": 7}), "8", {"x": 7}),
        (properties(x={"type": "string", "default": "d"}), "Hello", {"x": "d"}),
        (properties(x={"type": ["null", "integer"]}), "5", {"x": 5}),
        (properties(x={"anyOf": [{"type": "null"}, {"type": "string"}]}), "'a b'", {"x": "a b"}),
        (properties(x={"type": "array", "items": {"type": "integer"}}), "5", {"x": [5]}),
        (TREE, "I am Ada", {"name": "Ada"}),
        ({}, "I am Ada", "Ada"),
        ({"type": "null"}, "I am Ada", None),
    ],
)
def test_what_the_text_offers_is_filled_in(schema: Any, text: str, value: Any) -> None:
    assert fill(schema, text) == value


def test_optional_fields_are_left_out_unless_the_text_names_them() -> None:
    schema = properties(city={"type": "string"}, days={"type": "integer"}) | {"required": ["city"]}
    assert fill(schema, "for Oslo 5") == {"city": "Oslo"}
    assert fill(schema, "for Oslo days=5") == {"city": "Oslo", "days": 5}


SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 10, "maximum": 20},
    {"type": "integer", "exclusiveMinimum": 10},
    {"type": "number", "exclusiveMaximum": -3},
    {"type": "string", "minLength": 9},
    {"type": "string", "maxLength": 1},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"type": "array", "items": {"enum": [1, 2]}, "minItems": 3},
    {"type": "array", "maxItems": 0},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]}]},
    {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    {
        "$ref": "#/$defs/x",
        "$defs": {"x": {"type": "array", "items": {"$ref": "#/$defs/y"}}, "y": {"type": "boolean"}},
    },
    TREE,
    ENDLESS,
    {"type": "object", "required": ["undeclared"]},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("text", ["", "Give me 15 of “those things” in Rome, 1.5 or -7"])
def test_the_schema_allows_what_was_filled_in(schema: dict[str, Any], text: str) -> None:
    jsonschema_rs.validate(schema, fill(schema, text))


@pytest.mark.parametrize(
    "schema", [{"$ref": "#/nowhere"}, {"$ref": "#"}, {"anyOf": [True]}, {"type": 7}]
)
def test_a_schema_that_leads_nowhere_is_no_reason_to_fail(schema: dict[str, Any]) -> None:
    fill(schema, "Hello")

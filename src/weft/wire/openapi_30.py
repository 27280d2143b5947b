"""The OpenAPI 3.1 document in the words of 3.0.3, for tools that cannot read 3.1.

3.0 knows no `null` type, no `const`, no `propertyNames`, nothing beside a `$ref`, and
numeric bounds are exclusive by a flag. What it cannot say is left out, so that each
answer and each request that 3.1 allows is allowed here too.
"""

from typing import Any

from weft.wire.schemas import Schema, each_subschema

VERSION = "3.0.3"

# `nullable` only adds null to a `type` beside it; this is a schema of null and nothing else.
_NULL: Schema = {"type": "object", "nullable": True, "enum": [None]}


def as_30(document: dict[str, Any]) -> dict[str, Any]:
    """Return a 3.1 document as a 3.0.3 document."""
    result: dict[str, Any] = _object(document)
    result["openapi"] = VERSION
    result["info"].pop("summary", None)
    result["info"]["license"].pop("identifier", None)
    return result


def _object(node: Any) -> Any:
    """Translate any part of the document that is not a schema."""
    if isinstance(node, list):
        return [_object(item) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for name, value in node.items():
        if name == "schema":
            result[name] = schema_30(value)
        elif name == "schemas":
            result[name] = {key: schema_30(schema) for key, schema in value.items()}
        elif name == "examples":
            result["example"] = next(iter(value.values()))["value"]
        else:
            result[name] = value if name == "example" else _object(value)
    return result


def schema_30(schema: Schema) -> Schema:
    """Return a JSON Schema of draft 2020-12 as a schema object of OpenAPI 3.0."""
    if schema.get("type") == "null":
        return {**schema, **_NULL}
    result = each_subschema(schema, schema_30)
    result.pop("propertyNames", None)
    if "$ref" in result and len(result) > 1:
        result["allOf"] = [{"$ref": result.pop("$ref")}]
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if isinstance(result.get("type"), list):
        result["type"] = next(name for name in result["type"] if name != "null")
        result["nullable"] = True
    if "examples" in result:
        result["example"] = result.pop("examples")[0]
    for bound in ("minimum", "maximum"):
        flag = f"exclusive{bound.capitalize()}"
        if flag in result:
            result[bound], result[flag] = result[flag], True
    return result

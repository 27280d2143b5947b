"""Reading OpenAPI documents: ours and the official one."""

from collections.abc import Iterator
from typing import Any

JSON = "application/json"

Node = dict[str, Any]

MAX_DEPTH = 7  # dots in the path of a property


def target(document: Node, reference: str) -> Node:
    """Return what a local reference stands for."""
    node = document
    for name in reference.removeprefix("#/").split("/"):
        node = node[name]
    return node


def followed(document: Node, node: Node) -> Node:
    """Return what stands behind a node that may be a reference."""
    return target(document, node["$ref"]) if "$ref" in node else node


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Yield (method, path, operation)."""
    for path, item in document["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                yield method.upper(), path, item[method]


def operation(document: Node, operation_id: str) -> Node:
    """Return the operation with an id."""
    (found,) = [each for *_, each in operations(document) if each["operationId"] == operation_id]
    return found


def parameters(document: Node, described: Node, place: str) -> list[str]:
    """Return the names of an operation's parameters in a place (path, query, header)."""
    found = [followed(document, each) for each in described.get("parameters", [])]
    return [each["name"] for each in found if each["in"] == place]


def request_schema(described: Node) -> Node | None:
    """Return the schema of an operation's body, JSON or a form, if it takes one."""
    if "requestBody" not in described:
        return None
    schema: Node = media_of(described["requestBody"])["schema"]
    return schema


def media_of(node: Node) -> Node:
    """Return what a body or an answer holds: JSON, or the one other kind of it."""
    content = node["content"]
    found: Node = content[JSON] if JSON in content else next(iter(content.values()))
    return found


def answer_schema(described: Node) -> Node:
    """Return the schema of an operation's success."""
    schema: Node = media_of(described["responses"]["200"])["schema"]
    return schema


def name_of(schema: Node) -> str | None:
    """Return the name of the component that a schema refers to, None if it refers to none."""
    return str(schema["$ref"].rpartition("/")[2]) if "$ref" in schema else None


def properties_in(document: Node, schema: Node, path: str = "") -> set[str]:
    """Return the path of each property that can be reached from a schema.

    A schema within itself is followed to a depth of `MAX_DEPTH`.
    """
    found: set[str] = set()
    if path.count(".") >= MAX_DEPTH:
        return found
    if "$ref" in schema:
        found |= properties_in(document, target(document, schema["$ref"]), path)
    for keyword in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(keyword, ()):
            found |= properties_in(document, part, path)
    if isinstance(schema.get("items"), dict):
        found |= properties_in(document, schema["items"], f"{path}[]")
    for name, below in schema.get("properties", {}).items():
        where = f"{path}.{name}" if path else name
        found |= {where} | properties_in(document, below, where)
    return found


def required_in(document: Node, schema: Node) -> set[str]:
    """Return the properties that a schema requires."""
    return set(followed(document, schema).get("required", ()))


def every_node(node: Any) -> Iterator[Node]:
    """Yield each object of a document, without what examples hold."""
    if isinstance(node, dict):
        yield node
        for name, below in node.items():
            if name not in ("example", "examples"):
                yield from every_node(below)
    elif isinstance(node, list):
        for item in node:
            yield from every_node(item)

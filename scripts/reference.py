"""Write docs/reference.md from the contract; with --check only say whether it is current.

    python scripts/reference.py [--check] [FILE]

The page says nothing of its own: what it says stands in the OpenAPI document.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from weft.wire.examples import EXAMPLES, IDS, Example
from weft.wire.openapi import document
from weft.wire.operations import TABLE

Node: TypeAlias = dict[str, Any]
Lines: TypeAlias = Iterator[str]

PAGE = Path(__file__).parents[1] / "docs" / "reference.md"
PREFIX = "/v1"
JSON = "application/json"
MAX_SAFE = 2**53 - 1  # the largest integer that every JSON reader keeps: no limit worth a word
METHODS = ("get", "post", "delete")

CONTRACT = document("3.1")

INTRODUCTION = """\
# Reference

<!-- Made by scripts/reference.py from the contract in src/weft/wire: edit that instead. -->

Every operation, what it takes and what it answers. A running server says the same to
programs: `GET /openapi.json` (OpenAPI 3.1; `?version=3.0` for tools that cannot read it).

- **Address.** Paths begin with `/v1`. The same operations stand under `/openai/v1`, `/openai`
  and `/api/projects/{project}`, where the clients of Azure look for them.
- **Key.** `Authorization: Bearer KEY` or `api-key: KEY`. A server without any key takes
  requests from its own machine.
- **JSON.** Bodies and answers are JSON. A field that an operation does not know is an error;
  an answer may gain new fields in later versions.
- **Once only.** Every `POST` takes the header `Idempotency-Key` (up to 255 characters): for
  24 hours the same key with the same body brings the first answer again and changes nothing.
- **Lists** are paged: pass the `last_id` of a page as `after` while `has_more` is true.
- **Request id.** Every answer has the header `x-request-id`; the server's log knows it too.
"""


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, *_contents()]
    for tag in CONTRACT["tags"]:
        parts += [f"## {tag['name']}", "", tag["description"], ""]
        for method, path, operation in _operations(tag["name"]):
            parts += _operation(method, path, operation)
    parts += [*_errors(), *_schemas()]
    return "\n".join(parts).rstrip() + "\n"


def _operations(tag: str) -> list[tuple[str, str, Node]]:
    """Return (method, whole path, operation) of a tag, in the order of the table."""
    order = {operation.id: place for place, operation in enumerate(TABLE)}
    found = [
        (method.upper(), ("" if "servers" in item else PREFIX) + path, item[method])
        for path, item in CONTRACT["paths"].items()
        for method in METHODS
        if method in item and tag in item[method]["tags"]
    ]
    return sorted(found, key=lambda each: order.get(each[2]["operationId"], len(order)))


def _contents() -> Lines:
    rows = []
    for tag in CONTRACT["tags"]:
        for method, path, operation in _operations(tag["name"]):
            rows.append((_link(operation["summary"]), f"`{method} {path}`"))
    yield from _table(("Operation", "Request"), rows)
    yield "Then: [Errors](#errors), [Schemas](#schemas)."
    yield ""


# --- one operation ----------------------------------------------------------------------------


def _operation(method: str, path: str, operation: Node) -> Lines:
    yield from (f"### {operation['summary']}", "")
    yield from (f"`{method} {path}` (`{operation['operationId']}`)", "")
    yield operation["description"]
    if operation.get("x-weft-extension") and path.startswith(PREFIX):
        yield from ("", "*An extension: the Assistants API never had this.*")
    yield ""
    yield from _parameters(operation)
    yield from _body(operation)
    yield from _answers(operation)
    examples = [each for each in EXAMPLES if each.operation_id == operation["operationId"]]
    for example in sorted(examples, key=lambda each: each.name == "restore"):
        yield from _example(method, path, example)


def _parameters(operation: Node) -> Lines:
    found = [each for each in operation.get("parameters", []) if "$ref" not in each]
    rows = []
    for parameter in found:
        schema = parameter["schema"]
        default = f" Default: `{schema['default']}`." if "default" in schema else ""
        rows.append(
            (
                f"`{parameter['name']}`",
                parameter["in"],
                _type(schema),
                parameter["description"] + default,
            )
        )
    if rows:
        yield from _table(("Parameter", "In", "Type", "Description"), rows)


def _body(operation: Node) -> Lines:
    if "requestBody" not in operation:
        return
    body = operation["requestBody"]
    schema = body["content"][JSON]["schema"]
    may_be_empty = "" if body["required"] else ", which may be left out"
    first, *others = schema.get("anyOf", [schema])
    yield f"**Body**{may_be_empty}: {_type(first)}"
    yield ""
    yield from _fields(_target(first))
    for other in others:
        yield f"Or {_type(other)}: {_target(other)['description'].splitlines()[0]}"
        yield ""


def _answers(operation: Node) -> Lines:
    responses = operation["responses"]
    success = responses["200"]
    schema = success["content"][JSON]["schema"]
    errors = ", ".join(status for status in responses if status != "200")
    yield f"**Answer** 200: {_type(schema)}. {success['description']}"
    yield ""
    yield f"**[Errors](#errors)**: {errors}"
    yield ""


def _example(method: str, path: str, example: Example) -> Lines:
    target = re.sub(r"{(\w+)}", lambda name: IDS[name.group(1)], path)
    if example.query:
        pairs = (f"{name}={quote(value)}" for name, value in example.query)
        target = f"{target}?{'&'.join(pairs)}"
    yield from (f"{example.summary}:", "", "```http", f"{method} {target}")
    if example.body is not None:
        yield from (f"Content-Type: {JSON}", "", _json(example.body))
    yield from ("```", "", "```json", _json(example.answer), "```", "")


def _json(value: Node) -> str:
    """Return JSON with what fits on a line on one line."""
    return _laid_out(value, 0)


def _laid_out(value: Any, depth: int, room: int = 88) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    is_small = len(flat) + 2 * depth <= room and depth > 0
    if is_small or not isinstance(value, dict | list) or not value:
        return flat
    margin = "  " * (depth + 1)
    if isinstance(value, list):
        inner = [margin + _laid_out(item, depth + 1) for item in value]
        return "[\n" + ",\n".join(inner) + "\n" + "  " * depth + "]"
    inner = [
        f"{margin}{json.dumps(name)}: {_laid_out(item, depth + 1, room - len(name) - 4)}"
        for name, item in value.items()
    ]
    return "{\n" + ",\n".join(inner) + "\n" + "  " * depth + "}"


# --- errors and schemas -----------------------------------------------------------------------


def _errors() -> Lines:
    yield from ("## Errors", "")
    yield f"Every error has the body {_type({'$ref': '#/components/schemas/ErrorResponse'})}:"
    yield ""
    rows = []
    responses = CONTRACT["components"]["responses"]
    shown = responses["BadRequest"]["content"][JSON]["examples"]["missing"]["value"]
    yield from ("```json", _json(shown), "```", "")
    for name, response in responses.items():
        example = next(iter(response["content"][JSON]["examples"].values()))["value"]["error"]
        rows.append((_status(name), response["description"], f"`{example['type']}`"))
    yield from _table(("Status", "Meaning", "`type`"), rows)
    yield "What a 400 and a 401 say, for example:"
    yield ""
    cases = [
        case["value"]["error"]
        for name in ("BadRequest", "Unauthenticated")
        for case in responses[name]["content"][JSON]["examples"].values()
    ]
    yield from _table(
        ("`code`", "`param`", "`message`"),
        [(_code(case["code"]), _code(case["param"]), case["message"]) for case in cases],
    )


def _status(name: str) -> str:
    """Return the status under which operations answer with a component."""
    reference = {"$ref": f"#/components/responses/{name}"}
    for item in CONTRACT["paths"].values():
        for operation in (item[method] for method in METHODS if method in item):
            for status, response in operation["responses"].items():
                if response == reference:
                    return str(status)
    raise LookupError(f"no operation answers {name}")


def _schemas() -> Lines:
    yield from ("## Schemas", "")
    yield "In an answer, a required field is always there."
    yield ""
    for name, schema in CONTRACT["components"]["schemas"].items():
        yield from (f"### {name}", "", schema["description"], "")
        yield from _fields(schema)


def _fields(schema: Node) -> Lines:
    required = schema.get("required", ())
    rows = [
        (
            f"`{name}`",
            _type(below),
            "yes" if name in required else "",
            _words(below),
        )
        for name, below in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("Field", "Type", "Required", "Description"), rows)


def _words(schema: Node) -> str:
    """Return what a field is: its own words, or those of the one thing that it refers to."""
    if "description" in schema:
        return str(schema["description"])
    parts = [part for part in schema.get("anyOf", [schema]) if part != {"type": "null"}]
    if len(parts) == 1 and "$ref" in parts[0]:
        return str(_target(parts[0])["description"].splitlines()[0])
    return ""


def _target(schema: Node) -> Node:
    if "allOf" in schema:
        return _target(schema["allOf"][0])
    found: Node = CONTRACT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


# --- types ------------------------------------------------------------------------------------


def _type(schema: Node) -> str:
    """Return a schema in words, with links."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "allOf" in schema:
        return _type(schema["allOf"][0])  # the others only narrow it
    if "anyOf" in schema:
        return _either(_type(part) for part in schema["anyOf"])
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return _either(_literal(value) for value in schema["enum"])
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return _either(_single(name, schema) for name in names)


def _either(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _single(name: str, schema: Node) -> str:
    """Return one type of a schema with the limits that apply to it."""
    low, high, unit = {
        "string": ("minLength", "maxLength", " characters"),
        "array": ("minItems", "maxItems", ""),
        "integer": ("minimum", "maximum", ""),
        "number": ("minimum", "maximum", ""),
    }.get(name, ("", "", ""))
    limits = _limits(schema.get(low), schema.get(high), unit)
    if name == "array":
        return f"list{limits} of {_type(schema['items'])}"
    return name + limits


def _limits(low: float | None, high: float | None, unit: str) -> str:
    if high is None or high == MAX_SAFE:
        return f" (at least {low:,})" if low else ""
    return f" (at most {high:,}{unit})" if low is None else f" ({low:,} to {high:,}{unit})"


def _literal(value: object) -> str:
    return "null" if value is None else f"`{json.dumps(value)}`"


def _code(value: str | None) -> str:
    return "null" if value is None else f"`{value}`"


# --- Markdown ---------------------------------------------------------------------------------


def _link(title: str) -> str:
    return f"[{title}](#{slug(title)})"


def slug(title: str) -> str:
    """Return the anchor that Markdown viewers give to a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Lines:
    """Yield a table, without the columns in which nothing stands."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    kept = [index for index in range(len(heads)) if any(row[index] for row in cells)]
    yield _row(heads[index] for index in kept)
    yield _row("---" for _ in kept)
    for row in cells:
        yield _row(row[index] for index in kept)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Write the page, or compare it: 1 when it is not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, default=PAGE, help="docs/reference.md")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if not current")
    chosen = parser.parse_args()
    if not chosen.check:
        chosen.file.write_text(page(), encoding="utf-8")
        return 0
    is_there = chosen.file.exists()
    if is_there and chosen.file.read_text(encoding="utf-8") == page():
        return 0
    print(f"{chosen.file} is not current. Run: python scripts/reference.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

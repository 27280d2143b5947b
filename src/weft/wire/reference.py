"""The reference: pages for people, made from an OpenAPI document and nothing else.

`docs/reference`, `GET /docs` and `weft help` show them; `markup` writes them for each.
Weft's own document is the usual one, but any other of OpenAPI 3.1 has its pages too.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from weft.wire.example_objects import BOUNDARY, Example
from weft.wire.examples import EXAMPLES
from weft.wire.form import MEDIA_TYPE
from weft.wire.markup import Block, Code, Heading, Items, Table, Words, anchor, link
from weft.wire.names import snake
from weft.wire.openapi import document
from weft.wire.samples import samples_of
from weft.wire.schemas import Schema
from weft.wire.words import described, laid_out, references, type_of

JSON = "application/json"
LINE = 100  # characters of a line of code
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

INTRODUCTION = Words(
    "Every operation, what it takes and what it answers. A running server says the same to "
    "people (`GET /docs`) and to programs (`GET /openapi.json`: OpenAPI 3.1; `?version=3.0` for "
    "tools that cannot read it), and `weft help OPERATION` prints it in a terminal."
)
_RULES = """\
**Address.** Paths begin with `/v1`. The same operations stand under `/openai/v1`, `/openai` and
`/api/projects/{project}`, where the clients of Azure look for them.

**Key.** `Authorization: Bearer KEY` or `api-key: KEY`. A server without any key takes requests from
its own machine.

**JSON.** Bodies and answers are JSON. A field that an operation does not know is an error; an
answer may gain new fields in later versions.

**Once only.** Every `POST` takes the header `Idempotency-Key` (up to 255 characters): for 24 hours
the same key with the same body brings the first answer again and changes nothing.

**Lists** are paged: pass the `last_id` of a page as `after` while `has_more` is true.

**Request id.** Every answer has the header `x-request-id`; the server's log knows it too.
"""
RULES = Items(tuple(" ".join(rule.split()) for rule in _RULES.split("\n\n")))


class Described(NamedTuple):
    """An operation as the document has it; `path` is whole, with its prefix."""

    method: str
    path: str
    node: Schema

    @property
    def id(self) -> str:
        """The operation id, or what stands for it."""
        return str(self.node.get("operationId") or f"{self.method}_{self.path}")

    @property
    def title(self) -> str:
        """What the operation does, in some words."""
        return str(self.node.get("summary") or self.id)


class Reference:
    """The pages of a document. `examples` are better ones than the document holds."""

    def __init__(
        self, contract: Schema, *, prefix: str = "", examples: Iterable[Example] | None = None
    ) -> None:
        self._contract = contract
        self._prefix = prefix
        self._examples = None if examples is None else list(examples)
        self.operations = list(self._read())
        self.schemas: Schema = contract.get("components", {}).get("schemas", {})

    def _read(self) -> Iterator[Described]:
        for path, node in self._contract.get("paths", {}).items():
            item = self._followed(node)
            shared = item.get("parameters", [])
            prefix = "" if "servers" in item else self._prefix
            for method in (name for name in item if name in METHODS):
                own = item[method]
                parameters = [*shared, *own.get("parameters", [])]
                given = [self._followed(each) for each in parameters]
                yield Described(method.upper(), prefix + path, {**own, "parameters": given})

    def _followed(self, node: Any) -> Schema:
        for _ in range(10):
            if not isinstance(node, dict) or "$ref" not in node:
                break
            found: Any = self._contract
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found.get(name.replace("~1", "/").replace("~0", "~"), {})
            node = found
        return node if isinstance(node, dict) else {}

    # --- pages ----------------------------------------------------------------------------------

    def paths(self) -> dict[str, list[Described]]:
        """Return the operations of each path."""
        found: dict[str, list[Described]] = {}
        for operation in self.operations:
            found.setdefault(operation.path, []).append(operation)
        return found

    def page(self, path: str, errors: str = "#errors") -> list[Block]:
        """Return the page of a path: its operations and every schema they are made of."""
        operations = self.paths()[path]
        blocks: list[Block] = [Heading(1, path)]
        for operation in operations:
            blocks += self._operation(operation, 2, errors)
        names = self._reached(operations)
        return [*blocks, *self._schemas(names, 2)]

    def operation_page(self, operation: Described) -> list[Block]:
        """Return the page of one operation, with its errors and schemas."""
        blocks: list[Block] = self._operation(operation, 1, "#errors")
        names = self._reached([operation])
        return [*blocks, *self._statuses(operation), *self._schemas(names, 2)]

    def contents(self, pages: dict[str, str] | None = None) -> Table:
        """Return the list of all operations; `pages` says on which page a path stands."""
        rows = []
        for operation in self._by_tag():
            at = "#" + anchor(operation.title)
            target = at if pages is None else pages[operation.path] + at
            request = f"`{operation.method} {operation.path}`"
            rows.append((link(operation.title, target), f"`{snake(operation.id)}`", request))
        return Table(("Operation", "Method of the client", "Request"), tuple(rows))

    def everything(self) -> list[Block]:
        """Return one page that holds all others."""
        blocks: list[Block] = [Heading(1, "Reference"), INTRODUCTION, RULES, self.contents()]
        for tag in self._contract.get("tags", [{"name": "Operations"}]):
            blocks += [Heading(2, tag["name"]), Words(described(tag))]
            for operation in self._by_tag(tag["name"]):
                blocks += self._operation(operation, 3, "#errors")
        return [*blocks, *self.errors(), *self._schemas(list(self.schemas), 2)]

    def index(self, pages: dict[str, str]) -> list[Block]:
        """Return the page that leads to those of the paths."""
        first: list[Block] = [Heading(1, "Reference"), INTRODUCTION, RULES]
        return [*first, Heading(2, "Operations"), self.contents(pages), *self.errors()]

    def _by_tag(self, tag: str | None = None) -> list[Described]:
        tags = [each["name"] for each in self._contract.get("tags", ())]
        wanted = tags if tag is None else [tag]
        if not tags:
            return self.operations
        return [
            operation
            for name in wanted
            for operation in self.operations
            if name in operation.node.get("tags", ())
        ]

    # --- one operation --------------------------------------------------------------------------

    def _operation(self, operation: Described, level: int, errors: str) -> list[Block]:
        node = operation.node
        blocks: list[Block] = [
            Heading(level, operation.title),
            Words(f"`{operation.method} {operation.path}` (`{operation.id}`)"),
            Code("python", call_line(operation)),
            Words(described(node)),
        ]
        if node.get("x-weft-extension") and operation.path.startswith("/v1"):
            blocks.append(Words("*An extension: the Assistants API never had this.*"))
        blocks += [*self._parameters(node), *self._body(node), *self._answers(node, errors)]
        for example in self._examples_of(operation):
            blocks += _example(operation, example)
        return [block for block in blocks if block != Words("")]

    def _parameters(self, node: Schema) -> Iterator[Block]:
        rows = []
        for parameter in node.get("parameters", ()):
            schema = parameter.get("schema", {})
            default = f" Default: `{schema['default']}`." if "default" in schema else ""
            is_required = "yes" if parameter.get("required") else ""
            words = described(parameter) or described(schema)
            row = (f"`{parameter['name']}`", parameter["in"], type_of(schema), is_required)
            rows.append((*row, words + default))
        if rows:
            heads = ("Parameter", "In", "Type", "Required", "Description")
            yield Table(heads, tuple(rows))

    def _body(self, node: Schema) -> Iterator[Block]:
        body = self._followed(node.get("requestBody"))
        for kind, media in body.get("content", {}).items():
            schema = media.get("schema", {})
            may_be_empty = "" if body.get("required") else ", which may be left out"
            first, *others = schema.get("anyOf", [schema])
            yield Words(f"**Body** (`{kind}`){may_be_empty}: {type_of(first)}")
            yield from self._fields(self._target(first))
            for other in others:
                words = described(self._target(other))
                yield Words(f"Or {type_of(other)}: {words}")

    def _answers(self, node: Schema, errors: str) -> Iterator[Block]:
        refused = []
        for status, response in node.get("responses", {}).items():
            if not status.startswith("2"):
                refused.append(status)
                continue
            found = self._followed(response)
            kinds = {k: media.get("schema") for k, media in found.get("content", {}).items()}
            types = [_content(kind, schema) for kind, schema in kinds.items()]
            shown = f" {' or '.join(types)}." if types else ""
            yield Words(f"**Answer** {status}:{shown} {described(found)}")
        if refused:
            yield Words(f"**{link('Errors', errors)}**: {', '.join(refused)}")

    def _examples_of(self, operation: Described) -> list[Example]:
        if self._examples is not None:
            own = [each for each in self._examples if each.operation_id == operation.id]
            return sorted(own, key=lambda each: each.name == "restore")
        bodies = samples_of(self._followed(operation.node.get("requestBody")), self._followed)
        answers: Schema = {}
        for status, response in operation.node.get("responses", {}).items():
            if status.startswith("2") and not answers:
                answers = samples_of(self._followed(response), self._followed)
        name = next(iter(bodies or answers), None)
        if name is None:
            return []
        answer: Any = answers.get(name, next(iter(answers.values()), None))
        return [Example(operation.id, name, "Example", answer, bodies.get(name))]

    # --- errors and schemas ---------------------------------------------------------------------

    def _statuses(self, operation: Described) -> list[Block]:
        rows = [
            (status, described(self._followed(response)))
            for status, response in operation.node.get("responses", {}).items()
            if not status.startswith("2")
        ]
        return [Heading(2, "Errors"), Table(("Status", "Meaning"), tuple(rows))] if rows else []

    def errors(self) -> list[Block]:
        """Return the section on errors: their form, each status, what they say."""
        responses = self._contract["components"]["responses"]
        shown = responses["BadRequest"]["content"][JSON]["examples"]["missing"]["value"]
        rows = []
        for name, response in responses.items():
            example = next(iter(response["content"][JSON]["examples"].values()))["value"]["error"]
            rows.append((self._status(name), response["description"], f"`{example['type']}`"))
        cases = [
            case["value"]["error"]
            for name in ("BadRequest", "Unauthenticated")
            for case in responses[name]["content"][JSON]["examples"].values()
        ]
        said = tuple((_code(case["code"]), _code(case["param"]), case["message"]) for case in cases)
        return [
            Heading(2, "Errors"),
            Words("Every error has a body of this form:"),
            Code("json", laid_out(shown)),
            Table(("Status", "Meaning", "`type`"), tuple(rows)),
            Words("What a 400 and a 401 say, for example:"),
            Table(("`code`", "`param`", "`message`"), said),
        ]

    def _status(self, name: str) -> str:
        """Return the status under which operations answer with a component."""
        reference = {"$ref": f"#/components/responses/{name}"}
        for operation in self.operations:
            for status, response in operation.node["responses"].items():
                if response == reference:
                    return str(status)
        raise LookupError(f"no operation answers {name}")

    def _reached(self, operations: Iterable[Described]) -> list[str]:
        """Return the name of each schema that operations are made of, errors left out."""
        waiting: list[str] = []
        for operation in operations:
            successes = [
                self._followed(response)
                for status, response in operation.node.get("responses", {}).items()
                if status.startswith("2")
            ]
            nodes = [self._followed(operation.node.get("requestBody")), *successes]
            waiting += references([node.get("content") for node in nodes])
            waiting += references([each.get("schema") for each in operation.node["parameters"]])
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in self.schemas and name not in found:
                found.add(name)
                waiting += references(self.schemas[name])
        return sorted(found)

    def _schemas(self, names: Iterable[str], level: int) -> list[Block]:
        blocks: list[Block] = []
        for name in names:
            schema = self.schemas[name]
            blocks += [Heading(level + 1, name), Words(described(schema)), *self._shape(schema)]
        if not blocks:
            return []
        about = Words("In an answer, a required field is always there.")
        kept = [block for block in blocks if block != Words("")]
        return [Heading(level, "Schemas"), about, *kept]

    def _shape(self, schema: Schema) -> Iterator[Block]:
        if "properties" in schema:
            yield from self._fields(schema)
        elif schema:
            yield Words(type_of(schema))

    def _fields(self, schema: Schema) -> Iterator[Block]:
        required = schema.get("required", ())
        rows = [
            (f"`{name}`", type_of(below), "yes" if name in required else "", self._words(below))
            for name, below in schema.get("properties", {}).items()
        ]
        if rows:
            yield Table(("Field", "Type", "Required", "Description"), tuple(rows))

    def _words(self, schema: Any) -> str:
        """Return what a field is: its own words, or those of the one thing that it refers to."""
        if words := described(schema):
            return words
        parts = schema.get("anyOf", [schema]) if isinstance(schema, dict) else []
        parts = [part for part in parts if part != {"type": "null"}]
        if len(parts) == 1 and "$ref" in parts[0]:
            return described(self._target(parts[0]))
        return ""

    def _target(self, schema: Schema) -> Schema:
        if "allOf" in schema:
            return self._target(schema["allOf"][0])
        return self._followed(schema)


def weft() -> Reference:
    """Return the reference of Weft's own contract."""
    return Reference(document("3.1"), prefix="/v1", examples=EXAMPLES)


def call_line(operation: Described) -> str:
    """Return how Python calls an operation, laid out as a formatter would."""
    parameters = operation.node["parameters"]
    given = [snake(each["name"]) for each in parameters if each["in"] == "path"]
    if "requestBody" in operation.node:
        given.append("body={...}")
    given += [f"{snake(each['name'])}=..." for each in parameters if each["in"] == "query"]
    name, arguments = f"client.{snake(operation.id)}", ", ".join(given)
    line = f"{name}({arguments})"
    return line if len(line) <= LINE else f"{name}(\n    {arguments}\n)"


def _example(operation: Described, example: Example) -> Iterator[Block]:
    target = re.sub(r"{(\w+)}", lambda name: example.ids.get(name[1], name[0]), operation.path)
    if example.query:
        pairs = (f"{name}={quote(value)}" for name, value in example.query)
        target = f"{target}?{'&'.join(pairs)}"
    request = f"{operation.method} {target}"
    if example.file is not None:
        request += f"\nContent-Type: {MEDIA_TYPE}; boundary={BOUNDARY}\n\n{example.form}"
    elif example.body is not None:
        request += f"\nContent-Type: {JSON}\n\n{laid_out(example.body)}"
    yield Words(f"{example.summary}:")
    yield Code("http", request)
    if isinstance(example.answer, str):
        yield Code("text", example.answer.rstrip("\n"))
    elif example.answer is not None:
        yield Code("json", laid_out(example.answer))


def _content(kind: str, schema: Any) -> str:
    """Return what an answer holds: JSON by its type, anything else by its kind."""
    if JSON in kind:
        return type_of(schema)
    is_named = isinstance(schema, dict) and "$ref" in schema
    return f"`{kind}` of {type_of(schema)}" if is_named else f"`{kind}`"


def _code(value: str | None) -> str:
    return "null" if value is None else f"`{value}`"

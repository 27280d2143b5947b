"""An API's own description: from an OpenAPI 3.0 or 3.1 document to operations that can be called.

Names become Python's: an operation id in snake case, a parameter without the
brackets of `include[]`. Everything a reference (`$ref`) stands for is looked up
within the document.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, cast
from urllib.parse import unquote

from weft.client.errors import BadDescription
from weft.client.schemas import Node, modern
from weft.wire.names import snake

Place: TypeAlias = Literal["path", "query", "header", "cookie"]

JSON = "application/json"
EVENTS = "text/event-stream"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
IDEMPOTENCY_KEY = "idempotency-key"
# What a call takes beside the parameters of its operation.
OPTIONS = frozenset({"self", "operation", "body", "stream", "save_to", "timeout", "headers"})
# The real service spelt one of its operations wrong: it can be called by its proper name too.
TWINS = {"submitToolOuputsToRun": "submitToolOutputsToRun"}

# OpenAPI tells to ignore them: they are made of the body, the answers and the security.
_NOT_PARAMETERS = frozenset({"accept", "content-type", "authorization"})
_STYLES = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}


class Parameter(NamedTuple):
    """A parameter: its name on the wire and its keyword in Python."""

    name: str
    keyword: str
    place: Place
    is_required: bool
    schema: Node
    style: str
    explode: bool
    is_json: bool
    text: str = ""


class Body(NamedTuple):
    """What an operation takes as its body.

    Of a form, `encoding` says how single fields are written, and `files` which of them are files.
    """

    schema: Node
    media_type: str
    is_required: bool
    encoding: Node
    files: frozenset[str]


class Operation(NamedTuple):
    """One operation. `server` is where it stands if not below the base URL.

    `is_binary`: it answers with bytes as they are, whatever their type.
    """

    id: str
    name: str
    method: str
    path: str
    server: str | None
    parameters: tuple[Parameter, ...]
    body: Body | None
    answer: Node | None
    is_list: bool
    is_binary: bool
    is_streamed: bool
    stream_switch: Literal["body", "query"] | None
    text: str

    @property
    def is_repeatable(self) -> bool:
        """Whether it does no harm to send it twice: by its method, or by its Idempotency-Key."""
        return self.method not in ("POST", "PATCH") or self.takes_key

    @property
    def takes_key(self) -> bool:
        """Whether it knows the header `Idempotency-Key`."""
        return any(
            each.place == "header" and each.name.lower() == IDEMPOTENCY_KEY
            for each in self.parameters
        )

    def takes(self, place: Place, name: str) -> bool:
        """Say whether there is a parameter of this name on the wire."""
        return any(each.place == place and each.name == name for each in self.parameters)


class Description:
    """A document and its operations.

    `types` are the structs of its schemas by name, `event_types` those of the data of events by
    what an event's name begins with; without them answers are plain dicts.
    """

    def __init__(
        self,
        document: Node,
        types: Mapping[str, type] | None = None,
        event_types: Mapping[str, type] | None = None,
    ) -> None:
        """Read a document.

        Raises: BadDescription when it is not OpenAPI 3.0 or 3.1.
        """
        version = str(document.get("openapi", "without a version"))
        if not version.startswith(("3.0", "3.1")):
            raise BadDescription(f"This is not OpenAPI 3.0 or 3.1 (openapi: {version}).")
        self.document: Node = modern(document)
        self.types = types or {}
        self.event_types = event_types or {}
        self.operations: dict[str, Operation] = {}
        self._by_name: dict[str, Operation] = {}
        for operation in self._read():
            self.operations[operation.id] = operation
            for name in (operation.id, TWINS.get(operation.id, operation.id)):
                self._by_name.update({name: operation, snake(name): operation})

    def find(self, name: str) -> Operation:
        """Return the operation with this id, written as in the document or in snake case.

        Raises: BadDescription when there is none.
        """
        found = self._by_name.get(name)
        if found is None:
            import difflib

            near = difflib.get_close_matches(name, self._by_name, 3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise BadDescription(f"There is no operation '{name}'.{hint}")
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def follow(self, node: Any) -> Node:
        """Return what stands behind a node that may be a reference.

        Raises: BadDescription for a reference that leads nowhere, round in a circle or elsewhere.
        """
        passed = set()
        while isinstance(node, dict) and isinstance(reference := node.get("$ref"), str):
            if not reference.startswith("#/") or reference in passed:
                raise BadDescription(f"The reference {reference} leads to nothing in the document.")
            passed.add(reference)
            node = self._target(reference)
        if not isinstance(node, dict):
            raise BadDescription("The document has something else where an object belongs.")
        return node

    def _target(self, reference: str) -> Any:
        node: Any = self.document
        try:
            for part in reference.removeprefix("#/").split("/"):
                name = unquote(part).replace("~1", "/").replace("~0", "~")
                node = node[int(name)] if isinstance(node, list) else node[name]
        except (KeyError, IndexError, ValueError, TypeError):
            raise BadDescription(
                f"The reference {reference} leads to nothing in the document."
            ) from None
        return node

    # --- reading --------------------------------------------------------------------------------

    def _read(self) -> Iterator[Operation]:
        for path, node in self.document.get("paths", {}).items():
            item = self.follow(node)
            for method in item:
                if method in METHODS:
                    yield self._operation(method, path, item, item[method])

    def _operation(self, method: str, path: str, item: Node, described: Node) -> Operation:
        id_ = described.get("operationId") or f"{method}_{path}"
        servers = described.get("servers") or item.get("servers")
        body = self._body(described)
        responses = self._success(described)
        answer = _json_of(responses)
        is_streamed = EVENTS in responses
        parameters = self._parameters(item, described)
        switch: Literal["body", "query"] | None = None
        if is_streamed:
            if body is not None and "stream" in self.follow(body.schema).get("properties", {}):
                switch = "body"
            elif any(each.place == "query" and each.name == "stream" for each in parameters):
                switch = "query"
        return Operation(
            id=id_,
            name=snake(id_),
            method=method.upper(),
            path=path,
            server=server_url(servers[0]) if servers else None,
            parameters=tuple(parameters),
            body=body,
            answer=answer,
            is_list=method == "get" and answer is not None and self._is_list(answer),
            is_binary=any(map(self._is_binary, responses, responses.values())),
            is_streamed=is_streamed,
            stream_switch=switch,
            text=described.get("summary") or described.get("description") or "",
        )

    def _parameters(self, item: Node, described: Node) -> list[Parameter]:
        """Return the parameters of a path and of its operation, which has the last word."""
        found: dict[tuple[str, str], Parameter] = {}
        for node in (*item.get("parameters", ()), *described.get("parameters", ())):
            parameter = _parameter(self.follow(node))
            if parameter.name.lower() not in _NOT_PARAMETERS:
                found[parameter.place, parameter.name] = parameter
        taken: set[str] = set()
        unique = []
        for parameter in found.values():
            name = parameter.keyword
            while name in taken:
                name = f"{parameter.place}_{name}"
            taken.add(name)
            unique.append(parameter._replace(keyword=name))
        return unique

    def _body(self, described: Node) -> Body | None:
        if "requestBody" not in described:
            return None
        node = self.follow(described["requestBody"])
        content = node.get("content", {})
        media_type = next((kind for kind in content if _is_json(kind)), next(iter(content), JSON))
        media = content.get(media_type, {})
        schema = media.get("schema", {})
        is_form = media_type.startswith("multipart/")
        fields = self._fields(schema) if is_form else ()
        files = frozenset(name for name, field in fields if self._is_file(self.follow(field)))
        is_required = bool(node.get("required", False))
        return Body(schema, media_type, is_required, media.get("encoding", {}), files)

    def _fields(self, schema: Node) -> Iterator[tuple[str, Any]]:
        """Yield the fields of an object, also those of its parts."""
        found = self.follow(schema)
        yield from found.get("properties", {}).items()
        for part in found.get("allOf", ()):
            yield from self._fields(part)

    def _is_file(self, schema: Node) -> bool:
        """Say whether a field of a form is a file, or a list of files."""
        return _is_bytes(schema) or ("items" in schema and _is_bytes(self.follow(schema["items"])))

    def _success(self, described: Node) -> Node:
        """Return the content of the first answer that is a success."""
        responses = described.get("responses", {})
        for status in sorted(responses, key=lambda status: (status == "default", status)):
            if status.startswith("2") or status == "default":
                return cast("Node", self.follow(responses[status]).get("content", {}))
        return {}

    def _is_binary(self, media_type: str, media: Node) -> bool:
        if not _is_json(media_type) and not media_type.startswith("text/"):
            return True
        return _is_bytes(self.follow(media.get("schema", {})))

    def _is_list(self, schema: Node) -> bool:
        properties = self.follow(schema).get("properties", {})
        if "next_page" in properties:
            return False  # its pages have names of their own, and no id to go on from
        kind = self.follow(properties.get("object", {}))
        says_so = kind.get("const") == "list" or kind.get("enum") == ["list"]
        return "data" in properties and ("has_more" in properties or says_so)


def _parameter(node: Node) -> Parameter:
    place = node["in"]
    style = node.get("style") or _STYLES[place]
    content = node.get("content", {})
    described = next(iter(content.values()), node)
    return Parameter(
        name=node["name"],
        keyword=_keyword(node["name"]),
        place=place,
        is_required=bool(node.get("required")),
        schema=described.get("schema", {}),
        style=style,
        explode=node.get("explode", style in ("form", "deepObject")),
        is_json=bool(content),
        text=node.get("description", ""),
    )


def _json_of(content: Node) -> Node | None:
    for kind, media in content.items():
        if _is_json(kind):
            schema: Node | None = media.get("schema")
            return schema
    return None


def _is_bytes(schema: Node) -> bool:
    """Say whether a schema means bytes as they are, in the words of OpenAPI 3.0 or of 3.1."""
    is_raw = "contentMediaType" in schema and "contentEncoding" not in schema
    return schema.get("format") == "binary" or is_raw


def _is_json(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return kind == JSON or kind.endswith("+json")


def server_url(server: Node) -> str:
    """Return the address of a server with its variables at their defaults."""
    variables = server.get("variables", {})
    return re.sub(
        r"\{([^}]*)\}",
        lambda found: str(variables.get(found[1], {}).get("default", found[0])),
        str(server.get("url", "/")),
    )


def _keyword(name: str) -> str:
    """Return the keyword for a parameter: `include[]` is `include`, `from` is `from_`."""
    word = snake(name)
    return f"{word}_" if word in OPTIONS else word

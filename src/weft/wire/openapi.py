"""The OpenAPI document, made from the table of operations and their structs.

It is written in OpenAPI 3.1; `openapi_30` translates it for older tools. What the
real service never had is marked `x-weft-extension`.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from weft.domain import __version__
from weft.wire.body import Body
from weft.wire.example_objects import IDS, Example
from weft.wire.examples import EXAMPLES
from weft.wire.failures import (
    BAD_REQUEST,
    FAILURES,
    FORBIDDEN,
    INTERNAL,
    NOT_FOUND,
    RANGE,
    TOO_LARGE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Failure,
)
from weft.wire.form import MEDIA_TYPE, Form
from weft.wire.openapi_30 import as_30
from weft.wire.openapi_headers import HEADERS, PARAMETERS
from weft.wire.operation import Operation
from weft.wire.operations import PATH_IDS, TABLE
from weft.wire.run_requests import FollowQuery
from weft.wire.runs import RunObject
from weft.wire.schemas import REF, Schema, schemas
from weft.wire.shapes import ErrorResponse, Response
from weft.wire.stream_events import STREAM_EVENTS

VERSION = "3.1.0"

_JSON = "application/json"
_BYTES = "application/octet-stream"
_OF_BYTES = ("Range", "IfRange", "IfNoneMatch")  # the headers of requests for them
_EVENTS = "text/event-stream"
_STREAM = "AssistantStreamEvent"

_TAGS = {
    "Threads": "Conversations. A thread keeps its messages in order until it is deleted.",
    "Messages": "What users and assistants said in a thread.",
    "Assistants": "A model with instructions and tools, ready to answer in any thread.",
    "Runs": "An assistant answering in a thread, step by step.",
    "Vector stores": "Files that can be searched, by clients and by runs.",
    "Files": "What clients upload. A file keeps its bytes until it is deleted or expires.",
    "Uploads": "Large files that arrive in parts.",
    "Models": "The models that the server is configured for.",
    "Server": "What the server says of itself; needs no key.",
}

_DESCRIPTION = (
    "The Threads API that you host yourself. Clients of the Assistants API work with it when "
    "their base URL is changed. Every error has the body `ErrorResponse`, every answer the "
    "header `x-request-id`, under which the server's log knows the request."
)


class Health(Response):
    """The server is well."""

    status: Literal["ok"]


def document(version: str) -> dict[str, Any]:
    """Return the contract as an OpenAPI document of a version: "3.1" or "3.0".

    Raises: ValueError for another version.
    """
    if version not in ("3.0", "3.1"):
        raise ValueError(f"no OpenAPI {version}: 3.0 or 3.1")
    paths: dict[str, Any] = {}
    for operation in TABLE:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    described: dict[str, Any] = {
        "openapi": VERSION,
        "info": {
            "title": "Weft",
            "summary": "The Threads API that you host yourself.",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
            "version": __version__,
        },
        "servers": _servers(),
        # A server on which no key was made yet takes requests without one.
        "security": [{"bearer": []}, {"apiKey": []}, {}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": {**paths, **_server_paths()},
        "components": _components(),
    }
    return described if version == "3.1" else as_30(described)


def _servers() -> list[dict[str, Any]]:
    return [
        {"url": "/v1", "description": "As the OpenAI SDKs expect it."},
        {"url": "/openai/v1", "description": "The same, for Azure's v1 API."},
        {"url": "/openai", "description": "The same, for the AzureOpenAI clients."},
        {
            "url": "/api/projects/{project}",
            "description": "The same, for azure-ai-agents.",
            "variables": {
                "project": {"default": "default", "description": "The project of the key."}
            },
        },
    ]


# --- operations -------------------------------------------------------------------------------


def _operation(operation: Operation) -> dict[str, Any]:
    failures = [BAD_REQUEST, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND]
    parameters = [*_path_parameters(operation), *_query_parameters(operation.query)]
    if operation.query is FollowQuery:
        parameters.append({"$ref": "#/components/parameters/LastEventId"})
    if operation.response is None:
        failures.append(RANGE)
        parameters += [{"$ref": f"#/components/parameters/{name}"} for name in _OF_BYTES]
    if operation.method == "POST":
        failures.append(TOO_LARGE)
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
    }
    if parameters:
        described["parameters"] = parameters
    examples = [example for example in EXAMPLES if example.operation_id == operation.id]
    if operation.body is not None:
        described["requestBody"] = _request_body(operation.body, examples)
    described["responses"] = {
        **_successes(operation, examples),
        **_failed(*failures, INTERNAL, UNAVAILABLE),
    }
    if operation.is_extension:
        described["x-weft-extension"] = True
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            **_path_parameter(name),
            "example": IDS[name],
        }
        for name in names
    ]


def _path_parameter(name: str) -> dict[str, Any]:
    """Return what a path parameter is: an identifier of its kind, or a name."""
    what = name.removesuffix("_id").replace("_", " ")
    if name == "file_id":
        # Whatever it is: of one that is no identifier there is no file either.
        return {"description": "The file.", "schema": {"type": "string"}}
    if name not in PATH_IDS:
        return {"description": f"The name of the {what}.", "schema": {"type": "string"}}
    begins = PATH_IDS[name]
    return {
        "description": f"The {what}: an identifier that begins with `{begins}`.",
        "schema": {"type": "string", "pattern": f"^{begins}"},
    }


def _query_parameters(query: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    properties = schemas([query])[query.__name__]["properties"]
    return [_query_parameter(name, schema) for name, schema in properties.items()]


def _query_parameter(name: str, schema: Schema) -> dict[str, Any]:
    """Describe a parameter: it is left out where the struct has null."""
    schema = dict(schema)
    parameter = {"name": name, "in": "query", "description": schema.pop("description")}
    if isinstance(schema.get("type"), list):
        schema["type"] = schema["type"][0]
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "$ref" in schema:
        parameter = {**parameter, "style": "deepObject", "explode": True}
    if schema.get("type") == "array":
        parameter["name"] = f"{name}[]"
    return {**parameter, "schema": schema}


def _request_body(body: Body[Any, Any] | Form[Any], examples: list[Example]) -> dict[str, Any]:
    schema = _reference(body.struct)
    if isinstance(body, Form):
        media: dict[str, Any] = {"schema": schema, "examples": _forms(examples)}
        if body.objects:
            styled = {"style": "deepObject", "explode": True}
            media["encoding"] = dict.fromkeys(body.objects, styled)
        return {"required": True, "content": {MEDIA_TYPE: media}}
    if body.restore is not None:
        schema = {"anyOf": [schema, _restoring(body.restore)]}
    shown = {
        example.name: {"summary": example.summary, "value": example.body} for example in examples
    }
    content: dict[str, Any] = {"schema": schema}
    if shown:
        content["examples"] = shown
    return {"required": body.required, "content": {_JSON: content}}


def _forms(examples: list[Example]) -> dict[str, Any]:
    """Return examples of a form, with the text of the file in its place."""
    shown = {}
    for example in examples:
        file = {example.file.field: example.file.text} if example.file else {}
        value = {**(example.body or {}), **file}
        shown[example.name] = {"summary": example.summary, "value": value}
    return shown


def _restoring(struct: type[msgspec.Struct]) -> Schema:
    """Return the schema of a body that restores: it does so only if it brings an id."""
    (field,) = [field for field in msgspec.structs.fields(struct) if field.name == "id"]
    if field.required:
        return _reference(struct)
    brings_id = {"properties": {"id": {"type": "string"}}, "required": ["id"]}
    return {"allOf": [_reference(struct), brings_id]}


def _reference(struct: type[msgspec.Struct]) -> Schema:
    return {"$ref": REF.format(name=struct.__name__)}


def _successes(operation: Operation, examples: list[Example]) -> dict[str, Any]:
    """Describe what may come back when all is well, by status."""
    if operation.response is not None:
        return {"200": _success(operation, operation.response, examples)}
    return {
        "200": _bytes("The whole file.", examples=examples),
        "206": _bytes("The range that was asked for.", "Content-Range"),
        "304": _unchanged(),
    }


def _bytes(description: str, *headers: str, examples: Iterable[Example] = ()) -> dict[str, Any]:
    described = _response(description, {})
    for header in ("Content-Disposition", "ETag", *headers):
        name = header.replace("-", "")
        described["headers"][header] = {"$ref": f"#/components/headers/{name}"}
    media: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
    if shown := _shown(examples):
        media["examples"] = shown
    return {**described, "content": {_BYTES: media}}


def _unchanged() -> dict[str, Any]:
    """Describe the answer to a client that has the bytes: it has no body."""
    described = _response("The client has this content already.", {})
    del described["content"]
    described["headers"]["ETag"] = {"$ref": "#/components/headers/ETag"}
    return described


def _success(
    operation: Operation, struct: type[msgspec.Struct], examples: list[Example]
) -> dict[str, Any]:
    """Describe a success: JSON, and the events of a run where a client may ask for them."""
    shown = _shown(example for example in examples if isinstance(example.answer, dict))
    described = _response(
        (struct.__doc__ or "").partition("\n")[0],
        {"schema": _reference(struct), "examples": shown},
    )
    if struct is RunObject:
        poll = {"$ref": "#/components/headers/PollAfterMs"}
        described["headers"] = {**described["headers"], "openai-poll-after-ms": poll}
    if operation.is_streamed:
        described["content"][_EVENTS] = {"schema": {"$ref": REF.format(name=_STREAM)}}
        streams = _shown(example for example in examples if isinstance(example.answer, str))
        if streams:
            described["content"][_EVENTS]["examples"] = streams
    return described


def _shown(examples: Iterable[Example]) -> dict[str, Any]:
    return {
        example.name: {"summary": example.summary, "value": example.answer} for example in examples
    }


def _response(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {"x-request-id": {"$ref": "#/components/headers/RequestId"}},
        "content": {_JSON: content},
    }


def _failed(*failures: Failure) -> dict[str, Any]:
    return {
        failure.status: {"$ref": f"#/components/responses/{failure.name}"}
        for failure in sorted(failures, key=lambda failure: failure.status)
    }


# --- what the server says of itself -----------------------------------------------------------


def _server_paths() -> dict[str, Any]:
    """Describe the paths that stand beside the API, not under its prefix."""
    health = {"schema": _reference(Health), "examples": {"ok": {"value": {"status": "ok"}}}}
    described = {
        "/healthz": _meta_operation(
            "getHealth",
            "Is the process alive?",
            "Answers as long as the process runs.",
            _response("It is.", health),
        ),
        "/readyz": _meta_operation(
            "getReadiness",
            "Can it serve?",
            "Answers when the database does too.",
            _response("It can.", health),
            UNAVAILABLE,
        ),
        "/openapi.json": _meta_operation(
            "getOpenApi",
            "Read the contract",
            "This document.",
            _response("An OpenAPI document.", {"schema": {"type": "object"}}),
            BAD_REQUEST,
        ),
    }
    described["/openapi.json"]["get"]["parameters"] = [
        {
            "name": "version",
            "in": "query",
            "description": "3.0 is for tools that cannot read 3.1.",
            "schema": {"type": "string", "enum": ["3.0", "3.1"], "default": "3.1"},
        }
    ]
    return described


def _meta_operation(
    operation_id: str, summary: str, description: str, success: dict[str, Any], *failures: Failure
) -> dict[str, Any]:
    return {
        "servers": [{"url": "/", "description": "Not under a prefix."}],
        "get": {
            "operationId": operation_id,
            "tags": ["Server"],
            "summary": summary,
            "description": description,
            "security": [],
            "responses": {"200": success, **_failed(*failures, INTERNAL)},
            "x-weft-extension": True,
        },
    }


# --- components -------------------------------------------------------------------------------


def _components() -> dict[str, Any]:
    structs: list[type[msgspec.Struct]] = [ErrorResponse, Health, *STREAM_EVENTS]
    for operation in TABLE:
        if operation.response is not None:
            structs.append(operation.response)
        if operation.body is not None:
            structs += filter(None, (operation.body.struct, operation.body.restore))
    return {
        "schemas": dict(sorted({**schemas(dict.fromkeys(structs)), _STREAM: _stream()}.items())),
        "parameters": PARAMETERS,
        "responses": {failure.name: _failure_response(failure) for failure in FAILURES},
        "headers": HEADERS,
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key made by `weft keys create`.",
            },
            "apiKey": {
                "type": "apiKey",
                "in": "header",
                "name": "api-key",
                "description": "The same key, as Azure's clients send it.",
            },
        },
    }


def _stream() -> Schema:
    return {
        "description": "One frame of a stream of server-sent events, its lines `event` and `data` "
        "as fields. On the wire a frame is the lines `id:` (the number of the event, from 1), "
        "`event:` and `data:` (JSON on one line) and an empty line; the last one, `done`, has no "
        "number. A line that begins with a colon is a comment that keeps the connection alive. "
        "Events may be added: ignore those that you do not know.",
        "oneOf": [_reference(struct) for struct in STREAM_EVENTS],
    }


def _failure_response(failure: Failure) -> dict[str, Any]:
    shown = {}
    for name, error in failure.errors.items():
        fields = {key: getattr(error, key) for key in ("message", "type", "param", "code")}
        shown[name] = {"value": {"error": fields}}
    content = {"schema": _reference(ErrorResponse), "examples": shown}
    return _response(failure.description, content)

"""The OpenAPI document, made from the table of operations and their structs.

It is written in OpenAPI 3.1; `openapi_30` translates it for older tools. What the
real service never had is marked `x-weft-extension`.
"""

from typing import Any, Literal, NamedTuple

import msgspec

from weft.domain import __version__
from weft.domain.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    BodyTooLarge,
    Forbidden,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from weft.wire.body import Body
from weft.wire.examples import EXAMPLES, IDS, THREAD_ID, Example
from weft.wire.openapi_30 import as_30
from weft.wire.operations import PATH_IDS, TABLE, Operation
from weft.wire.schemas import REF, Schema, schemas
from weft.wire.shapes import ErrorResponse, Response

VERSION = "3.1.0"

_JSON = "application/json"
_EVENTS = "text/event-stream"

_TAGS = {
    "Threads": "Conversations. A thread keeps its messages in order until it is deleted.",
    "Messages": "What users and assistants said in a thread.",
    "Assistants": "A model with instructions and tools, ready to answer in any thread.",
    "Runs": "An assistant answering in a thread, step by step.",
    "Models": "The models that assistants and runs can name.",
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


class _Failure(NamedTuple):
    """An answer that is not a success, under its name among the components."""

    name: str
    description: str
    errors: dict[str, ApiError]

    @property
    def status(self) -> str:
        return str(next(iter(self.errors.values())).status)


_BAD_REQUEST = _Failure(
    "BadRequest",
    "The request is not lawful: `param` says where it is wrong, `code` how. Nothing was changed.",
    {
        "missing": BadRequest.missing_parameter("role"),
        "unknown": BadRequest.unknown_parameter("messages[0].file_ids"),
        "too_long": BadRequest.string_length("metadata.note", "maximum", 512, 513),
        "other_id": BadRequest.id_prefix("thread_id", "undefined", "thread"),
        "already_exists": AlreadyExists.object("thread", THREAD_ID, "id"),
    },
)
_UNAUTHENTICATED = _Failure(
    "Unauthenticated",
    "No API key, or one that is unknown or revoked.",
    {
        "no_key": Unauthenticated.no_key(),
        "wrong_key": Unauthenticated.wrong_key("sk-weft-0123456789abcdef"),
    },
)
_FORBIDDEN = _Failure(
    "Forbidden",
    "A server without keys answers to this machine only, and to no foreign web page.",
    {
        "web_page": Forbidden(
            "Without an API key this server does not answer other web pages. "
            "Create a key with: weft keys create"
        )
    },
)
_NOT_FOUND = _Failure(
    "NotFound",
    "There is no such object in the project of the key, or the path names another project.",
    {"object": NotFound.object("thread", THREAD_ID)},
)
_TOO_LARGE = _Failure(
    "BodyTooLarge",
    "The body is larger than the server accepts.",
    {"too_large": BodyTooLarge(32 * 1024 * 1024)},
)
_INTERNAL = _Failure(
    "InternalError",
    "The server failed; its log says why under the request id.",
    {"internal": ApiError.internal("req_00000000000000000000000000000000")},
)
_UNAVAILABLE = _Failure(
    "Unavailable",
    "The database cannot serve now. Nothing was stored; try again after `retry-after` seconds.",
    {"disk_full": Unavailable("The server's disk is full; nothing was stored. Try again later.")},
)
_FAILURES = (
    _BAD_REQUEST,
    _UNAUTHENTICATED,
    _FORBIDDEN,
    _NOT_FOUND,
    _TOO_LARGE,
    _INTERNAL,
    _UNAVAILABLE,
)


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
    failures = [_BAD_REQUEST, _UNAUTHENTICATED, _FORBIDDEN, _NOT_FOUND]
    parameters = [*_path_parameters(operation), *_query_parameters(operation.query)]
    if operation.method == "POST":
        failures.append(_TOO_LARGE)
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
        "200": _success(operation, examples),
        **_failed(*failures, _INTERNAL, _UNAVAILABLE),
    }
    if operation.is_extension:
        described["x-weft-extension"] = True
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    return [_path_parameter(name) for name in names]


def _path_parameter(name: str) -> dict[str, Any]:
    schema, described = {"type": "string"}, f"The name of the {name}."
    if name in PATH_IDS:
        described = (
            f"The {name.removesuffix('_id')}: an identifier that begins with `{PATH_IDS[name]}`."
        )
        schema["pattern"] = f"^{PATH_IDS[name]}"
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": described,
        "schema": schema,
        "example": IDS[name],
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
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "$ref" in schema:
        parameter = {**parameter, "style": "deepObject", "explode": True}
    if schema.get("type") == "array":
        parameter["name"] = f"{name}[]"
    return {**parameter, "schema": schema}


def _request_body(body: Body[Any, Any], examples: list[Example]) -> dict[str, Any]:
    schema = _reference(body.struct)
    if body.restore is not None:
        schema = {"anyOf": [schema, _restoring(body.restore)]}
    shown = {
        example.name: {"summary": example.summary, "value": example.body} for example in examples
    }
    content: dict[str, Any] = {"schema": schema}
    if shown:
        content["examples"] = shown
    return {"required": body.required, "content": {_JSON: content}}


def _restoring(struct: type[msgspec.Struct]) -> Schema:
    """Return the schema of a body that restores: it does so only if it brings an id."""
    (field,) = [field for field in msgspec.structs.fields(struct) if field.name == "id"]
    if field.required:
        return _reference(struct)
    brings_id = {"properties": {"id": {"type": "string"}}, "required": ["id"]}
    return {"allOf": [_reference(struct), brings_id]}


def _reference(struct: type[msgspec.Struct]) -> Schema:
    return {"$ref": REF.format(name=struct.__name__)}


def _success(operation: Operation, examples: list[Example]) -> dict[str, Any]:
    shown = {
        example.name: {"summary": example.summary, "value": example.answer} for example in examples
    }
    struct = operation.response
    content: dict[str, Any] = {"schema": _reference(struct)}
    if shown:
        content["examples"] = shown
    success = _response((struct.__doc__ or "").partition("\n")[0], content)
    if operation.is_streamed:
        success["content"][_EVENTS] = {
            "schema": {"type": "string", "description": "The run's events as they happen."}
        }
    return success


def _response(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {"x-request-id": {"$ref": "#/components/headers/RequestId"}},
        "content": {_JSON: content},
    }


def _failed(*failures: _Failure) -> dict[str, Any]:
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
            _UNAVAILABLE,
        ),
        "/openapi.json": _meta_operation(
            "getOpenApi",
            "Read the contract",
            "This document.",
            _response("An OpenAPI document.", {"schema": {"type": "object"}}),
            _BAD_REQUEST,
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
    operation_id: str, summary: str, description: str, success: dict[str, Any], *failures: _Failure
) -> dict[str, Any]:
    return {
        "servers": [{"url": "/", "description": "Not under a prefix."}],
        "get": {
            "operationId": operation_id,
            "tags": ["Server"],
            "summary": summary,
            "description": description,
            "security": [],
            "responses": {"200": success, **_failed(*failures, _INTERNAL)},
            "x-weft-extension": True,
        },
    }


# --- components -------------------------------------------------------------------------------


def _components() -> dict[str, Any]:
    structs: list[type[msgspec.Struct]] = [ErrorResponse, Health]
    for operation in TABLE:
        structs.append(operation.response)
        if operation.body is not None:
            structs += filter(None, (operation.body.struct, operation.body.restore))
    return {
        "schemas": schemas(dict.fromkeys(structs)),
        "parameters": {"IdempotencyKey": _idempotency_key()},
        "responses": {failure.name: _failure_response(failure) for failure in _FAILURES},
        "headers": {
            "RequestId": {
                "description": "`req_` and 32 hexadecimal digits; the server's log has it too.",
                "schema": {"type": "string", "pattern": "^req_[0-9a-f]{32}$"},
            }
        },
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


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes it safe to repeat the request: within 24 hours the same key with "
        "the same body brings the first answer again and changes nothing; with another body it "
        "is an error.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    }


def _failure_response(failure: _Failure) -> dict[str, Any]:
    shown = {}
    for name, error in failure.errors.items():
        fields = {key: getattr(error, key) for key in ("message", "type", "param", "code")}
        shown[name] = {"value": {"error": fields}}
    content = {"schema": _reference(ErrorResponse), "examples": shown}
    return _response(failure.description, content)

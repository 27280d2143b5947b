"""Our document says of the operations that the official one has what the official one says.

The official facts stand in `official`. What Weft adds stands here, one by one.
"""

import json
from pathlib import Path

import pytest

from tests.contract import official, official_files, official_runs, official_vector_stores
from tests.contract.documents import (
    answer_schema,
    every_node,
    name_of,
    operation,
    operations,
    parameters,
    properties_in,
    request_schema,
    required_in,
    target,
)
from tests.contract.official import OfficialOperation
from weft.api.app import functions
from weft.wire.openapi import document
from weft.wire.operations import TABLE

OURS = document("3.1")

OFFICIAL = Path(__file__).parents[3] / "shared/reference/assistants.openapi.json"

_TABLES = (official, official_runs, official_files, official_vector_stores)
OPERATIONS = tuple(each for table in _TABLES for each in table.OPERATIONS)
SCHEMAS = {name: each for table in _TABLES for name, each in table.SCHEMAS.items()}

# Properties that the real service had on the wire and its document did not name.
_HYBRID = (
    "tools[].file_search.ranking_options.hybrid_search",
    "tools[].file_search.ranking_options.hybrid_search.embedding_weight",
    "tools[].file_search.ranking_options.hybrid_search.text_weight",
)
_DETAILS = (
    "usage.prompt_token_details",
    "usage.prompt_token_details.cached_tokens",
    "usage.completion_tokens_details",
    "usage.completion_tokens_details.reasoning_tokens",
)
_ON_RUNS = {
    "reasoning_effort",
    "tool_resources",
    "tool_resources.code_interpreter",
    "tool_resources.code_interpreter.file_ids",
    "tool_resources.file_search",
    "tool_resources.file_search.vector_store_ids",
    *_DETAILS,
    *_HYBRID,
}
_ON_STEPS = {
    "expires_at",
    "step_details.tool_calls[].file_search.results[].attributes",
    *_DETAILS,
}
ON_THE_WIRE = {
    "CreateRunRequest": {*_HYBRID},
    "CreateThreadAndRunRequest": {"reasoning_effort", *_HYBRID},
    "RunObject": _ON_RUNS,
    "ListRunsResponse": {f"data[].{name}" for name in _ON_RUNS},
    "RunStepObject": _ON_STEPS,
    "ListRunStepsResponse": {f"data[].{name}" for name in _ON_STEPS},
    "CreateAssistantRequest": {*_HYBRID},
    "ModifyAssistantRequest": {*_HYBRID},
    "CreateVectorStoreRequest": {"description"},
    "VectorStoreObject": {"description"},
    "ListVectorStoresResponse": {"data[].description"},
    "AssistantObject": {"reasoning_effort", *_HYBRID},
    "ListAssistantsResponse": {
        "data[].reasoning_effort",
        *(f"data[].{name}" for name in _HYBRID),
    },
}
# Properties of calls that nothing executes yet, and of models that are withdrawn.
_CODE = "step_details.tool_calls[].code_interpreter"
NOT_YET = {
    "RunStepObject": (_CODE,),
    "ListRunStepsResponse": (f"data[].{_CODE}",),
    "Model": ("shutdown_date",),
    "ListModelsResponse": ("data[].shutdown_date",),
}
# What Weft adds to official operations and bodies.
ADDED_PARAMETERS = {"getRun": {"stream", "starting_after"}}
OURS_TOO = ("/threads", "/assistants", "/models", "/files", "/uploads", "/vector_stores")
ADDED_PROPERTIES = {
    "CreateRunRequest": {"queue_when_busy"},
    "CreateFileRequest": {"filename"},  # azure-ai-agents sends it
}
NOT_OFFERED = {"deleteModel"}  # it deleted models that the client had trained
EXTENSIONS = {"listThreads", "getHealth", "getReadiness", "getOpenApi"}

each_operation = pytest.mark.parametrize("official", OPERATIONS, ids=lambda each: each.id)
each_schema = pytest.mark.parametrize("name", sorted(SCHEMAS))


@each_operation
def test_an_official_operation_stands_at_its_method_and_path(official: OfficialOperation) -> None:
    described = OURS["paths"][official.path][official.method.lower()]
    assert described["operationId"] == official.id


@each_operation
def test_an_official_operation_takes_its_parameters(official: OfficialOperation) -> None:
    described = operation(OURS, official.id)
    assert parameters(OURS, described, "path") == list(official.path_parameters)
    added = ADDED_PARAMETERS.get(official.id, set())
    assert set(parameters(OURS, described, "query")) == added | set(official.query_parameters)


@each_operation
def test_an_official_operation_takes_and_gives_its_schemas(official: OfficialOperation) -> None:
    described = operation(OURS, official.id)
    body = request_schema(described)
    first = body["anyOf"][0] if body is not None and "anyOf" in body else body
    assert (None if first is None else name_of(first)) == official.request
    assert name_of(answer_schema(described)) == official.response


@each_schema
def test_a_schema_has_exactly_the_official_properties_and_those_seen_on_the_wire(
    name: str,
) -> None:
    ours = properties_in(OURS, OURS["components"]["schemas"][name])
    expected = SCHEMAS[name].properties | ON_THE_WIRE.get(name, set())
    not_yet = {each for each in expected if each.startswith(NOT_YET.get(name, ()))}
    assert bool(not_yet) is (name in NOT_YET)
    assert ours == (expected - not_yet) | ADDED_PROPERTIES.get(name, set())


@each_schema
def test_a_request_requires_what_is_official_and_an_answer_that_at_least(name: str) -> None:
    ours = required_in(OURS, OURS["components"]["schemas"][name])
    if name.endswith("Request"):
        assert ours == SCHEMAS[name].required
    else:
        assert ours >= SCHEMAS[name].required


def test_what_is_not_official_is_marked_as_an_extension() -> None:
    official = {each.id for each in OPERATIONS}
    for *_, described in operations(OURS):
        is_marked = described.get("x-weft-extension", False)
        assert is_marked is (described["operationId"] not in official)
        assert is_marked is (described["operationId"] in EXTENSIONS)


def test_every_operation_has_exactly_one_function() -> None:
    found = functions()
    assert list(found) == [each.id for each in TABLE]
    assert len(set(found.values())) == len(TABLE)


def test_every_operation_of_the_table_is_in_the_document() -> None:
    described = {each["operationId"] for *_, each in operations(OURS)}
    assert described == {each.id for each in TABLE} | {"getHealth", "getReadiness", "getOpenApi"}


def test_every_reference_leads_somewhere() -> None:
    for version in ("3.0", "3.1"):
        ours = document(version)
        for node in every_node(ours):
            if "$ref" in node:
                assert target(ours, node["$ref"])


def test_every_request_forbids_properties_that_it_does_not_know() -> None:
    for name, schema in OURS["components"]["schemas"].items():
        if name.endswith("Request"):
            assert schema["additionalProperties"] is False, name


def test_every_field_says_what_it_is() -> None:
    for name, schema in OURS["components"]["schemas"].items():
        assert schema["description"], name
        for field, below in schema.get("properties", {}).items():
            others = [part for part in below.get("anyOf", [below]) if part != {"type": "null"}]
            is_said = below.get("description") or "const" in below
            assert is_said or (len(others) == 1 and "$ref" in others[0]), f"{name}.{field}"


def test_patterns_are_those_of_the_schema_language_and_not_of_python() -> None:
    patterns = [
        each["pattern"] for each in every_node(OURS) if isinstance(each.get("pattern"), str)
    ]
    assert "^thread_[A-Za-z0-9_-]{1,64}$" in patterns
    assert not [pattern for pattern in patterns if "(?" in pattern]


def test_enumerations_stand_in_their_declared_order() -> None:
    effort = OURS["components"]["schemas"]["AssistantObject"]["properties"]["reasoning_effort"]
    assert effort["enum"] == ["none", "minimal", "low", "medium", "high", "xhigh", "max", None]


if OFFICIAL.exists():
    _document = json.loads(OFFICIAL.read_text(encoding="utf-8"))

    def test_the_table_names_every_official_operation_on_these_paths() -> None:
        found = {
            (described["operationId"], method, path)
            for method, path, described in operations(_document)
            if path.startswith(OURS_TOO) and described["operationId"] not in NOT_OFFERED
        }
        assert found == {(each.id, each.method, each.path) for each in OPERATIONS}

    @each_operation
    def test_the_table_has_the_official_parameters_and_schemas(
        official: OfficialOperation,
    ) -> None:
        described = operation(_document, official.id)
        assert parameters(_document, described, "path") == list(official.path_parameters)
        assert parameters(_document, described, "query") == list(official.query_parameters)
        body = request_schema(described)
        assert (None if body is None else name_of(body)) == official.request
        assert name_of(answer_schema(described)) == official.response

    @each_schema
    def test_the_table_has_the_official_properties(name: str) -> None:
        schema = _document["components"]["schemas"][name]
        assert properties_in(_document, schema) == SCHEMAS[name].properties
        assert required_in(_document, schema) == SCHEMAS[name].required

"""The document is lawful OpenAPI, in 3.1 and in 3.0, and the server serves it."""

from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from tests.contract.documents import (
    JSON,
    Node,
    every_node,
    followed,
    media_of,
    operations,
    target,
)
from tests.harness import Server, api_of
from weft.wire.openapi import document
from weft.wire.openapi_30 import schema_30

VERSIONS = ("3.1", "3.0")

# Words of JSON Schema and of OpenAPI 3.1 that OpenAPI 3.0 does not have.
UNKNOWN_TO_30 = {"const", "propertyNames", "if", "prefixItems", "$defs", "webhooks"}


def _is_lawful(version: str, schema: Node, value: Any) -> bool:
    """Validate with a validator that knows the version's own rules (`nullable`)."""
    known = OAS30Validator if version == "3.0" else OAS31Validator
    whole = {"allOf": [schema], "components": document(version)["components"]}
    return bool(known(whole).is_valid(value))


def test_the_document_is_lawful_openapi_31() -> None:
    ours = document("3.1")
    assert ours["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(ours).validate()


def test_the_document_is_lawful_openapi_30() -> None:
    ours = document("3.0")
    assert ours["openapi"] == "3.0.3"
    OpenAPIV30SpecValidator(ours).validate()


def test_there_is_no_other_version() -> None:
    with pytest.raises(ValueError, match=r"3\.0 or 3\.1"):
        document("2.0")


def test_30_says_null_with_nullable_beside_a_type_and_31_with_the_type() -> None:
    for node in every_node(document("3.0")):
        assert not isinstance(node.get("type"), list)
        assert node.get("type") != "null"
        if node.get("nullable") is True:
            assert isinstance(node["type"], str)
    assert not [node for node in every_node(document("3.1")) if "nullable" in node]


def test_30_uses_no_word_that_it_does_not_have() -> None:
    for node in every_node(document("3.0")):
        assert not UNKNOWN_TO_30 & set(node)
        assert not ("$ref" in node and len(node) > 1), "nothing may stand beside a reference"


def test_30_has_one_example_where_31_has_several() -> None:
    for version, word in (("3.1", "examples"), ("3.0", "example")):
        ours = document(version)
        media = ours["paths"]["/threads"]["post"]["requestBody"]["content"][JSON]
        assert set(media) == {"schema", word}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("schema", "value", "is_lawful"),
    [
        ("CreateThreadRequest", {}, True),
        ("CreateThreadRequest", {"messages": None, "tool_resources": None}, True),
        ("CreateThreadRequest", {"metadata": None}, True),
        ("CreateThreadRequest", {"metadata": {"key": None}}, False),
        ("CreateThreadRequest", {"metadata": {"key": "x" * 513}}, False),
        ("CreateThreadRequest", {"metadata": {str(i): "" for i in range(17)}}, False),
        ("CreateThreadRequest", {"messages": [{"role": "system", "content": "x"}]}, False),
        ("CreateThreadRequest", {"title": "x"}, False),
        ("RestoreThreadRequest", {"id": "thread_1", "object": None}, True),
        ("RestoreThreadRequest", {"id": "thread_1", "object": "thread.message"}, False),
        ("CreateMessageRequest", {"role": "user", "content": ""}, False),
        ("CreateMessageRequest", {"role": "user", "content": None}, False),
        ("CreateAssistantRequest", {"model": "m", "reasoning_effort": None}, True),
        ("CreateAssistantRequest", {"model": "m", "reasoning_effort": "huge"}, False),
        ("CreateAssistantRequest", {"model": "m", "response_format": None}, True),
        ("CreateAssistantRequest", {"model": "m", "response_format": "auto"}, True),
        ("CreateAssistantRequest", {"model": "m", "temperature": 2.5}, False),
        ("ErrorResponse", {"error": {"message": "", "type": "", "param": None}}, False),
    ],
)
def test_both_versions_allow_and_refuse_the_same(
    version: str, schema: str, value: Any, is_lawful: bool
) -> None:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    assert _is_lawful(version, reference, value) is is_lawful


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_is_restored_only_by_a_body_with_an_id(version: str) -> None:
    described = document(version)["paths"]["/threads/{thread_id}/messages"]["post"]
    schema = described["requestBody"]["content"][JSON]["schema"]
    message = {"role": "user", "content": "", "status": "completed"}
    assert not _is_lawful(version, schema, message)
    assert not _is_lawful(version, schema, {**message, "id": None})
    assert _is_lawful(version, schema, {**message, "id": "msg_1"})


def test_30_makes_an_exclusive_bound_a_flag() -> None:
    assert schema_30({"type": "number", "exclusiveMinimum": 0}) == {
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
    }


def test_every_operation_names_the_errors_that_it_may_answer() -> None:
    ours = document("3.1")
    for method, path, described in operations(ours):
        errors = set(described["responses"]) - {"200"}
        if described["tags"] == ["Server"]:
            assert errors <= {"400", "500", "503"}
            continue
        usual = {"400", "401", "403", "404", "500", "503"}
        if "206" in errors:
            errors -= {"206", "304"}  # no errors: a part of a file, and one that is known
            usual.add("416")
        assert errors == (usual | {"413"} if method == "POST" else usual), path
        for status in errors:
            answer = followed(ours, described["responses"][status])
            assert answer["content"][JSON]["schema"] == {
                "$ref": "#/components/schemas/ErrorResponse"
            }


def test_examples_of_errors_carry_the_status_under_which_they_stand() -> None:
    ours = document("3.1")
    internal = target(ours, "#/components/responses/InternalError")
    (shown,) = internal["content"][JSON]["examples"].values()
    assert shown["value"]["error"]["type"] == "server_error"
    refused = target(ours, "#/components/responses/BadRequest")
    for shown in refused["content"][JSON]["examples"].values():
        assert shown["value"]["error"]["type"] == "invalid_request_error"


def test_a_key_goes_into_either_of_two_headers() -> None:
    schemes = document("3.1")["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "api-key")


def test_metadata_is_searched_in_the_form_of_a_deep_object() -> None:
    described = document("3.1")["paths"]["/threads"]["get"]["parameters"]
    (found,) = [each for each in described if each["name"] == "metadata"]
    assert (found["style"], found["explode"]) == ("deepObject", True)


def test_every_post_takes_an_idempotency_key() -> None:
    for method, path, described in operations(document("3.1")):
        has_key = {"$ref": "#/components/parameters/IdempotencyKey"} in described.get(
            "parameters", []
        )
        assert has_key is (method == "POST"), path


def test_an_answer_that_is_a_run_may_say_when_to_ask_again_and_no_other() -> None:
    ours = document("3.1")
    for *_, described in operations(ours):
        success = described["responses"]["200"]
        has_header = "openai-poll-after-ms" in success["headers"]
        schema = media_of(success)["schema"]
        assert has_header is (schema == {"$ref": "#/components/schemas/RunObject"})


def test_a_run_is_followed_behind_an_event_that_a_header_or_a_parameter_names() -> None:
    ours = document("3.1")
    described = ours["paths"]["/threads/{thread_id}/runs/{run_id}"]["get"]["parameters"]
    found = {each["name"]: each for each in (followed(ours, each) for each in described)}
    assert found["Last-Event-ID"]["in"] == "header"
    assert found["starting_after"]["schema"]["minimum"] == 0
    assert found["stream"]["schema"]["enum"] == ["true", "false"]


def test_the_server_serves_the_document_in_both_versions(server: Server) -> None:
    with api_of(server, prefix="") as api:
        assert api.ok("GET", "/openapi.json") == document("3.1")
        assert api.ok("GET", "/openapi.json", params={"version": "3.1"}) == document("3.1")
        assert api.ok("GET", "/openapi.json", params={"version": "3.0"}) == document("3.0")
        status, error = api.error("GET", "/openapi.json", params={"version": "2.0"})
        assert (status, error["param"], error["code"]) == (400, "version", "invalid_value")

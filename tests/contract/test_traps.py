"""The known traps of the official document, by their number on the behaviour page (section 17).

Those that speak of files and vector stores (5 and 8) wait for these operations.
"""

from typing import Any

import jsonschema_rs
import pytest
from openapi_schema_validator import OAS30Validator

from tests.contract.checker import check_events
from tests.contract.documents import (
    Node,
    answer_schema,
    every_node,
    followed,
    media_of,
    name_of,
    operation,
    operations,
    request_schema,
)
from weft.api.app import functions
from weft.wire.openapi import document

EVENTS = "text/event-stream"
STEP_STATUSES = ("in_progress", "completed", "failed", "cancelled", "expired")
MESSAGE_STATUSES = ("in_progress", "completed", "incomplete")

OURS = document("3.1")
SCHEMAS = OURS["components"]["schemas"]


def _validator(schema: Node) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": OURS["components"]})


def _allows(name: str, value: Any) -> bool:
    return _validator({"$ref": f"#/components/schemas/{name}"}).is_valid(value)


def test_1_null_is_a_type_and_every_field_that_may_be_null_allows_it() -> None:
    assert not [node for node in every_node(OURS) if "nullable" in node]
    nothing = {"messages": None, "metadata": None, "tool_resources": None}
    assert _allows("CreateThreadRequest", nothing)
    assert _allows("ModifyThreadRequest", {"metadata": None, "tool_resources": None})
    assert not _allows("CreateMessageRequest", {"role": None, "content": "x"})


def test_2_an_attachment_requires_its_file_and_the_list_requires_nothing() -> None:
    message = {"role": "user", "content": "x"}
    tools = [{"type": "code_interpreter"}]
    assert _allows("CreateMessageRequest", {**message, "attachments": []})
    assert _allows(
        "CreateMessageRequest", {**message, "attachments": [{"file_id": "file-1", "tools": tools}]}
    )
    assert not _allows("CreateMessageRequest", {**message, "attachments": [{"tools": tools}]})
    for schema in (SCHEMAS["CreateMessageRequest"], SCHEMAS["MessageObject"]):
        assert "required" not in schema["properties"]["attachments"]


@pytest.mark.parametrize(
    "name",
    [
        "ListThreadsResponse",
        "ListMessagesResponse",
        "ListAssistantsResponse",
        "ListRunsResponse",
        "ListRunStepsResponse",
    ],
)
def test_3_an_empty_page_has_null_as_its_first_and_last_id(name: str) -> None:
    empty: Node = {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    assert _allows(name, empty)


def test_4_a_message_always_has_the_fields_that_say_whether_it_is_complete() -> None:
    fields = {"status", "incomplete_details", "incomplete_at", "completed_at"}
    assert fields <= set(SCHEMAS["MessageObject"]["required"])
    for example in _examples("createMessage"):
        assert fields <= set(example)


def test_1_and_3_what_is_not_set_of_a_run_may_be_null() -> None:
    (run, *_) = _examples("createRun")
    nothing = {"instructions", "required_action", "last_error", "usage", "reasoning_effort"}
    assert _allows("RunObject", {**run, **dict.fromkeys(nothing)})
    left_out = ("tools", "metadata", "max_prompt_tokens", "truncation_strategy", "tool_choice")
    settings = {"assistant_id": "asst_1", **dict.fromkeys(left_out)}
    assert _allows("CreateRunRequest", settings)
    assert _allows("CreateThreadAndRunRequest", {**settings, "thread": None})


def test_4_a_run_and_a_step_always_have_every_field() -> None:
    for name in ("RunObject", "RunStepObject"):
        assert SCHEMAS[name]["required"] == list(SCHEMAS[name]["properties"])
    assert {"required_action", "last_error", "usage"} <= set(SCHEMAS["RunObject"]["required"])
    assert {"expires_at", "expired_at", "metadata"} <= set(SCHEMAS["RunStepObject"]["required"])


def test_6_operations_that_may_stream_declare_it_and_no_others() -> None:
    streaming = set()
    for *_, described in operations(OURS):
        content = described["responses"]["200"]["content"]
        if EVENTS in content:
            streaming.add(described["operationId"])
            assert name_of(content[EVENTS]["schema"]) == "AssistantStreamEvent"
    assert streaming == {"createRun", "createThreadAndRun", "getRun", "submitToolOuputsToRun"}


def test_6_every_event_of_the_real_service_is_described() -> None:
    names = [
        name
        for part in SCHEMAS["AssistantStreamEvent"]["oneOf"]
        for name in _constants(followed(OURS, part)["properties"]["event"])
    ]
    assert len(names) == len(set(names))
    statuses = set(SCHEMAS["RunObject"]["properties"]["status"]["enum"])
    assert set(names) == {
        "thread.created",
        *(f"thread.run.{status}" for status in {"created", *statuses}),
        *(f"thread.run.step.{what}" for what in ("created", "delta", *STEP_STATUSES)),
        *(f"thread.message.{what}" for what in ("created", "delta", *MESSAGE_STATUSES)),
        "error",
        "done",
    }


def test_7_the_operation_id_keeps_its_typo_and_so_does_its_function() -> None:
    path = "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs"
    assert OURS["paths"][path]["post"]["operationId"] == "submitToolOuputsToRun"
    assert functions()["submitToolOuputsToRun"].__name__ == "submit_tool_ouputs_to_run"
    assert "submitToolOutputsToRun" not in functions()


def test_9_metadata_has_its_limits_in_the_schema() -> None:
    assert _allows("Metadata", {f"{i}".rjust(64, "k"): "v" * 512 for i in range(16)})
    assert not _allows("Metadata", {str(i): "" for i in range(17)})
    assert not _allows("Metadata", {"k" * 65: ""})
    assert not _allows("Metadata", {"k": "v" * 513})
    assert not _allows("Metadata", {"k": 1})
    assert not _allows("Metadata", {"k": "\0"})
    assert not _allows("Metadata", {"\0": "v"})
    for name in (
        "CreateThreadRequest",
        "ThreadObject",
        "MessageObject",
        "AssistantObject",
        "CreateRunRequest",
        "RunObject",
    ):
        assert "Metadata" in str(SCHEMAS[name]["properties"]["metadata"])


def test_10_only_the_body_of_a_new_thread_may_be_left_out() -> None:
    required = {
        described["operationId"]: described["requestBody"]["required"]
        for *_, described in operations(OURS)
        if "requestBody" in described
    }
    assert [name for name, is_required in required.items() if not is_required] == ["createThread"]


@pytest.mark.parametrize(
    "operation_id", [described["operationId"] for *_, described in operations(OURS)]
)
def test_11_every_example_fits_the_schema_beside_which_it_stands(operation_id: str) -> None:
    described = operation(OURS, operation_id)
    contents = [described["requestBody"]["content"]] if "requestBody" in described else []
    answers = [followed(OURS, each) for each in described["responses"].values()]
    contents += [answer["content"] for answer in answers if "content" in answer]
    for content in contents:
        media = media_of({"content": content})
        for example in media.get("examples", {}).values():
            _validator(media["schema"]).validate(example["value"])


def test_11_every_operation_has_an_example_of_what_it_takes_and_gives() -> None:
    for *_, described in operations(OURS):
        operation_id = described["operationId"]
        if operation_id != "getOpenApi":
            assert _examples(operation_id), operation_id
        if "requestBody" in described:
            assert media_of(described["requestBody"])["examples"]


def test_11_every_example_of_30_fits_its_schema_too() -> None:
    ours = document("3.0")
    for *_, described in operations(ours):
        pairs = [(request_schema(described), described.get("requestBody"))]
        pairs += [(answer_schema(described), described["responses"]["200"])]
        for schema, place in pairs:
            if place is not None and "example" in media_of(place):
                whole = {"allOf": [schema], "components": ours["components"]}
                OAS30Validator(whole).validate(media_of(place)["example"])


def test_11_every_example_of_a_stream_is_one() -> None:
    shown = [
        example["value"]
        for *_, described in operations(OURS)
        for example in described["responses"]["200"]["content"]
        .get(EVENTS, {})
        .get("examples", {})
        .values()
    ]
    assert shown
    for stream in shown:
        assert check_events(stream.encode())


def test_12_no_schema_uses_the_recursive_words_of_another_draft() -> None:
    for node in every_node(OURS):
        assert not {"$recursiveRef", "$recursiveAnchor", "$dynamicRef"} & set(node)


def test_13_nothing_is_deprecated() -> None:
    assert not [node for node in every_node(OURS) if node.get("deprecated")]


def test_14_the_fields_that_were_only_on_the_wire_are_in_the_schema() -> None:
    assert "reasoning_effort" in SCHEMAS["AssistantObject"]["required"]
    hybrid = {"hybrid_search": {"embedding_weight": 1, "text_weight": 0.5}}
    tool = {"type": "file_search", "file_search": {"ranking_options": hybrid}}
    assert _allows("CreateAssistantRequest", {"model": "m", "tools": [tool]})
    assert "reasoning_effort" in SCHEMAS["RunObject"]["required"]
    details = {"prompt_token_details", "completion_tokens_details"}
    assert details <= set(SCHEMAS["Usage"]["required"])
    assert "hybrid_search" in SCHEMAS["RankingOptions"]["required"]


def _examples(operation_id: str) -> list[Any]:
    media = media_of(operation(OURS, operation_id)["responses"]["200"])
    return [example["value"] for example in media["examples"].values()]


def _constants(schema: Node) -> list[str]:
    return list(schema["enum"]) if "enum" in schema else [schema["const"]]

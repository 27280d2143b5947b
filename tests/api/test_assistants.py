"""Assistants: what they are given, and what the service makes of it."""

import re
import time
from typing import Any

import pytest

from tests.api.making import an_assistant, as_wire, everything, ids
from tests.api.storing import a_store
from tests.harness import Api

DEFAULT_RANKING = {
    "ranker": "default_2024_08_21",
    "score_threshold": 0.0,
    "hybrid_search": None,
}
FUNCTION = {
    "name": "get_weather",
    "description": "Says how the weather is.",
    "parameters": {"type": "object", "properties": {"wo": {"type": "string"}}, "x": [1, 1.0, None]},
    "strict": True,
}


def test_an_assistant_needs_only_a_model_and_shows_every_default(api: Api) -> None:
    earliest = int(time.time())
    answer = api.call("POST", "/assistants", {"model": "any name"})
    made = answer.json()
    assert re.fullmatch(r"asst_[A-Za-z0-9]{24}", made["id"])
    assert made["created_at"] in range(earliest, int(time.time()) + 1)
    assert answer.content == (
        b'{"id":"%b","object":"assistant","created_at":%d,"name":null,"description":null,'
        b'"model":"any name","instructions":null,"tools":[],"top_p":1.0,"temperature":1.0,'
        b'"reasoning_effort":null,"tool_resources":{},"metadata":{},"response_format":"auto"}'
        % (made["id"].encode(), made["created_at"])
    )
    assert api.call("GET", f"/assistants/{made['id']}").content == answer.content


def test_an_assistant_keeps_all_that_it_is_given(files: list[str], api: Api) -> None:
    given: dict[str, Any] = {
        "name": "Wetterfrosch 🐸",
        "description": "d" * 512,
        "model": "demo",
        "instructions": "ü" * 1000,
        "tools": [{"type": "function", "function": FUNCTION}],
        "top_p": 0.25,
        "temperature": 2,
        "reasoning_effort": "xhigh",
        "tool_resources": {"code_interpreter": {"file_ids": files[:1]}},
        "metadata": {"a": "b"},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
    }
    answer = api.call("POST", "/assistants", given)
    made = answer.json()
    assert {name: made[name] for name in given} == given
    assert b'"temperature":2.0,' in answer.content
    assert "Wetterfrosch 🐸".encode() in answer.content
    assert answer.content == as_wire(made)


def test_null_means_not_set_when_an_assistant_is_made(api: Api) -> None:
    bare = api.ok("POST", "/assistants", {"model": "m"})
    unset = dict.fromkeys(
        (
            *("name", "description", "instructions", "reasoning_effort", "tools"),
            *("tool_resources", "metadata", "temperature", "top_p", "response_format"),
        )
    )
    made = api.ok("POST", "/assistants", {"model": "m", **unset})
    same = {"id": bare["id"], "created_at": bare["created_at"]}
    assert {**made, **same} == bare


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"type": "code_interpreter"}, {"type": "code_interpreter"}),
        (
            {"type": "file_search"},
            {"type": "file_search", "file_search": {"ranking_options": DEFAULT_RANKING}},
        ),
        (
            {"type": "file_search", "file_search": {}},
            {"type": "file_search", "file_search": {"ranking_options": DEFAULT_RANKING}},
        ),
        (
            {
                "type": "file_search",
                "file_search": {
                    "max_num_results": 50,
                    "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
                },
            },
            {
                "type": "file_search",
                "file_search": {
                    "max_num_results": 50,
                    "ranking_options": {**DEFAULT_RANKING, "score_threshold": 0.5},
                },
            },
        ),
        (
            {"type": "function", "function": {"name": "f"}},
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "parameters": {"type": "object", "properties": {}},
                    "strict": False,
                },
            },
        ),
        (
            {"function": {**FUNCTION, "strict": None}, "type": "function"},
            {"type": "function", "function": {**FUNCTION, "strict": False}},
        ),
        (
            {"type": "function", "function": {**FUNCTION, "description": None}},
            {
                "type": "function",
                "function": {n: v for n, v in FUNCTION.items() if n != "description"},
            },
        ),
    ],
)
def test_a_tool_comes_back_with_every_default_written_out(
    api: Api, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    answer = api.call("POST", "/assistants", {"model": "m", "tools": [given]})
    assert as_wire([shown]) in answer.content
    (tool,) = answer.json()["tools"]
    assert as_wire(tool) == as_wire(shown)


@pytest.mark.parametrize(
    ("weights", "code"),
    [
        ({"embedding_weight": 1, "text_weight": -1}, "decimal_below_min_value"),
        ({"embedding_weight": 1e308, "text_weight": 1e308}, "decimal_above_max_value"),
    ],
)
def test_weights_of_which_no_mean_can_be_made_are_refused(
    api: Api, weights: dict[str, float], code: str
) -> None:
    """A run that searches with them could never end."""
    tool = {"type": "file_search", "file_search": {"ranking_options": {"hybrid_search": weights}}}
    status, error = api.error("POST", "/assistants", {"model": "demo", "tools": [tool]})
    assert (status, error["code"]) == (400, code)
    assert error["param"].startswith("tools[0].file_search.ranking_options.hybrid_search.")


def test_a_store_is_made_with_10_000_files_at_most(api: Api) -> None:
    """Those that are there are not even looked for."""
    helper = {"file_ids": ["file-none"] * 10_001}
    body = {"tool_resources": {"file_search": {"vector_stores": [helper]}}}
    for path, more in (("/threads", {}), ("/assistants", {"model": "demo"})):
        status, error = api.error("POST", path, {**body, **more})
        assert (status, error["code"]) == (400, "array_above_max_length")
        assert error["param"] == "tool_resources.file_search.vector_stores[0].file_ids"


@pytest.mark.parametrize(
    ("tools", "given", "shown"),
    [
        ([], None, {}),
        ([{"type": "function", "function": {"name": "f"}}], None, {}),
        ([{"type": "code_interpreter"}], None, {"code_interpreter": {"file_ids": []}}),
        ([{"type": "file_search"}], None, {"file_search": {"vector_store_ids": []}}),
        (
            [{"type": "code_interpreter"}, {"type": "file_search"}],
            {"file_search": {"vector_store_ids": []}},
            {
                "code_interpreter": {"file_ids": []},
                "file_search": {"vector_store_ids": []},
            },
        ),
    ],
)
def test_a_tool_brings_an_empty_list_of_what_it_works_on(
    api: Api, tools: Any, given: Any, shown: Any
) -> None:
    body = {"model": "m", "tools": tools, "tool_resources": given}
    assert api.ok("POST", "/assistants", body)["tool_resources"] == shown


@pytest.mark.parametrize(
    "response_format",
    [
        "auto",
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n"}},
        {
            "type": "json_schema",
            "json_schema": {
                "name": "n",
                "description": "d",
                "schema": {"a": [{}]},
                "strict": False,
            },
        },
    ],
)
def test_a_response_format_is_echoed_to_the_letter(api: Api, response_format: Any) -> None:
    answer = api.call("POST", "/assistants", {"model": "m", "response_format": response_format})
    assert answer.content.endswith(b'"response_format":' + as_wire(response_format) + b"}")


def test_modifying_changes_only_what_is_sent(api: Api) -> None:
    made = api.ok(
        "POST",
        "/assistants",
        {"model": "m", "name": "n", "temperature": 0.5, "metadata": {"a": "1", "b": "1"}},
    )
    now = api.ok(
        "POST",
        f"/assistants/{made['id']}",
        {"name": "other", "metadata": {"b": "2"}, "tools": [{"type": "code_interpreter"}]},
    )
    assert now == {
        **made,
        "name": "other",
        "metadata": {"a": "1", "b": "2"},
        "tools": [{"type": "code_interpreter"}],
        "tool_resources": {"code_interpreter": {"file_ids": []}},
    }
    assert list(now) == list(made)
    assert api.ok("GET", f"/assistants/{made['id']}") == now
    assert api.ok("POST", f"/assistants/{made['id']}", {}) == now


def test_lists_of_an_assistant_are_replaced_whole(files: list[str], api: Api) -> None:
    assistant_id = an_assistant(
        api,
        tools=[{"type": "code_interpreter"}, {"type": "function", "function": {"name": "f"}}],
        tool_resources={"code_interpreter": {"file_ids": files[:2]}},
    )
    now = api.ok(
        "POST",
        f"/assistants/{assistant_id}",
        {
            "tools": [{"type": "function", "function": {"name": "g"}}],
            "tool_resources": {"code_interpreter": {"file_ids": files[2:]}},
        },
    )
    assert [tool["function"]["name"] for tool in now["tools"]] == ["g"]
    assert now["tool_resources"] == {"code_interpreter": {"file_ids": files[2:]}}


def test_null_resets_what_can_be_reset_and_leaves_metadata(api: Api) -> None:
    bare: dict[str, Any] = {
        "name": None,
        "description": None,
        "instructions": None,
        "reasoning_effort": None,
        "tools": [],
        "tool_resources": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
    }
    made = api.ok(
        "POST",
        "/assistants",
        {
            "model": "m",
            "name": "n",
            "description": "d",
            "instructions": "i",
            "reasoning_effort": "low",
            "tools": [{"type": "file_search"}],
            "tool_resources": {"file_search": {"vector_store_ids": [a_store(api)]}},
            "temperature": 0.1,
            "top_p": 0.1,
            "metadata": {"a": "b"},
            "response_format": {"type": "text"},
        },
    )
    reset = api.call("POST", f"/assistants/{made['id']}", dict.fromkeys([*bare, "metadata"]))
    assert reset.json() == {**made, **bare}
    assert b'"top_p":1.0,"temperature":1.0,' in reset.content


def test_a_model_cannot_be_reset_and_stores_cannot_be_made_by_a_change(api: Api) -> None:
    path = f"/assistants/{an_assistant(api)}"
    status, error = api.error("POST", path, {"model": None})
    assert (status, error["param"], error["code"]) == (400, "model", "invalid_type")
    change: Any = {"tool_resources": {"file_search": {"vector_stores": []}}}
    status, error = api.error("POST", path, change)
    assert (status, error["code"]) == (400, "unknown_parameter")
    assert error["param"] == "tool_resources.file_search.vector_stores"


def test_the_limit_of_16_pairs_holds_for_an_assistants_merged_metadata(api: Api) -> None:
    path = f"/assistants/{an_assistant(api, metadata={f'k{i}': 'v' for i in range(16)})}"
    status, error = api.error("POST", path, {"metadata": {"more": "v"}})
    assert (status, error["code"]) == (400, "object_above_max_properties")


def test_a_deleted_assistant_is_gone(api: Api) -> None:
    assistant_id = an_assistant(api)
    path = f"/assistants/{assistant_id}"
    assert api.call("DELETE", path).content == as_wire(
        {"id": assistant_id, "object": "assistant.deleted", "deleted": True}
    )
    for method, body in (("GET", None), ("POST", {"name": "n"}), ("DELETE", None)):
        status, error = api.error(method, path, body)
        assert (status, error["message"]) == (404, f"No assistant found with id '{assistant_id}'.")
    assert assistant_id not in ids(everything(api, "/assistants", limit=100))


def test_an_assistant_takes_its_limits_counted_in_characters(files: list[str], api: Api) -> None:
    function = {"type": "function", "function": {"name": "n" * 64, "description": "ü" * 1024}}
    made = api.ok(
        "POST",
        "/assistants",
        {
            "model": "m",
            "name": "🐸" * 256,
            "description": "🐸" * 512,
            "instructions": "🐸" * 256_000,
            "tools": [function] * 128,
            "tool_resources": {"code_interpreter": {"file_ids": files[:1] * 20}},
        },
    )
    assert (len(made["instructions"]), len(made["tools"])) == (256_000, 128)

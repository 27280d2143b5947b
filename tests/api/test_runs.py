"""Runs: made, read, changed and ended as a client asks; what it sets reaches the model."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.making import a_message, a_thread, an_assistant, everything, ids
from tests.api.running import (
    DEMO,
    USER,
    Modelled,
    a_demo,
    a_function,
    a_run,
    asking,
    at_rest,
    messages_of,
    outputs_for,
    path_of,
    runs_of,
    said,
    steps_of,
)
from tests.harness import Api, Server, api_of
from tests.llm.upstream import text

SCHEMA = {"name": "answer", "schema": {"type": "object"}, "strict": True}
SETTINGS: dict[str, Any] = {
    "model": DEMO,
    "instructions": "Answer in one word.",
    "tools": [a_function("lend", book="string"), {"type": "code_interpreter"}],
    "metadata": {"question": "q_1"},
    "temperature": 0.5,
    "top_p": 0.25,
    "reasoning_effort": "high",
    "max_prompt_tokens": 5000,
    "max_completion_tokens": 256,
    "truncation_strategy": {"type": "last_messages", "last_messages": 3},
    "tool_choice": {"type": "function", "function": {"name": "lend"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": SCHEMA},
}
# As the service gave a declared function back: every default written out.
LEND = {**SETTINGS["tools"][0]["function"], "strict": False}
SETTINGS_READ = {
    **SETTINGS,
    "tools": [{"type": "function", "function": LEND}, {"type": "code_interpreter"}],
}
OF_THE_ASSISTANT = {
    name: SETTINGS[name]
    for name in (
        *("model", "instructions", "tools", "temperature", "top_p"),
        *("reasoning_effort", "response_format"),
    )
}
DEFAULTS: dict[str, Any] = {
    "instructions": None,
    "tools": [],
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "reasoning_effort": None,
    "max_completion_tokens": None,
    "max_prompt_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "response_format": "auto",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}
FIELDS = (
    *("id", "object", "created_at", "assistant_id", "thread_id", "status", "started_at"),
    *("expires_at", "cancelled_at", "failed_at", "completed_at", "required_action", "last_error"),
    *("model", "instructions", "tools", "tool_resources", "metadata", "temperature", "top_p"),
    *("reasoning_effort", "max_completion_tokens", "max_prompt_tokens", "truncation_strategy"),
    *("incomplete_details", "usage", "response_format", "tool_choice", "parallel_tool_calls"),
)


@pytest.fixture
def thread(api: Api) -> str:
    """A thread with a question."""
    return a_thread(api, messages=[USER])


# --- what is answered -------------------------------------------------------------------------


def test_a_run_that_is_not_streamed_is_answered_queued_with_every_default(
    api: Api, thread: str
) -> None:
    assistant = a_demo(api)
    run = a_run(api, thread, assistant)
    assert tuple(run) == FIELDS
    assert run == {
        **DEFAULTS,
        "id": run["id"],
        "object": "thread.run",
        "created_at": run["created_at"],
        "assistant_id": assistant,
        "thread_id": thread,
        "status": "queued",
        "expires_at": run["created_at"] + 600,
        "model": DEMO,
        **dict.fromkeys(("started_at", "cancelled_at", "failed_at", "completed_at")),
        **dict.fromkeys(("required_action", "last_error", "incomplete_details", "usage")),
    }
    assert run["id"].startswith("run_")
    assert len(run["id"]) == len("run_") + 24


def test_every_setting_is_given_back_when_it_is_made_read_and_listed(api: Api, thread: str) -> None:
    run = a_run(api, thread, a_demo(api), **SETTINGS)
    assert {name: run[name] for name in SETTINGS} == SETTINGS_READ
    read = at_rest(api, run)
    assert {name: read[name] for name in SETTINGS} == SETTINGS_READ
    assert api.ok("GET", runs_of(thread))["data"] == [read]


def test_what_a_run_does_not_set_comes_from_its_assistant(api: Api, thread: str) -> None:
    assistant = an_assistant(api, **OF_THE_ASSISTANT)
    run = a_run(api, thread, assistant)
    assert {name: run[name] for name in OF_THE_ASSISTANT} == {
        name: SETTINGS_READ[name] for name in OF_THE_ASSISTANT
    }
    nothing = dict.fromkeys(SETTINGS)
    again = a_run(api, a_thread(api, messages=[USER]), assistant, **nothing)
    own = set(run) - {"id", "created_at", "expires_at", "thread_id"}
    assert {name: again[name] for name in own} == {name: run[name] for name in own}


@pytest.mark.parametrize("setting", ["temperature", "top_p", "tools", "instructions"])
def test_zero_and_nothing_override_the_assistant(api: Api, thread: str, setting: str) -> None:
    assistant = an_assistant(api, **OF_THE_ASSISTANT)
    empty = {"temperature": 0, "top_p": 0, "tools": [], "instructions": ""}[setting]
    run = a_run(api, thread, assistant, **{setting: empty})
    assert run[setting] == empty
    assert at_rest(api, run)["status"] == "completed"


@pytest.mark.parametrize(
    ("of_the_assistant", "of_the_run", "additional", "told"),
    [
        ("Be brief.", None, "Be kind.", "Be brief.\nBe kind."),
        ("Be brief.", "Be long.", "Be kind.", "Be long.\nBe kind."),
        (None, None, "Be kind.", "Be kind."),
        ("Be brief.", None, "", "Be brief."),
    ],
)
def test_additional_instructions_stand_behind_the_others(
    api: Api,
    thread: str,
    of_the_assistant: str | None,
    of_the_run: str | None,
    additional: str,
    told: str,
) -> None:
    assistant = a_demo(api, instructions=of_the_assistant)
    body = {"instructions": of_the_run, "additional_instructions": additional}
    assert a_run(api, thread, assistant, **body)["instructions"] == told


def test_a_run_that_goes_on_says_when_to_ask_again_and_one_that_is_over_does_not(
    api: Api,
) -> None:
    run = asking(api, "lend")
    path = path_of(run)
    after = "openai-poll-after-ms"
    assert api.call("GET", path).headers[after] == "250"
    assert api.call("POST", path, {"metadata": {"a": "b"}}).headers[after] == "250"
    submitted = api.call("POST", f"{path}/submit_tool_outputs", outputs_for(run, "done"))
    assert submitted.headers[after] == "250"
    at_rest(api, run)
    assert after not in api.call("GET", path).headers
    assert after not in api.call("POST", path, {"metadata": {"a": "b"}}).headers
    made = api.call("POST", runs_of(run["thread_id"]), {"assistant_id": run["assistant_id"]})
    assert made.headers[after] == "250"
    cancelled = api.call("POST", f"{path_of(asking(api, 'lend'))}/cancel")
    assert cancelled.headers[after] == "250"


# --- what it does -----------------------------------------------------------------------------


def test_a_run_answers_and_says_when_it_did_and_what_it_used(api: Api, thread: str) -> None:
    run = a_run(api, thread, a_demo(api))
    done = at_rest(api, run)
    (step,) = steps_of(api, run)
    assert done["status"] == "completed"
    assert done["created_at"] <= done["started_at"] <= done["completed_at"]
    assert done["expires_at"] is None
    assert done["usage"] == step["usage"]
    usage = done["usage"]
    assert usage["prompt_tokens"] > 0 < usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert done["last_error"] is done["incomplete_details"] is done["required_action"] is None


def test_the_answer_is_a_message_of_the_run_and_the_step_names_it(api: Api, thread: str) -> None:
    run = at_rest(api, a_run(api, thread, a_demo(api)))
    question, answer = messages_of(api, run)
    assert (question["role"], question["run_id"]) == ("user", None)
    assert answer["role"] == "assistant"
    assert (answer["run_id"], answer["assistant_id"]) == (run["id"], run["assistant_id"])
    assert answer["status"] == "completed"
    assert said(answer).startswith("Hello! I am Weft's demo model")
    (step,) = steps_of(api, run)
    assert (step["type"], step["status"]) == ("message_creation", "completed")
    assert step["step_details"] == {
        "type": "message_creation",
        "message_creation": {"message_id": answer["id"]},
    }
    assert (step["run_id"], step["thread_id"]) == (run["id"], thread)
    assert step["expires_at"] is None
    assert messages_of(api, run, run_id=run["id"]) == [answer]
    path = f"{path_of(run)}/steps/{step['id']}"
    include = "step_details.tool_calls[*].file_search.results[*].content"
    for query in ({}, {"include[]": include}, {"include": include}):
        assert api.ok("GET", path, params=query) == step
        assert api.ok("GET", f"{path_of(run)}/steps", params=query)["data"] == [step]


def test_every_setting_reaches_the_model(modelled: Modelled) -> None:
    api, upstream = modelled
    upstream.play(text("Yes"))
    thread = a_thread(api, messages=[{"role": "user", "content": f"{n}"} for n in range(5)])
    body = {**SETTINGS, "model": "any-model", "additional_instructions": "Now."}
    extra = [{"role": "assistant", "content": "earlier"}, {"role": "user", "content": "last"}]
    run = a_run(api, thread, an_assistant(api), **body, additional_messages=extra)
    assert at_rest(api, run)["status"] == "completed"
    (call,) = upstream.calls
    assert call.headers["authorization"] == "Bearer sk-upstream"
    asked = call.body
    assert asked["model"] == "any-model"
    assert [(message["role"], message["content"]) for message in asked["messages"]] == [
        ("system", "Answer in one word.\nNow."),
        ("user", "4"),
        ("assistant", "earlier"),
        ("user", "last"),
    ]
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["lend"]
    assert asked["tools"][0]["function"]["parameters"] == LEND["parameters"]
    for name in ("temperature", "top_p", "reasoning_effort", "tool_choice"):
        assert asked[name] == SETTINGS[name], name
    assert asked["parallel_tool_calls"] is False
    assert asked["response_format"] == SETTINGS["response_format"]
    limits = {asked.get("max_completion_tokens"), asked.get("max_tokens")}
    assert 256 in limits


def test_the_model_reports_what_it_used(modelled: Modelled) -> None:
    api, upstream = modelled
    usage = {
        "prompt_tokens": 32,
        "completion_tokens": 11,
        "total_tokens": 43,
        "prompt_tokens_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    upstream.play(text("Yes", usage=usage))
    run = a_run(api, a_thread(api, messages=[USER]), an_assistant(api))
    assert at_rest(api, run)["usage"] == {
        "prompt_tokens": 32,
        "completion_tokens": 11,
        "total_tokens": 43,
        "prompt_token_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }


def test_a_model_that_no_endpoint_serves_fails_the_run_and_says_what_to_do(
    api: Api, thread: str
) -> None:
    run = at_rest(api, a_run(api, thread, an_assistant(api, model="gpt-4o")))
    assert run["status"] == "failed"
    assert run["failed_at"] >= run["created_at"]
    assert run["completed_at"] is run["expires_at"] is None
    assert run["last_error"]["code"] == "server_error"
    assert "gpt-4o" in run["last_error"]["message"]
    assert "weft.toml" in run["last_error"]["message"]
    assert steps_of(api, run) == []
    a_message(api, thread)  # the thread is free again


def test_additional_messages_come_ahead_of_the_answer(api: Api, thread: str) -> None:
    extra = [
        {"role": "assistant", "content": "Good day.", "metadata": {"n": "1"}},
        {"role": "user", "content": [{"type": "text", "text": "How many messages are there?"}]},
    ]
    run = a_run(api, thread, a_demo(api), additional_messages=extra)
    at_rest(api, run)
    found = messages_of(api, run)
    assert [one["role"] for one in found] == ["user", "assistant", "user", "assistant"]
    assert [one["run_id"] for one in found] == [None, None, None, run["id"]]
    assert found[1]["metadata"] == {"n": "1"}
    assert "3 messages" in said(found[3])
    nothing: list[Any] = []
    at_rest(api, a_run(api, thread, a_demo(api), additional_messages=nothing))
    assert len(messages_of(api, run)) == 5


# --- a thread and its run ---------------------------------------------------------------------


def test_a_thread_and_its_run_are_made_in_one_request(api: Api) -> None:
    given = {"messages": [USER], "metadata": {"user": "u1"}}
    body = {"assistant_id": a_demo(api), "thread": given, **SETTINGS}
    run = api.ok("POST", "/threads/runs", body)
    assert tuple(run) == FIELDS
    assert {name: run[name] for name in SETTINGS} == SETTINGS_READ
    thread = api.ok("GET", f"/threads/{run['thread_id']}")
    assert thread["metadata"] == {"user": "u1"}
    assert at_rest(api, run)["status"] == "requires_action"
    (message, *_) = messages_of(api, run)
    assert (said(message), message["run_id"]) == ("Hello", None)
    found = everything(api, "/threads", **{"metadata[user]": "u1"})
    assert run["thread_id"] in ids(found)


@pytest.mark.parametrize("has_own", [False, True])
def test_the_tool_resources_of_the_run_go_ahead_of_those_of_its_thread(
    api: Api, files: list[str], has_own: bool
) -> None:
    own = {"code_interpreter": {"file_ids": files[:1]}}
    of_the_run = {"code_interpreter": {"file_ids": files[1:]}} if has_own else None
    body = {
        "assistant_id": a_demo(api),
        "thread": {"messages": [USER], "tool_resources": own},
        "tool_resources": of_the_run,
    }
    run = api.ok("POST", "/threads/runs", body)
    thread = api.ok("GET", f"/threads/{run['thread_id']}")
    assert thread["tool_resources"] == (of_the_run or own)


def test_a_tool_that_the_run_brings_nothing_for_keeps_what_the_thread_brings(
    api: Api, files: list[str]
) -> None:
    store = api.ok("POST", "/vector_stores", {})["id"]
    for_code = {"code_interpreter": {"file_ids": files[:1]}}
    for_search = {"file_search": {"vector_store_ids": [store]}}
    for own, of_the_run in ((for_code, for_search), (for_search, for_code)):
        given = {"messages": [USER], "tool_resources": own}
        body = {"assistant_id": a_demo(api), "thread": given, "tool_resources": of_the_run}
        run = api.ok("POST", "/threads/runs", body)
        thread = api.ok("GET", f"/threads/{run['thread_id']}")
        assert thread["tool_resources"] == {**for_code, **for_search}


def test_a_thread_without_messages_runs_if_the_assistant_has_instructions(api: Api) -> None:
    run = api.ok("POST", "/threads/runs", {"assistant_id": a_demo(api, instructions="Greet.")})
    assert at_rest(api, run)["status"] == "completed"
    assert len(messages_of(api, run)) == 1


# --- models -----------------------------------------------------------------------------------


MODELS = """
[[models]]
match = "meta-llama/Llama-3.1"
url = "http://127.0.0.1:9/v1"

[[models]]
match = "gpt-*"
url = "http://127.0.0.1:9/v1"
"""


def test_names_of_models_may_hold_slashes_and_patterns_are_not_names(tmp_path: Path) -> None:
    (tmp_path / "weft.toml").write_text(MODELS, encoding="utf-8")
    with Server(tmp_path / "data") as server, api_of(server) as api:
        listed = api.ok("GET", "/models")["data"]
        assert ids(listed) == ["meta-llama/Llama-3.1", DEMO]
        assert api.ok("GET", "/models/meta-llama%2FLlama-3.1") == listed[0]
        plain = api.http.get("/v1/models/meta-llama/Llama-3.1")
        assert plain.json() == listed[0]
        _, error = api.error("GET", "/models/gpt-4o")
        assert error["code"] == "model_not_found"


def test_models_are_those_of_the_settings(api: Api) -> None:
    demo = {"id": DEMO, "object": "model", "created": 0, "owned_by": "weft"}
    assert api.ok("GET", "/models") == {"object": "list", "data": [demo]}
    assert api.ok("GET", f"/models/{DEMO}") == demo
    assert api.error("GET", "/models/fake_id") == (
        404,
        {
            "message": "The model 'fake_id' does not exist",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        },
    )

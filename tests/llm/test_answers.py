"""What comes of an answer, from an upstream that behaves and from many that do it their way."""

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.llm import upstream as up
from tests.llm.hearing import Hear, asked
from weft.llm.model import (
    ChatMessage,
    Finished,
    FunctionTool,
    ImagePart,
    TextDelta,
    TextPart,
    ToolCall,
    Usage,
)

WEATHER = FunctionTool("get_weather", "Tells the weather.", {"type": "object"}, strict=True)


def sent(hear: Hear, **fields: Any) -> dict[str, Any]:
    """Return the body that a request becomes."""
    body = hear(up.text("Hi"), request=asked("Hello", **fields)).seen[0].body
    assert isinstance(body, dict)
    return body


def test_a_text_comes_word_by_word_then_the_usage_then_the_end(hear: Hear) -> None:
    heard = hear(up.text("Hello my friend"))
    assert heard.deltas == [
        *(TextDelta("Hello"), TextDelta(" my"), TextDelta(" friend")),
        Usage(prompt_tokens=9, completion_tokens=3),
        Finished("stop"),
    ]


def test_details_of_the_usage_are_kept(hear: Hear) -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert hear(up.text("Hi", usage=up.USAGE | details)).usage == Usage(9, 3, 4, 2)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": 0}])
def test_a_server_that_does_not_count_has_no_usage(hear: Hear, usage: Any) -> None:
    heard = hear(up.text("Hi", usage=usage))
    assert (heard.usage, heard.text, heard.reason) == (None, "Hi", "stop")


def test_usage_in_every_chunk_is_reported_once_as_the_last_says(hear: Hear) -> None:
    counted = [
        up.chunk({"content": "Hi"}, usage={"prompt_tokens": 9, "completion_tokens": count})
        for count in (1, 2, 3)
    ]
    heard = hear(up.stream(*counted, up.chunk({}, finish="stop"), usage=None))
    assert heard.deltas[-2:] == [Usage(9, 3), Finished("stop")]


def test_a_refusal_is_told_from_a_text(hear: Hear) -> None:
    heard = hear(up.stream(up.chunk({"refusal": "I "}), up.chunk({"refusal": "won't."})))
    assert (heard.refusal, heard.text) == ("I won't.", "")


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("max_tokens", "length"),
        ("end_turn", "stop"),
        ("tool_calls", "stop"),  # without any call
    ],
)
def test_the_reason_is_one_of_four(hear: Hear, finish: str, reason: str) -> None:
    assert hear(up.text("Hi", finish=finish)).reason == reason


def test_done_without_a_reason_is_an_end(hear: Hear) -> None:
    assert hear(up.stream(up.chunk({"content": "Hi"}))).reason == "stop"


def test_a_reason_without_done_is_an_end(hear: Hear) -> None:
    last = up.chunk({"content": "Hi"}, finish="stop")
    assert hear(up.cut(last)).reason == "stop"


def test_a_server_that_keeps_talking_after_done_is_not_listened_to(hear: Hear) -> None:
    last = up.chunk({"content": "Hi"}, finish="stop")
    assert hear(up.silent(last, b"[DONE]"), timeout_s=60).reason == "stop"


def test_text_after_the_reason_is_not_lost(hear: Hear) -> None:
    chunks = up.chunk({"content": "Hi"}, finish="stop"), up.chunk({"content": " you"})
    assert hear(up.stream(*chunks)).text == "Hi you"


def test_thoughts_are_not_the_answer(hear: Hear) -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}]
    chunks = up.chunk({"reasoning_content": "Hm."}), up.chunk({"content": parts})
    assert hear(up.stream(*chunks)).text == "Hi"


def test_a_document_instead_of_a_stream_is_the_same_answer(hear: Hear) -> None:
    heard = hear(up.document("Hello my friend"))
    assert heard.deltas == [TextDelta("Hello my friend"), Usage(9, 3), Finished("stop")]


def test_empty_chunks_and_prefaces_mean_nothing(hear: Hear) -> None:
    preface: dict[str, Any] = {"prompt_filter_results": [], "choices": []}
    heard = hear(up.stream(preface, {}, up.chunk({"content": ""}), up.chunk({"content": "Hi"})))
    assert heard.text == "Hi"


# --- tool calls -----------------------------------------------------------------------------


def test_a_tool_call_comes_in_parts(hear: Hear) -> None:
    heard = hear(up.calls(("get_weather", '{"city": "Oslo"}')))
    assert heard.calls == [ToolCall("call_0", "get_weather", '{"city": "Oslo"}')]
    assert heard.reason == "tool_calls"


def test_parallel_tool_calls_are_told_apart(hear: Hear) -> None:
    heard = hear(up.calls(("get_weather", '{"city": "Oslo"}'), ("get_time", '{"zone": 1}')))
    assert [(call.id, call.name, call.arguments) for call in heard.calls] == [
        ("call_0", "get_weather", '{"city": "Oslo"}'),
        ("call_1", "get_time", '{"zone": 1}'),
    ]


def test_whole_calls_without_index_and_id_get_both(hear: Hear) -> None:
    heard = hear(up.whole_calls(("one", '{"a": 1}'), ("two", '{"b": 2}')))
    assert [(c.name, c.arguments) for c in heard.calls] == [
        ("one", '{"a": 1}'),
        ("two", '{"b": 2}'),
    ]
    assert len({call.id for call in heard.calls}) == 2
    assert heard.reason == "tool_calls"


def test_whole_calls_that_all_have_index_0_are_several(hear: Hear) -> None:
    parts = up.chunk(up.part(0, "a", "one", "{}")), up.chunk(up.part(0, "b", "two", "{}"))
    heard = hear(up.stream(*parts))
    assert [(call.id, call.name) for call in heard.calls] == [("a", "one"), ("b", "two")]


def test_parts_without_index_belong_to_the_last_call(hear: Hear) -> None:
    parts = [up.part(None, "a", "one", '{"x"'), up.part(None, said=": 1}")]
    parts += [up.part(None, "b", "two", "{"), up.part(None, said="}")]
    heard = hear(up.stream(*map(up.chunk, parts)))
    assert [call.arguments for call in heard.calls] == ['{"x": 1}', "{}"]


def test_repeated_names_and_ids_are_one_call(hear: Hear) -> None:
    parts = [up.part(0, "a", "one", '{"x"'), up.part(0, "a", "one", ": 1}")]
    heard = hear(up.stream(*map(up.chunk, parts)))
    assert heard.calls == [ToolCall("a", "one", '{"x": 1}')]


def test_indexes_that_do_not_count_from_0_are_counted_anew(hear: Hear) -> None:
    parts = [up.part(1, "a", "one", "{}"), up.part(3, "b", "two", "{"), up.part(3, said="}")]
    assert [call.name for call in hear(up.stream(*map(up.chunk, parts))).calls] == ["one", "two"]


def test_a_name_that_comes_late_is_waited_for(hear: Hear) -> None:
    parts = [up.part(0, "a"), up.part(0, said="{"), up.part(0, name="one", said="}")]
    assert hear(up.stream(*map(up.chunk, parts))).calls == [ToolCall("a", "one", "{}")]


def test_arguments_that_are_an_object_become_text(hear: Hear) -> None:
    call = {"function": {"name": "one", "arguments": {"x": 1}}}
    heard = hear(up.stream(up.chunk({"tool_calls": [call]})))
    assert [call.arguments for call in heard.calls] == ['{"x":1}']


def test_no_arguments_are_an_empty_object(hear: Hear) -> None:
    assert [call.arguments for call in hear(up.calls(("now", ""))).calls] == ["{}"]


def test_calls_that_the_limit_cut_off_are_not_held_against_json(hear: Hear) -> None:
    heard = hear(up.calls(("get_weather", '{"city": "Os'), finish="length"))
    assert heard.reason == "length"


# --- what is sent ---------------------------------------------------------------------------


def test_only_what_is_not_the_default_is_sent(hear: Hear) -> None:
    assert sent(hear, temperature=1.0, top_p=1.0, response_format={"type": "text"}) == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_everything_else_is_sent(hear: Hear) -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    body = sent(
        hear,
        tools=[WEATHER, FunctionTool("now")],
        tool_choice=choice,
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        temperature=0.0,
        top_p=0.5,
        reasoning_effort="low",
        max_completion_tokens=99,
    )
    function = {"name": "get_weather", "description": "Tells the weather."}
    assert body.pop("tools") == [
        {
            "type": "function",
            "function": function | {"parameters": {"type": "object"}, "strict": True},
        },
        {
            "type": "function",
            "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
        },
    ]
    for name in ("model", "messages", "stream", "stream_options"):
        del body[name]
    assert body == {
        "tool_choice": choice,
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "temperature": 0.0,
        "top_p": 0.5,
        "reasoning_effort": "low",
        "max_completion_tokens": 99,
    }


def test_tool_settings_without_tools_are_not_sent(hear: Hear) -> None:
    body = sent(hear, tool_choice="none", parallel_tool_calls=False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(body)


def test_messages_are_sent_as_the_endpoint_knows_them(hear: Hear) -> None:
    messages = [
        ChatMessage("system", "Be kind."),
        ChatMessage("user", [TextPart("Look:"), ImagePart("data:image/png;base64,AA", "low")]),
        ChatMessage("assistant", None, [ToolCall("call_1", "see", "{}")]),
        ChatMessage("tool", "A cat.", tool_call_id="call_1"),
        ChatMessage("user", [ImagePart("https://example.org/a.png")]),
    ]
    call = {"id": "call_1", "type": "function", "function": {"name": "see", "arguments": "{}"}}
    low = {"url": "data:image/png;base64,AA", "detail": "low"}
    auto = {"url": "https://example.org/a.png"}
    assert sent(hear, messages=messages)["messages"] == [
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": low},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "A cat.", "tool_call_id": "call_1"},
        {"role": "user", "content": [{"type": "image_url", "image_url": auto}]},
    ]


def test_the_key_and_the_name_of_the_upstream_are_used(hear: Hear) -> None:
    heard = hear(up.text("Hi"), name="llama3", headers={"X-Team": "looms"})
    (call,) = heard.seen
    assert call.body["model"] == "llama3"
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == "Bearer sk-secret-key"
    assert (call.headers["x-team"], call.headers["accept-encoding"]) == ("looms", "identity")
    assert "api-key" not in call.headers


def test_azure_gets_its_version_and_its_own_key_header(hear: Hear) -> None:
    (call,) = hear(up.text("Hi"), api_version="2024-10-21").seen
    assert call.path == "/v1/chat/completions?api-version=2024-10-21"
    assert call.headers["api-key"] == "sk-secret-key"


ASK_ONCE = """
import asyncio, sys
from tests.llm.hearing import Heard, asked, listen, model_at
heard = Heard([])
asyncio.run(listen(model_at(sys.argv[1], api_key=None), asked(), heard))
print(heard.text)
"""


def test_without_a_key_none_is_sent_whatever_the_environment_holds() -> None:
    trap = "http://127.0.0.1:9"
    foreign = {"OPENAI_API_KEY": "sk-of-another", "OPENAI_BASE_URL": trap + "/v1"}
    foreign |= {"HTTP_PROXY": trap, "http_proxy": trap, "ALL_PROXY": trap}
    with up.serving() as upstream:
        done = subprocess.run(
            [sys.executable, "-c", ASK_ONCE, upstream.url],
            env=os.environ | foreign,
            capture_output=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == ("Hello world\n", "")
        assert "authorization" not in upstream.calls[0].headers


def test_a_configured_header_replaces_ours(hear: Hear) -> None:
    (call,) = hear(up.text("Hi"), headers={"authorization": "Basic abc"}).seen
    assert call.headers["authorization"] == "Basic abc"


# --- dialects -------------------------------------------------------------------------------


def refusing(field: str) -> up.Behaviour:
    """Refuse a request that has this field; answer any other."""

    async def play(call: up.Call) -> None:
        if field in call.body:
            await up.failing(400, f"Unsupported parameter: '{field}'.")(call)
        else:
            await up.text("Hi")(call)

    return play


@pytest.mark.parametrize(
    ("field", "other"),
    [("max_completion_tokens", "max_tokens"), ("stream_options", "max_completion_tokens")],
)
def test_a_field_that_is_refused_is_said_differently(hear: Hear, field: str, other: str) -> None:
    heard = hear(refusing(field), request=asked(max_completion_tokens=50))
    assert (heard.text, heard.waits) == ("Hi", [])
    assert [field in call.body for call in heard.seen] == [True, False]
    assert heard.seen[1].body[other] == 50


def test_an_endpoint_that_refuses_both_ways_is_asked_twice(hear: Hear) -> None:
    both = up.failing(400, "Use neither max_tokens nor max_completion_tokens.")
    heard = hear(both, request=asked(max_completion_tokens=50))
    assert len(heard.seen) == 2
    assert heard.failure[0] == "invalid_prompt"


def test_a_limit_that_is_too_large_is_no_matter_of_dialect(hear: Hear) -> None:
    refusal = up.failing(400, "max_completion_tokens is too large: 50. At most 16 are supported.")
    assert len(hear(refusal, request=asked(max_completion_tokens=50)).seen) == 1


def test_any_text_arrives_as_it_is(hear: Hear) -> None:
    text = 'He said "no", \N{SNOWMAN}\n\0'
    heard = hear(up.text("Hi"), request=asked(text))
    assert heard.seen[0].body["messages"][0]["content"] == text

"""The demo model: honest about what it is, and good for trying everything that a run can do."""

import asyncio
import json
from typing import Any

import jsonschema_rs
import pytest

from tests.llm.hearing import Heard, asked, listen
from weft.llm.demo import DemoModel
from weft.llm.model import (
    ChatMessage,
    FunctionTool,
    ImagePart,
    TextDelta,
    TextPart,
    ToolCall,
    Usage,
)
from weft.llm.tokens import estimate_request

CITY = {"type": "string", "description": "A city"}
WEATHER = FunctionTool(
    "get_weather",
    "Tells the weather.",
    {"type": "object", "properties": {"city": CITY}, "required": ["city"]},
)
CLOCK = FunctionTool(
    "get_time", None, {"type": "object", "properties": {"zone": {"type": "number"}}}
)
BOTH = [WEATHER, CLOCK]


def hear(*words: str, **fields: Any) -> Heard:
    """Ask the demo model."""
    heard = Heard([])
    asyncio.run(listen(DemoModel(), asked(*words, **{"model": "weft-demo"} | fields), heard))
    assert heard.error is None
    return heard


def called(*words: str, **fields: Any) -> list[tuple[str, Any]]:
    """Return the calls that the demo model makes."""
    heard = hear(*words, **fields)
    assert heard.reason == "tool_calls"
    assert heard.text == ""
    return [(call.name, json.loads(call.arguments)) for call in heard.calls]


@pytest.mark.parametrize("words", ["Hello", "What is love?", "how many messages?", ""])
def test_it_says_that_it_is_a_demo(words: str) -> None:
    assert "I am Weft's demo model" in hear(words).text


def test_it_greets_who_greets() -> None:
    assert hear("Good morning!").text.startswith("Hello! ")
    assert not hear("What is this?").text.startswith("Hello")


def test_it_repeats_what_was_asked_and_counts_the_conversation() -> None:
    text = hear("One.", "Two  and\na half.").text
    assert "You wrote: “Two and a half.”." in text
    assert "This conversation has 2 messages so far." in text


def test_it_knows_the_first_message_of_a_user() -> None:
    messages = [ChatMessage("system", "Be kind."), ChatMessage("assistant", "Welcome")]
    messages += [ChatMessage("user", "I am Ada."), ChatMessage("user", "What did I say first?")]
    assert "“I am Ada.”" in hear(messages=messages).text


def test_it_counts_messages_when_asked_to() -> None:
    assert "I have seen 3 messages." in hear("a", "b", "How many messages are there?").text


def test_it_tells_its_instructions() -> None:
    question = ChatMessage("user", "What are your instructions?")
    assert "“Be kind.”" in hear(messages=[ChatMessage("system", "Be kind."), question]).text
    assert "no instructions" in hear(messages=[question]).text


def test_it_does_not_pretend_to_see() -> None:
    picture = ImagePart("https://example.org/a.png")
    message = ChatMessage("user", [TextPart("What is this?"), picture, picture])
    assert "I cannot look at the 2 images" in hear(messages=[message]).text


def test_it_shortens_what_it_repeats() -> None:
    assert len(hear("word " * 50_000).text) < 600


def test_it_answers_word_by_word() -> None:
    heard = hear("Hello")
    texts = [delta.text for delta in heard.deltas if isinstance(delta, TextDelta)]
    assert len(texts) == len(heard.text.split())


def test_it_waits_between_words_as_long_as_it_was_told() -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    heard = Heard([])
    asyncio.run(listen(DemoModel(delay_s=0.25, sleep=sleep), asked("Hello"), heard))
    assert waits == [0.25] * len(heard.text.split())


def test_it_answers_the_same_each_time() -> None:
    assert hear("Hello there").text == hear("Hello there").text


def test_usage_is_what_the_estimate_says() -> None:
    heard = hear("Hello there")
    request = asked("Hello there", model="weft-demo")
    assert heard.usage is not None
    assert heard.usage.prompt_tokens == estimate_request(request)
    assert heard.usage.completion_tokens >= len(heard.text.split())


@pytest.mark.parametrize("limit", [2, 5, 10])
def test_it_stops_at_the_limit(limit: int) -> None:
    heard = hear("Hello there", max_completion_tokens=limit)
    assert heard.reason == "length"
    assert isinstance(heard.usage, Usage)
    assert 0 < heard.usage.completion_tokens <= limit
    assert hear("Hello there").text.startswith(heard.text)


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    assert hear("Hello", max_completion_tokens=1000).reason == "stop"


# --- functions ------------------------------------------------------------------------------


def test_a_function_is_called_by_its_name() -> None:
    assert called("Please call get_weather for Oslo", tools=BOTH) == [
        ("get_weather", {"city": "Oslo"})
    ]
    assert called("Get weather in San Francisco now!", tools=BOTH) == [
        ("get_weather", {"city": "San Francisco"})
    ]


def test_a_function_is_not_called_without_being_named() -> None:
    heard = hear("What is the weather in Oslo?", tools=BOTH)
    assert heard.reason == "stop"
    assert "get_weather, get_time" in heard.text


def test_only_the_last_message_counts() -> None:
    assert hear("get_weather for Oslo", "Thank you", tools=BOTH).reason == "stop"


def test_two_names_are_two_calls_at_once_unless_that_is_forbidden() -> None:
    words = "get_weather in Oslo and get_time with zone=2"
    both = [("get_weather", {"city": "Oslo"}), ("get_time", {"zone": 2})]
    assert called(words, tools=BOTH) == both
    assert called(words, tools=BOTH, parallel_tool_calls=False) == both[:1]
    assert len({call.id for call in hear(words, tools=BOTH).calls}) == 2


def test_tool_choice_is_obeyed() -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}
    assert called("Hello", tools=BOTH, tool_choice=choice) == [("get_time", {"zone": 0})]
    assert called("Hello", tools=BOTH, tool_choice="required")[0][0] == "get_weather"
    assert hear("get_weather", tools=BOTH, tool_choice="none").reason == "stop"


def test_it_tells_what_the_functions_returned() -> None:
    calls = [ToolCall("a", "get_weather", '{"city":"Oslo"}'), ToolCall("b", "get_time", "{}")]
    messages = [
        ChatMessage("user", "get_weather in Oslo and get_time"),
        ChatMessage("assistant", None, calls),
        ChatMessage("tool", "Rain.", tool_call_id="a"),
        ChatMessage("tool", "Noon.", tool_call_id="b"),
    ]
    for choice in ("auto", "required"):  # "required" must not go round for ever
        heard = hear(messages=messages, tools=BOTH, tool_choice=choice)
        assert heard.reason == "stop"
        assert 'get_weather({"city":"Oslo"}) returned “Rain.”' in heard.text
        assert "get_time({}) returned “Noon.”" in heard.text


def test_a_call_is_cut_at_the_limit() -> None:
    heard = hear("get_weather in Oslo", tools=BOTH, max_completion_tokens=2)
    assert heard.reason == "length"


# --- JSON -----------------------------------------------------------------------------------


def test_json_is_answered_when_json_is_wanted() -> None:
    heard = hear("Hello", response_format={"type": "json_object"})
    assert json.loads(heard.text)["model"] == "weft-demo"


def test_a_schema_is_kept_to() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    answer = json.loads(hear("I am Ada and 36.", response_format=wanted).text)
    jsonschema_rs.validate(schema, answer)
    assert answer == {"name": "Ada", "age": 36}

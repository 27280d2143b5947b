"""The estimate is near what `o200k_base` counts, and learns how other models count."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.llm.model import (
    ChatMessage,
    ContentPart,
    FunctionTool,
    ImagePart,
    ModelRequest,
    TextPart,
    ToolCall,
)
from weft.llm.tokens import (
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    SMALL_IMAGE_TOKENS,
    WHOLE_CHARS,
    Calibration,
    estimate,
    estimate_message,
    estimate_request,
)

# Texts and what o200k_base made of them, counted once with its vocabulary.
COUNTED = json.loads((Path(__file__).parent / "counted.json").read_text(encoding="utf-8"))


def off(name: str) -> float:
    """Return how far the estimate of a text is off, as a part of what was counted."""
    text, tokens = COUNTED[name]["text"], COUNTED[name]["tokens"]
    return float(abs(estimate(text) - tokens) / tokens)


@pytest.mark.parametrize("name", COUNTED)
def test_every_text_is_within_20_percent(name: str) -> None:
    assert off(name) <= 0.2


def test_nine_of_ten_texts_are_within_15_percent() -> None:
    assert sum(off(name) <= 0.15 for name in COUNTED) >= 0.9 * len(COUNTED)


def test_all_together_are_within_3_percent() -> None:
    estimated = sum(estimate(counted["text"]) for counted in COUNTED.values())
    assert estimated == pytest.approx(sum(c["tokens"] for c in COUNTED.values()), rel=0.03)


@given(st.text())
def test_only_nothing_costs_nothing(text: str) -> None:
    assert (estimate(text) > 0) == bool(text)
    assert estimate(text) <= 3 * len(text)  # no character is that dear


def test_a_long_text_is_estimated_from_samples_as_well_as_whole() -> None:
    whole = "\n\n".join(counted["text"] for counted in COUNTED.values()) * 10
    assert len(whole) > 2 * WHOLE_CHARS
    parts = [whole[start : start + 10_000] for start in range(0, len(whole), 10_000)]
    assert estimate(whole) == pytest.approx(sum(map(estimate, parts)), rel=0.1)


def test_lone_surrogates_are_text_too() -> None:
    assert estimate("a\ud800b") > 0


def test_a_message_costs_its_parts_and_its_frame() -> None:
    text = "What is in these pictures?"
    parts: list[ContentPart] = [TextPart(text)]
    parts += [ImagePart("https://e.org/a.png"), ImagePart("https://e.org/b", "low")]
    assert estimate_message(ChatMessage("user", text)) == MESSAGE_TOKENS + estimate(text)
    assert (
        estimate_message(ChatMessage("user", parts))
        == MESSAGE_TOKENS + estimate(text) + IMAGE_TOKENS + SMALL_IMAGE_TOKENS
    )
    assert estimate_message(ChatMessage("assistant")) == MESSAGE_TOKENS


def test_calls_and_tools_cost_too() -> None:
    call = ToolCall("call_1", "get_weather", '{"city": "Oslo"}')
    assert estimate_message(ChatMessage("assistant", None, [call])) > MESSAGE_TOKENS + 8
    tool = FunctionTool("get_weather", "Tells the weather.", {"type": "object"})
    messages = [ChatMessage("user", "Hello")]
    without = ModelRequest(model="m", messages=messages)
    assert estimate_request(ModelRequest(model="m", messages=messages, tools=[tool])) > (
        estimate_request(without) + 8
    )


# --- calibration ----------------------------------------------------------------------------


def test_an_unknown_model_is_estimated_as_it_is() -> None:
    calibration = Calibration()
    assert calibration.ratio("m") == 1
    assert calibration.adjust("m", 100) == 100


@pytest.mark.parametrize("factor", [0.6, 0.9, 1.4, 1.9])
def test_a_few_answers_make_the_estimate_right(factor: float) -> None:
    calibration = Calibration()
    calibration.learn("m", 1000, round(1000 * factor))
    assert calibration.ratio("m") == pytest.approx(factor, rel=0.1)
    for _ in range(3):
        calibration.learn("m", 1000, round(1000 * factor))
    assert calibration.adjust("m", 5000) == pytest.approx(5000 * factor, rel=0.03)


def test_models_are_learnt_apart() -> None:
    calibration = Calibration()
    calibration.learn("m", 1000, 1500)
    assert calibration.ratio("n") == 1


def test_a_model_that_changes_is_learnt_anew() -> None:
    calibration = Calibration()
    for reported in [600] * 50 + [1500] * 10:
        calibration.learn("m", 1000, reported)
    assert calibration.ratio("m") == pytest.approx(1.5, rel=0.05)


def test_a_short_prompt_teaches_little() -> None:
    calibration = Calibration()
    for _ in range(5):
        calibration.learn("m", 1000, 1000)
    calibration.learn("m", 10, 60)
    assert calibration.ratio("m") < 1.02


@given(st.lists(st.tuples(st.integers(-5, 10**9), st.integers(-5, 10**9)), max_size=50))
def test_no_report_can_lead_it_astray(reports: list[tuple[int, int]]) -> None:
    calibration = Calibration()
    for estimated, reported in reports:
        calibration.learn("m", estimated, reported)
    assert 0.5 <= calibration.ratio("m") <= 2


def test_only_so_many_models_are_remembered() -> None:
    calibration = Calibration()
    for number in range(Calibration.MODELS + 1):
        calibration.learn(f"m{number}", 1000, 1500)
    assert calibration.ratio("m0") == 1
    assert calibration.ratio("m1") > 1.4

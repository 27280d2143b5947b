"""What a model says becomes messages, steps and events: every kind of answer."""

import pytest

from tests.engine.house import TOOLS, House, names, said
from tests.engine.invariants import check
from tests.engine.scripts import USAGE, called, calls, ending, refusal, text
from weft.llm.model import (
    Finished,
    ModelError,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)

pytestmark = pytest.mark.anyio

BEGIN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
MESSAGE = [*STEP, "thread.message.created", "thread.message.in_progress", "thread.message.delta"]
SPOKEN = [*MESSAGE, "thread.message.completed", "thread.run.step.completed"]
CALLED = [*STEP, "thread.run.step.delta"]


async def test_a_text_becomes_a_message_and_the_run_completes(house: House) -> None:
    key = await house.ask(text("Rain", " and", " wind."))
    run = await house.rest(key)
    events = await house.follow(key)
    assert names(events) == [*BEGIN, *SPOKEN, "thread.run.completed", "done"]
    deltas = [e.data["delta"]["content"][0] for e in events if e.name == "thread.message.delta"]
    assert deltas == [
        {"index": 0, "type": "text", "text": {"value": "Rain", "annotations": []}},
        {"index": 0, "type": "text", "text": {"value": " and"}},
        {"index": 0, "type": "text", "text": {"value": " wind."}},
    ]
    assert run["status"] == "completed"
    assert run["usage"] == {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "prompt_token_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert await house.texts(key.thread_id) == ["What is the weather?", "Rain and wind."]
    await check(house, key)


async def test_what_the_model_is_asked_is_the_thread(house: House) -> None:
    key = await house.ask(text("Rain."), additional_instructions="In French.")
    await house.rest(key)
    (request,) = house.models.scripted.requests
    assert [(m.role, m.content) for m in request.messages] == [
        ("system", "Be brief.\nIn French."),
        ("user", "What is the weather?"),
    ]
    assert [tool.name for tool in request.tools] == ["weather", "time"]


async def test_a_refusal_is_a_part_of_its_own_kind(house: House) -> None:
    key = await house.ask(refusal("I will", " not."))
    assert (await house.rest(key))["status"] == "completed"
    message = (await house.messages(key.thread_id))[-1]
    assert message["content"] == [{"type": "refusal", "refusal": "I will not."}]
    await check(house, key)


async def test_a_refusal_behind_a_text_is_a_second_part(house: House) -> None:
    key = await house.ask(
        [TextDelta("Well"), TextDelta(", "), RefusalDelta("no"), RefusalDelta("."), *ending()]
    )
    await house.rest(key)
    message = (await house.messages(key.thread_id))[-1]
    assert [(part["type"], said(part)) for part in message["content"]] == [
        ("text", "Well, "),
        ("refusal", "no."),
    ]
    await check(house, key)


async def test_a_text_behind_a_refusal_is_a_second_part_too(house: House) -> None:
    key = await house.ask([RefusalDelta("No"), TextDelta("Ask"), RefusalDelta("."), *ending()])
    await house.rest(key)
    message = (await house.messages(key.thread_id))[-1]
    assert [(part["type"], said(part)) for part in message["content"]] == [
        ("refusal", "No."),
        ("text", "Ask"),
    ]
    await check(house, key)


async def test_calls_leave_their_step_open_until_the_outputs_come(house: House) -> None:
    key = await house.ask(calls("weather", "time"), text("Rain at noon."))
    run = await house.rest(key)
    events = await house.follow(key)
    assert names(events) == [*BEGIN, *CALLED, "thread.run.requires_action", "done"]
    assert run["usage"] is None
    assert run["required_action"]["submit_tool_outputs"]["tool_calls"] == [
        {
            "id": f"call_{name}_{n}",
            "type": "function",
            "function": {"name": name, "arguments": f'{{"n": {n}}}'},
        }
        for n, name in enumerate(("weather", "time"))
    ]
    (step,) = await house.steps(key)
    assert step["status"] == "in_progress"
    assert [call["function"]["output"] for call in step["step_details"]["tool_calls"]] == [None] * 2
    await check(house, key)

    house.clock.now += 5
    after = await house.submit(key)
    rest = await house.follow(key, after)
    assert names(rest) == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
        *SPOKEN,
        "thread.run.completed",
        "done",
    ]
    run = await house.run(key)
    assert run["usage"]["total_tokens"] == 220
    assert run["started_at"] == house.clock.now
    steps = await house.steps(key)
    assert [step["completed_at"] for step in steps] == [house.clock.now] * 2
    await check(house, key)


async def test_the_model_reads_calls_and_outputs_in_the_order_of_the_calls(house: House) -> None:
    key = await house.ask(calls("weather", "time"), text("Rain at noon."))
    first, second = await house.rest(key), await house.wanted(key)
    assert first["status"] == "requires_action"
    await house.submit(key, {second[1]: "noon", second[0]: "rain"})
    await house.rest(key)
    tail = house.models.scripted.requests[1].messages[2:]
    assert [(m.role, m.content, m.tool_call_id) for m in tail] == [
        ("assistant", None, None),
        ("tool", "rain", "call_weather_0"),
        ("tool", "noon", "call_time_1"),
    ]
    assert [(c.id, c.name, c.arguments) for c in tail[0].tool_calls] == [
        ("call_weather_0", "weather", '{"n": 0}'),
        ("call_time_1", "time", '{"n": 1}'),
    ]


async def test_text_ahead_of_calls_is_a_message_of_its_own(house: House) -> None:
    script = [TextDelta("Let me see."), *calls("weather")]
    key = await house.ask(script, text("Rain."))
    await house.rest(key)
    assert names(await house.follow(key)) == [
        *BEGIN,
        *SPOKEN,
        *CALLED,
        "thread.run.requires_action",
        "done",
    ]
    await check(house, key)
    await house.submit(key)
    run = await house.rest(key)
    assert [step["type"] for step in await house.steps(key)] == [
        "message_creation",
        "tool_calls",
        "message_creation",
    ]
    assert run["usage"]["total_tokens"] == 220
    assert await house.texts(key.thread_id) == ["What is the weather?", "Let me see.", "Rain."]
    await check(house, key)


async def test_the_model_reads_what_it_said_and_called_as_one_turn(house: House) -> None:
    """Some models refuse two turns of the assistant in a row."""
    key = await house.ask([TextDelta("Let me see."), *calls("weather")], text("Rain."))
    await house.rest(key)
    await house.submit(key)
    await house.rest(key)
    tail = house.models.scripted.requests[1].messages[2:]
    assert [(m.role, m.content, len(m.tool_calls)) for m in tail] == [
        ("assistant", "Let me see.", 1),
        ("tool", "output of call_weather_0", 0),
    ]


async def test_text_behind_calls_is_a_message_too(house: House) -> None:
    script = [*called(0, "weather", "{}"), TextDelta("Wait."), *ending("tool_calls")]
    key = await house.ask(script, text("Rain."))
    await house.rest(key)
    await check(house, key)
    await house.submit(key)
    assert (await house.rest(key))["status"] == "completed"
    await check(house, key)


async def test_calls_whose_pieces_are_mixed_are_told_apart(house: House) -> None:
    script = [
        ToolCallDelta(0, "call_a", "weather", ""),
        ToolCallDelta(1, "call_b", "time", '{"at'),
        ToolCallDelta(0, None, None, '{"in'),
        ToolCallDelta(1, None, None, '": 1}'),
        ToolCallDelta(0, None, None, '": 2}'),
        *ending("tool_calls"),
    ]
    key = await house.ask(script, text("Rain."))
    run = await house.rest(key)
    wanted = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["function"]["arguments"] for call in wanted] == ['{"in": 2}', '{"at": 1}']
    await house.submit(key)
    await house.rest(key)
    await check(house, key)


async def test_two_calls_with_one_id_are_given_two(house: House) -> None:
    """Outputs name the call that they are for."""
    script = [
        *called(0, "weather", "{}", call_id="call_same"),
        *called(1, "time", "{}", call_id="call_same"),
        *ending("tool_calls"),
    ]
    key = await house.ask(script, text("Rain."))
    await house.rest(key)
    wanted = await house.wanted(key)
    assert wanted[0] == "call_same"
    assert len(set(wanted)) == 2
    await house.submit(key)
    assert (await house.rest(key))["status"] == "completed"
    await check(house, key)


@pytest.mark.parametrize("arguments", ["", '{"n": ', "n", "{'n': 1}", '{"n": 1}}', "[" * 100_000])
async def test_arguments_that_are_not_json_fail_the_run(house: House, arguments: str) -> None:
    key = await house.ask([*called(0, "weather", arguments), *ending("tool_calls")])
    run = await house.rest(key)
    assert run["status"] == "failed"
    assert run["last_error"]["code"] == "server_error"
    assert run["last_error"]["message"].startswith(
        "The model called 'weather' with arguments that are not JSON: "
    )
    assert len(run["last_error"]["message"]) < 300
    (step,) = await house.steps(key)
    assert step["status"] == "failed"
    assert step["last_error"] == run["last_error"]
    await check(house, key)


async def test_a_must_call_holds_until_it_has_called(house: House) -> None:
    """Otherwise the run would call for ever: no answer could ever come."""
    key = await house.ask(calls("weather"), text("Rain."), tool_choice="required")
    await house.rest(key)
    await house.submit(key)
    assert (await house.rest(key))["status"] == "completed"
    first, second = house.models.scripted.requests
    assert (first.tool_choice, second.tool_choice) == ("required", "auto")


@pytest.mark.parametrize(
    ("tools", "choice", "told"),
    [
        ([], "required", "none"),
        (None, "none", "none"),
        (None, "auto", "auto"),
        ([*TOOLS, {"type": "file_search"}], {"type": "file_search"}, "auto"),
        (
            None,
            {"type": "function", "function": {"name": "time"}},
            {"type": "function", "function": {"name": "time"}},
        ),
    ],
)
async def test_the_choice_of_tools_reaches_the_model(
    house: House, tools: object, choice: object, told: object
) -> None:
    key = await house.ask(text("Rain."), tools=tools, tool_choice=choice)
    await house.rest(key)
    assert house.models.scripted.requests[0].tool_choice == told


async def test_a_text_that_reaches_the_limit_is_incomplete(house: House) -> None:
    key = await house.ask(text("Rain and", reason="length"))
    run = await house.rest(key)
    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["completed_at"] == house.clock.now
    message = (await house.messages(key.thread_id))[-1]
    assert (message["status"], message["completed_at"]) == ("incomplete", None)
    assert message["incomplete_details"] == {"reason": "max_tokens"}
    assert names(await house.follow(key))[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
        "done",
    ]
    await check(house, key)


async def test_calls_that_reach_the_limit_are_not_made(house: House) -> None:
    """Their arguments may look complete and not be."""
    key = await house.ask([*called(0, "weather", "{}"), *ending("length")])
    run = await house.rest(key)
    assert run["status"] == "incomplete"
    assert run["usage"]["total_tokens"] == 110
    (step,) = await house.steps(key)
    assert step["status"] == "completed"
    await check(house, key)


async def test_a_filtered_text_fails_the_run_and_stays_incomplete(house: House) -> None:
    key = await house.ask(text("How to", reason="content_filter"))
    run = await house.rest(key)
    assert run["status"] == "failed"
    assert run["last_error"] == {
        "code": "server_error",
        "message": "The model's content filter stopped the answer.",
    }
    message = (await house.messages(key.thread_id))[-1]
    assert message["incomplete_details"] == {"reason": "content_filter"}
    (step,) = await house.steps(key)
    assert (step["status"], step["last_error"]) == ("failed", run["last_error"])
    assert run["usage"]["total_tokens"] == 110
    await check(house, key)


async def test_filtered_calls_fail_the_run(house: House) -> None:
    key = await house.ask([TextDelta("Hm."), *called(0, "time"), *ending("content_filter")])
    assert (await house.rest(key))["status"] == "failed"
    await check(house, key)


@pytest.mark.parametrize("script", [ending(), [Finished("stop")], [], [TextDelta(""), *ending()]])
async def test_an_answer_without_a_word_is_an_empty_message(
    house: House, script: list[object]
) -> None:
    key = await house.ask(script)  # type: ignore[arg-type]  # a list of several kinds of items
    assert (await house.rest(key))["status"] == "completed"
    assert await house.texts(key.thread_id) == ["What is the weather?", ""]
    await check(house, key)


async def test_an_empty_answer_is_not_read_to_the_model_again(house: House) -> None:
    key = await house.ask(ending(), text("Rain."))
    await house.rest(key)
    key = await house.start(key.thread_id)
    await house.rest(key)
    assert [m.content for m in house.models.scripted.requests[1].messages] == [
        "Be brief.",
        "What is the weather?",
    ]


async def test_usage_that_is_not_reported_is_estimated(house: House) -> None:
    key = await house.ask(text("Rain and wind.", usage=None))
    usage = (await house.rest(key))["usage"]
    assert 10 < usage["prompt_tokens"] < 60
    assert 2 < usage["completion_tokens"] < 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    await check(house, key)


async def test_the_estimate_is_corrected_by_what_a_model_reports(house: House) -> None:
    assert house.calibration.ratio("scripted") == 1
    await house.rest(await house.ask(text("Rain.", usage=USAGE)))
    assert house.calibration.ratio("scripted") > 1


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded", "invalid_prompt"])
async def test_a_model_that_fails_ahead_of_the_first_token_fails_the_run(
    house: House, code: str
) -> None:
    key = await house.ask([ModelError(code, "Too bad.")])  # type: ignore[arg-type]  # one of three
    run = await house.rest(key)
    assert run["last_error"] == {"code": code, "message": "Too bad."}
    assert (run["status"], run["failed_at"]) == ("failed", house.clock.now)
    assert (run["expires_at"], run["completed_at"]) == (None, None)
    assert names(await house.follow(key)) == [*BEGIN, "thread.run.failed", "done"]
    assert await house.steps(key) == []
    await check(house, key)


async def test_a_model_that_fails_in_the_middle_leaves_what_it_said(house: House) -> None:
    key = await house.ask([TextDelta("Rain"), TextDelta(" and"), ModelError("server_error", "Oh.")])
    run = await house.rest(key)
    assert run["status"] == "failed"
    assert names(await house.follow(key)) == [
        *BEGIN,
        *MESSAGE,
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
        "done",
    ]
    message = (await house.messages(key.thread_id))[-1]
    assert message["incomplete_details"] == {"reason": "run_failed"}
    assert said(message["content"][0]) == "Rain and"
    (step,) = await house.steps(key)
    assert step["last_error"] == run["last_error"]
    await check(house, key)


async def test_a_refusal_that_breaks_off_stays_a_refusal(house: House) -> None:
    key = await house.ask(
        [TextDelta("Well"), RefusalDelta("I will"), ModelError("server_error", "Oh.")]
    )
    assert (await house.rest(key))["status"] == "failed"
    message = (await house.messages(key.thread_id))[-1]
    assert [part["type"] for part in message["content"]] == ["text", "refusal"]
    await check(house, key)


@pytest.mark.parametrize("said_before", [[], [TextDelta("Rain")], called(0, "weather", '{"n')])
async def test_an_error_that_nobody_foresaw_fails_the_run_without_its_words(
    house: House, said_before: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    script = [*said_before, ZeroDivisionError("a secret of the server")]
    key = await house.ask(script)  # type: ignore[arg-type]  # a list of several kinds of items
    run = await house.rest(key)
    assert run["status"] == "failed"
    assert run["last_error"] == {
        "code": "server_error",
        "message": "Sorry, something went wrong in the server.",
    }
    assert "a secret of the server" in caplog.text
    await check(house, key)


async def test_a_model_of_no_name_says_what_to_configure(house: House) -> None:
    key = await house.ask(model="gpt-9")
    run = await house.rest(key)
    assert run["status"] == "failed"
    assert "No model endpoint is configured for gpt-9" in run["last_error"]["message"]
    await check(house, key)


async def test_a_thread_can_be_used_again_after_every_end(house: House) -> None:
    thread_id = await house.thread("What is the weather?")
    for script in (text("Rain."), [ModelError("server_error", "Oh.")], text("Ra", reason="length")):
        await house.rest(await house.start(thread_id, script))
        await house.say(thread_id, "And now?")
    assert len(await house.messages(thread_id)) == 6

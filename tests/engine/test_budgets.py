"""Token budgets hold for all calls of a run together, and say which of them was used up."""

import pytest

from tests.engine.house import House
from tests.engine.invariants import check
from tests.engine.scripts import calls, text
from weft.llm.model import Usage

pytestmark = pytest.mark.anyio

LONG = "word " * 300  # about 300 tokens


async def test_the_model_is_told_what_is_left_of_the_completion_budget(house: House) -> None:
    key = await house.ask(
        calls("weather", usage=Usage(50, 100)), text("Rain."), max_completion_tokens=256
    )
    await house.rest(key)
    await house.submit(key)
    assert (await house.rest(key))["status"] == "completed"
    told = [request.max_completion_tokens for request in house.models.scripted.requests]
    assert told == [256, 156]


async def test_without_a_budget_the_model_is_told_none(house: House) -> None:
    await house.rest(await house.ask(text("Rain.")))
    assert house.models.scripted.requests[0].max_completion_tokens is None


@pytest.mark.parametrize("used", [256, 300])
async def test_a_completion_budget_that_is_used_up_ends_the_run(house: House, used: int) -> None:
    key = await house.ask(calls("weather", usage=Usage(50, used)), max_completion_tokens=256)
    await house.rest(key)
    await house.submit(key)
    run = await house.rest(key)
    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["usage"]["completion_tokens"] == used
    assert len(house.models.scripted.requests) == 1
    await check(house, key)


async def test_a_prompt_budget_that_is_used_up_ends_the_run(house: House) -> None:
    key = await house.ask(calls("weather", usage=Usage(250, 10)), max_prompt_tokens=256)
    await house.rest(key)
    await house.submit(key)
    run = await house.rest(key)
    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert len(house.models.scripted.requests) == 1
    await check(house, key)


async def test_outputs_that_do_not_fit_the_prompt_budget_end_the_run(house: House) -> None:
    key = await house.ask(calls("weather", usage=Usage(20, 10)), max_prompt_tokens=256)
    await house.rest(key)
    await house.submit(key, {"call_weather_0": LONG})
    run = await house.rest(key)
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert [step["status"] for step in await house.steps(key)] == ["completed"]
    await check(house, key)


async def test_a_newest_message_that_does_not_fit_ends_the_run(house: House) -> None:
    """To answer without having read the question would be worse than not to answer."""
    thread_id = await house.thread("Short.", LONG)
    key = await house.start(thread_id, max_prompt_tokens=256)
    run = await house.rest(key)
    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert house.models.scripted.requests == []
    assert run["usage"]["total_tokens"] == 0
    await check(house, key)


async def test_instructions_that_do_not_fit_end_the_run(house: House) -> None:
    key = await house.ask(instructions=LONG, max_prompt_tokens=256)
    run = await house.rest(key)
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}


async def test_the_server_has_a_prompt_budget_for_runs_that_set_none(house: House) -> None:
    house.max_prompt_tokens = 400
    await house.restart()
    thread_id = await house.thread(LONG, LONG, "And now?")
    await house.rest(await house.start(thread_id, text("Rain.")))
    (request,) = house.models.scripted.requests
    assert [message.content for message in request.messages[1:]] == [LONG, "And now?"]


async def test_a_run_cannot_ask_for_more_than_the_server_reads(house: House) -> None:
    house.max_prompt_tokens = 400
    await house.restart()
    thread_id = await house.thread(LONG, LONG, "And now?")
    await house.rest(await house.start(thread_id, text("Rain."), max_prompt_tokens=100_000))
    assert len(house.models.scripted.requests[0].messages) == 3

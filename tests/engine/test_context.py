"""What the model reads: the newest of the thread that fits, in the order in which it was said."""

import asyncio
import base64
from pathlib import Path

import pytest

from tests.engine.house import House, P
from tests.engine.scripts import Gate, Script, calls, ending, text
from tests.store.work import Work
from weft.engine.context import SLICE, build
from weft.llm.model import ChatMessage, ImagePart, ModelError, TextDelta, TextPart
from weft.llm.tokens import estimate_request
from weft.store import files, messages
from weft.store import runs as store
from weft.wire.runs import stored_run

pytestmark = pytest.mark.anyio


def spoken(house: House, number: int = -1) -> list[tuple[str, object]]:
    """Return what the model was asked, without the instructions."""
    asked = house.models.scripted.requests[number].messages
    return [(message.role, message.content) for message in asked if message.role != "system"]


async def test_all_settings_of_a_run_reach_the_model(house: House) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    key = await house.ask(
        text("{}"),
        temperature=0.2,
        top_p=0.5,
        reasoning_effort="low",
        parallel_tool_calls=False,
        response_format=schema,
        max_completion_tokens=300,
    )
    await house.rest(key)
    (request,) = house.models.scripted.requests
    assert (request.temperature, request.top_p) == (0.2, 0.5)
    assert (request.reasoning_effort, request.parallel_tool_calls) == ("low", False)
    assert request.response_format is not None
    assert request.response_format["json_schema"]["name"] == "a"
    assert request.max_completion_tokens == 300


@pytest.mark.parametrize("form", ["auto", {"type": "text"}])
async def test_text_is_no_format_to_ask_for(house: House, form: object) -> None:
    await house.rest(await house.ask(text("Rain."), response_format=form))
    assert house.models.scripted.requests[0].response_format is None


async def test_a_conversation_is_read_in_the_order_in_which_it_was_held(house: House) -> None:
    thread_id = await house.thread("one")
    for number, answer in enumerate(("eins", "zwei", "drei")):
        await house.rest(await house.start(thread_id, text(answer)))
        await house.say(thread_id, f"more {number}")
    await house.rest(await house.start(thread_id, text("vier")))
    assert spoken(house) == [
        ("user", "one"),
        ("assistant", "eins"),
        ("user", "more 0"),
        ("assistant", "zwei"),
        ("user", "more 1"),
        ("assistant", "drei"),
        ("user", "more 2"),
    ]


async def test_an_answer_stands_behind_its_question_although_a_clock_was_set_back(
    house: House,
) -> None:
    thread_id = await house.thread("one")
    for answer in ("eins", "zwei"):
        house.clock.now -= 50
        await house.rest(await house.start(thread_id, text(answer)))
        await house.say(thread_id, f"more than {answer}")
    said = ["one", "eins", "more than eins", "zwei", "more than zwei"]
    assert await house.texts(thread_id) == said
    await house.rest(await house.start(thread_id, text("drei")))
    assert [content for _, content in spoken(house)] == said


async def test_what_broke_off_is_read_as_far_as_it_came(house: House) -> None:
    thread_id = await house.thread("one")
    broken: Script = [TextDelta("ei"), ModelError("server_error", "Oh.")]
    await house.rest(await house.start(thread_id, broken))
    await house.rest(await house.start(thread_id, text("eins")))
    assert spoken(house) == [("user", "one"), ("assistant", "ei")]


async def test_a_deleted_message_is_not_read(house: House) -> None:
    thread_id = await house.thread("one", "two", "three")
    second = (await house.messages(thread_id))[1]["id"]
    await house.database.write((messages.delete(P, thread_id, second, house.clock.now),))
    await house.rest(await house.start(thread_id, text("eins")))
    assert [said for _, said in spoken(house)] == ["one", "three"]


@pytest.mark.parametrize(("most", "read"), [(1, ["5"]), (3, ["3", "4", "5"]), (100, list("12345"))])
async def test_last_messages_are_the_newest_ones(house: House, most: int, read: list[str]) -> None:
    thread_id = await house.thread(*"12345")
    strategy = {"type": "last_messages", "last_messages": most}
    await house.rest(await house.start(thread_id, text("six"), truncation_strategy=strategy))
    assert [said for _, said in spoken(house)] == read


async def test_last_messages_do_not_cut_off_what_the_run_itself_did(house: House) -> None:
    thread_id = await house.thread("1", "2")
    strategy = {"type": "last_messages", "last_messages": 1}
    key = await house.start(thread_id, calls("weather"), text("3"), truncation_strategy=strategy)
    await house.rest(key)
    await house.submit(key)
    await house.rest(key)
    assert [role for role, _ in spoken(house)] == ["user", "assistant", "tool"]


async def test_the_oldest_messages_are_left_out_when_not_all_fit(house: House) -> None:
    questions = [f"{number} " + "word " * 100 for number in range(10)]
    thread_id = await house.thread(*questions)
    await house.rest(await house.start(thread_id, text("ok"), max_prompt_tokens=400))
    read = [said for _, said in spoken(house)]
    assert read == questions[-len(read) :]
    assert 2 <= len(read) <= 4


async def test_a_thread_without_messages_is_answered_from_the_instructions(house: House) -> None:
    thread_id = await house.thread()
    await house.rest(await house.start(thread_id, text("Hello.")))
    assert house.models.scripted.requests[0].messages == [
        ChatMessage(role="system", content="Be brief.")
    ]


async def test_images_are_shown_with_their_texts(house: House) -> None:
    thread_id = await house.thread()
    url = "https://example.org/cat.png"
    await house.say(
        thread_id,
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        ],
    )
    await house.rest(await house.start(thread_id, text("A cat.")))
    assert spoken(house) == [("user", [TextPart("What is this?"), ImagePart(url, "low")])]


async def test_an_image_among_the_files_is_read_as_a_data_url(house: House) -> None:
    png = b"\x89PNG\r\n\x1a\n and so on"
    await house.keep("file-1", png)
    thread_id = await house.thread()
    image = {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "low"}}
    await house.say(thread_id, [image])
    await house.rest(await house.start(thread_id, text("A dot.")))
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    assert spoken(house) == [("user", [ImagePart(url, "low")])]


@pytest.mark.parametrize("data", [b"no image at all", None])
async def test_an_image_that_is_none_or_is_gone_is_said_to_be_missing(
    house: House, data: bytes | None
) -> None:
    await house.keep("file-1", data or b"GIF89a")
    thread_id = await house.thread()
    await house.say(thread_id, [{"type": "image_file", "image_file": {"file_id": "file-1"}}])
    if data is None:
        await house.database.write(files.delete(P, "file-1", house.clock.now))
    await house.rest(await house.start(thread_id, text("Hm.")))
    missing = TextPart("[An image was here that cannot be shown.]")
    assert spoken(house) == [("user", [missing])]


async def test_parts_of_text_are_read_as_lines(house: House) -> None:
    thread_id = await house.thread()
    await house.say(thread_id, [{"type": "text", "text": word} for word in ("one", "two")])
    await house.rest(await house.start(thread_id, text("eins")))
    assert spoken(house) == [("user", "one\ntwo")]


async def test_a_message_that_came_during_the_run_is_not_for_it(house: House) -> None:
    """A waiting run brings its message along; the active run goes on without it."""
    key = await house.ask(calls("weather"), text("Rain."), text("Also rain."))
    await house.rest(key)
    later = {"role": "user", "content": "And in Rome?"}
    waiting = await house.start(key.thread_id, queue_when_busy=True, additional_messages=[later])
    await house.submit(key)
    await house.rest(key)
    assert [role for role, _ in spoken(house, 1)] == ["user", "assistant", "tool"]
    await house.rest(waiting)
    assert spoken(house, 2) == [
        ("user", "What is the weather?"),
        ("assistant", "Rain."),
        ("user", "And in Rome?"),
    ]


async def test_a_long_thread_is_read_as_far_as_it_fits(work: Work, tmp_path: Path) -> None:
    """A run on a thread of 20,000 messages costs what it costs on one of 200."""
    costs, answer = [], text("ok", usage=None)
    async with House(tmp_path / "house") as house:
        for count in (200, 20_000):
            thread_id = await house.thread("word " * 20)
            await fill(house, thread_id, count)
            before = work.steps
            await house.rest(await house.start(thread_id, answer, max_prompt_tokens=2000))
            costs.append(work.steps - before)
            assert 50 < len(spoken(house)) < 100
    assert costs[1] < 1.1 * costs[0]


async def test_others_go_on_while_a_long_prompt_is_read(house: House) -> None:
    thread_id = await house.thread("one")
    await fill(house, thread_id, 20 * SLICE)
    key = await house.start(thread_id, [Gate()])
    run = stored_run.decode(await store.get(house.database, key) or "")
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(other())
    prompt = await build(
        house.database,
        house.contents,
        key,
        run,
        prompt_tokens=100_000,
        completion_tokens=None,
        calibration=house.calibration,
    )
    others.cancel()
    assert turns >= 20
    assert len(prompt.request.messages) > 20 * SLICE
    assert prompt.estimated == estimate_request(prompt.request)


async def fill(house: House, thread_id: str, count: int) -> None:
    """Append many messages in few writes."""
    (first, *_) = await house.messages(thread_id)
    wire = (await messages.get(house.database, P, thread_id, first["id"])) or ""
    for start in range(0, count, 1000):
        await house.database.write(
            tuple(
                messages.insert(
                    P,
                    thread_id,
                    f"msg_{thread_id}_{number}",
                    created_at=house.clock.now,
                    position=100 + number,
                    run_id=None,
                    now=house.clock.now,
                    wire=wire,
                )
                for number in range(start, min(start + 1000, count))
            ),
            is_long=True,
        )


async def test_an_empty_answer_of_an_earlier_run_is_left_out(house: House) -> None:
    thread_id = await house.thread("one")
    await house.rest(await house.start(thread_id, ending()))
    await house.say(thread_id, "two")
    await house.rest(await house.start(thread_id, text("zwei")))
    assert spoken(house) == [("user", "one"), ("user", "two")]

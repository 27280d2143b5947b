"""Citations from the model's text to what clients read, with texts in which counting is hard.

Offsets are code points of `value`, end exclusive: `value[start:end]` is the mark.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.making import a_thread
from tests.api.running import Modelled, a_demo, runs_of, text_of
from tests.api.storing import a_file, an_indexed_store
from tests.harness import Api
from tests.llm.upstream import Behaviour, Call, calls, chunk, stream

MARK = re.compile("【[0-9]+:[0-9]+†[^【】\n]*】")
ZWJ = "\N{ZERO WIDTH JOINER}"
AWKWARD = {
    "nothing": "",
    "letters beyond ASCII": "Größe, 日本語: ",
    "emoji": "\N{SPOOL OF THREAD}\U0001f9f6 ",
    "emoji of several code points": (
        f"\N{WOMAN}{ZWJ}\N{WOMAN}{ZWJ}\N{GIRL} "
        "\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5} "
    ),
    "combining characters": "e\N{COMBINING ACUTE ACCENT}\N{COMBINING TILDE} ",
    "a combining character at the end": "e\N{COMBINING ACUTE ACCENT}",
    "from right to left": "\N{RIGHT-TO-LEFT MARK}שלום ",
    "lines and controls": "a\r\n\tb\N{LINE SEPARATOR}\N{NO-BREAK SPACE}\N{WORD JOINER}\0",
    "what begins like a mark": "【【4 【4: 【†】 ",
}
NAME = "Größe \N{SPOOL OF THREAD} 【1:0†x】.txt"


def answering(say: Callable[[list[str]], list[str]]) -> Behaviour:
    """Answer with pieces that are made of the marks in what the last search brought."""

    async def play(call: Call) -> None:
        marks = MARK.findall(call.body["messages"][-1]["content"])
        pieces = [chunk({"content": piece}) for piece in say(marks)]
        await stream(*pieces, chunk({}, finish="stop"))(call)

    return play


def answer_of(modelled: Modelled, say: Callable[[list[str]], list[str]]) -> tuple[list[Any], Any]:
    """Run once over two files; return the events and the message as it is read afterwards."""
    api = modelled.api
    files = [a_file(api, "A loom holds the warp."), a_file(api, "A loom of wood.", NAME)]
    stores = {"file_search": {"vector_store_ids": [an_indexed_store(api, *files)]}}
    tools = [{"type": "file_search"}]
    assistant = a_demo(api, model="any", tools=tools, tool_resources=stores)
    modelled.upstream.play(calls(("file_search", '{"query": "loom"}')), answering(say))
    thread = a_thread(api, messages=[{"role": "user", "content": "What is a loom?"}])
    events = api.events("POST", runs_of(thread), {"assistant_id": assistant, "stream": True})
    assert events[-1].name == "thread.run.completed"
    return events, the_answer(api, thread)


def the_answer(api: Api, thread: str) -> Any:
    """Return the text of the last message of a thread."""
    (message,) = api.ok("GET", f"/threads/{thread}/messages", params={"limit": 1})["data"]
    (part,) = message["content"]
    return part["text"]


def check(events: list[Any], read: Any) -> list[str]:
    """Hold the annotations of the stream and of the message against its text; return the marks."""
    assert text_of(events) == read["value"]
    streamed = [
        annotation
        for event in events
        if event.name == "thread.message.delta"
        for part in event.data["delta"]["content"]
        for annotation in part["text"].get("annotations", [])
    ]
    assert [each.pop("index") for each in streamed] == [*range(len(streamed))]
    for each in streamed:
        assert each["file_citation"].pop("quote") == ""
    assert streamed == read["annotations"]
    (done,) = [event.data for event in events if event.name == "thread.message.completed"]
    assert done["content"][0]["text"] == read
    for each in streamed:
        assert read["value"][each["start_index"] : each["end_index"]] == each["text"]
    return [each["text"] for each in streamed]


@pytest.mark.parametrize("before", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("cut", [1, 1000])
def test_offsets_are_code_points_wherever_the_text_is_cut(
    modelled: Modelled, before: str, cut: int
) -> None:
    said: list[str] = []

    def say(marks: list[str]) -> list[str]:
        text = f"{before}{marks[0]}{before}{marks[1]}{marks[0]}{before}"
        said[:] = [text, marks[0], marks[1], marks[0]]
        return [text[start : start + cut] for start in range(0, len(text), cut)]

    events, read = answer_of(modelled, say)
    assert read["value"] == said[0]  # to the character: nothing is composed or normalised
    assert check(events, read) == said[1:]


def test_a_mark_of_a_source_that_does_not_exist_stays_text(modelled: Modelled) -> None:
    made_up = ["【99:0†looms.txt】", "【0:7†looms.txt】", "【1:0】", "【1†looms.txt】", "looms.txt"]

    def say(marks: list[str]) -> list[str]:
        search = marks[0].partition(":")[0]
        return [" and ".join([*made_up, f"{search}:5†looms.txt】", marks[0], f"{search}:0†loo"])]

    events, read = answer_of(modelled, say)
    (mark,) = check(events, read)
    assert read["value"].count("【") == len(made_up) + 2
    assert read["value"].endswith("†loo")
    assert mark.endswith(":0†looms.txt】") or NAME[:5] in mark


def test_a_mark_counts_by_its_numbers_whatever_name_the_model_wrote(modelled: Modelled) -> None:
    def say(marks: list[str]) -> list[str]:
        return ["So ", f"{marks[0].partition('†')[0]}†another.txt】", "."]

    events, read = answer_of(modelled, say)
    (mark,) = check(events, read)
    assert mark.endswith("†another.txt】")

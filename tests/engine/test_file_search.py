"""File search in runs: what the model is offered and told, what clients see, what is cited."""

import json
from typing import Any

import pytest

from tests.engine.house import TOOLS, House, names, said
from tests.engine.library import (
    SEARCH,
    a_store,
    an_indexed_store,
    indexed,
    on_store,
    put_file,
    searching,
)
from tests.engine.scripts import Gate, called, ending, text
from weft.domain.errors import BadRequest
from weft.engine.searching import MAX_ROUNDS, queries_in
from weft.llm.model import TextDelta
from weft.store.runs import RunKey
from weft.wire.vector_search import MAX_QUERIES

pytestmark = pytest.mark.anyio

LOOM = "A loom holds the warp threads tight."
DYE = "Madder dyes wool red."
CONTENT = ["step_details.tool_calls[*].file_search.results[*].content"]


async def a_thread(house: House, *stores: str, question: str = "What does a loom hold?") -> str:
    """Make a thread with a store, or without one."""
    made = await house.post(
        "createThread",
        messages=[{"role": "user", "content": question}],
        tool_resources={"file_search": {"vector_store_ids": list(stores)}},
    )
    return str(made["id"])


async def asking(house: House, thread: str, *scripts: Any, **body: Any) -> RunKey:
    """Start a run that may search."""
    return await house.start(thread, *scripts, **{"tools": SEARCH, **body})


async def steps_with_content(house: House, key: RunKey) -> list[Any]:
    """Return the steps of a run, oldest first, with what was found."""
    query = {"order": "asc", "limit": 100, "include": CONTENT}
    return list((await house.get("listRunSteps", key, **query))["data"])


async def test_a_search_is_a_step_and_a_mark_in_the_answer_is_a_citation(house: House) -> None:
    file = await put_file(house, LOOM)
    thread = await a_thread(house, await an_indexed_store(house, file))
    key = await asking(
        house,
        thread,
        searching("loom"),
        text("The warp【", "3:0†loo", "ms.txt】, 【9:9†x】."),
    )
    run = await house.rest(key)
    assert run["status"] == "completed"

    asked, answering = house.models.scripted.requests
    (offer,) = asked.tools
    assert offer.name == "file_search"
    assert offer.parameters["required"] == ["query"]
    call, output = answering.messages[-2:]
    assert call.tool_calls[0].arguments == '{"query": "loom"}'
    assert output.tool_call_id == call.tool_calls[0].id
    mark = f"【{len(asked.messages)}:0†looms.txt】"
    assert f"{mark}\n{LOOM}" in str(output.content)

    searched, spoken = await house.steps(key)
    (shown,) = searched["step_details"]["tool_calls"]
    result = {"file_id": file, "file_name": "looms.txt", "attributes": {}}
    (found,) = shown["file_search"]["results"]
    assert {**found, "score": 0} == {**result, "score": 0}
    assert shown["file_search"]["ranking_options"] == {
        "ranker": "default_2024_08_21",
        "score_threshold": 0.0,
    }
    with_content = (await steps_with_content(house, key))[0]["step_details"]["tool_calls"][0]
    (full,) = with_content["file_search"]["results"]
    assert full == {**found, "content": [{"type": "text", "text": LOOM}]}
    alone = await house.answer(
        "getRunStep",
        None,
        {"include": CONTENT},
        {"thread_id": key.thread_id, "run_id": key.id, "step_id": searched["id"]},
    )
    assert json.loads(alone[0].body)["step_details"]["tool_calls"] == [with_content]
    assert run["usage"]["total_tokens"] == sum(
        step["usage"]["total_tokens"] for step in (searched, spoken)
    )


async def cited_run(house: House) -> tuple[RunKey, str]:
    """Return a run whose answer cites, its mark cut over several deltas, and what is cited."""
    file = await put_file(house, LOOM)
    thread = await a_thread(house, await an_indexed_store(house, file))
    key = await asking(house, thread, searching("loom"))
    house.models.scripted.by_itself = lambda request: text(
        "Äh 🧵 ", "the warp", f"【{len(request.messages) - 2}", ":0†loo", "ms.txt】", "."
    )
    await house.rest(key)
    return key, file


async def test_a_mark_that_comes_in_pieces_is_one_delta_with_its_citation(house: House) -> None:
    key, file = await cited_run(house)
    events = await house.log(key)
    assert [name for name in names(events) if "step" in name] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.step.completed",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.completed",
    ]
    (begun,) = [event.data["delta"] for event in events if event.name.endswith("step.delta")]
    (call,) = begun["step_details"]["tool_calls"]
    assert (call["type"], call["file_search"]["results"]) == ("file_search", [])
    deltas = [
        event.data["delta"]["content"][0]["text"]
        for event in events
        if event.name == "thread.message.delta"
    ]
    (cited,) = [delta for delta in deltas if delta.get("annotations")]
    (annotation,) = cited["annotations"]
    assert annotation["text"] == cited["value"]
    assert annotation["file_citation"] == {"file_id": file, "quote": ""}
    assert annotation["index"] == 0
    (message,) = [m for m in await house.messages(key.thread_id) if m["run_id"]]
    value = message["content"][0]["text"]["value"]
    assert value == "".join(delta["value"] for delta in deltas)
    assert value[annotation["start_index"] : annotation["end_index"]] == annotation["text"]
    (kept,) = message["content"][0]["text"]["annotations"]
    quoted = {**annotation["file_citation"]}
    del quoted["quote"]
    del annotation["index"]
    assert kept == {**annotation, "file_citation": quoted}


async def test_the_stores_of_the_thread_and_of_the_assistant_are_both_searched(
    house: House,
) -> None:
    loom, dye = await put_file(house, LOOM), await put_file(house, DYE, "dye.txt")
    thread = await a_thread(house, await an_indexed_store(house, loom))
    stores = {"file_search": {"vector_store_ids": [await an_indexed_store(house, dye)]}}
    assistant = await house.post(
        "createAssistant", model="scripted", tools=SEARCH, tool_resources=stores
    )
    key = await house.start(
        thread, searching("wool warp"), text("Both."), assistant_id=assistant["id"]
    )
    await house.rest(key)
    ((searched, _),) = [await house.steps(key)]
    results = searched["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert {result["file_id"] for result in results} == {loom, dye}


async def test_without_a_store_no_search_is_offered(house: House) -> None:
    gone = await a_store(house)
    thread = await a_thread(house, gone)
    await on_store(house, "deleteVectorStore", gone)
    for where in (thread, await house.thread("Hello")):
        key = await asking(house, where, text("Hello."))
        assert (await house.rest(key))["status"] == "completed"
        assert house.models.scripted.requests[-1].tools == []


async def test_a_clients_function_of_that_name_stays_the_clients(house: House) -> None:
    thread = await a_thread(house, await an_indexed_store(house, await put_file(house, LOOM)))
    theirs = {"type": "function", "function": {"name": "file_search", "parameters": {}}}
    script = searching("loom", name="file_search")
    key = await asking(house, thread, script, tools=[*SEARCH, theirs])
    assert (await house.rest(key))["status"] == "requires_action"
    (asked,) = house.models.scripted.requests
    assert [tool.name for tool in asked.tools] == ["weft_file_search", "file_search"]


async def test_a_search_beside_a_function_is_done_while_the_client_is_asked(house: House) -> None:
    thread = await a_thread(house, await an_indexed_store(house, await put_file(house, LOOM)))
    script = [
        *called(0, "weather", "{}"),
        *called(1, "file_search", '{"query": "loom"}'),
        *ending("tool_calls"),
    ]
    key = await asking(house, thread, script, text("Warp."), tools=[*SEARCH, *TOOLS])
    run = await house.rest(key)
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["weather"]
    (step,) = await house.steps(key)
    waiting, done = step["step_details"]["tool_calls"]
    assert (waiting["type"], waiting["function"]["output"]) == ("function", None)
    assert len(done["file_search"]["results"]) == 1
    await house.submit(key)
    assert (await house.rest(key))["status"] == "completed"
    outputs = house.models.scripted.requests[-1].messages[-2:]
    assert LOOM in str(outputs[1].content)
    assert outputs[0].content == f"output of {calls[0]['id']}"


async def test_a_run_that_must_search_does_so_first(house: House) -> None:
    thread = await a_thread(house, await an_indexed_store(house, await put_file(house, LOOM)))
    choice = {"type": "file_search"}
    key = await asking(house, thread, searching("loom"), text("Warp."), tool_choice=choice)
    await house.rest(key)
    first, second = house.models.scripted.requests
    assert first.tool_choice == {"type": "function", "function": {"name": "file_search"}}
    assert second.tool_choice == "auto"


@pytest.mark.parametrize("arguments", ["{", "[]", '{"query": " "}', '{"other": 1}', "null"])
async def test_a_search_for_nothing_is_told_to_the_model(house: House, arguments: str) -> None:
    thread = await a_thread(house, await an_indexed_store(house, await put_file(house, LOOM)))
    script = [*called(0, "file_search", arguments), *ending("tool_calls")]
    key = await asking(house, thread, script, text("Sorry."))
    assert (await house.rest(key))["status"] == "completed"
    told = house.models.scripted.requests[-1].messages[-1]
    assert "needs a query" in str(told.content)


def test_of_all_that_a_model_asks_at_once_only_so_much_is_searched() -> None:
    """A model that was led astray may ask without end: each query costs the server a search."""
    arguments = json.dumps({"queries": ["loom " * 10_000, *map(str, range(1000))]})
    queries = queries_in(arguments)
    assert len(queries) == MAX_QUERIES
    assert max(map(len, queries)) == 4096


async def test_a_model_that_searches_on_and_on_has_to_answer(house: House) -> None:
    thread = await a_thread(house, await an_indexed_store(house, await put_file(house, LOOM)))
    key = await asking(house, thread)
    house.models.scripted.by_itself = lambda request: (
        searching("loom") if request.tools else text("Enough.")
    )
    assert (await house.rest(key))["status"] == "completed"
    steps = await house.steps(key)
    assert [step["type"] for step in steps] == [*["tool_calls"] * MAX_ROUNDS, "message_creation"]
    marks = [
        str(message.content).split("【")[1].split(":")[0]
        for message in house.models.scripted.requests[-1].messages
        if message.role == "tool"
    ]
    assert len(set(marks)) == MAX_ROUNDS  # no mark means two things


async def test_a_run_waits_for_the_files_of_its_thread(house: House) -> None:
    await house.stop_indexing()
    thread = await a_thread(house, await a_store(house, await put_file(house, LOOM)))
    key = await asking(house, thread, searching("loom"), text("Warp."))
    await house.status(key, "in_progress")
    assert house.models.scripted.requests == []
    house.open_indexing()
    await house.rest(key)
    assert LOOM in str(house.models.scripted.requests[-1].messages[-1].content)


async def test_a_run_does_not_wait_longer_than_it_should(house: House) -> None:
    await house.stop_indexing()
    await house.stop_engine()
    house.tools = house.tools._replace(indexing_wait_s=0.01)
    house.open_engine()
    thread = await a_thread(house, await a_store(house, await put_file(house, LOOM)))
    key = await asking(house, thread, searching("loom"), text("Nothing."))
    await house.rest(key)
    assert "Nothing in the files" in str(house.models.scripted.requests[-1].messages[-1].content)


async def test_a_run_that_waits_for_files_can_be_cancelled(house: House) -> None:
    await house.stop_indexing()
    thread = await a_thread(house, await a_store(house, await put_file(house, LOOM)))
    key = await asking(house, thread, text("Never."))
    await house.status(key, "in_progress")
    await house.cancel(key)
    assert (await house.rest(key))["status"] == "cancelled"
    assert house.models.scripted.requests == []


async def test_a_store_that_has_expired_refuses_runs_and_files(house: House) -> None:
    days = {"anchor": "last_active_at", "days": 1}
    file = await put_file(house, LOOM)
    store = await an_indexed_store(house, file, expires_after=days)
    thread = await a_thread(house, store)
    house.turn_clock(86400)
    assert (await on_store(house, "getVectorStore", store))["status"] == "expired"
    with pytest.raises(BadRequest, match=f"^Vector store {store} is expired.$"):
        await asking(house, thread)
    attachment = {"file_id": file, "tools": SEARCH}
    for operation, body, path in (
        ("createVectorStoreFile", {"file_id": file}, {"vector_store_id": store}),
        ("createVectorStoreFileBatch", {"file_ids": [file]}, {"vector_store_id": store}),
        ("searchVectorStore", {"query": "loom"}, {"vector_store_id": store}),
        ("modifyVectorStore", {"expires_after": None}, {"vector_store_id": store}),
        (
            "createMessage",
            {"role": "user", "content": "x", "attachments": [attachment]},
            {"thread_id": thread},
        ),
    ):
        with pytest.raises(BadRequest, match=f"^Vector store '{store}' has expired.$"):
            await house.answer(operation, body, {}, path)


async def test_a_run_is_a_use_of_its_stores(house: House) -> None:
    days = {"anchor": "last_active_at", "days": 1}
    store = await an_indexed_store(house, await put_file(house, LOOM), expires_after=days)
    thread = await a_thread(house, store)
    for _ in range(3):
        house.turn_clock(80_000)
        key = await asking(house, thread, text("Hm."))
        await house.rest(key)
    shown = await on_store(house, "getVectorStore", store)
    assert shown["last_active_at"] == house.clock.now
    assert shown["expires_at"] == house.clock.now + 86400


async def test_after_a_crash_the_answer_still_cites_what_was_found_before(house: House) -> None:
    file = await put_file(house, LOOM)
    thread = await a_thread(house, await an_indexed_store(house, file))
    gate = Gate()
    key = await asking(house, thread, searching("loom"), [TextDelta("So "), gate])
    await house.written(key, 12)  # up to the first delta of the answer
    await house.crash()
    house.models.scripted.by_itself = lambda request: text(
        f"again【{len(request.messages) - 2}:0†looms.txt】"
    )
    assert (await house.rest(key))["status"] == "completed"
    steps = await house.steps(key)
    assert [(step["type"], step["status"]) for step in steps] == [
        ("tool_calls", "completed"),
        ("message_creation", "failed"),
        ("message_creation", "completed"),
    ]
    last = (await house.messages(thread))[-1]
    (annotation,) = last["content"][0]["text"]["annotations"]
    assert annotation["file_citation"]["file_id"] == file


async def test_a_message_that_breaks_off_keeps_what_it_cited(house: House) -> None:
    file = await put_file(house, LOOM)
    thread = await a_thread(house, await an_indexed_store(house, file))
    gate = Gate()
    key = await asking(house, thread, searching("loom"))
    house.models.scripted.by_itself = lambda request: [
        TextDelta("It is the warp"),
        TextDelta(f"【{len(request.messages) - 2}:0†looms.txt】"),
        TextDelta(" and 【5"),
        gate,
    ]
    await gate.met()
    await house.cancel(key)
    assert (await house.rest(key))["status"] == "cancelled"
    last = (await house.messages(thread))[-1]
    assert last["status"] == "incomplete"
    (annotation,) = last["content"][0]["text"]["annotations"]
    assert annotation["file_citation"]["file_id"] == file
    value = said(last["content"][0])
    assert value[annotation["start_index"] : annotation["end_index"]] == annotation["text"]


async def test_an_attachment_makes_a_store_that_goes_a_week_after_its_last_use(
    house: House,
) -> None:
    first, second = await put_file(house, LOOM), await put_file(house, DYE, "dye.txt")
    thread = await house.thread("Hello")
    stores = []
    for file in (first, second):
        attachment = {"file_id": file, "tools": [*SEARCH, {"type": "code_interpreter"}]}
        body = {"role": "user", "content": "Read this.", "attachments": [attachment]}
        answer, _ = await house.answer("createMessage", body, {}, {"thread_id": thread})
        assert json.loads(answer.body)["attachments"] == [attachment]
        shown, _ = await house.answer("getThread", None, {}, {"thread_id": thread})
        resources = json.loads(shown.body)["tool_resources"]
        stores.append(resources["file_search"]["vector_store_ids"])
    assert stores[0] == stores[1]
    assert resources["code_interpreter"]["file_ids"] == [first, second]
    ((store,), _) = stores
    shown = await indexed(house, store)
    assert shown["file_counts"]["completed"] == 2
    assert shown["expires_after"] == {"anchor": "last_active_at", "days": 7}
    # One that was deleted is replaced.
    await on_store(house, "deleteVectorStore", store)
    body["attachments"] = [{"file_id": first, "tools": SEARCH}]
    await house.answer("createMessage", body, {}, {"thread_id": thread})
    now, _ = await house.answer("getThread", None, {}, {"thread_id": thread})
    (other,) = json.loads(now.body)["tool_resources"]["file_search"]["vector_store_ids"]
    assert other != store
    assert (await indexed(house, other))["file_counts"]["total"] == 1


async def test_attachments_of_a_run_s_messages_are_there_for_that_run(house: House) -> None:
    file = await put_file(house, LOOM)
    thread = await house.thread("Hello")
    message = {
        "role": "user",
        "content": "What does it hold?",
        "attachments": [{"file_id": file, "tools": SEARCH}],
    }
    key = await asking(
        house, thread, searching("loom"), text("Warp."), additional_messages=[message]
    )
    await house.rest(key)
    assert LOOM in str(house.models.scripted.requests[-1].messages[-1].content)
    made = await house.post(
        "createThreadAndRun",
        assistant_id=await house.assistant_id(),
        tools=SEARCH,
        thread={"messages": [message]},
    )
    house.models.scripted.tell(searching("loom"), text("Warp."))
    await house.rest(RunKey(made["thread_id"], key.project, made["id"]))
    assert LOOM in str(house.models.scripted.requests[-1].messages[-1].content)

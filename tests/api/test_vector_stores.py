"""Vector stores over HTTP: what they take, show, find and forget."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.making import a_thread, everything, ids, pages
from tests.api.running import DEMO, a_demo, a_run, at_rest, messages_of, steps_of
from tests.api.storing import (
    a_file,
    a_store,
    an_indexed_store,
    counts,
    file_in,
    found,
    wait_for_index,
)
from tests.harness import Api, Server, api_of

MISSING = "vs_missing"


def test_a_new_store_is_empty_and_completed(api: Api) -> None:
    made = api.ok("POST", "/vector_stores", {})
    assert made == {
        "id": made["id"],
        "object": "vector_store",
        "created_at": made["created_at"],
        "name": None,
        "description": None,
        "usage_bytes": 0,
        "file_counts": counts(),
        "status": "completed",
        "expires_after": None,
        "expires_at": None,
        "last_active_at": made["created_at"],
        "metadata": {},
    }
    assert api.ok("GET", f"/vector_stores/{made['id']}") == made


def test_a_change_keeps_what_it_does_not_name_and_null_resets(api: Api) -> None:
    days = {"anchor": "last_active_at", "days": 3}
    body = {"name": "n", "description": "d", "expires_after": days, "metadata": {"a": "1"}}
    made = api.ok("POST", "/vector_stores", body)
    assert made["expires_at"] == made["last_active_at"] + 3 * 86400
    path = f"/vector_stores/{made['id']}"
    changed = api.ok("POST", path, {"metadata": {"b": "2"}})
    assert changed == {**made, "metadata": {"a": "1", "b": "2"}}
    reset = api.ok("POST", path, {"name": None, "expires_after": None})
    assert reset == {**changed, "name": None, "expires_after": None, "expires_at": None}
    assert api.ok("GET", path) == reset


def test_stores_are_paged_and_a_deleted_one_is_still_a_cursor(api: Api) -> None:
    made = [a_store(api) for _ in range(5)]
    for order, expected in (("asc", made), ("desc", made[::-1])):
        listed = ids(everything(api, "/vector_stores", order=order, limit=2))
        assert [each for each in listed if each in made] == expected
    api.ok("DELETE", f"/vector_stores/{made[1]}")
    page = api.ok("GET", "/vector_stores", params={"order": "asc", "after": made[1], "limit": 1})
    assert ids(page["data"]) == [made[2]]
    assert api.error("GET", f"/vector_stores/{made[1]}")[0] == 404


def test_files_in_a_store_are_listed_in_the_order_in_which_they_came(api: Api) -> None:
    files = [a_file(api, f"Text {number}.", f"{number}.txt") for number in range(5)]
    store = an_indexed_store(api, *files[::-1])
    path = f"/vector_stores/{store}/files"
    assert ids(everything(api, path, order="asc", limit=2)) == files[::-1]
    assert ids(everything(api, path, limit=2)) == files
    assert ids(everything(api, path, filter="completed", order="asc")) == files[::-1]
    assert everything(api, path, filter="failed") == []
    backwards = api.ok("GET", path, params={"order": "asc", "before": files[0], "limit": 2})
    assert ids(backwards["data"]) == [files[2], files[1]]
    # Clients delete while they page.
    for page in pages(api, path, order="asc", limit=2):
        for file in ids(page["data"]):
            api.ok("DELETE", f"{path}/{file}")
    assert everything(api, path) == []


def test_what_a_file_shows_once_it_is_indexed(api: Api) -> None:
    file, attributes = a_file(api), {"year": 2024, "kind": "tool", "new": True}
    store = a_store(api)
    strategy = {
        "type": "static",
        "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50},
    }
    body = {"file_id": file, "attributes": attributes, "chunking_strategy": strategy}
    begun = api.call("POST", f"/vector_stores/{store}/files", body)
    assert begun.headers["openai-poll-after-ms"] == "250"
    wait_for_index(api, store)
    done = api.call("GET", f"/vector_stores/{store}/files/{file}")
    assert "openai-poll-after-ms" not in done.headers
    shown = done.json()
    assert shown == {
        **begun.json(),
        "status": "completed",
        "usage_bytes": shown["usage_bytes"],
        "attributes": attributes,
        "chunking_strategy": strategy,
    }
    content = api.ok("GET", f"/vector_stores/{store}/files/{file}/content")["data"]
    assert content == [{"type": "text", "text": "A loom holds the warp."}]


def test_auto_is_800_and_400_and_an_overlap_is_at_most_half(api: Api) -> None:
    store = a_store(api)
    body = {"file_id": a_file(api), "chunking_strategy": {"type": "auto"}}
    shown = api.ok("POST", f"/vector_stores/{store}/files", body)
    assert shown["chunking_strategy"]["static"] == {
        "max_chunk_size_tokens": 800,
        "chunk_overlap_tokens": 400,
    }
    half = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 101}
    body["chunking_strategy"] = {"type": "static", "static": half}
    status, error = api.error("POST", f"/vector_stores/{store}/files", body)
    assert status == 400
    assert error["param"] == "chunking_strategy.static.chunk_overlap_tokens"


def test_the_text_of_a_long_file_is_whole_although_its_passages_overlap(api: Api) -> None:
    text = "\n\n".join(f"Paragraph {n} tells of loom number {n}. " * 9 for n in range(60)).strip()
    file = a_file(api, text, "long.txt")
    store = an_indexed_store(api, file)
    (content,) = api.ok("GET", f"/vector_stores/{store}/files/{file}/content")["data"]
    assert content["text"].split() == text.split()


def test_a_batch_takes_files_alike_or_each_with_its_settings(api: Api) -> None:
    one, two = a_file(api, "Wool."), a_file(api, "Silk.", "silk.txt")
    store = a_store(api)
    batches = f"/vector_stores/{store}/file_batches"
    alike = api.ok("POST", batches, {"file_ids": [one, two, one], "attributes": {"a": 1}})
    assert (alike["status"], alike["file_counts"]) == ("in_progress", counts(in_progress=2))
    wait_for_index(api, store)
    done = api.ok("GET", f"{batches}/{alike['id']}")
    assert done == {**alike, "status": "completed", "file_counts": counts(completed=2)}
    files = [{"file_id": two, "attributes": {"b": "2"}}, {"file_id": one}]
    other = api.ok("POST", batches, {"files": files})
    wait_for_index(api, store)
    listed = everything(api, f"{batches}/{other['id']}/files", order="asc", limit=1)
    assert [(each["id"], each["attributes"]) for each in listed] == [
        (two, {"b": "2"}),
        (one, {"a": 1.0}),
    ]
    assert api.ok("GET", f"{batches}/{alike['id']}")["file_counts"] == counts(completed=2)
    assert api.ok("POST", f"{batches}/{other['id']}/cancel")["status"] == "completed"
    for body, param in (({}, "file_ids"), ({"file_ids": [one], "files": files}, "files")):
        assert api.error("POST", batches, body)[1]["param"] == param


@pytest.mark.parametrize(
    "path",
    ["/vector_stores", "/vector_stores/{store}/files", "/vector_stores/{store}/file_batches"],
)
def test_files_that_are_not_there_or_hold_no_text_are_refused_and_nothing_is_stored(
    api: Api, path: str
) -> None:
    store, good = a_store(api), a_file(api)
    table = a_file(api, "a,b\n1,2\n", "table.csv")
    for bad, code, start in (
        ("file-missing", None, "The following files were not found: ['file-missing']."),
        (table, "unsupported_file", "Files with extensions [.csv] are not supported"),
    ):
        body: dict[str, Any] = {"file_ids": [good, bad]}
        if path.endswith("files"):
            body = {"file_id": bad}
        before = ids(everything(api, "/vector_stores"))
        status, error = api.error("POST", path.format(store=store), body)
        assert (status, error["code"]) == (400, code)
        assert error["message"].startswith(start)
        assert ids(everything(api, "/vector_stores")) == before
    assert everything(api, f"/vector_stores/{store}/files") == []


def test_a_search_ranks_filters_and_cuts(api: Api) -> None:
    store = a_store(api)
    for year, text in ((2022, "Wool is warm."), (2023, "Silk is smooth."), (2024, "Wool felts.")):
        body = {"file_id": a_file(api, text, f"{year}.txt"), "attributes": {"year": year}}
        api.ok("POST", f"/vector_stores/{store}/files", body)
    wait_for_index(api, store)
    assert found(api, store, "smooth silk")[0]["filename"] == "2023.txt"
    assert len(found(api, store, "wool", max_num_results=1)) == 1
    both = found(api, store, ["wool", "silk"])
    assert {each["filename"] for each in both} == {"2022.txt", "2023.txt", "2024.txt"}
    since = {"type": "gte", "key": "year", "value": 2023}
    not_silk = {"type": "nin", "key": "year", "value": [2023]}
    for condition, years in (
        (since, {2024}),
        ({"type": "and", "filters": [since, not_silk]}, {2024}),
        ({"type": "or", "filters": [since, not_silk]}, {2022, 2024}),
    ):
        results = found(api, store, "wool", filters=condition)
        assert {each["attributes"]["year"] for each in results} == years
    strict = {"ranker": "auto", "score_threshold": 1}
    assert all(each["score"] == 1 for each in found(api, store, "wool", ranking_options=strict))


@pytest.mark.parametrize(
    ("condition", "param", "code"),
    [
        ({"type": "eq", "key": "a"}, "filters.value", "missing_required_parameter"),
        ({"type": "and"}, "filters.filters", "missing_required_parameter"),
        ({"type": "or", "key": "a", "filters": []}, "filters.key", "unknown_parameter"),
        ({"type": "in", "key": "a", "value": 1}, "filters.value", "invalid_type"),
        ({"type": "like", "key": "a", "value": 1}, "filters.type", "invalid_value"),
        (
            {"type": "and", "filters": [{"type": "eq", "key": "a", "value": [1]}]},
            "filters.filters[0].value",
            "invalid_type",
        ),
    ],
)
def test_a_condition_that_is_not_lawful_is_refused_with_its_place(
    api: Api, condition: Any, param: str, code: str
) -> None:
    body = {"query": "x", "filters": condition}
    status, error = api.error("POST", f"/vector_stores/{a_store(api)}/search", body)
    assert (status, error["param"], error["code"]) == (400, param, code)


def test_what_is_taken_out_is_found_no_more(api: Api) -> None:
    text = "Madder dyes wool red."
    kept, taken, deleted = (a_file(api, f"{text} {n}", f"{n}.txt") for n in range(3))
    store = an_indexed_store(api, kept, taken, deleted)
    assert len(found(api, store, "madder")) == 3
    gone = api.ok("DELETE", f"/vector_stores/{store}/files/{taken}")
    assert gone == {"id": taken, "object": "vector_store.file.deleted", "deleted": True}
    api.http.delete(f"/v1/files/{deleted}").raise_for_status()
    assert [each["file_id"] for each in found(api, store, "madder")] == [kept]
    shown = api.ok("GET", f"/vector_stores/{store}")
    assert shown["file_counts"] == counts(completed=1)
    assert shown["usage_bytes"] == file_in(api, store, kept)["usage_bytes"]
    status, error = api.error("GET", f"/vector_stores/{store}/files/{taken}")
    assert status == 404
    assert error["message"] == f"No file found with id '{taken}' in vector store '{store}'."
    # The file itself is still there, and may come back.
    api.ok("POST", f"/vector_stores/{store}/files", {"file_id": taken})
    wait_for_index(api, store)
    assert {each["file_id"] for each in found(api, store, "madder")} == {kept, taken}


@pytest.mark.parametrize("path", ["files/file-1", "file_batches/vsfb_1", "files"])
def test_under_a_store_that_is_not_there_the_store_is_missed(api: Api, path: str) -> None:
    status, error = api.error("GET", f"/vector_stores/{MISSING}/{path}")
    assert (status, error["message"]) == (404, f"No vector store found with id '{MISSING}'.")


def test_the_same_key_makes_one_store(api: Api) -> None:
    headers = {"Idempotency-Key": f"store {a_file(api)}"}
    made = [api.ok("POST", "/vector_stores", {"name": "x"}, headers=headers) for _ in range(2)]
    assert made[0] == made[1]


@pytest.mark.parametrize("levels", [9, 300, 5000, 100_000])
def test_filters_that_are_nested_too_deeply_are_refused(api: Api, levels: int) -> None:
    leaf = '{"type":"eq","key":"a","value":1}'
    filters = '{"type":"and","filters":[' * levels + leaf + "]}" * levels
    raw = f'{{"query":"wool","filters":{filters}}}'.encode()
    status, _ = api.error("POST", f"/vector_stores/{a_store(api)}/search", raw=raw)
    assert status == 400


def test_an_attachment_is_searched_and_cited_by_the_demo_model(api: Api) -> None:
    file = a_file(api, "A heddle lifts every other thread.", "heddle.md")
    assistant = a_demo(api, tools=[{"type": "file_search"}])
    attachment = {"file_id": file, "tools": [{"type": "file_search"}]}
    question = {"role": "user", "content": "What lifts threads?", "attachments": [attachment]}
    thread = a_thread(api, messages=[question])
    run = at_rest(api, a_run(api, thread, assistant))
    assert run["status"] == "completed"
    answer = messages_of(api, run)[-1]["content"][0]["text"]
    (cited,) = answer["annotations"]
    assert cited["file_citation"] == {"file_id": file}
    assert answer["value"][cited["start_index"] : cited["end_index"]] == cited["text"]
    assert cited["text"].endswith("†heddle.md】")
    assert [step["type"] for step in steps_of(api, run)] == ["tool_calls", "message_creation"]


def test_a_server_that_is_killed_indexes_on_when_it_starts_again(tmp_path: Path) -> None:
    """Nothing is lost, nothing is found twice, and the counts are right."""
    with Server(tmp_path / "data") as first, api_of(first) as api:
        files = [a_file(api, f"Loom number {n}. " * 200, f"{n}.txt") for n in range(12)]
        store = a_store(api, *files)
        while api.ok("GET", f"/vector_stores/{store}")["file_counts"]["completed"] < 2:
            pass
        first.kill()
    with Server(tmp_path / "data") as second, api_of(second) as api:
        shown = wait_for_index(api, store)
        assert shown["file_counts"] == counts(completed=12)
        for number, file in enumerate(files):
            (content,) = api.ok("GET", f"/vector_stores/{store}/files/{file}/content")["data"]
            assert content["text"].split() == (f"Loom number {number}. " * 200).split()
        usage = [file_in(api, store, file)["usage_bytes"] for file in files]
        assert shown["usage_bytes"] == sum(usage)
        assert api.ok("GET", "/models")["data"][0]["id"] == DEMO


def test_numbers_in_attributes_come_back_as_they_were_sent(api: Api) -> None:
    """Everywhere, to the character: 2024 is no 2024.0 in most programs."""
    sent = b'{"year":2024,"below":-3,"none":0,"part":0.5,"large":9007199254740991,"yes":true}'
    file, store = a_file(api), a_store(api)
    path = f"/vector_stores/{store}"
    as_json = {"Content-Type": "application/json"}
    body = b'{"file_id":"%b","attributes":%b}' % (file.encode(), sent)
    assert sent in api.call("POST", f"{path}/files", raw=body, headers=as_json).content
    wait_for_index(api, store)
    run = at_rest(api, a_run_that_searches(api, store))
    for where, params in (
        (f"{path}/files/{file}", {}),
        (f"{path}/files", {}),
        (f"/threads/{run['thread_id']}/runs/{run['id']}/steps", {}),
        (f"/threads/{run['thread_id']}/runs/{run['id']}/steps", WITH_PASSAGES),
    ):
        assert sent in api.call("GET", where, params=params).content, where
    for value in (b"2024", b"2024.0"):
        asked = b'{"query":"loom","filters":{"type":"eq","key":"year","value":%b}}' % value
        assert sent in api.call("POST", f"{path}/search", raw=asked, headers=as_json).content
    other = b'{"attributes":{"year":2025,"part":2.5,"vast":1e300}}'
    changed = api.call("POST", f"{path}/files/{file}", raw=other, headers=as_json).content
    assert b'"attributes":{"year":2025,"part":2.5,"vast":1e300}' in changed
    assert found(api, store, "loom")[0]["attributes"] == {"year": 2025, "part": 2.5, "vast": 1e300}


WITH_PASSAGES = {"include[]": "step_details.tool_calls[*].file_search.results[*].content"}


def a_run_that_searches(api: Api, store: str) -> Any:
    """Begin a run of the demo model that asks a store what a loom is."""
    stores = {"file_search": {"vector_store_ids": [store]}}
    assistant = a_demo(api, tools=[{"type": "file_search"}], tool_resources=stores)
    thread = a_thread(api, messages=[{"role": "user", "content": "What does a loom hold?"}])
    return a_run(api, thread, assistant)

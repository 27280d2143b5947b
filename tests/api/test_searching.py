"""Searching over HTTP at its edges: conditions within conditions, thresholds, odd questions."""

from typing import Any

import pytest

from tests.api.making import a_thread, an_assistant
from tests.api.running import DEMO, a_demo, a_run, at_rest, steps_of
from tests.api.storing import a_file, a_store, an_indexed_store, found, wait_for_index
from tests.harness import Api
from weft.wire.vector_search import MAX_DEPTH, MAX_VALUES

SEARCH = [{"type": "file_search"}]


def of_years(api: Api) -> str:
    """Make a store with a file for each year from 2020 to 2025, each about wool."""
    store = a_store(api)
    for year in range(2020, 2026):
        attributes = {"year": year, "is_new": year > 2023, "by": "ada" if year % 2 else "bo"}
        file = a_file(api, f"Wool of {year} is warm.", f"{year}.txt")
        api.ok("POST", f"/vector_stores/{store}/files", {"file_id": file, "attributes": attributes})
    wait_for_index(api, store)
    return store


def years(api: Api, store: str, condition: Any) -> set[int]:
    """Return the years of what a search under a condition finds."""
    results = found(api, store, "wool", filters=condition, max_num_results=50)
    return {int(each["attributes"]["year"]) for each in results}


def compare(kind: str, key: str, value: Any) -> dict[str, Any]:
    """Return a condition on an attribute."""
    return {"type": kind, "key": key, "value": value}


def test_conditions_within_conditions_choose_the_files_that_they_describe(api: Api) -> None:
    store = of_years(api)
    by_ada = compare("eq", "by", "ada")
    old = compare("lt", "year", 2022)
    some = compare("in", "year", [2020, 2023.0, 2024])
    is_new = compare("eq", "is_new", True)

    def both(*filters: Any) -> dict[str, Any]:
        return {"type": "and", "filters": list(filters)}

    def any_of(*filters: Any) -> dict[str, Any]:
        return {"type": "or", "filters": list(filters)}

    for condition, expected in (
        (both(by_ada, any_of(old, is_new)), {2021, 2025}),
        (any_of(both(by_ada, old), both(is_new, some)), {2021, 2024}),
        (
            both(any_of(by_ada, some), any_of(compare("gte", "year", 2023), old)),
            {*range(2020, 2026)} - {2022},
        ),
        (compare("nin", "by", ["ada", "bo"]), set()),
        (compare("ne", "missing", "x"), {*range(2020, 2026)}),
        (compare("gt", "missing", 0), set()),
        (compare("eq", "year", "2020"), set()),
        (compare("eq", "is_new", 1), set()),
        (compare("in", "year", []), set()),
        (both(), {*range(2020, 2026)}),
        (any_of(), set()),
    ):
        assert years(api, store, condition) == expected, condition


def test_conditions_may_be_nested_so_deep_and_no_deeper(api: Api) -> None:
    store = of_years(api)
    condition: Any = compare("gte", "year", 2024)
    for depth in range(2, MAX_DEPTH + 1):
        condition = {"type": "or" if depth % 2 else "and", "filters": [condition]}
    assert years(api, store, condition) == {2024, 2025}
    for more in (1, 50, 400):
        for _ in range(more):
            condition = {"type": "and", "filters": [condition]}
        status, error = api.error(
            "POST", f"/vector_stores/{store}/search", {"query": "wool", "filters": condition}
        )
        assert (status, error["code"]) == (400, "invalid_value")
        assert "nested" in error["message"]


def test_conditions_compare_with_so_many_values_and_no_more(api: Api) -> None:
    """However they are put: more would keep a processor busy for each of thousands of files."""
    store = of_years(api)
    for count, is_lawful in ((MAX_VALUES, True), (MAX_VALUES + 1, False)):
        wanted = range(2020, 2020 + count)
        single = [compare("eq", "year", year) for year in wanted]
        halves = [compare("in", "year", [*wanted[::2]]), compare("in", "year", [*wanted[1::2]])]
        for condition in (
            {"type": "or", "filters": single},
            {"type": "or", "filters": halves},
            compare("in", "year", [*wanted]),
        ):
            if is_lawful:
                assert years(api, store, condition) == {*range(2020, 2026)}
                continue
            status, error = api.error(
                "POST", f"/vector_stores/{store}/search", {"query": "wool", "filters": condition}
            )
            assert (status, error["code"], error["param"]) == (400, "invalid_value", "filters")
            assert "more than 1,000 values" in error["message"]


def test_conditions_without_end_are_refused_like_any_body_that_is_no_good(api: Api) -> None:
    store = a_store(api)
    for depth in (1_000, 100_000):
        nested = b'{"type":"and","filters":[' * depth + b"]}" * depth
        raw = b'{"query":"x","filters":%s}' % nested
        status, _ = api.error(
            "POST",
            f"/vector_stores/{store}/search",
            raw=raw,
            headers={"Content-Type": "application/json"},
        )
        assert status == 400


def test_a_threshold_cuts_and_the_number_of_results_is_kept(api: Api) -> None:
    store = of_years(api)
    everything = found(api, store, "warm wool of 2021", max_num_results=50)
    scores = [each["score"] for each in everything]
    assert scores == sorted(scores, reverse=True)
    assert everything[0]["filename"] == "2021.txt"
    assert all(0 <= score <= 1 for score in scores)
    threshold = scores[0]
    best = found(api, store, "warm wool of 2021", ranking_options={"score_threshold": threshold})
    assert [each["filename"] for each in best] == ["2021.txt"]
    for limit in (1, 3):
        assert found(api, store, "warm wool of 2021", max_num_results=limit) == everything[:limit]
    for wrong in (0, 51):
        body = {"query": "wool", "max_num_results": wrong}
        assert api.error("POST", f"/vector_stores/{store}/search", body)[0] == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?!",
        "\0",
        "NEAR(a b)",
        '"',
        "a* OR b",
        "-x",
        "\N{SPOOL OF THREAD}",
        "x" * 4096,
        " ",
        "é" * 900,
    ],
)
def test_any_question_is_answered_with_results_or_a_reason(api: Api, query: str) -> None:
    store = an_indexed_store(api, a_file(api))
    body = {"query": query, "rewrite_query": True}
    answer = api.call("POST", f"/vector_stores/{store}/search", body)
    assert answer.status_code == (400 if query == "" else 200)
    if query:
        assert answer.json()["search_query"] == [query]


def test_a_run_searches_with_the_number_and_the_threshold_of_its_tool(api: Api) -> None:
    store = of_years(api)
    stores = {"file_search": {"vector_store_ids": [store]}}
    threshold: dict[str, Any] = {"ranker": "auto", "score_threshold": 0.999}
    cases: list[tuple[dict[str, Any], int]] = [
        ({"max_num_results": 2}, 2),
        ({"ranking_options": threshold}, 1),
    ]
    for settings, most in cases:
        tools = [{"type": "file_search", "file_search": settings}]
        assistant = a_demo(api, tools=tools, tool_resources=stores)
        question = {"role": "user", "content": "Is the wool of 2021 warm?"}
        run = at_rest(api, a_run(api, a_thread(api, messages=[question]), assistant))
        assert run["status"] == "completed"
        (call,) = steps_of(api, run)[0]["step_details"]["tool_calls"]
        searched = call["file_search"]
        assert len(searched["results"]) <= most
        wanted = settings.get("ranking_options", {"score_threshold": 0.0})["score_threshold"]
        assert searched["ranking_options"]["score_threshold"] == wanted
        assert all(result["score"] >= wanted for result in searched["results"])
    assert len(found(api, store, "Is the wool of 2021 warm?")) > 2


def test_results_carry_their_passages_only_for_who_asks(api: Api) -> None:
    text = "A reed beats the weft."
    stores = {"file_search": {"vector_store_ids": [an_indexed_store(api, a_file(api, text))]}}
    assistant = an_assistant(api, model=DEMO, tools=SEARCH, tool_resources=stores)
    thread = a_thread(api, messages=[{"role": "user", "content": "What does a reed beat?"}])
    run = at_rest(api, a_run(api, thread, assistant))
    path = f"/threads/{thread}/runs/{run['id']}/steps"
    include = "step_details.tool_calls[*].file_search.results[*].content"
    for query, is_there in (
        ({}, False),
        ({"include[]": include}, True),
        ({"include": include}, True),
    ):
        steps = api.ok("GET", path, params={"order": "asc", **query})["data"]
        one = api.ok("GET", f"{path}/{steps[0]['id']}", params=query)
        assert one == steps[0]
        (result,) = one["step_details"]["tool_calls"][0]["file_search"]["results"]
        assert result.get("content") == ([{"type": "text", "text": text}] if is_there else None)
    other = a_thread(api, messages=[{"role": "user", "content": "What does a reed beat?"}])
    events = api.events(
        "POST",
        f"/threads/{other}/runs",
        {"assistant_id": assistant, "stream": True},
        params={"include[]": include},
    )
    (done,) = [
        event.data
        for event in events
        if event.name == "thread.run.step.completed" and event.data["type"] == "tool_calls"
    ]
    (result,) = done["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert result["content"] == [{"type": "text", "text": text}]

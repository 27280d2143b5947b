"""Any files in any stores of two projects: whatever is asked, nothing of the other is found.

Both projects write the same few words, and often the very same bytes, which lie only once. Every
search, by the endpoint and by runs, goes by words and by vectors, and is held against what its own
project put into the store.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.api.keys import create_key
from tests.api.making import a_thread, everything
from tests.api.running import a_demo, a_run, at_rest, runs_of, steps_of
from tests.api.storing import a_file, a_store, found, wait_for_index
from tests.harness import Api, Server, api_of
from tests.llm.upstream import serving
from tests.property.profiles import FULL, examples
from tests.retrieval.vectors import embeddings

EXAMPLES = 6
STEPS = 20
MOST = 50  # results of a search: more than a store here has
SEARCH = [{"type": "file_search"}]
INCLUDE = {"include[]": "step_details.tool_calls[*].file_search.results[*].content"}

_sides = st.sampled_from([0, 1])
_numbers = st.integers(0, 11)
_words = st.lists(
    st.sampled_from(["warp", "weft", "loom", "reed", "shed", "wool"]),
    min_size=1,
    max_size=4,
    unique=True,
)


class Written(NamedTuple):
    """A file as its project knows it."""

    name: str
    text: str


class Side:
    """A project: what it has, and what it put where."""

    def __init__(self, name: str, api: Api) -> None:
        self.name, self.api = name, api
        self.files: dict[str, Written] = {}
        self.stores: dict[str, set[str]] = {}

    def write(self, words: list[str]) -> str:
        """Upload a file with these words. The name says whose it is, the bytes do not."""
        written = Written(f"{self.name}-{len(self.files)}.txt", " ".join(words))
        file = a_file(self.api, written.text, written.name)
        self.files[file] = written
        return file

    def put(self, store: str, file: str) -> None:
        """Put a file into a store, and wait until it can be found there."""
        body = {"file_id": file, "attributes": {"of": self.name}}
        self.api.ok("POST", f"/vector_stores/{store}/files", body)
        wait_for_index(self.api, store)
        self.stores[store].add(file)

    def hold(self, stores: list[str], words: list[str], results: list[Any]) -> None:
        """Hold what a search of stores found against what was put there."""
        there = set().union(*(self.stores[store] for store in stores))
        told = [
            (each["file_id"], each.get("filename", each.get("file_name")), each["content"])
            for each in results
        ]
        for file, name, content in told:
            assert file in there
            assert (name, content) == (
                self.files[file].name,
                [{"type": "text", "text": self.files[file].text}],
            )
        assert {each["attributes"]["of"] for each in results} <= {self.name}
        wanted = {file for file in there if {*words} & {*self.files[file].text.split()}}
        assert wanted <= {file for file, *_ in told}

    def holdings(self) -> list[Any]:
        """Return everything that a request of the other side must leave as it is."""
        lists = ("/threads", "/assistants", "/files", "/vector_stores")
        return [
            *(everything(self.api, path, limit=100) for path in lists),
            *(everything(self.api, f"/vector_stores/{store}/files") for store in self.stores),
        ]


def nth(things: dict[str, Any], number: int) -> str | None:
    """Return one of some ids, or None when there is none."""
    return list(things)[number % len(things)] if things else None


class _Play(RuleBasedStateMachine):
    """Two projects of a server at work."""

    def __init__(self, apis: list[Api]) -> None:
        super().__init__()
        self.sides = [Side(name, api) for name, api in zip(("one", "other"), apis, strict=True)]

    @initialize(words=_words)
    def begin(self, words: list[str]) -> None:
        for side in self.sides:
            store = a_store(side.api)
            side.stores[store] = set()
            side.put(store, side.write(words))

    @rule(side=_sides)
    def open(self, side: int) -> None:
        self.sides[side].stores[a_store(self.sides[side].api)] = set()

    @rule(side=_sides, number=_numbers, words=_words)
    def write(self, side: int, number: int, words: list[str]) -> None:
        one = self.sides[side]
        if store := nth(one.stores, number):
            one.put(store, one.write(words))

    @rule(side=_sides, number=_numbers, file_number=_numbers)
    def put_again(self, side: int, number: int, file_number: int) -> None:
        one = self.sides[side]
        store, file = nth(one.stores, number), nth(one.files, file_number)
        if store and file:
            one.put(store, file)

    @rule(side=_sides, number=_numbers)
    def erase_a_file(self, side: int, number: int) -> None:
        one = self.sides[side]
        if file := nth(one.files, number):
            one.api.ok("DELETE", f"/files/{file}")
            del one.files[file]
            for held in one.stores.values():
                held.discard(file)

    @rule(side=_sides, number=_numbers)
    def erase_a_store(self, side: int, number: int) -> None:
        one = self.sides[side]
        if len(one.stores) > 1 and (store := nth(one.stores, number)):
            one.api.ok("DELETE", f"/vector_stores/{store}")
            del one.stores[store]

    @rule(side=_sides, number=_numbers, words=_words)
    def ask(self, side: int, number: int, words: list[str]) -> None:
        one, other = self.sides[side], self.sides[not side]
        if store := nth(one.stores, number):
            one.hold([store], words, found(one.api, store, " ".join(words), max_num_results=MOST))
            theirs = {"type": "eq", "key": "of", "value": other.name}
            assert found(one.api, store, words, filters=theirs) == []

    @rule(side=_sides, number=_numbers, other_number=_numbers, words=_words)
    def ask_in_a_run(self, side: int, number: int, other_number: int, words: list[str]) -> None:
        """With a store of the thread and one of the assistant."""
        one = self.sides[side]
        stores = [nth(one.stores, each) for each in (number, other_number)]
        of_thread, of_assistant = (
            {"file_search": {"vector_store_ids": [store] if store else []}} for store in stores
        )
        question = {"role": "user", "content": f"Which {' and which '.join(words)}?"}
        thread = a_thread(one.api, messages=[question], tool_resources=of_thread)
        tools = [{"type": "file_search", "file_search": {"max_num_results": MOST}}]
        assistant = a_demo(one.api, tools=tools, tool_resources=of_assistant)
        run = at_rest(one.api, a_run(one.api, thread, assistant))
        assert run["status"] == "completed"
        searched = one.api.ok(
            "GET",
            f"{runs_of(thread)}/{run['id']}/steps/{steps_of(one.api, run)[0]['id']}",
            params=INCLUDE,
        )
        (call,) = searched["step_details"]["tool_calls"]
        asked = [store for store in stores if store]
        one.hold(asked, words, call["file_search"]["results"])

    @rule(side=_sides, number=_numbers, file_number=_numbers)
    def reach_over(self, side: int, number: int, file_number: int) -> None:
        """Name what the other has, in every way: the documented error, and nothing is made."""
        one, other = self.sides[side], self.sides[not side]
        store, own = nth(other.stores, number), nth(one.stores, number)
        before = [each.holdings() for each in self.sides]
        if store:
            no_store = (404, f"No vector store found with id '{store}'.")
            for path, body in self._naming(store):
                assert said(one.api, path, body) == no_store
        if own and (file := nth(other.files, file_number)):
            no_file = (400, f"The following files were not found: ['{file}'].")
            for path, body in self._holding(own, file):
                assert said(one.api, path, body) == no_file
        assert [each.holdings() for each in self.sides] == before

    @staticmethod
    def _naming(store: str) -> Iterator[tuple[str, Any]]:
        resources = {"tool_resources": {"file_search": {"vector_store_ids": [store]}}}
        yield f"/vector_stores/{store}/search", {"query": "warp weft loom reed shed wool"}
        yield "/threads", resources
        yield "/assistants", {"model": "weft-demo", "tools": SEARCH, **resources}

    @staticmethod
    def _holding(own: str, file: str) -> Iterator[tuple[str, Any]]:
        yield f"/vector_stores/{own}/files", {"file_id": file}
        yield f"/vector_stores/{own}/file_batches", {"file_ids": [file]}
        yield "/vector_stores", {"file_ids": [file]}

    @rule(side=_sides, number=_numbers)
    def run_on_a_store_of_the_other(self, side: int, number: int) -> None:
        """In one request with its thread, so that nothing was there before."""
        one, other = self.sides[side], self.sides[not side]
        if not (store := nth(other.stores, number)):
            return
        resources = {"tool_resources": {"file_search": {"vector_store_ids": [store]}}}
        thread = {"messages": [{"role": "user", "content": "Which warp and which weft?"}]}
        assistant = a_demo(one.api, tools=SEARCH)
        before = [each.holdings() for each in self.sides]
        for asked in ({"thread": {**thread, **resources}}, {"thread": thread, **resources}):
            body = {"assistant_id": assistant, **asked}
            refusal = (404, f"No vector store found with id '{store}'.")
            assert said(one.api, "/threads/runs", body) == refusal
        assert [each.holdings() for each in self.sides] == before


def said(api: Api, path: str, body: Any) -> tuple[int, str]:
    """Send a request that must be refused; return how it was."""
    status, error = api.error("POST", path, body)
    return status, error["message"]


@pytest.fixture(scope="module")
def of_two(new_folder: Callable[[str], Path]) -> Iterator[list[Api]]:
    """A server with vectors, as two projects see it."""
    folder = new_folder("searched")
    keys = [create_key(folder, project).key for project in ("one", "other")]
    with serving() as upstream:
        upstream.play(embeddings())
        env = {"WEFT_EMBEDDINGS_URL": upstream.url, "WEFT_EMBEDDINGS_MODEL": "words"}
        with (
            Server(folder, env=env) as server,
            api_of(server, key=keys[0]) as one,
            api_of(server, key=keys[1]) as other,
        ):
            yield [one, other]


def play(apis: list[Api], number: int = 0) -> None:
    """Play some games; each number plays others."""

    @seed(number)
    class Play(_Play):
        def __init__(self) -> None:
            super().__init__(apis)

    run_state_machine_as_test(Play, settings=examples(EXAMPLES, steps=STEPS, is_slow=True))


def test_no_search_ever_finds_a_passage_of_another_project(of_two: list[Api]) -> None:
    play(of_two)


@pytest.mark.full
@pytest.mark.parametrize("number", range(1, 1 + FULL))
def test_many_more_searches_find_no_passage_of_another_project(
    of_two: list[Api], number: int
) -> None:
    play(of_two, number)

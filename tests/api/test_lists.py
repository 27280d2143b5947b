"""Lists: pages, cursors and order; every object once, whatever happens meanwhile."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.api.making import a_message, a_thread, an_assistant, as_wire, everything, ids, pages
from tests.harness import Api, Server, api_of

EMPTY: dict[str, Any] = {
    "object": "list",
    "data": [],
    "first_id": None,
    "last_id": None,
    "has_more": False,
}


class Shelf:
    """Seven objects of one kind in a list of their own, oldest first."""

    def __init__(self, api: Api, kind: str) -> None:
        self.api = api
        self.kind = kind
        self.query: dict[str, Any] = {}
        if kind == "message":
            self.path = f"/threads/{a_thread(api)}/messages"
            self.made = [a_message(api, self.path.split("/")[2], f"{n}") for n in range(7)]
        elif kind == "thread":
            mark = uuid.uuid4().hex
            self.path, self.query = "/threads", {"metadata[mark]": mark}
            self.made = [a_thread(api, metadata={"mark": mark}) for _ in range(7)]
        else:
            self.path = "/assistants"
            # Others may stand in this list: the ends are held by two that are not looked at.
            first = an_assistant(api)
            self.made = [an_assistant(api) for _ in range(7)]
            last = an_assistant(api)
            self.query = {"after": last, "before": first}

    def page(self, **query: Any) -> tuple[list[int], bool]:
        """Return which of the seven are on a page (0 is the oldest) and whether there is more."""
        for cursor in ("after", "before"):
            if cursor in query:
                query[cursor] = self.made[query[cursor]]
        found = self.api.ok("GET", self.path, params={**self.query, **query})
        listed = ids(found["data"])
        assert found["first_id"] == (listed[0] if listed else None)
        assert found["last_id"] == (listed[-1] if listed else None)
        return [self.made.index(one) for one in listed], found["has_more"]


@pytest.fixture(params=["message", "thread"])
def shelf(api: Api, request: pytest.FixtureRequest) -> Shelf:
    """Seven objects made within a second or so: most share their date."""
    return Shelf(api, request.param)


@pytest.mark.parametrize(
    ("query", "listed", "has_more"),
    [
        ({}, [6, 5, 4, 3, 2, 1, 0], False),
        ({"order": "desc"}, [6, 5, 4, 3, 2, 1, 0], False),
        ({"order": "asc"}, [0, 1, 2, 3, 4, 5, 6], False),
        ({"limit": 3}, [6, 5, 4], True),
        ({"limit": 3, "order": "asc"}, [0, 1, 2], True),
        ({"limit": 7}, [6, 5, 4, 3, 2, 1, 0], False),
        ({"limit": 7, "order": "asc"}, [0, 1, 2, 3, 4, 5, 6], False),
        ({"limit": 6}, [6, 5, 4, 3, 2, 1], True),
        ({"limit": 100}, [6, 5, 4, 3, 2, 1, 0], False),
        # after: what follows in the order that was asked for.
        ({"after": 4, "limit": 2}, [3, 2], True),
        ({"after": 4, "limit": 4}, [3, 2, 1, 0], False),
        ({"after": 4, "limit": 2, "order": "asc"}, [5, 6], False),
        ({"after": 4, "limit": 1, "order": "asc"}, [5], True),
        ({"after": 0}, [], False),
        ({"after": 6, "order": "asc"}, [], False),
        # before alone: the page that ends right ahead of it; more means more ahead of that.
        ({"before": 2, "limit": 2}, [4, 3], True),
        ({"before": 2, "limit": 4}, [6, 5, 4, 3], False),
        ({"before": 2, "limit": 3, "order": "asc"}, [0, 1], False),
        ({"before": 5, "limit": 3, "order": "asc"}, [2, 3, 4], True),
        ({"before": 6}, [], False),
        ({"before": 0, "order": "asc"}, [], False),
        # both: what lies between, from the side of after.
        ({"after": 5, "before": 1}, [4, 3, 2], False),
        ({"after": 5, "before": 1, "limit": 2}, [4, 3], True),
        ({"after": 1, "before": 5, "order": "asc", "limit": 2}, [2, 3], True),
        ({"after": 1, "before": 5}, [], False),
        ({"after": 3, "before": 3}, [], False),
    ],
)
def test_a_page_holds_what_limit_order_and_cursors_ask_for(
    shelf: Shelf, query: dict[str, Any], listed: list[int], has_more: bool
) -> None:
    assert shelf.page(**query) == (listed, has_more)


def test_assistants_are_paged_between_two_cursors(api: Api) -> None:
    shelf = Shelf(api, "assistant")
    assert shelf.page() == ([6, 5, 4, 3, 2, 1, 0], False)
    assert shelf.page(limit=3) == ([6, 5, 4], True)
    assert shelf.page(after=4, limit=2) == ([3, 2], True)
    assert shelf.page(before=4) == ([6, 5], False)


@pytest.mark.parametrize("kind", ["message", "thread", "assistant"])
def test_a_deleted_object_stays_a_valid_cursor(api: Api, kind: str) -> None:
    shelf = Shelf(api, kind)
    for index in (0, 3, 6):
        api.ok("DELETE", f"{shelf.path}/{shelf.made[index]}")
    assert shelf.page() == ([5, 4, 2, 1], False)
    assert shelf.page(after=3, limit=1) == ([2], True)
    assert shelf.page(after=3, limit=2) == ([2, 1], False)
    assert shelf.page(before=3) == ([5, 4], False)
    assert shelf.page(after=6, before=0) == ([5, 4, 2, 1], False)
    assert shelf.page(after=0) == ([], False)


def test_a_client_that_deletes_while_it_pages_sees_every_object_once(shelf: Shelf) -> None:
    seen = []
    for page in pages(shelf.api, shelf.path, **shelf.query, limit=2):
        for one in ids(page["data"]):
            shelf.api.ok("DELETE", f"{shelf.path}/{one}")
            seen.append(one)
    assert seen == shelf.made[::-1]
    assert shelf.api.ok("GET", shelf.path, params=shelf.query) == EMPTY


@pytest.mark.parametrize("cursor", ["after", "before"])
@pytest.mark.parametrize("kind", ["message", "thread", "assistant"])
def test_a_cursor_that_never_was_is_not_found(api: Api, kind: str, cursor: str) -> None:
    shelf = Shelf(api, kind)
    for unknown in ("undefined", "", "thread_x", "a'b\0"):
        status, error = api.error("GET", shelf.path, params={**shelf.query, cursor: unknown})
        shown = unknown.replace("\0", "\N{REPLACEMENT CHARACTER}")
        assert (status, error["message"]) == (404, f"No {kind} found with id '{shown}'.")


def test_a_message_is_no_cursor_in_another_thread(api: Api) -> None:
    message_id = a_message(api, a_thread(api))
    status, error = api.error("GET", f"/threads/{a_thread(api)}/messages?after={message_id}")
    assert (status, error["message"]) == (404, f"No message found with id '{message_id}'.")


def test_lists_ignore_parameters_that_they_do_not_know(api: Api) -> None:
    path = f"/threads/{a_thread(api)}/messages"
    strange = "api-version=v1&include=a&include[]=b&include%5B%5D=c&x[y]=1&x[]=2&x=3&=&&limit=5"
    assert api.ok("GET", f"{path}?{strange}") == EMPTY


def test_an_empty_list_names_no_ends(api: Api) -> None:
    answer = api.call("GET", f"/threads/{a_thread(api)}/messages")
    assert answer.content == as_wire(EMPTY)


def test_a_page_is_written_like_the_objects_on_it(shelf: Shelf) -> None:
    answer = shelf.api.call("GET", shelf.path, params={**shelf.query, "limit": 2})
    assert answer.content == as_wire(answer.json())
    assert list(answer.json()) == ["object", "data", "first_id", "last_id", "has_more"]
    for one in answer.json()["data"]:
        assert shelf.api.call("GET", f"{shelf.path}/{one['id']}").content in answer.content


# --- 1,000 messages in one burst -----------------------------------------------------------------


class Burst(NamedTuple):
    """A thread and the ids of its 1,000 messages, in no particular order."""

    path: str
    made: list[str]


@pytest.fixture(scope="module")
def burst(server: Server) -> Burst:
    """A thread with 1,000 messages that eight clients appended as fast as they could."""
    with api_of(server) as api:
        thread_id = a_thread(api)
        local = threading.local()

        def append(number: int) -> str:
            if not hasattr(local, "api"):
                local.api = Api(server.address)
                opened.append(local.api)
            return a_message(local.api, thread_id, f"{number}")

        opened: list[Api] = []
        with ThreadPoolExecutor(8) as clients:
            made = list(clients.map(append, range(1000)))
        for one in opened:
            one.close()
    return Burst(f"/threads/{thread_id}/messages", made)


@pytest.mark.parametrize("limit", [7, 20, 99, 100])
def test_paging_a_burst_loses_nothing_and_repeats_nothing(
    api: Api, burst: Burst, limit: int
) -> None:
    newest_first = ids(everything(api, burst.path, limit=limit))
    oldest_first = ids(everything(api, burst.path, limit=limit, order="asc"))
    assert sorted(newest_first) == sorted(burst.made)
    assert oldest_first == newest_first[::-1]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_one_give_the_same_order_as_pages_of_a_hundred(
    api: Api, burst: Burst, order: str
) -> None:
    expected = ids(api.ok("GET", burst.path, params={"limit": 100, "order": order})["data"])
    one_by_one = pages(api, burst.path, limit=1, order=order)
    assert [next(one_by_one)["last_id"] for _ in range(100)] == expected


def test_walking_back_with_before_gives_the_same_order(api: Api, burst: Burst) -> None:
    newest_first = ids(everything(api, burst.path, limit=100))
    page = api.ok("GET", burst.path, params={"before": newest_first[-1], "limit": 100})
    walked = [*ids(page["data"]), newest_first[-1]]
    while page["has_more"]:
        page = api.ok("GET", burst.path, params={"before": page["first_id"], "limit": 100})
        walked = ids(page["data"]) + walked
    assert walked == newest_first


def test_a_page_ends_at_16_mebibytes_and_the_next_goes_on(tmp_path: Path) -> None:
    text = "€" * 256_000
    with Server(tmp_path / "data") as server, api_of(server) as api:
        thread_id = a_thread(api)
        body = as_wire({"role": "user", "content": [{"type": "text", "text": text}] * 10})
        path = f"/threads/{thread_id}/messages"
        made = [api.ok("POST", path, raw=body)["id"] for _ in range(3)]
        first = api.ok("GET", path, params={"order": "asc"})
        assert (ids(first["data"]), first["has_more"]) == (made[:2], True)
        rest = api.ok("GET", path, params={"order": "asc", "after": first["last_id"]})
        assert (ids(rest["data"]), rest["has_more"]) == (made[2:], False)
        back = api.ok("GET", path, params={"order": "asc", "before": made[2], "limit": 2})
        assert (ids(back["data"]), back["has_more"]) == (made[:2], False)


# --- finding threads by metadata -----------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "metadata[user]={0}",
        "metadata%5Buser%5D={0}",
        "metadata%5buser%5d={0}&limit=10",
        "order=asc&metadata[user]={0}&metadata[state]=open",
        "metadata%5Bstate%5D=open&metadata%5Buser%5D={0}",
    ],
)
def test_threads_are_found_by_pairs_that_they_all_have(api: Api, query: str) -> None:
    user = uuid.uuid4().hex
    found = a_thread(api, metadata={"user": user, "state": "open", "more": "x"})
    a_thread(api, metadata={"user": user + "2", "state": "open"})
    a_thread(api, metadata={"state": user, "user": "open"})
    a_thread(api)
    assert ids(api.ok("GET", f"/threads?{query.format(user)}")["data"]) == [found]


def test_a_thread_without_one_of_the_pairs_is_not_found(api: Api) -> None:
    user = uuid.uuid4().hex
    a_thread(api, metadata={"user": user, "state": "open"})
    a_thread(api, metadata={"user": user, "colour": "red"})
    query = {"metadata[user]": user, "metadata[state]": "open", "metadata[colour]": "red"}
    assert api.ok("GET", "/threads", params=query) == EMPTY


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ключ", "значение 👩‍👩‍👧"),
        ("a[b]", "c=d&e"),
        ("a]b", "100%"),
        ("plus+", "a b"),
        ("quote'\"", "%_*\\"),
        ("k" * 64, "v" * 512),
        ("empty", ""),
        ("case", "Straße"),
    ],
)
def test_any_lawful_pair_can_be_searched_for(api: Api, key: str, value: str) -> None:
    mark = uuid.uuid4().hex
    found = a_thread(api, metadata={key: value, "mark": mark})
    a_thread(api, metadata={key: value[1:] + "x", "mark": mark})
    a_thread(api, metadata={key[:-1] + "x": value, "mark": mark})
    query = {f"metadata[{key}]": value, "metadata[mark]": mark}
    assert ids(api.ok("GET", "/threads", params=query)["data"]) == [found]


def test_the_search_follows_changes_and_deletions(api: Api) -> None:
    old, new = uuid.uuid4().hex, uuid.uuid4().hex

    def found(value: str) -> list[str]:
        return ids(everything(api, "/threads", **{"metadata[state]": value}))

    changed = a_thread(api, metadata={"state": old, "other": "x"})
    deleted = a_thread(api, metadata={"state": old})
    assert found(old) == [deleted, changed]
    api.ok("DELETE", f"/threads/{deleted}")
    assert found(old) == [changed]
    api.ok("POST", f"/threads/{changed}", {"metadata": {"state": new}})
    assert (found(old), found(new)) == ([], [changed])
    api.ok("POST", f"/threads/{changed}", {"metadata": {"more": old}})
    assert (found(old), found(new)) == ([], [changed])


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_found_threads_are_paged_in_order_and_without_loss(api: Api, limit: int) -> None:
    mark = uuid.uuid4().hex
    made: list[str] = []
    for number in range(12):
        pair = {"mark": mark, "parity": "odd" if number % 2 else "even"}
        made.append(a_thread(api, metadata=pair))
    query = {"metadata[mark]": mark, "metadata[parity]": "even"}
    even = made[::2]
    assert ids(everything(api, "/threads", limit=limit, order="asc", **query)) == even
    assert ids(everything(api, "/threads", limit=limit, **query)) == even[::-1]


def test_a_restored_thread_stands_where_its_date_says(api: Api) -> None:
    mark = uuid.uuid4().hex
    today = a_thread(api, metadata={"mark": mark})
    for number, created_at in enumerate([1_600_000_000, 1_500_000_000, 1_700_000_000]):
        restored = {"id": f"thread_{mark}{number}", "created_at": created_at}
        api.ok("POST", "/threads", {**restored, "metadata": {"mark": mark}})
    listed = ids(everything(api, "/threads", limit=1, **{"metadata[mark]": mark}))
    assert listed == [today, f"thread_{mark}2", f"thread_{mark}0", f"thread_{mark}1"]


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("metadata[a]=%00", "metadata.a", "invalid_value"),
        ("metadata[%00]=a", "metadata", "invalid_value"),
        (f"metadata[{'k' * 65}]=a", "metadata", "property_name_above_max_length"),
        (f"metadata[a]={'v' * 513}", "metadata.a", "string_above_max_length"),
        (
            "&".join(f"metadata[k{n}]=v" for n in range(17)),
            "metadata",
            "object_above_max_properties",
        ),
        ("metadata=a", "metadata", "invalid_type"),
        ("metadata[]=a", "metadata", "invalid_type"),
        ("metadata[a]=%ff", None, "invalid_value"),
        ("metadata[a]=%ED%A0%80", None, "invalid_value"),
    ],
)
def test_a_search_for_what_no_thread_can_have_is_refused(
    api: Api, query: str, param: str | None, code: str
) -> None:
    status, error = api.error("GET", f"/threads?{query}")
    assert (status, error["param"], error["code"]) == (400, param, code)

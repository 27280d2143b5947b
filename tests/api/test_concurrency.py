"""Many at once: what peers get wrong."""

import json
import select
import socket
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from tests.api.making import (
    RawAnswer,
    a_message,
    a_thread,
    an_assistant,
    as_wire,
    everything,
    ids,
    open_socket,
    read_all,
)
from tests.harness import Api, Server

T = TypeVar("T")

CLIENTS = 16


def at_once(act: Callable[[int], T], count: int = CLIENTS) -> list[T]:
    """Let clients, numbered from 0, begin at the same moment, each on a connection of its own."""
    ready = threading.Barrier(count)

    def begin(number: int) -> T:
        ready.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_300_appends_from_16_connections_are_300_messages_in_one_order(api: Api) -> None:
    thread_id = a_thread(api)

    def append(client: int) -> list[str]:
        share = range(client, 300, CLIENTS)
        return [a_message(api, thread_id, f"{number}") for number in share]

    made = at_once(append)
    path = f"/threads/{thread_id}/messages"
    oldest_first = ids(everything(api, path, order="asc", limit=37))
    assert len(oldest_first) == 300
    assert set(oldest_first) == {one for client in made for one in client}
    assert ids(everything(api, path, limit=100)) == oldest_first[::-1]
    place = {one: index for index, one in enumerate(oldest_first)}
    for client in made:
        # What a client was told before it went on comes before what it said then.
        assert client == sorted(client, key=place.__getitem__)


def an_object(api: Api, kind: str) -> str:
    """Make an object and return its path."""
    if kind == "assistant":
        return f"/assistants/{an_assistant(api)}"
    thread_id = a_thread(api)
    if kind == "thread":
        return f"/threads/{thread_id}"
    return f"/threads/{thread_id}/messages/{a_message(api, thread_id)}"


@pytest.mark.parametrize("kind", ["thread", "message", "assistant"])
def test_changes_at_the_same_moment_lose_no_pair(api: Api, kind: str) -> None:
    path = an_object(api, kind)
    mark = uuid.uuid4().hex

    def change(client: int) -> None:
        for value in ("first", mark):
            pairs = {"metadata": {f"k{client}": value}}
            assert api.ok("POST", path, pairs)["metadata"][f"k{client}"] == value

    at_once(change)
    pairs = {f"k{client}": mark for client in range(CLIENTS)}
    assert api.ok("GET", path)["metadata"] == pairs
    if kind == "thread":
        query = {f"metadata[{key}]": value for key, value in pairs.items()}
        assert ids(everything(api, "/threads", **query)) == [path.rpartition("/")[2]]


def test_the_search_knows_the_one_value_that_remained(api: Api) -> None:
    path = f"/threads/{a_thread(api)}"
    mark = uuid.uuid4().hex
    at_once(lambda client: api.ok("POST", path, {"metadata": {"state": f"{mark}{client}"}}))
    remained = api.ok("GET", path)["metadata"]["state"]
    for client in range(CLIENTS):
        value = f"{mark}{client}"
        found = everything(api, "/threads", **{"metadata[state]": value})
        assert len(found) == (1 if value == remained else 0)


def test_16_pairs_are_the_limit_also_when_many_add_one(api: Api) -> None:
    path = f"/threads/{a_thread(api, metadata={f'old{index}': 'v' for index in range(10)})}"

    def add(client: int) -> int:
        return api.call("POST", path, {"metadata": {f"new{client}": "v"}}).status_code

    assert sorted(at_once(add)) == [200] * 6 + [400] * 10
    assert len(api.ok("GET", path)["metadata"]) == 16


def test_an_append_to_a_thread_that_is_being_deleted_is_done_or_not_found(api: Api) -> None:
    thread_id = a_thread(api, messages=[{"role": "user", "content": "first"}])
    path = f"/threads/{thread_id}/messages"

    def act(client: int) -> list[int]:
        if client == CLIENTS - 1:
            return [api.call("DELETE", f"/threads/{thread_id}").status_code]
        message = {"role": "user", "content": "Hi"}
        return [api.call("POST", path, message).status_code for _ in range(10)]

    *appended, deleted = at_once(act)
    assert deleted == [200]
    for statuses in appended:
        # Once it is gone it stays gone.
        assert statuses == sorted(statuses)
        assert set(statuses) <= {200, 404}
    assert api.call("GET", path).status_code == 404
    api.ok("POST", "/threads", {"id": thread_id})
    assert everything(api, path) == []


@pytest.mark.parametrize("kind", ["thread", "message", "assistant"])
def test_of_many_who_delete_the_same_object_one_did_it(api: Api, kind: str) -> None:
    path = an_object(api, kind)
    statuses = at_once(lambda _: api.call("DELETE", path).status_code)
    assert sorted(statuses) == [200] + [404] * (CLIENTS - 1)


@pytest.mark.parametrize("kind", ["thread", "message"])
def test_of_many_who_restore_the_same_object_one_did_it(api: Api, kind: str) -> None:
    body: dict[str, Any] = {"id": f"thread_{uuid.uuid4().hex}"}
    path = "/threads"
    if kind == "message":
        path = f"/threads/{a_thread(api)}/messages"
        body = {"id": "msg_restored", "role": "user", "content": "Hi"}

    def restore(client: int) -> str:
        answer = api.call("POST", path, {**body, "metadata": {"by": f"{client}"}})
        if answer.status_code == 200:
            return str(answer.json()["metadata"]["by"])
        assert answer.json()["error"]["code"] == "already_exists"
        return ""

    *_, winner = sorted(answers := at_once(restore))
    assert answers.count("") == CLIENTS - 1
    assert api.ok("GET", f"{path}/{body['id']}")["metadata"] == {"by": winner}


def test_writes_that_are_refused_harm_none_of_those_beside_them(api: Api) -> None:
    """Writes of one moment share a transaction: every second one of these cannot be done."""
    taken, thread_id = a_thread(api), a_thread(api)

    def act(client: int) -> list[str]:
        if client % 2:
            for number in range(10):
                # The message comes first in the write that its thread's id then refuses.
                whole = {"id": taken, "messages": [{"role": "user", "content": f"{number}"}]}
                assert api.error("POST", "/threads", whole)[1]["code"] == "already_exists"
                assert api.call("DELETE", f"/threads/{taken}/messages/msg_x").status_code == 404
            return []
        return [a_message(api, thread_id) for _ in range(20)]

    made = [one for client in at_once(act) for one in client]
    listed = ids(everything(api, f"/threads/{thread_id}/messages", limit=100))
    assert (len(listed), set(listed)) == (160, set(made))
    assert everything(api, f"/threads/{taken}/messages") == []


def test_a_list_that_is_read_while_it_grows_repeats_and_loses_nothing(api: Api) -> None:
    thread_id = a_thread(api)
    path = f"/threads/{thread_id}/messages"
    before = [a_message(api, thread_id) for _ in range(60)]

    def act(client: int) -> list[str]:
        if client % 2:
            return [a_message(api, thread_id) for _ in range(20)]
        return ids(everything(api, path, limit=7, order="asc" if client % 4 else "desc"))

    answers = at_once(act, 8)
    final = ids(everything(api, path, limit=100, order="asc"))
    assert len(final) == 60 + 4 * 20
    for client in (2, 6):  # oldest first: all that there was and the beginning of what came
        assert answers[client] == final[: len(answers[client])]
        assert answers[client][:60] == before
    for client in (0, 4):  # newest first: from the end of that moment down to the first
        assert answers[client] == final[: len(answers[client])][::-1]
        assert answers[client][-60:] == before[::-1]


# --- clients that take their time -----------------------------------------------------------------


def test_readers_that_do_not_read_stop_nobody(server: Server, api: Api) -> None:
    """Each asks for 15 MB and leaves them lying while others are answered."""
    thread_id = a_thread(api)
    path = f"/threads/{thread_id}/messages"
    body = as_wire({"role": "user", "content": [{"type": "text", "text": "x" * 256_000}] * 10})
    for _ in range(6):
        api.ok("POST", path, raw=body)
    ask = f"GET /v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    readers = [socket.socket() for _ in range(4)]
    port = int(server.address.rpartition(":")[2])
    for reader in readers:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(60)
        reader.connect(("127.0.0.1", port))
        reader.sendall(ask)
    other = a_thread(api)
    for _ in range(50):
        a_message(api, other)
        assert api.ok("GET", f"/threads/{other}")["id"] == other
    sizes = set()
    for reader in readers:
        with reader:
            answer = RawAnswer(read_all(reader))
        assert len(json.loads(answer.body)["data"]) == 6
        sizes.add(len(answer.body))
    assert len(sizes) == 1
    api.ok("DELETE", f"/threads/{thread_id}")


def test_a_large_body_with_a_fault_at_its_end_stops_nobody(server: Server, api: Api) -> None:
    """To find the fault takes seconds; others are answered before it is found."""
    attachments = ",".join(['{"file_id":"f","tools":[]}'] * 200_000 + ["5"])
    body = f'{{"role":"user","content":"Hi","attachments":[{attachments}]}}'.encode()
    path = f"/threads/{a_thread(api)}/messages"
    head = (
        f"POST /v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with open_socket(server.address) as connection:
        connection.sendall(head.encode() + body)
        for _ in range(10):
            assert api.http.get("/healthz").status_code == 200
        answered, _, _ = select.select([connection], [], [], 0)
        assert not answered
        error = RawAnswer(read_all(connection)).error()
    assert error["param"] == "attachments[200000]"

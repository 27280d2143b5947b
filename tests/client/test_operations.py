"""Every operation of the contract through both clients, and what comes back."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.client.story import Awaiting, Blocking, tell
from weft import AsyncClient, Client, InvalidRequest, Response, SpecClient, UnreadableAnswer
from weft.client.contract import contract
from weft.client.core import core_of_weft
from weft.client.description import Description
from weft.wire.operations import TABLE
from weft.wire.threads import CreateThreadRequest, ListThreadsResponse, ThreadObject

ROOT = Path(__file__).parents[2]
SERVER = {
    *("uvicorn", "apsw", "httptools", "uvloop", "starlette", "psycopg", "procrastinate"),
    *("weft.api", "weft.engine", "weft.store", "weft.llm", "weft.main"),
}
EVERY = {operation.name for operation in contract().operations.values()}


def test_a_blocking_client_calls_every_operation_of_the_contract(client: Client) -> None:
    teller = Blocking(client)
    asyncio.run(tell(teller))
    assert teller.called == EVERY


def test_an_asynchronous_client_calls_every_operation_of_the_contract(url: str) -> None:
    async def story() -> set[str]:
        async with AsyncClient(url) as client:
            teller = Awaiting(client)
            await tell(teller)
            return teller.called

    assert asyncio.run(story()) == EVERY


def test_one_client_serves_many_threads_at_once(url: str) -> None:
    with Client(url) as client, ThreadPoolExecutor(8) as pool:
        made = pool.map(
            lambda n: client.create_thread(body={"metadata": {"n": str(n)}}).metadata["n"],
            range(64),
        )
        assert list(made) == [str(n) for n in range(64)]


def test_making_a_client_brings_no_part_of_a_server_and_nothing_slow(tmp_path: Path) -> None:
    program = "import sys, weft; weft.Client('http://127.0.0.1:1/v1'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    brought = set(done.stdout.split())
    assert {"weft.client.blocking", "httpx2"} <= brought
    assert brought & SERVER == set()
    # Checking is brought by the first call, and so are the structs of the contract.
    assert brought & {"jsonschema_rs", "jsonschema", "weft.wire.operations"} == set()


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_each_operation_has_a_method_by_its_name_and_by_its_id(kind: type) -> None:
    for operation in contract().operations.values():
        method = getattr(kind, operation.name)
        assert method.__name__ == operation.name
        assert getattr(kind, operation.id) is method
    for twin in ("submit_tool_outputs_to_run", "submitToolOutputsToRun"):
        assert getattr(kind, twin) is kind.submit_tool_ouputs_to_run  # type: ignore[attr-defined]  # of both


def test_the_methods_are_named_as_the_servers_functions() -> None:
    assert {operation.function_name for operation in TABLE} <= EVERY


def test_the_typed_methods_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "client_methods.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_an_answer_is_typed(client: Client) -> None:
    thread = client.create_thread(body={"metadata": {"a": "b"}})
    assert isinstance(thread, ThreadObject)
    assert thread.metadata == {"a": "b"}
    assert isinstance(client.list_threads().first(), ListThreadsResponse)


def test_a_body_may_be_a_struct_of_the_contract(client: Client) -> None:
    thread = client.create_thread(body=CreateThreadRequest(metadata={"kind": "struct"}))
    assert thread.metadata == {"kind": "struct"}


def test_status_and_headers_are_at_hand(client: Client, url: str) -> None:
    thread = client.create_thread()
    answer = client.with_response(client.get_thread, thread.id)
    assert isinstance(answer, Response)
    assert (answer.status, answer.data.id) == (200, thread.id)
    assert answer.headers["Content-Type"] == "application/json"
    assert str(answer.request_id).startswith("req_")
    (page,) = client.list_threads(limit=1, metadata={"no": "such pair"}).pages()
    assert page.status == 200

    async def asynchronously() -> Response[ThreadObject]:
        async with AsyncClient(url) as other:
            return await other.with_response(other.get_thread, thread_id=thread.id)

    assert asyncio.run(asynchronously()).data == answer.data


def test_a_list_and_a_stream_are_refused_where_one_answer_is_asked_for_and_nothing_is_sent(
    client: Client, assistant_id: str
) -> None:
    thread = client.create_thread(body={"messages": [{"role": "user", "content": "x"}]})
    with pytest.raises(TypeError, match="no single answer"):
        client.with_response(client.list_threads)
    with pytest.raises(TypeError, match="no single answer"):
        client.with_response(
            client.create_run, thread.id, body={"assistant_id": assistant_id}, stream=True
        )
    assert client.list_runs(thread.id).first().data == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_a_list_goes_through_all_pages_and_asks_for_no_more(client: Client, count: int) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(count)]
    thread = client.create_thread(body={"messages": messages})
    found = client.list_messages(thread.id, limit=2, order="asc")
    texts = [message.content[0].text.value for message in found]  # type: ignore[union-attr]  # all are texts
    assert texts == [str(number) for number in range(count)]
    sizes = [len(page.data.data) for page in found.pages()]
    assert sizes == [2] * (count // 2) + [1] * (count % 2) if count else sizes == [0]


def test_pages_go_backwards_from_before(client: Client) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(6)]
    thread = client.create_thread(body={"messages": messages})
    ids = [message.id for message in client.list_messages(thread.id, order="asc")]
    listing = client.list_messages(thread.id, order="asc", limit=2, before=ids[5])
    pages = [[message.id for message in page.data.data] for page in listing.pages()]
    assert pages == [ids[3:5], ids[1:3], ids[0:1]]
    between = client.list_messages(thread.id, order="asc", limit=1, after=ids[0], before=ids[3])
    assert [message.id for message in between] == ids[1:3]


def test_a_list_can_be_deleted_while_it_is_gone_through(client: Client) -> None:
    pair = {"to": "delete"}
    made = {client.create_thread(body={"metadata": pair}).id for _ in range(5)}
    listing = client.list_threads(limit=2, metadata=pair)
    assert {client.delete_thread(thread.id).id for thread in listing} == made
    assert list(client.list_threads(metadata=pair)) == []


def test_an_answer_that_is_not_what_the_description_promises_is_told(url: str) -> None:
    other = Description(contract().document, {"Health": ThreadObject})
    core = core_of_weft(url, None, load=lambda: other)
    with SpecClient(core) as client, pytest.raises(UnreadableAnswer, match="get_health"):
        client.get_health()


def test_events_are_asked_for_beside_the_body(client: Client, assistant_id: str) -> None:
    thread = client.create_thread()
    with pytest.raises(InvalidRequest, match="say stream=True"):
        client.create_run(thread.id, body={"assistant_id": assistant_id, "stream": True})

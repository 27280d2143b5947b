"""Files as jobs: whichever node takes one, it is indexed once, and found on every node."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.house import Node, Nodes
from tests.cluster.processes import RECOVERY_S, Town, until
from tests.engine.house import P
from tests.engine.library import a_store, an_indexed_store, indexed, on_store, put_file, store_now
from weft.store import vector_stores as store
from weft.store.blobs import FOLDER
from weft.store.chunks import FileKey
from weft.store.files import stored

LOOM = "A loom holds the warp threads tight."
ATTEMPTS = "SELECT attempt, tries FROM vector_store_file"
NO_JOB = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs)"
AS_LEFT = (
    "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) "
    "VALUES (now() - interval '1 minute') RETURNING id) "
    "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
)


@contextmanager
def stuck(path: Path) -> Iterator[None]:
    """Put a pipe in the place of a file's bytes: whoever reads it waits, until the end of this."""
    bytes_ = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # so that opening it for reading does not wait
    try:
        yield
    finally:
        path.unlink()
        path.write_bytes(bytes_)
        os.close(writer)


async def bytes_of(node: Node, file_id: str) -> Path:
    """Return where the bytes of a file lie."""
    file = await stored(node.database, P, file_id)
    assert file is not None
    return node.path.parent / FOLDER / file.location


async def found(node: Node, store_id: str) -> list[str]:
    """Return the texts that a search finds."""
    page = await on_store(node, "searchVectorStore", store_id, {"query": "loom warp"})
    return [item["content"][0]["text"] for item in page["data"]]


@pytest.mark.anyio
async def test_two_nodes_index_twenty_files_once_each(nodes: Nodes) -> None:
    members = [await nodes.node() for _ in range(2)]
    files = [await put_file(members[n % 2], f"{LOOM} {n}", f"{n}.txt") for n in range(20)]
    store_id = await a_store(members[0], *files)
    shown = await indexed(members[1], store_id)
    assert shown["file_counts"]["completed"] == 20
    assert await nodes.sql(f"{ATTEMPTS} GROUP BY 1, 2") == [(1, 0)]
    assert await nodes.sql("SELECT count(*) FROM chunk") == [(20,)]
    await nodes.until(NO_JOB)


@pytest.mark.anyio
async def test_a_job_comes_with_the_file_and_names_its_last_attempt(nodes: Nodes) -> None:
    """Also with one that is indexed anew; one that is there and indexed gets none."""
    door = await nodes.node(has_worker=False)
    file = await put_file(door, LOOM)
    store_id = await a_store(door, file)
    jobs = "SELECT task_name, args FROM procrastinate_jobs"
    key = {"project": P, "vector_store_id": store_id, "id": file}
    assert await nodes.sql(jobs) == [("index_file", {**key, "attempt": 0})]
    node = await nodes.node()
    await indexed(door, store_id)
    await nodes.until(NO_JOB)
    await node.stop_engine()
    await on_store(door, "createVectorStoreFile", store_id, {"file_id": file})
    assert await nodes.sql(jobs) == []
    other = {"file_id": file, "attributes": {"year": 2024}}
    await on_store(door, "createVectorStoreFile", store_id, other)
    assert await nodes.sql(jobs) == [("index_file", {**key, "attempt": 2})]


@pytest.mark.anyio
async def test_a_job_that_comes_twice_or_late_indexes_nothing(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    store_id = await a_store(door, file := await put_file(door, LOOM))
    key = FileKey(P, store_id, file)
    await door.database.write((store.enqueue(key, 0), store.enqueue(key, 7)))
    await nodes.node()
    await indexed(door, store_id)
    await nodes.until(NO_JOB)
    assert await nodes.sql(ATTEMPTS) == [(1, 0)]


@pytest.mark.anyio
async def test_a_file_whose_job_the_queue_lost_gets_another(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    store_id = await a_store(door, await put_file(door, LOOM))
    await nodes.sql("DELETE FROM procrastinate_jobs")
    await nodes.node()
    await indexed(door, store_id)
    assert await found(door, store_id) == [LOOM]


@pytest.mark.anyio
async def test_a_file_that_a_dead_worker_left_is_indexed_by_another(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    store_id = await a_store(door, file := await put_file(door, LOOM))
    key = FileKey(P, store_id, file)
    job = await store.job(door.database, key)
    assert job is not None
    await door.database.write((store.claim(key, job),))
    await nodes.sql(AS_LEFT)
    await nodes.node()
    await indexed(door, store_id)
    assert await nodes.sql(ATTEMPTS) == [(2, 0)]
    assert await found(door, store_id) == [LOOM]


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["cancelled", "taken out"])
async def test_a_file_that_is_not_wanted_is_let_go_of_by_the_node_that_reads_it(
    nodes: Nodes, how: str
) -> None:
    door, reader = await nodes.node(has_worker=False), await nodes.node()
    file = await put_file(door, LOOM)
    other = await put_file(door, f"{LOOM} Yes.")
    store_id = await a_store(door)
    with stuck(await bytes_of(door, file)):
        batch = await on_store(door, "createVectorStoreFileBatch", store_id, {"file_ids": [file]})
        await nodes.until(f"{ATTEMPTS} WHERE tries = 1")
        if how == "cancelled":
            await on_store(door, "cancelVectorStoreFileBatch", store_id, batch_id=batch["id"])
        else:
            await on_store(door, "deleteVectorStoreFile", store_id, file_id=file)
        await nodes.until(NO_JOB)
        second = await an_indexed_store(reader, other)
        assert await found(door, second) == [f"{LOOM} Yes."]


@pytest.mark.anyio
async def test_a_node_that_stops_spends_no_try(nodes: Nodes) -> None:
    door, reader = await nodes.node(has_worker=False), await nodes.node()
    file = await put_file(door, LOOM)
    with stuck(await bytes_of(door, file)):
        store_id = await a_store(door, file)
        await nodes.until(f"{ATTEMPTS} WHERE tries = 1")
        await reader.stop_engine()
        assert await nodes.sql(ATTEMPTS) == [(1, 0)]
    await nodes.node()
    assert (await indexed(door, store_id))["file_counts"]["completed"] == 1
    assert await store_now(door, store_id)
    assert await nodes.sql(ATTEMPTS) == [(2, 0)]


def test_when_the_node_that_indexes_is_killed_another_finishes(town: Town) -> None:
    """It dies in the middle of the first file; the bytes are on a disk that all nodes share."""
    door, reader = town.node("--no-worker"), town.node()
    names = []
    for n in range(20):
        answer = door.api.http.post(
            "/v1/files",
            data={"purpose": "assistants"},
            files={"file": (f"{n}.txt", f"{LOOM} {n}".encode())},
        )
        names.append(answer.json()["id"])
    first = f"{LOOM} 0".encode()
    (path,) = (
        each for each in town.bytes.rglob("*") if each.is_file() and each.read_bytes() == first
    )
    with stuck(path):
        made = door.api.ok("POST", "/vector_stores", {"file_ids": names})
        until(lambda: town.sql(f"{ATTEMPTS} WHERE file_id = %s AND tries = 1", names[0]))
        reader.kill()
    other = town.node()
    left = "SELECT 1 FROM vector_store_file WHERE status = 'in_progress'"
    until(lambda: not town.sql(left), 3 * RECOVERY_S)
    shown = other.api.ok("GET", f"/vector_stores/{made['id']}")
    assert shown["file_counts"]["completed"] == 20
    assert town.sql("SELECT count(DISTINCT text) FROM chunk") == [(20,)]

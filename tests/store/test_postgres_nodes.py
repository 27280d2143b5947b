"""Two nodes that write to the same files and vector stores at the same moment."""

import asyncio
from pathlib import Path

import pytest

from tests.store.conformance import NOW, P, numbered
from tests.store.test_files import put, sweep
from weft.store import files, vector_stores
from weft.store.blobs import Folder
from weft.store.contents import Contents
from weft.store.database import Refused
from weft.store.postgres import Postgres
from weft.store.vector_stores import NewFile

pytestmark = pytest.mark.anyio

STORES = numbered("vs", 6)
FILES = numbered("file", 60)


async def test_counts_and_order_are_right_whoever_adds_files(postgres_url: str) -> None:
    """Each node goes through the stores in an order of its own."""
    nodes = [await Postgres.opened(postgres_url) for _ in range(2)]
    for store in STORES:
        await nodes[0].write((vector_stores.insert(P, store, NOW, None, "{}"),))

    async def add(node: Postgres, own: list[str], stores: list[str]) -> None:
        for file_id in own:
            new = [NewFile(file_id, 800, 400, "{}")]
            writes = (vector_stores.add(P, store, new, NOW) for store in stores)
            await asyncio.gather(*(node.write(write) for write in writes))

    await asyncio.gather(
        add(nodes[0], list(FILES[::2]), list(STORES)),
        add(nodes[1], list(FILES[1::2]), list(reversed(STORES))),
    )
    for store in STORES:
        row = await vector_stores.get(nodes[1], P, store)
        assert row is not None
        assert row.in_progress == len(FILES)
    for node in nodes:
        await node.close()


async def test_a_content_that_is_let_go_of_and_taken_up_again_stays(
    postgres_url: str, tmp_path: Path
) -> None:
    """One node sweeps what nothing refers to while another brings the same bytes."""
    nodes = [await Postgres.opened(postgres_url) for _ in range(2)]
    contents = [Contents(node, Folder(tmp_path / "files"), lambda: NOW) for node in nodes]

    async def bring() -> None:
        for file_id in FILES:
            while True:
                try:
                    await put(nodes[0], contents[0], file_id, b"the same bytes")
                    break
                except Refused:
                    continue  # it was swept away in between: the client would try again
            await nodes[0].write(files.delete(P, file_id, NOW))
        await put(nodes[0], contents[0], "file-last", b"the same bytes")

    bringing = asyncio.create_task(bring())
    while not bringing.done():
        await contents[1].sweep()
    await bringing
    await sweep(contents[1])
    found = await files.stored(nodes[1], P, "file-last")
    assert found is not None
    async with contents[1].reading(found.location, 0, found.bytes) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"the same bytes"
    for kept in contents:
        await kept.close()
    for node in nodes:
        await node.close()

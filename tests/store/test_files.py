"""Files and their bytes: kept once, read whole or in part, gone when nothing refers to them."""

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.store.bucket_server import Buckets
from tests.store.conformance import NOW, P
from weft.store import files, uploads
from weft.store.blobs import Blobs, Folder
from weft.store.buckets import Bucket
from weft.store.contents import ARRIVES_WITHIN_S, PIECE_BYTES, Content, Contents, keep
from weft.store.database import Database, Refused
from weft.store.postgres import Postgres

pytestmark = pytest.mark.anyio


class Root(NamedTuple):
    """A room for bytes, what lies there, and how much of something that is still arriving."""

    blobs: Blobs
    listed: Callable[[], list[str]]
    arriving: int


@pytest.fixture(params=["folder", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    """A fresh room for bytes of each kind."""
    if request.param == "folder":
        folder = tmp_path / "files"
        return Root(
            Folder(folder), lambda: [str(path) for path in folder.rglob("*") if path.is_file()], 1
        )
    bucket: Buckets = request.getfixturevalue("buckets")
    url = bucket.new_url()
    return Root(Bucket(url), lambda: bucket.listed(url), 0)


@pytest.fixture
async def contents(database: Database, root: Root) -> AsyncIterator[Contents]:
    """The bytes of a fresh database."""
    opened = Contents(database, root.blobs, lambda: NOW)
    yield opened
    await opened.close()


@pytest.fixture
async def later(database: Database, root: Root) -> AsyncIterator[Contents]:
    """The same when nobody can be writing any more what is arriving now."""
    opened = Contents(database, root.blobs, lambda: NOW + 2 * ARRIVES_WITHIN_S)
    yield opened
    await opened.close()


def lying(root: Root) -> list[str]:
    """Return everything that lies in a room for bytes."""
    return root.listed()


async def put(
    database: Database, contents: Contents, file_id: str, data: bytes, project: str = P
) -> Content:
    """Store a file."""
    async with contents.arriving() as arrival:
        await arrival.write(data)
        content = await arrival.finish()
        new = files.insert(
            project,
            file_id,
            content,
            purpose="assistants",
            filename="a.txt",
            created_at=NOW,
            expires_at=None,
            now=NOW,
            wire=f"<{file_id}>",
        )
        await database.write((*keep(content), new))
    return content


async def read(contents: Contents, location: str, start: int, stop: int) -> bytes:
    """Return a range of what lies at a location."""
    async with contents.reading(location, start, stop) as pieces:
        return b"".join([piece async for piece in pieces])


async def sweep(contents: Contents) -> None:
    """Remove all that nothing refers to."""
    while await contents.sweep():
        pass


async def test_what_was_put_is_read_back_in_any_range(
    database: Database, contents: Contents
) -> None:
    data = bytes(range(256)) * (PIECE_BYTES // 100)
    content = await put(database, contents, "file-a", data)
    assert content.sha256 == hashlib.sha256(data).hexdigest()
    stored = await files.stored(database, P, "file-a")
    assert stored is not None
    assert (stored.filename, stored.bytes, stored.sha256) == ("a.txt", len(data), content.sha256)
    for start, stop in ((0, len(data)), (0, 0), (5, 6), (PIECE_BYTES - 1, PIECE_BYTES + 1)):
        assert await read(contents, stored.location, start, stop) == data[start:stop]
    async with contents.path(stored.location) as path:
        assert path.read_bytes() == data


async def test_a_copy_of_a_buckets_file_has_no_name_that_a_dead_server_could_leave(
    buckets: Buckets,
) -> None:
    bucket = Bucket(buckets.new_url())
    sink = bucket.create("ab/abc")
    sink.write(b"Over one.")
    sink.finish()
    with bucket.path("ab/abc") as path:
        assert path.stat().st_nlink == 0
        for _ in range(2):
            assert path.read_bytes() == b"Over one."
    with pytest.raises(FileNotFoundError), bucket.path("ab/none"):
        pass


async def test_the_same_bytes_lie_there_once_and_go_with_the_last_file(
    database: Database, contents: Contents, root: Root
) -> None:
    await put(database, contents, "file-a", b"same")
    await put(database, contents, "file-b", b"same", project="other")
    await sweep(contents)
    assert len(lying(root)) == 1
    await database.write(files.delete(P, "file-a", NOW))
    await sweep(contents)
    stored = await files.stored(database, "other", "file-b")
    assert stored is not None
    assert await read(contents, stored.location, 0, 4) == b"same"
    await database.write(files.delete("other", "file-b", NOW))
    await sweep(contents)
    assert lying(root) == []


async def test_what_comes_again_while_it_is_removed_is_kept(
    database: Database, contents: Contents, root: Root
) -> None:
    """Each order in which a new file and the steps of the removal can come."""
    for steps in range(3):
        await put(database, contents, f"file-a{steps}", b"same")
        await database.write(files.delete(P, f"file-a{steps}", NOW))
        for _ in range(steps):
            await contents.sweep()
        await put(database, contents, f"file-b{steps}", b"same")
        await sweep(contents)
        stored = await files.stored(database, P, f"file-b{steps}")
        assert stored is not None
        assert await read(contents, stored.location, 0, 4) == b"same"
        assert len(lying(root)) == 1
        await database.write(files.delete(P, f"file-b{steps}", NOW))
        await sweep(contents)
        assert lying(root) == []


async def test_what_is_not_kept_leaves_nothing_behind(
    database: Database, contents: Contents, root: Root
) -> None:
    async with contents.arriving() as arrival:
        await arrival.write(b"x" * 3 * PIECE_BYTES)
    arriving = contents.arriving()
    arrival = await arriving.__aenter__()
    await arrival.write(b"x")
    await arrival.finish()
    gone = ConnectionError("the client has gone")
    assert not await arriving.__aexit__(ConnectionError, gone, None)
    await sweep(contents)
    assert lying(root) == []


async def test_what_arrived_when_the_server_died_is_removed_in_time(
    contents: Contents, later: Contents, root: Root
) -> None:
    arriving = contents.arriving()
    arrival = await arriving.__aenter__()
    await arrival.write(b"half")
    await sweep(contents)
    assert len(lying(root)) == root.arriving  # it still is
    await sweep(later)
    assert lying(root) == []
    await arriving.__aexit__(None, None, None)


async def test_bytes_that_were_swept_away_cannot_be_referred_to(
    database: Database, contents: Contents, later: Contents
) -> None:
    async with contents.arriving() as arrival:
        await arrival.write(b"late")
        content = await arrival.finish()
        await sweep(later)
        with pytest.raises(Refused):
            await database.write(keep(content))


async def test_a_start_leaves_alone_what_another_node_is_writing(
    database: Database, contents: Contents, root: Root
) -> None:
    """With SQLite there is no other node: what was arriving is left over then."""
    async with contents.arriving() as arrival:
        await arrival.write(b"half")
        content = await arrival.finish()
        other = Contents(database, root.blobs, lambda: NOW)
        await other.begin()
        await sweep(other)
        await other.close()
        if isinstance(database, Postgres):
            await database.write(keep(content))
            assert await read(contents, content.location, 0, 4) == b"half"
        else:
            assert lying(root) == []


@pytest.mark.parametrize("root", ["folder"], indirect=True)
async def test_a_file_that_is_removed_is_read_to_its_end(
    database: Database, contents: Contents, root: Root
) -> None:
    content = await put(database, contents, "file-a", b"x" * PIECE_BYTES * 2)
    async with contents.reading(content.location, 0, content.bytes) as pieces:
        found = len(await anext(pieces))
        await database.write(files.delete(P, "file-a", NOW))
        await sweep(contents)
        assert lying(root) == []
        found += len(await anext(pieces))
    assert found == content.bytes
    with pytest.raises(FileNotFoundError):
        await read(contents, content.location, 0, 1)


async def test_a_file_is_gone_once_it_is_deleted_and_of_no_other_project(
    database: Database, contents: Contents
) -> None:
    await put(database, contents, "file-a", b"a")
    await put(database, contents, "file-b", b"b")
    assert await files.get(database, P, "file-a") == "<file-a>"
    assert await files.get(database, "other", "file-a") is None
    with pytest.raises(Refused):
        await database.write(files.delete("other", "file-a", NOW))
    wanted = ["file-b", "file-x", "file-a", "file-x"]
    assert await files.missing(database, P, wanted) == ["file-x"]
    assert await files.missing(database, "other", ["file-a"]) == ["file-a"]
    await database.write((files.exist(P, ["file-a", "file-b"]),))
    await database.write(files.delete(P, "file-a", NOW))
    assert await files.get(database, P, "file-a") is None
    assert await files.stored(database, P, "file-a") is None
    assert await files.missing(database, P, wanted) == ["file-x", "file-a"]
    for ids in (["file-a"], ["file-b", "file-x"]):
        with pytest.raises(Refused):
            await database.write((files.exist(P, ids),))
    with pytest.raises(Refused):
        await database.write(files.delete(P, "file-a", NOW))


async def test_parts_keep_their_bytes_until_their_upload_ends(
    database: Database, contents: Contents, root: Root
) -> None:
    await database.write(
        (
            uploads.insert(
                P,
                "upload_a",
                size_bytes=8,
                expires_at=NOW + 9,
                file_expires_after_s=None,
                now=NOW,
                wire="<a>",
            ),
        )
    )
    for number, data in enumerate((b"left", b"right", b"left")):
        async with contents.arriving() as arrival:
            await arrival.write(data)
            content = await arrival.finish()
            part = uploads.insert_part(P, "upload_a", f"part_{number}", content)
            await database.write((*keep(content), part))
    await sweep(contents)
    assert len(lying(root)) == 2
    parts = await uploads.parts(database, P, "upload_a")
    assert {part.id: part.bytes for part in parts.values()} == {
        "part_0": 4,
        "part_1": 5,
        "part_2": 4,
    }
    assert await read(contents, parts["part_1"].location, 0, 5) == b"right"
    await database.write(uploads.end(P, "upload_a", "cancelled", NOW, "<gone>"))
    await sweep(contents)
    assert lying(root) == []
    assert await uploads.get(database, P, "upload_a") == ("<gone>", None)
    with pytest.raises(Refused):
        await database.write(uploads.end(P, "upload_a", "completed", NOW, "<done>"))

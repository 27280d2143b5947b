"""What is done when the process dies: operations of the API as the writes they are made of."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import apsw

from tests.store.conformance import NOW, P, append, initial, pairs, put_back, thread
from weft.store import (
    chunks,
    files,
    idempotency,
    messages,
    sweep,
    threads,
    uploads,
    vector_stores,
)
from weft.store.chunks import FileKey, NewChunk, Place
from weft.store.contents import Content, keep
from weft.store.database import Refused, Statement, Write
from weft.store.migrations import Migration
from weft.store.sqlite import Sqlite, migrate
from weft.store.vector_stores import Job, NewFile

OLD = {"topic": "looms", "state": "open"}
NEW = {"topic": "looms", "state": "closed", "by": "ada"}


class Operation(NamedTuple):
    """What was there before, and the writes that wait together when the process dies."""

    before: Write
    writes: tuple[Write, ...]
    is_long: bool = False


def _conversation(thread_id: str, count: int) -> Write:
    """A thread with metadata and messages."""
    first = (initial(thread_id, f"msg_{n}", n) for n in range(1, count + 1))
    return (thread(thread_id), *pairs(thread_id, OLD), *first)


def _remembered(key: str) -> Statement:
    return idempotency.remember(P, key, "hash", 200, '{"id":"thread_a"}', NOW)


def _content(location: str, sha256: str = "hash") -> Content:
    return Content(sha256, location, 4)


def _arrived(location: str) -> Write:
    return (Statement("blob_arrive", {"location": location, "remove_at": NOW}),)


def _kept(location: str, file_id: str, sha256: str = "hash") -> Write:
    content = _content(location, sha256)
    new = files.insert(
        P,
        file_id,
        content,
        purpose="batch",
        filename="a",
        created_at=NOW,
        expires_at=None,
        now=NOW,
        wire=f"<{file_id}>",
    )
    return (*keep(content), new)


_UPLOAD = uploads.insert(
    P,
    "upload_a",
    size_bytes=4,
    expires_at=NOW,
    file_expires_after_s=None,
    now=NOW,
    wire="<upload_a>",
)
_PART = uploads.insert_part(P, "upload_a", "part_a", _content("1/a"))

_HIDE = (
    threads.delete(P, "thread_a", "<thread_a>", NOW),
    *threads.index_metadata(P, "thread_a", NOW, old=OLD, new={}),
)
_CHANGE = threads.index_metadata(P, "thread_a", NOW, old=OLD, new=NEW)

OPERATIONS: Mapping[str, Operation] = {
    "create a thread": Operation((), (_conversation("thread_a", 3),)),
    "create a thread under a key": Operation(
        (), ((*_conversation("thread_a", 3), _remembered("key")),)
    ),
    "append a message": Operation(_conversation("thread_a", 3), (append("thread_a", "msg_x"),)),
    "append a message under a key": Operation(
        _conversation("thread_a", 3), ((*append("thread_a", "msg_x"), _remembered("key")),)
    ),
    "modify a thread": Operation(
        _conversation("thread_a", 3),
        ((threads.replace(P, "thread_a", "<thread_a>", "new"), *_CHANGE),),
    ),
    "delete a message": Operation(
        _conversation("thread_a", 3), ((messages.delete(P, "thread_a", "msg_2", NOW),),)
    ),
    "delete a thread": Operation(_conversation("thread_a", 3), (_HIDE,)),
    "restore a thread": Operation(
        (),
        (
            (
                threads.restore(P, "thread_old", 1000, NOW, "old"),
                *pairs("thread_old", OLD, 1000),
                initial("thread_old", "msg_1", 1, 1001),
                initial("thread_old", "msg_2", 2, 1002),
            ),
        ),
    ),
    "restore a message": Operation(
        (
            *_conversation("thread_a", 2),
            messages.delete(P, "thread_a", "msg_1", NOW),
        ),
        (put_back("thread_a", "msg_1", 1000),),
    ),
    "sweep a slice": Operation(
        (*_conversation("thread_a", 20), *_HIDE),
        (sweep.slice_of(P, "thread_a"),),
        is_long=True,
    ),
    "keep a file": Operation((), ((*_arrived("1/a"), *_kept("1/a", "file-a")),)),
    "keep a file of a content that is there": Operation(
        (*_arrived("1/a"), *_kept("1/a", "file-a"), *_arrived("2/b")),
        (_kept("2/b", "file-b"),),
    ),
    "delete a file": Operation(
        (*_arrived("1/a"), *_kept("1/a", "file-a")), (files.delete(P, "file-a", NOW),)
    ),
    "make a file of parts": Operation(
        (_UPLOAD, *_arrived("1/a"), *keep(_content("1/a")), _PART, *_arrived("2/b")),
        (
            (
                *uploads.end(P, "upload_a", "completed", NOW, "<done>"),
                *_kept("2/b", "file-b", "other"),
            ),
        ),
    ),
    "write together": Operation(
        _conversation("thread_a", 1),
        (_conversation("thread_b", 2), append("thread_a", "msg_x"), (thread("thread_c"),)),
    ),
    "write together with one that is refused": Operation(
        (*_conversation("thread_a", 1), _remembered("key")),
        (
            _conversation("thread_b", 2),
            (*append("thread_a", "msg_x"), _remembered("key")),
            (thread("thread_c"),),
        ),
    ),
}


_KEY = FileKey(P, "vs_a", "file-1")
_FILES = [NewFile(f"file-{number}", 800, 400, "{}") for number in range(1, 4)]
_STORE = (
    vector_stores.insert(P, "vs_a", NOW, 7, "{}"),
    *vector_stores.fill(P, "vs_a", _FILES, NOW),
)
_CLAIMED = (*_STORE, vector_stores.claim(_KEY, Job(0, 0, 800, 400, "{}")))
_CHUNKS = (
    *chunks.begin(_KEY, 1, filename="a.txt", space=None),
    *chunks.append(Place(1, 1), [NewChunk(0, 0, 4, "warp", [["warp"], *[[]] * 7], None)]),
)
_DONE = vector_stores.finish(
    _KEY, 1, status="completed", usage_bytes=4, last_error=None, attributes="{}"
)
OPERATIONS = {
    **OPERATIONS,
    "put a batch of files into a store": Operation(
        _STORE, (vector_stores.insert_batch(P, "vs_a", "vsfb_a", _FILES, NOW),)
    ),
    "publish what was indexed": Operation(
        (*_CLAIMED, *_CHUNKS), ((_DONE, *chunks.publish(_KEY, 1, {})),)
    ),
    "take a file out of a store": Operation(
        (*_CLAIMED, *_CHUNKS, _DONE, *chunks.publish(_KEY, 1, {})),
        (vector_stores.remove(_KEY, NOW),),
    ),
    "cancel a batch": Operation(
        (
            _STORE[0],
            *vector_stores.insert_batch(P, "vs_a", "vsfb_a", _FILES, NOW),
            _CLAIMED[-1],
            *_CHUNKS,
        ),
        (vector_stores.cancel_batch(P, "vs_a", "vsfb_a", NOW),),
    ),
    "delete a store": Operation((*_CLAIMED, *_CHUNKS), (vector_stores.delete(P, "vs_a", NOW),)),
}


def _step(number: int, sql: str) -> Migration:
    return Migration(number, f"test{number}", sql, hashlib.sha256(sql.encode()).hexdigest())


FIRST_STEPS = (_step(1, "CREATE TABLE one (value TEXT) STRICT;"),)
STEPS = (
    *FIRST_STEPS,
    _step(
        2,
        "CREATE TABLE two (value TEXT) STRICT; INSERT INTO two VALUES ('a'), ('b');"
        "INSERT INTO one SELECT value FROM two; CREATE INDEX two_value ON two (value);",
    ),
    _step(3, "INSERT INTO two VALUES ('c'); INSERT INTO one VALUES ('c');"),
)


async def apply(path: Path, writes: tuple[Write, ...], *, is_long: bool = False) -> None:
    """Write all at once; a write that is refused is meant to be."""
    database = Sqlite(path)
    try:
        waiting = (database.write(write, is_long=is_long) for write in writes)
        raised = await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        await database.close()
    for fault in raised:
        if fault is not None and not isinstance(fault, Refused):
            raise fault


def prepare(path: Path, operation: Operation) -> None:
    """Make the database that an operation starts from."""
    path.parent.mkdir(parents=True)
    migrate(path)
    asyncio.run(apply(path, (operation.before,)))


State = dict[str, list[tuple[object, ...]]]


def state_of(path: Path) -> State:
    """Return everything that a file holds, after SQLite recovered it; it must be sound."""
    connection = apsw.Connection(str(path))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = connection.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
        found: State = {"schema": list(names)}
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        for (name,) in connection.execute(tables).fetchall():
            found[str(name)] = sorted(connection.execute(f"SELECT * FROM {name}"), key=repr)
    finally:
        connection.close()
    # Not the moment at which a step was applied.
    found["weft_migration"] = [row[:3] for row in found.get("weft_migration", [])]
    return found

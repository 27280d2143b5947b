"""Large databases, made without HTTP: the store's own statements, in large transactions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from weft.store import messages, threads
from weft.store.database import Params, Statement, Write
from weft.store.folder import database_in
from weft.store.sql import statements
from weft.store.sqlite import DIALECT, connect, migrate
from weft.wire.messages import CreateMessageRequest, new_message
from weft.wire.shapes import encode
from weft.wire.threads import ThreadObject
from weft.wire.tools import resources

PROJECT = "default"
STARTED_AT = 1_760_000_000  # the date of the first object
WRITES = 20_000  # in one transaction


def fill(folder: Path, writes: Iterable[Write]) -> None:
    """Store many writes that have no guards in the database of a folder."""
    path = database_in(folder)
    migrate(path)
    sql = statements(DIALECT)
    connection = connect(path)
    try:
        # Nobody is told that this is stored: if the machine dies, so does the benchmark.
        connection.execute("PRAGMA synchronous = OFF")
        rest = iter(writes)
        while some := list(islice(rest, WRITES)):
            params: dict[str, list[Params]] = defaultdict(list)
            for write in some:
                for statement in write:
                    params[statement.name].append(statement.params)
            with connection:
                for name, many in params.items():
                    connection.executemany(sql[name], many)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def thread(
    thread_id: str,
    *,
    at: int = STARTED_AT,
    metadata: Mapping[str, str] | None = None,
    first: Iterable[Statement] = (),
) -> Write:
    """Return the write of a thread with messages made by `message`."""
    pairs = dict(metadata or {})
    wire = encode(
        ThreadObject(id=thread_id, created_at=at, metadata=pairs, tool_resources=resources(None))
    )
    return (
        threads.insert(PROJECT, thread_id, at, at, wire),
        *threads.index_metadata(PROJECT, thread_id, at, old={}, new=pairs),
        *first,
    )


def message(
    thread_id: str, message_id: str, text: str, *, at: int = STARTED_AT, position: int = 1
) -> Statement:
    """Return the statement of a message from the user."""
    made = new_message(
        CreateMessageRequest(role="user", content=text),
        message_id=message_id,
        thread_id=thread_id,
        now=at,
    )
    return messages.insert(
        PROJECT,
        thread_id,
        message_id,
        created_at=at,
        position=position,
        run_id=None,
        now=at,
        wire=encode(made),
    )

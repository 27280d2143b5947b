"""The passages that file searches found, for clients that ask for them (`include[]`)."""

from weft.store import searches
from weft.store.database import Database
from weft.store.runs import RunKey
from weft.wire.search_calls import MARK, with_passages


async def with_passages_of(database: Database, key: RunKey, wire: str) -> str:
    """Return a step of a run with the text of what its searches found; others as they are."""
    if MARK not in wire:
        return wire
    rows = await searches.of_run(database, key)
    return with_passages(wire, {call_id: row.passages for call_id, row in rows.items()})

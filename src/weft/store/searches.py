"""What keeping the file searches of runs is made of."""

import json
from typing import NamedTuple

from weft.store.database import Database, Statement
from weft.store.runs import RunKey


class SearchRow(NamedTuple):
    """What a search brought. `mark` is the first number of its source marks."""

    call_id: str
    mark: int
    arguments: str
    passages: list[str]


def insert(key: RunKey, row: SearchRow) -> Statement:
    """Keep a search: part of the write that shows it in its step."""
    params = key.under(**{**row._asdict(), "passages": json.dumps(row.passages)})
    return Statement("run_search_insert", params)


async def of_run(database: Database, key: RunKey) -> dict[str, SearchRow]:
    """Return the searches of a run by their call."""
    page = await database.page("run_search_list", key.under())
    return {
        call_id: SearchRow(call_id, mark, arguments, json.loads(passages))
        for call_id, mark, arguments, passages in page.rows
    }

"""Pages of a list: cursors in, rows out, rendered without decoding a row."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from weft.api.call import Answer, Call
from weft.domain.errors import NotFound
from weft.store.database import Page, Params
from weft.store.places import Bounds, Place
from weft.wire.files import ListFilesQuery
from weft.wire.shapes import ListQuery

PAGE_BYTES = 16 * 1024 * 1024


class Listing(NamedTuple):
    """A list: what its objects are called, how a cursor is found, what its places are made of."""

    kind: str
    place_statement: str
    place_params: Params
    by: type[int | str]
    fetch: Callable[[Bounds, int], Awaitable[Page]]
    render: Callable[[str], str] = str
    is_of_files: bool = False  # the one list that puts has_more first


async def answer_page(
    call: Call[None], query: ListQuery | ListFilesQuery, listing: Listing
) -> Answer:
    """Return the page that a query asks for.

    Only `before` given means: the objects right ahead of it. They are walked backwards and
    turned round, and `has_more` speaks of that direction.
    Raises: NotFound for a cursor that never was.
    """
    after = await _place(call, listing, query.after)
    before = await _place(call, listing, getattr(query, "before", None))
    is_descending = query.order == "desc"
    bounds = Bounds.between(after, before, is_descending=is_descending, by=listing.by)
    is_backwards = before is not None and after is None
    if is_backwards:
        bounds = bounds._replace(is_descending=not is_descending)
    page = await listing.fetch(bounds, query.limit + 1)
    rows = page.rows[: query.limit]
    has_more = page.is_cut or len(page.rows) > query.limit
    if is_backwards:
        rows.reverse()
    render = render_files if listing.is_of_files else render_list
    return Answer(render(rows, has_more, listing.render))


async def _place(call: Call[None], listing: Listing, cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    params = {**listing.place_params, "project": call.project, "id": cursor}
    row = await call.rooms.database.one(listing.place_statement, params)
    if row is None:
        raise NotFound.object(listing.kind, cursor)
    return row[0], row[1]


def render_list(
    rows: list[tuple[str, str]], has_more: bool, render: Callable[[str], str] = str
) -> str:
    """Return the list object for rows of (id, wire)."""
    first, last = (f'"{rows[0][0]}"', f'"{rows[-1][0]}"') if rows else ("null", "null")
    data = ",".join([render(wire) for _, wire in rows])
    more = "true" if has_more else "false"
    return (
        f'{{"object":"list","data":[{data}],"first_id":{first},"last_id":{last},"has_more":{more}}}'
    )


def render_files(
    rows: list[tuple[str, str]], has_more: bool, render: Callable[[str], str] = str
) -> str:
    """Return the same in the order of keys that a list of files has."""
    listed = render_list(rows, has_more, render)
    head, ends, more = listed.rpartition(',"first_id":')
    ends, _, more = more.rpartition(',"has_more":')
    return f'{head},"has_more":{more[:-1]},"first_id":{ends}}}'

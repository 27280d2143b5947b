"""A list as a plain Python programmer would write it: what every paged list is held against."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

Wire: TypeAlias = dict[str, Any]


class Thing(NamedTuple):
    """An object: when it was made, how it ranks within that second, what clients see of it."""

    created_at: int
    rank: int | str
    wire: Wire | None  # None: deleted


class UnknownCursor(Exception):
    """No object ever had this id."""


class Shelf:
    """Objects in order. A deleted one keeps its place, so that it stays a cursor."""

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {}
        self._put = 0

    def put(self, wire: Wire, *, rank: int | str | None = None) -> None:
        """Add an object or put it back: without a rank behind those of its second."""
        self._put += 1
        created_at: int = wire["created_at"]
        self.things[wire["id"]] = Thing(created_at, self._put if rank is None else rank, wire)

    def get(self, object_id: str) -> Wire | None:
        """Return an object that is there."""
        thing = self.things.get(object_id)
        return thing and thing.wire

    def change(self, object_id: str, wire: Wire | None) -> None:
        """Give an object another form, in its place; None deletes it."""
        self.things[object_id] = self.things[object_id]._replace(wire=wire)

    def wires(self) -> list[Wire]:
        """Return what is there, oldest first."""
        return [thing.wire for thing in sorted(self.things.values(), key=_place) if thing.wire]

    def gone(self) -> list[tuple[str, int]]:
        """Return the ids and dates of what was deleted."""
        things = self.things.items()
        return [(name, thing.created_at) for name, thing in things if thing.wire is None]

    def page(
        self,
        *,
        limit: int = 20,
        order: str = "desc",
        after: str | None = None,
        before: str | None = None,
        where: Callable[[Wire], bool] = lambda _: True,
    ) -> Wire:
        """Return the list object that the server should answer.

        Raises: UnknownCursor.
        """
        ids = sorted(self.things, key=lambda object_id: _place(self.things[object_id]))
        if order == "desc":
            ids.reverse()
        for cursor in (after, before):
            if cursor is not None and cursor not in ids:
                raise UnknownCursor(cursor)
        start = 0 if after is None else ids.index(after) + 1
        end = len(ids) if before is None else ids.index(before)
        found = [
            wire for name in ids[start:end] if (wire := self.things[name].wire) and where(wire)
        ]
        # Only `before`: the page is the one that ends right ahead of it.
        is_tail = before is not None and after is None
        data = found[-limit:] if is_tail else found[:limit]
        return {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": len(found) > limit,
        }


def _place(thing: Thing) -> tuple[int, Any]:
    return thing.created_at, thing.rank

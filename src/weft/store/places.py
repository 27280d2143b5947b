"""Places in an ordered list, and the stretch between two of them.

Messages sort by (created_at, position), everything else by (created_at, id).
An open end is an extreme value, so that every stretch is one statement.
"""

from typing import Any, NamedTuple, TypeAlias

Place: TypeAlias = tuple[int, int | str]

LAST_DATE = 2**62
# Behind every id and ahead of none: ids are ASCII.
_FIRST_OF: dict[type, int | str] = {int: -1, str: ""}
_LAST_OF: dict[type, int | str] = {int: LAST_DATE, str: "\x7f"}


class Bounds(NamedTuple):
    """A stretch of a list, walked in one direction. Both ends are outside of it."""

    low_at: int
    low_id: int | str
    high_at: int
    high_id: int | str
    is_descending: bool

    @classmethod
    def between(
        cls, after: Place | None, before: Place | None, *, is_descending: bool, by: type[int | str]
    ) -> "Bounds":
        """Return the stretch behind `after` and ahead of `before` in the given direction."""
        low, high = (before, after) if is_descending else (after, before)
        low = low or (-1, _FIRST_OF[by])
        high = high or (LAST_DATE, _LAST_OF[by])
        return cls(*low, *high, is_descending)

    @property
    def params(self) -> dict[str, Any]:
        """The bounds as the list statements name them."""
        return {
            "low_at": self.low_at,
            "low_id": self.low_id,
            "high_at": self.high_at,
            "high_id": self.high_id,
        }

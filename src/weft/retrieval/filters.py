"""Conditions on the attributes of files, as a search names them."""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any, TypeAlias

Value: TypeAlias = str | float | bool
Attributes: TypeAlias = Mapping[str, Value]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": eq,
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}


def holds(condition: Mapping[str, Any], attributes: Attributes) -> bool:
    """Tell whether a file with these attributes meets a condition.

    `condition` is the wire form, already checked: a comparison {"type": "eq" | "ne" | "gt" |
    "gte" | "lt" | "lte" | "in" | "nin", "key", "value"} or a compound {"type": "and" | "or",
    "filters": [...]}, nested as deep as the contract allows. A file without the key meets `ne`
    and `nin` and nothing else; values of different kinds (text, number, boolean) are never
    equal, less or greater.
    """
    kind = condition["type"]
    if kind == "and":
        return all(holds(part, attributes) for part in condition["filters"])
    if kind == "or":
        return any(holds(part, attributes) for part in condition["filters"])
    found, wanted = attributes.get(condition["key"]), condition["value"]
    if kind in ("ne", "nin"):
        return not _is_one_of(found, wanted if kind == "nin" else [wanted])
    if kind == "in":
        return _is_one_of(found, wanted)
    return _are_alike(found, wanted) and _COMPARISONS[kind](found, wanted)


def _is_one_of(found: Value | None, wanted: list[Value]) -> bool:
    return any(_are_alike(found, one) and found == one for one in wanted)


def _are_alike(one: Value | None, other: Value) -> bool:
    return _kind(one) == _kind(other)


def _kind(value: Value | None) -> type | None:
    """Return what values must share to be compared; Python would take true for 1."""
    if isinstance(value, bool | str | None):
        return type(value)
    return float

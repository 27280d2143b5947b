"""Conditions on the attributes of files, as a search names them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Attributes: TypeAlias = Mapping[str, str | float | bool]


def holds(condition: Mapping[str, Any], attributes: Attributes) -> bool:
    """Tell whether a file with these attributes meets a condition.

    `condition` is the wire form, already checked: a comparison {"type": "eq" | "ne" | "gt" |
    "gte" | "lt" | "lte" | "in" | "nin", "key", "value"} or a compound {"type": "and" | "or",
    "filters": [...]}, nested as deep as the contract allows. A file without the key meets `ne`
    and `nin` and nothing else; values of different kinds (text, number, boolean) are never
    equal, less or greater.
    """
    raise NotImplementedError

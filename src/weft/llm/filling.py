"""Fills a JSON schema with what a text offers: how the demo model calls functions.

It is no validator and no generator: it honours types, enums, constants, defaults,
required fields, references and the usual bounds, but not patterns.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

DEEPEST = 8  # schemas may refer to themselves

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\d)")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|(?<!\w)'([^']+)'(?!\w)")
_NAMED_PLACE = re.compile(r"\b(?:in|for|of|to|at|with|about|on)\s+((?:[A-Z][\w-]*\s?)+)")
_CAPITAL = re.compile(r"(?<=[\w,] )[A-Z][\w-]+")
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "demo@example.org",
    "uri": "https://example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}


class Offer:
    """What a text offers to fill in: each number and each word is used once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._quoted = self._strings()
        plain = _QUOTED.sub(" ", text)
        self._numbers = iter(_NUMBER.findall(plain))
        self._words = self._names(plain)

    def _strings(self) -> Iterator[str]:
        for found in _QUOTED.finditer(self._text):
            yield next(group for group in found.groups() if group)

    def _names(self, plain: str) -> Iterator[str]:
        """Yield what looks like a name: "in Paris" first, then other capitals."""
        places = [place.strip() for place in _NAMED_PLACE.findall(plain)]
        yield from places
        yield from (word for word in _CAPITAL.findall(plain) if word not in " ".join(places))

    def named(self, name: str) -> str | None:
        """Return what the text gives under this name: `days=3`, `days: 3`, `city "Rome"`."""
        words = re.escape(name).replace("_", "[_ ]")
        value = r"\s*(?:(?:=|:|\bis\b)\s*)(\"[^\"]*\"|'[^']*'|[\w.-]*\w)|\s+(\"[^\"]*\"|-?\d[\d.]*)"
        found = re.search(rf"\b{words}\b(?:{value})", self._text, re.IGNORECASE)
        return (found.group(1) or found.group(2)).strip("\"'") if found else None

    def number(self) -> float | None:
        """Return the next number."""
        found = next(self._numbers, None)
        return None if found is None else float(found)

    def string(self) -> str | None:
        """Return the next quoted text, or the next name."""
        return next(self._quoted, None) or next(self._words, None)

    def mentions(self, value: object) -> bool:
        """Tell whether a value stands in the text as a word."""
        return bool(re.search(rf"\b{re.escape(str(value))}\b", self._text, re.IGNORECASE))


class Filling:
    """Fills one schema."""

    def __init__(self, root: dict[str, Any], offer: Offer) -> None:
        self._root = root
        self._offer = offer

    def value(self) -> Any:
        """Return a value that the schema allows."""
        return self._fill(self._root, None, 0)

    def _fill(self, schema: Any, name: str | None, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one_of(schema["enum"], name)
        match self._type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                items = schema.get("items", {})
                least = max(schema.get("minItems", 1), 0 if depth > DEEPEST else 1)
                most = schema.get("maxItems", least)
                return [self._fill(items, name, depth + 1) for _ in range(min(least, most))]
            case "integer":
                return int(self._number(schema, name))
            case "number":
                number = self._number(schema, name)
                return int(number) if number == int(number) else number
            case "boolean":
                return self._boolean(schema, name)
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _resolved(self, schema: Any) -> dict[str, Any]:
        """Return what references and alternatives lead to: the first that is not null."""
        for _ in range(DEEPEST):
            if not isinstance(schema, dict):
                return {}
            choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if "$ref" in schema:
                schema = self._referred(schema["$ref"])
            elif choices:
                real = [c for c in choices if not isinstance(c, dict) or c.get("type") != "null"]
                schema = (real or choices)[0]
            else:
                return schema
        return {}

    def _referred(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                found = found.get(step, {}) if isinstance(found, dict) else {}
        return found

    def _type(self, schema: dict[str, Any]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if isinstance(kind, str):
            return kind
        if "properties" in schema:
            return "object"
        return _TYPES.get(type(schema.get("default")), "string")

    def _one_of(self, values: list[Any], name: str | None) -> Any:
        given = self._offer.named(name) if name else None
        if given in values:
            return given
        return next((value for value in values if self._offer.mentions(value)), values[0])

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required")
        wanted = list(properties) if required is None and depth <= DEEPEST else list(required or [])
        wanted += [p for p in properties if p not in wanted and self._offer.named(p) is not None]
        return {name: self._fill(properties.get(name, {}), name, depth + 1) for name in wanted}

    def _number(self, schema: dict[str, Any], name: str | None) -> float:
        given = self._offer.named(name) if name else None
        if given is not None and _NUMBER.fullmatch(given):
            number = float(given)
        elif (offered := self._offer.number()) is not None:
            number = offered
        else:
            number = float(schema.get("default") or 0)
        least = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf) + 1)
        most = schema.get("maximum", schema.get("exclusiveMaximum", math.inf) - 1)
        return float(max(min(number, most), least))

    def _boolean(self, schema: dict[str, Any], name: str | None) -> bool:
        given = self._offer.named(name) if name else None
        if given is not None:
            return given.lower() in ("true", "yes", "on", "1")
        return bool(schema.get("default", True))

    def _string(self, schema: dict[str, Any], name: str | None) -> str:
        found = self._offer.named(name) if name else None
        text = found or schema.get("default") or _FORMATS.get(schema.get("format", ""))
        if text is None:
            text = self._offer.string() or "demo"
        text = str(text).ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", len(text))]


def fill(schema: dict[str, Any], text: str) -> Any:
    """Return a value that the schema allows, filled from the text."""
    return Filling(schema, Offer(text)).value()

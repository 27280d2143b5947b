"""Strategies for JSON that a JSON Schema of the contract allows, and for the same spoilt."""

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import strategies as st

from tests.property.lawful import texts, values

Node: TypeAlias = dict[str, Any]
Strategy: TypeAlias = st.SearchStrategy[Any]

_KINDS = {"null": st.none(), "boolean": st.booleans()}


class Maker:
    """Makes values by the schemas of a document."""

    def __init__(self, document: Node) -> None:
        self._document = document
        self._begun: dict[str, Strategy] = {}  # by reference: a schema may hold itself

    def of(self, schema: Node) -> Strategy:
        """Return the values that a schema allows.

        Raises: AssertionError for a keyword that nobody taught it.
        """
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference not in self._begun:
                target = self._target(reference)
                self._begun[reference] = st.deferred(lambda: self.of(target))
            return self._begun[reference]
        if "allOf" in schema:
            return self.of(self._merged(schema["allOf"]))
        if "anyOf" in schema:
            return st.one_of([self.of(part) for part in schema["anyOf"]])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        kinds = schema.get("type")
        if kinds is None:
            return values
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return st.one_of([self._single(kind, schema) for kind in kinds])

    def _target(self, reference: str) -> Node:
        node = self._document
        for name in reference.removeprefix("#/").split("/"):
            node = node[name]
        return node

    def _merged(self, parts: list[Node]) -> Node:
        whole: Node = {}
        for part in parts:
            found = self._target(part["$ref"]) if "$ref" in part else part
            whole["required"] = [*whole.get("required", []), *found.get("required", [])]
            properties = dict(whole.get("properties", {}))
            for name, schema in found.get("properties", {}).items():
                properties[name] = {**properties.get(name, {}), **schema}
            whole = {**found, **whole, "properties": properties}
        return whole

    def _single(self, kind: str, schema: Node) -> Strategy:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            most = min(3, schema.get("maxItems", 3))
            least = schema.get("minItems", 0)
            return st.lists(self.of(schema["items"]), min_size=least, max_size=most)
        if kind == "string":
            return _string(schema)
        if kind in ("integer", "number"):
            return _number(kind, schema)
        return _KINDS[kind]

    def _object(self, schema: Node) -> Strategy:
        inner = schema.get("properties", {})
        if not inner:
            more = schema.get("additionalProperties", {})
            keys = _string(schema.get("propertyNames", {}))
            found = values if more in ({}, True) else self.of(more)
            return st.dictionaries(keys, found, max_size=min(3, schema.get("maxProperties", 3)))
        required = schema.get("required", ())
        return st.fixed_dictionaries(
            {name: self.of(inner[name]) for name in inner if name in required},
            optional={name: self.of(inner[name]) for name in inner if name not in required},
        )


def _string(schema: Node) -> Strategy:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if "pattern" in schema:
        found = st.from_regex(schema["pattern"].replace("$", r"\Z"))
        return found.filter(lambda text: least <= len(text) <= (most or len(text)))
    short = st.text(min_size=least, max_size=12 if most is None else min(12, most))
    return short if most is None or most > 1000 else st.one_of(short, st.just("é" * most))


def _number(kind: str, schema: Node) -> Strategy:
    least, most = schema.get("minimum", -(2**31)), schema.get("maximum", 2**31)
    whole = st.one_of(st.integers(int(least), int(most)), st.sampled_from([int(least), int(most)]))
    if kind == "integer":
        return st.one_of(whole, whole.map(float).filter(lambda number: least <= number <= most))
    return st.one_of(whole, st.floats(least, most))


# --- spoilt -------------------------------------------------------------------------------------


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return (container, key) of everything inside a value."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    found = []
    for key, inner in pairs:
        found += [(value, key), *_places(inner)]
    return found


@st.composite
def spoilt(draw: Callable[[Strategy], Any], made: Strategy) -> Any:
    """Return a made value with one or two changes; some of them stay lawful."""
    value = copy.deepcopy(draw(made))
    for _ in range(draw(st.integers(1, 2))):
        places = _places(value)
        if not places:
            return draw(values)
        container, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace", "remove", "add", "stretch"]))
        if change == "replace":
            container[key] = draw(values)
        elif change == "remove":
            del container[key]
        elif change == "stretch" and isinstance(container[key], str | list):
            container[key] = (container[key] or ["x"]) * 65
        elif isinstance(container, dict):
            container[draw(texts)] = draw(values)
    return value

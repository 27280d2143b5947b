"""Named statements as PostgreSQL takes them: numbered parameters of known types, and back again.

Types are PostgreSQL's own: each statement is described once, when a connection
opens. Every number travels as a BIGINT. PostgreSQL's text cannot hold the
character NUL, so it travels as two others.
"""

import json
import re
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from psycopg.pq.abc import PGresult

from weft.store.database import Params, Row
from weft.store.sql import frames, statements

DIALECT = "postgres"

# What the store asks for itself.
OWN = (
    *("alive", "transaction_id", "transaction_status", "end_backend", "lock_threads"),
    *("lock_vector_stores", "wake", "listen"),
)

BOOL, BYTEA, INT8, INT2, INT4, TEXT = 16, 17, 20, 21, 23, 25
FLOAT4, FLOAT8, NUMERIC = 700, 701, 1700
JSON, FLOAT4_ARRAY = 114, 1021
_ARRAYS = {INT8: "bigint[]", TEXT: "text[]"}

# A literal, a cast, or a parameter.
_PIECE = re.compile(r"'(?:[^']|'')*'|::\w+|:([a-z_]\w*)")
_LAST_COLUMN = re.compile(r"^SELECT\b(.*?)\bFROM\b", re.DOTALL)

# U+FFFE is no character: no text has it for itself. Whoever sends it all the same gets it back.
_MARK = "\ufffe"
_MARK_BYTES = _MARK.encode()

Value: TypeAlias = bytes | None
Reader: TypeAlias = Callable[[bytes], Any]


class Form:
    """A text with numbered parameters, as it is prepared on a connection under its name."""

    __slots__ = ("_others", "_readers", "name", "parameters", "text", "types")

    def __init__(self, name: str, text: str) -> None:
        numbered, self.parameters = _numbered(text)
        self.name = name.encode()
        self.text = numbered.encode()
        self.types: Sequence[int] = ()  # of the parameters; known once the form is described
        self._others: dict[str, Callable[[Any], Any]] = {}  # parameters that are no plain values
        self._readers: list[Reader] | None = None

    def learn(self, types: Iterable[int]) -> None:
        """Take the types that PostgreSQL found; small numbers become BIGINT, as Weft's are."""
        self.types = [INT8 if found in (INT2, INT4) else found for found in types]
        self._others = {
            name: _WRITERS[kind]
            for name, kind in zip(self.parameters, self.types, strict=False)
            if kind in _WRITERS
        }

    def values(self, params: Params) -> tuple[list[Value], list[int]]:
        """Return the values in the order of the numbers, and the format of each.

        Raises: KeyError when one is missing.
        """
        if self._others:
            params = {**params, **{name: as_(params[name]) for name, as_ in self._others.items()}}
        values = [_written(params[name]) for name in self.parameters]
        # Text goes as bytes with their length, numbers as their digits.
        formats = [int(type(params[name]) in (str, bytes)) for name in self.parameters]
        return values, formats

    def rows(self, result: PGresult) -> list[Row]:
        """Return the rows of an answer."""
        readers = self._readers
        width = range(result.nfields)
        if readers is None:
            readers = self._readers = [_READERS.get(result.ftype(c), _text) for c in width]
        get = result.get_value
        return [
            tuple(
                None if (value := get(number, column)) is None else readers[column](value)
                for column in width
            )
            for number in range(result.ntuples)
        ]


class Forms:
    """Every named statement in each form that it is needed in."""

    def __init__(self) -> None:
        self._statements = statements(DIALECT)
        self._frames = frames(DIALECT)
        self.plain = {name: Form(name, text) for name, text in self._statements.items()}
        self.own = {name: Form(name, self._frames[name]) for name in OWN}
        self._guards: dict[str, Form] = {}
        self._many: dict[str, Form] = {}
        self._rows: dict[str, Form] = {}
        self._pages: dict[str, Form] = {}

    def guard(self, name: str) -> Form:
        """Return the form that fails when the statement finds nothing."""
        form = self._guards.get(name)
        if form is None:
            text = self._frames["as_guard"].format(statement=self._statements[name], name=name)
            form = self._guards[name] = Form(f"{name} as guard", text)
            form.learn(self.plain[name].types)
        return form

    def can_be_many(self, name: str) -> bool:
        """Say whether a statement can be asked for many parameters at once."""
        types = self.plain[name].types
        return bool(types) and all(kind in _ARRAYS for kind in types)

    def many(self, name: str) -> Form:
        """Return the form that takes arrays: (number from 1, the first row) for each of them."""
        form = self._many.get(name)
        if form is None:
            statement = _replaced(self._statements[name], lambda found: f'asked."{found}"')
            text = self._over_arrays("as_many", name, statement=statement)
            form = self._many[name] = Form(f"{name} as many", text)
        return form

    def rows(self, name: str) -> Form:
        """Return the form of an insert that takes arrays: a row for each of their items."""
        form = self._rows.get(name)
        if form is None:
            insert, _, values = self._statements[name].partition("VALUES")
            expected = ", ".join(f":{found}" for found in self.plain[name].parameters)
            if values.strip() != f"({expected})":
                raise ValueError(f"{name} does more than to insert its parameters")
            text = self._over_arrays("as_rows", name, insert=insert)
            form = self._rows[name] = Form(f"{name} as rows", text)
        return form

    def _over_arrays(self, frame: str, name: str, **parts: str) -> str:
        """Return a frame around a statement whose parameters come as arrays."""
        plain = self.plain[name]
        arrays = [f"${n}::{_ARRAYS[kind]}" for n, kind in enumerate(plain.types, 1)]
        return self._frames[frame].format(
            arrays=", ".join(arrays),
            parameters=", ".join(f'"{found}"' for found in plain.parameters),
            **parts,
        )

    def columns(self, name: str, rows: Iterable[Sequence[Value]]) -> tuple[list[Value], list[int]]:
        """Return the values of rows as arrays for `many` or `rows`, and the format of each."""
        types = self.plain[name].types
        columns = zip(*rows, strict=True)
        arrays = [
            listed_texts(column) if kind == TEXT else listed(column)
            for kind, column in zip(types, columns, strict=True)
        ]
        return arrays, [int(kind == TEXT) for kind in types]

    def page(self, name: str) -> Form:
        """Return the form that stops at a limit of bytes, the last of its parameters."""
        form = self._pages.get(name)
        if form is None:
            text = self._statements[name]
            form = self._pages[name] = Form(
                f"{name} as page",
                self._frames["as_page"].format(
                    statement=text, column=_last_column(text), limit=":limit_bytes"
                ),
            )
            form.types = [*self.plain[name].types, INT8]
        return form


def texts(items: Iterable[str]) -> Value:
    """Return texts as PostgreSQL writes an array of them."""
    return listed([_written(item) for item in items])


def listed(values: Iterable[Value]) -> Value:
    """Return values as PostgreSQL writes an array of them."""
    return b"{" + b",".join(map(_element, values)) + b"}"


def listed_texts(texts: Sequence[Value]) -> Value:
    """Return texts as PostgreSQL sends a TEXT[]: nothing in them has to be looked at."""
    parts = [struct.pack(">iiIii", 1, 1, TEXT, len(texts), 1)]
    for text in texts:
        if text is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts += (len(text).to_bytes(4, "big"), text)
    return b"".join(parts)


def _element(value: Value) -> bytes:
    if value is None:
        return b"NULL"
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _numbered(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text with $1, $2 and so on, and the names that they stand for."""
    names: dict[str, int] = {}
    numbered = _replaced(text, lambda name: f"${names.setdefault(name, len(names) + 1)}")
    return numbered, tuple(names)


def _replaced(text: str, replace: Callable[[str], str]) -> str:
    return _PIECE.sub(lambda found: replace(found[1]) if found[1] else found[0], text)


def _last_column(text: str) -> str:
    """Return what the last column of a query is called."""
    found = _LAST_COLUMN.match(text)
    if found is None:
        raise ValueError(f"this is no query: {text[:40]}")
    return found[1].rpartition(",")[2].strip().rpartition(".")[2]


def to_stored(value: Any) -> Any:
    """Return a value as PostgreSQL can hold it: text has no NUL there."""
    if isinstance(value, str) and ("\0" in value or _MARK in value):
        return value.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")
    return value


def from_stored(value: Any) -> Any:
    """Return the value that `to_stored` was given."""
    if isinstance(value, str) and _MARK in value:
        return value.replace(f"{_MARK}0", "\0").replace(f"{_MARK}1", _MARK)
    return value


def _openable(value: str | None) -> str | None:
    """Return JSON that PostgreSQL can open: an escaped NUL is one too, once it is text."""
    if value is None or "\\u0000" not in value:
        return value
    return json.dumps(_each_stored(json.loads(value)))


def _each_stored(value: Any) -> Any:
    if isinstance(value, list):
        return [_each_stored(item) for item in value]
    if isinstance(value, dict):
        return {_each_stored(name): _each_stored(item) for name, item in value.items()}
    return to_stored(value)


def numbers(vector: bytes | None) -> bytes | None:
    """Return float32 numbers, little-endian, as PostgreSQL sends a REAL[]."""
    if vector is None:
        return None
    found = array("I", vector)
    if sys.byteorder == "little":
        found.byteswap()
    pairs = array("I", struct.pack(">i", 4) * len(found) * 2)  # each number behind its length
    pairs[1::2] = found
    head = struct.pack(">iiIii", 1, 0, FLOAT4, len(found), 1)
    return head + pairs.tobytes()


_WRITERS: Mapping[int, Callable[[Any], Any]] = {JSON: _openable, FLOAT4_ARRAY: numbers}


def _written(value: object) -> Value:
    if isinstance(value, str):
        return str(to_stored(value)).encode()
    if value is None:
        return None
    if isinstance(value, bytes):
        return bytes(value)
    return str(value).encode()


def _text(value: bytes) -> str:
    text = value.decode()
    return str(from_stored(text)) if _MARK_BYTES in value else text


def _number(value: bytes) -> int | float:
    """Read a NUMERIC, which PostgreSQL makes of sums of BIGINT."""
    return float(value) if b"." in value else int(value)


_READERS: Mapping[int, Reader] = {
    INT2: int,
    INT4: int,
    INT8: int,
    FLOAT4: float,
    FLOAT8: float,
    NUMERIC: _number,
    BOOL: lambda value: value == b"t",
    BYTEA: lambda value: bytes.fromhex(value[2:].decode()),
}

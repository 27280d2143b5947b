"""Bodies and query strings: accept fast, explain well."""

import contextlib
from collections.abc import Iterable
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

from weft.domain.errors import BadRequest
from weft.wire.explain import explain

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C", list[str], dict[str, str])

_anything = msgspec.json.Decoder()

# What a decoder raises for bytes that are not lawful JSON of the wanted type.
_REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


class Body(Generic[T, R]):
    """The body that an operation takes: a `struct`, or a `restore` when it brings an `id`."""

    def __init__(
        self, struct: type[T], *, restore: type[R] | None = None, required: bool = True
    ) -> None:
        self.struct = struct
        self.restore = restore
        self.required = required
        self._decoder = msgspec.json.Decoder(struct)
        self._restore_decoder = None if restore is None else msgspec.json.Decoder(restore)

    def decode(self, raw: bytes) -> T | R:
        """Return the body, checked.

        Raises: BadRequest with the path of the first fault.
        """
        if not raw and not self.required:
            raw = b"{}"
        # The escape is the only way for a NUL to come in; whether it may is for the slow pass.
        if b"\\u0000" in raw:
            return self._explain(raw)
        try:
            return self._decoder.decode(raw)
        except _REFUSALS:
            pass
        if self._restore_decoder is not None:
            # An export may be large: it is not walked unless something is wrong with it.
            with contextlib.suppress(*_REFUSALS):
                restored = self._restore_decoder.decode(raw)
                if getattr(restored, "id", None) is not None:
                    return restored
        return self._explain(raw)

    def _explain(self, raw: bytes) -> T | R:
        try:
            data = _anything.decode(raw)
        except _REFUSALS:
            raise BadRequest.not_json() from None
        if self.restore is not None and isinstance(data, dict) and "id" in data:
            if data["id"] is not None:
                return explain(data, self.restore)
            del data["id"]  # null means not set, so nothing is restored
        return explain(data, self.struct)


def decode_query(query_string: bytes, struct: type[T]) -> T:
    """Return a query string as a `struct`; brackets make lists and objects, the rest is ignored.

    Raises: BadRequest with the name of the first parameter at fault.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequest(
            "The query string is not percent-encoded UTF-8.", code="invalid_value"
        ) from None
    return explain(nested(pairs), struct, lax=True)


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return pairs as JSON would have them: `a[]` makes a list of `a`, `a[b]` an object."""
    given: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, inner = name.partition("[")
        if not bracket:
            given[name] = value
        elif inner == "]":
            _of(list, given, head).append(value)
        elif inner.endswith("]"):
            _of(dict, given, head)[inner[:-1]] = value
    return given


def _of(kind: type[C], given: dict[str, Any], name: str) -> C:
    """Return the list or object under a name, a new one if it was given in another form before."""
    if not isinstance(given.get(name), kind):
        given[name] = kind()
    found: C = given[name]
    return found

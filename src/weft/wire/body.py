"""Bodies and query strings: accept fast, explain well."""

from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

from weft.domain.errors import BadRequest
from weft.wire.explain import explain

T = TypeVar("T")
R = TypeVar("R")

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

    def decode(self, raw: bytes) -> T | R:
        """Return the body, checked.

        Raises: BadRequest with the path of the first fault.
        """
        if not raw and not self.required:
            raw = b"{}"
        try:
            decoded = self._decoder.decode(raw)
        except _REFUSALS:
            return self._explain(raw)
        # The escape is the only way for a NUL to come in; whether it may is for the slow pass.
        return self._explain(raw) if b"\\u0000" in raw else decoded

    def _explain(self, raw: bytes) -> T | R:
        try:
            data = _anything.decode(raw)
        except _REFUSALS:
            raise BadRequest.not_json() from None
        if self.restore is not None and isinstance(data, dict) and "id" in data:
            return explain(data, self.restore)
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
    given: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, inner = name.partition("[")
        if not bracket:
            given[name] = value
        elif inner == "]":
            given.setdefault(head, []).append(value)
        elif inner.endswith("]"):
            group = given.setdefault(head, {})
            if isinstance(group, dict):
                group[inner[:-1]] = value
    return explain(given, struct, lax=True)

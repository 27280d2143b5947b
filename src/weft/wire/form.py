"""Forms (`multipart/form-data`): some fields, and one file that is never held in memory.

Reading the bytes is for `api.forms`; here fields become a struct, in which the file
is represented by its name.
"""

import contextlib
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec

from weft.domain.errors import BadRequest
from weft.wire.body import nested
from weft.wire.explain import explain

T = TypeVar("T")

MEDIA_TYPE = "multipart/form-data"


class Form(Generic[T]):
    """The form that an operation takes: a `struct`, of which one field is the file."""

    required = True
    restore = None

    def __init__(
        self, struct: type[T], *, file: str, limit_bytes: int, objects: Iterable[str] = ()
    ) -> None:
        """`file` is the field of the file, `objects` are those that have fields of their own."""
        self.struct = struct
        self.file = file
        self.limit_bytes = limit_bytes
        self._required = [
            field.name
            for field in msgspec.structs.fields(struct)  # type: ignore[arg-type]  # it is a struct
            if field.required
        ]
        self.objects = frozenset(objects)

    def decode(self, fields: Iterable[tuple[str, str]], filename: str | None) -> T:
        """Return the form, checked; without a `filename` no file came.

        An object comes as `a[b]`, as SDKs send it, or as JSON, as OpenAPI has it.
        Raises: BadRequest with the path of the first fault.
        """
        given = nested(fields)
        for name in self.objects & given.keys():
            given[name] = _from_json(given[name])
        if filename is not None:
            given[self.file] = filename
        for name in self._required:
            if name not in given:
                raise BadRequest.required_property(name)
        return explain(given, self.struct, lax=True)


def _from_json(value: Any) -> Any:
    """Return what a text says in JSON, or the text itself: what it is then is explained later."""
    if isinstance(value, str):
        with contextlib.suppress(msgspec.MsgspecError, RecursionError):
            return msgspec.json.decode(value)
    return value

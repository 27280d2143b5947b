"""Forms (`multipart/form-data`): some fields, and one file that is never held in memory.

Reading the bytes is for `api.forms`; here fields become a struct, in which the file
is represented by its name.
"""

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from weft.domain.errors import BadRequest
from weft.wire.body import nested
from weft.wire.explain import explain

T = TypeVar("T")

MEDIA_TYPE = "multipart/form-data"


class Field(NamedTuple):
    """A field of a form that is no file: text, or JSON if its part says so."""

    name: str
    value: str
    is_json: bool = False


class Form(Generic[T]):
    """The form that an operation takes: a `struct`, of which one field is the file."""

    required = True
    restore = None

    def __init__(self, struct: type[T], *, file: str, limit_bytes: int) -> None:
        self.struct = struct
        self.file = file
        self.limit_bytes = limit_bytes
        self._required = [
            field.name
            for field in msgspec.structs.fields(struct)  # type: ignore[arg-type]  # it is a struct
            if field.required
        ]

    def decode(self, fields: Iterable[Field], filename: str | None) -> T:
        """Return the form, checked; without a `filename` no file came.

        Raises: BadRequest with the path of the first fault.
        """
        fields = list(fields)
        given: dict[str, Any] = nested([(field.name, field.value) for field in fields])
        given.update({field.name: _from_json(field) for field in fields if field.is_json})
        if filename is not None:
            given[self.file] = filename
        for name in self._required:
            if name not in given:
                raise BadRequest.required_property(name)
        return explain(given, self.struct, lax=True)


def _from_json(field: Field) -> Any:
    try:
        return msgspec.json.decode(field.value)
    except (msgspec.MsgspecError, RecursionError):
        raise BadRequest(
            f"Invalid '{field.name}': the part says that it is JSON, but it is not.",
            param=field.name,
            code="invalid_value",
        ) from None

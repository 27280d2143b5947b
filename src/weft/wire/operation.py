"""What an operation is; `operations` has the table of them."""

from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from weft.wire.body import Body
from weft.wire.form import Form
from weft.wire.names import snake

Method: TypeAlias = Literal["GET", "POST", "DELETE"]


class Operation(NamedTuple):
    """One operation. `path` is below the prefix (`/v1`); parameters stand in braces."""

    id: str
    method: Method
    path: str
    tag: str
    summary: str
    description: str
    response: type[msgspec.Struct] | None  # None: bytes, not JSON
    body: Body[Any, Any] | Form[Any] | None = None
    query: type[msgspec.Struct] | None = None
    is_extension: bool = False
    is_streamed: bool = False  # the client may ask for events instead

    @property
    def function_name(self) -> str:
        """The operation id in snake case: the name of the function that does it."""
        return snake(self.id)

"""The kinds of struct, and the small types that several resources share."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from weft.domain.errors import BadRequest
from weft.domain.ids import ID_BODY

# The JSON of msgspec is compact, raw UTF-8, in the order of the fields.
_encoder = msgspec.json.Encoder()


MAX_DEPTH = 100  # of free-form JSON; a schema that a person wrote has a dozen

# Python's `$` also matches ahead of a last line feed, which the `$` of JSON Schema does not.
NO_NEWLINE = r"(?!\n)"


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """A body, or a part of one, that a client sends: a field that is not known is an error."""


class Query(msgspec.Struct):
    """The query string of an operation: what is not known is ignored."""


class Response(msgspec.Struct):
    """An object that Weft answers with: every field is always there."""


class Broken(ValueError):
    """A rule between fields is broken. `error` has the path within the struct that raised it."""

    def __init__(self, error: BadRequest) -> None:
        super().__init__(error.message)
        self.error = error


def refuse_deep(name: str, schema: object) -> None:
    """Raise Broken for free-form JSON in the field `name` that is nested beyond reason.

    Without a limit of our own it could be stored at one depth of the stack and not be read
    back at another.
    """
    level = [schema]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Broken(
        BadRequest(
            f"Invalid '{name}': it is nested more than {MAX_DEPTH} levels deep.",
            param=name,
            code="invalid_value",
        )
    )


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def encode(value: object) -> str:
    """Return the wire form of a struct.

    Raises: BadRequest when it holds a number that JSON tools cannot carry (such a number can
    only have come from a client's free-form schema).
    """
    try:
        return _encoder.encode(value).decode("utf-8")
    except (OverflowError, RecursionError):
        raise BadRequest(
            "The request holds a number beyond 64 bits or is nested too deeply to be stored.",
            code="invalid_value",
        ) from None


def restored_id(prefix: str) -> Any:
    """Return the type of an id that a restored object brings: `prefix_` and what ids may hold."""
    return Annotated[
        str,
        Meta(
            pattern=f"^{prefix}_{ID_BODY}${NO_NEWLINE}",
            extra={"id_prefix": prefix},
            description=f"The identifier to restore: `{prefix}_` and up to 64 characters.",
        ),
    ]


MAX_PAIRS = 16

Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(
        max_length=MAX_PAIRS,
        description=(
            "Up to 16 pairs of your own, searchable on threads. Keys have at most 64 "
            "characters, values are strings of at most 512."
        ),
        extra={"no_nul": True},
    ),
]


def merge_metadata(old: dict[str, str], new: dict[str, str] | None) -> dict[str, str]:
    """Return metadata with the pairs of `new` added or overwritten.

    Raises: BadRequest when that makes more than 16.
    """
    result = {**old, **(new or {})}
    if len(result) > MAX_PAIRS:
        raise BadRequest.too_many_properties("metadata", MAX_PAIRS, len(result))
    return result


FileId = Annotated[str, Meta(min_length=1, max_length=256, description="The identifier of a file.")]
VectorStoreId = Annotated[
    str, Meta(min_length=1, max_length=256, description="The identifier of a vector store.")
]
PAGE = Meta(description="The objects of the page, in the order asked for.")
Id = Annotated[str, Meta(description="The identifier.")]
FirstId = Annotated[str | None, Meta(description="The first object of the page; null if empty.")]
LastId = Annotated[str | None, Meta(description="The last object of the page: the next `after`.")]
HasMore = Annotated[bool, Meta(description="Whether there are more objects in this direction.")]
# Beyond this a number is not the same in every tool that reads JSON.
EXACT = 2**53 - 1
CreatedAt = Annotated[int, Meta(ge=0, le=EXACT, description="When it was made, in unix seconds.")]
Instant = Annotated[int, Meta(ge=0, le=EXACT, description="Unix seconds.")]


class ListQuery(Query):
    """How every list is paged."""

    limit: Annotated[int, Meta(ge=1, le=100, description="How many objects at most, 1 to 100.")] = (
        20
    )
    order: Annotated[
        Literal["asc", "desc"], Meta(description="By date of creation: oldest or newest first.")
    ] = "desc"
    after: Annotated[
        str | None, Meta(description="Start behind the object with this id (it may be deleted).")
    ] = None
    before: Annotated[
        str | None, Meta(description="End ahead of the object with this id (it may be deleted).")
    ] = None


class ErrorDetail(Response):
    """What went wrong."""

    message: Annotated[str, Meta(description="What a person should read.")]
    type: Annotated[str, Meta(description="The family of the error.")]
    param: Annotated[str | None, Meta(description="The path of the field at fault.")]
    code: Annotated[str | None, Meta(description="The name of the error, for programs.")]


class ErrorResponse(Response):
    """The body of every answer that is not a success."""

    error: ErrorDetail

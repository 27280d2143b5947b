"""The answers that are no success, as the OpenAPI document describes them."""

from typing import NamedTuple

from weft.domain.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    BodyTooLarge,
    Forbidden,
    NotFound,
    RangeNotSatisfiable,
    Unauthenticated,
    Unavailable,
)
from weft.wire.example_objects import RUN_ID, THREAD_ID


class Failure(NamedTuple):
    """An answer that is not a success, under its name among the components."""

    name: str
    description: str
    errors: dict[str, ApiError]

    @property
    def status(self) -> str:
        """The status of the answer."""
        return str(next(iter(self.errors.values())).status)


BAD_REQUEST = Failure(
    "BadRequest",
    "The request is not lawful: `param` says where it is wrong, `code` how. Nothing was changed.",
    {
        "missing": BadRequest.missing_parameter("role"),
        "unknown": BadRequest.unknown_parameter("messages[0].file_ids"),
        "too_long": BadRequest.string_length("metadata.note", "maximum", 512, 513),
        "other_id": BadRequest.id_prefix("thread_id", "undefined", "thread"),
        "busy": BadRequest(f"Thread {THREAD_ID} already has an active run {RUN_ID}."),
        "already_exists": AlreadyExists.object("thread", THREAD_ID, "id"),
    },
)
UNAUTHENTICATED = Failure(
    "Unauthenticated",
    "No API key, or one that is unknown or revoked.",
    {
        "no_key": Unauthenticated.no_key(),
        "wrong_key": Unauthenticated.wrong_key("sk-weft-0123456789abcdef"),
    },
)
FORBIDDEN = Failure(
    "Forbidden",
    "A server without keys answers to this machine only, and to no foreign web page.",
    {
        "web_page": Forbidden(
            "Without an API key this server does not answer other web pages. "
            "Create a key with: weft keys create"
        )
    },
)
NOT_FOUND = Failure(
    "NotFound",
    "There is no such object in the project of the key, or the path names another project.",
    {"object": NotFound.object("thread", THREAD_ID)},
)
TOO_LARGE = Failure(
    "BodyTooLarge",
    "The body is larger than the server accepts.",
    {"too_large": BodyTooLarge(32 * 1024 * 1024)},
)
RANGE = Failure(
    "RangeNotSatisfiable",
    "The range that was asked for lies behind the end of the file.",
    {"behind": RangeNotSatisfiable(1024)},
)
INTERNAL = Failure(
    "InternalError",
    "The server failed; its log says why under the request id.",
    {"internal": ApiError.internal("req_00000000000000000000000000000000")},
)
UNAVAILABLE = Failure(
    "Unavailable",
    "The database cannot serve now. Nothing was stored; try again after `retry-after` seconds.",
    {"disk_full": Unavailable("The server's disk is full; nothing was stored. Try again later.")},
)
FAILURES = (
    BAD_REQUEST,
    UNAUTHENTICATED,
    FORBIDDEN,
    NOT_FOUND,
    TOO_LARGE,
    RANGE,
    INTERNAL,
    UNAVAILABLE,
)

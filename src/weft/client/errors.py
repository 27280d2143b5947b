"""What a call can raise: the server's errors by their status, and what is not an answer.

WeftError
├── ApiError             the server refused, see weft.domain.errors: NotFound, RateLimited ...
├── InvalidRequest       not lawful by the description: nothing was sent
├── NoAnswer             no connection, or it broke, after all repetitions
│   └── TimedOut
├── UnreadableAnswer     not what the description promises
└── BadDescription       the OpenAPI document, or what was asked of it, cannot be used
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from weft.domain.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    BodyTooLarge,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    WeftError,
)

__all__ = [
    "AlreadyExists",
    "ApiError",
    "BadDescription",
    "BadRequest",
    "BodyTooLarge",
    "Forbidden",
    "InvalidRequest",
    "MethodNotAllowed",
    "NoAnswer",
    "NotFound",
    "Problem",
    "RateLimited",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "UnreadableAnswer",
    "WeftError",
    "error_of",
]

SHOWN = 300  # characters of an answer that is no JSON


class Problem(NamedTuple):
    """What is wrong, and where: `body.messages[0].role`, or the keyword of a parameter."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidRequest(WeftError, ValueError):
    """The request is not lawful by the API's description; `problems` has everything found."""

    def __init__(self, operation: str, problems: Sequence[Problem]) -> None:
        self.operation = operation
        self.problems = list(problems)
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{operation} was not sent:{listed}")


class NoAnswer(WeftError):
    """The server could not be reached, or the connection broke and repeating did not help."""


class TimedOut(NoAnswer):
    """The server was silent for longer than the timeout."""


class UnreadableAnswer(WeftError):
    """The answer is not what the API's description promises."""


class BadDescription(WeftError, LookupError):
    """The document is not OpenAPI 3.0 or 3.1, or has not what was asked for."""


def _tree(root: type[ApiError]) -> Iterator[type[ApiError]]:
    yield root
    for below in root.__subclasses__():
        yield from _tree(below)


def _by_status() -> dict[int, type[ApiError]]:
    found: dict[int, type[ApiError]] = {}
    for kind in _tree(ApiError):
        found.setdefault(kind.status, kind)
    return found


_BY_STATUS = _by_status()


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """Return the error that an answer stands for, of the class that its status has."""
    said = _said(body)
    kind = _BY_STATUS.get(status, ApiError)
    if kind is BadRequest and said.get("code") == "already_exists":
        kind = AlreadyExists
    error = kind.__new__(kind)
    message = said.get("message") or said.get("detail") or said.get("title") or _text(body)
    ApiError.__init__(
        error,
        str(message or f"The server answered {status}."),
        param=said.get("param"),
        code=said.get("code"),
    )
    error.status = status
    error.type = said.get("type") or kind.type
    error.request_id = headers.get("x-request-id")
    return error


def _said(body: bytes) -> dict[str, Any]:
    """Return the fields of an error: below `error`, or of the body itself (RFC 9457 and others)."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    inner = data.get("error", data) if isinstance(data, dict) else {}
    if isinstance(inner, str):
        return {**data, "message": inner}
    return inner if isinstance(inner, dict) else {}


def _text(body: bytes) -> str:
    return " ".join(body[: SHOWN * 4].decode("utf-8", "replace").split())[:SHOWN]

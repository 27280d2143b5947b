"""Every error that a client can see, as one tree.

    WeftError                     whatever a call can raise; the rest stands in client.errors
    └── ApiError                 500  server_error
        ├── BadRequest           400  invalid_request_error
        │   └── AlreadyExists    400  ... code already_exists
        ├── Unauthenticated      401
        ├── Forbidden            403
        ├── NotFound             404
        ├── MethodNotAllowed     405
        ├── BodyTooLarge         413
        ├── RangeNotSatisfiable  416
        ├── RateLimited          429  requests
        └── Unavailable          503  server_error

Each class carries its HTTP status and its wire fields, so that the server that
writes an error and the client that reads it share one truth. The named
constructors below hold the exact texts that programs match on; the row of the
behaviour table (E1-E23) stands beside each.
"""

from typing import Literal, Self


class WeftError(Exception):
    """The root: what a call of the client raises is one of these."""


class ApiError(WeftError):
    """An error with its wire form: `message`, `type`, `param`, `code` and an HTTP `status`.

    A client also finds the `request_id` there, under which the server's log knows the request.
    """

    status = 500
    type = "server_error"
    request_id: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code

    @classmethod
    def internal(cls, request_id: str) -> Self:
        """E22: something went wrong that the client did not cause."""
        return cls(
            "The server had an error processing your request. Sorry about that! You can retry "
            "your request; if it keeps failing, look for this request in the server's log. "
            f"(Please include the request ID {request_id} when you report it.)"
        )


class BadRequest(ApiError):
    """400: the request is not lawful, or the state of the object does not allow it."""

    status = 400
    type = "invalid_request_error"

    @classmethod
    def not_json(cls) -> Self:
        """E6: the body is not JSON (or not UTF-8, or nested beyond reason)."""
        return cls(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, "
            "but what was sent was not valid JSON. If you have trouble figuring out how to fix "
            "this, please contact us through our help center at help.openai.com.)"
        )

    @classmethod
    def content_type(cls, content_type: str, accepted: str = "application/json") -> Self:
        """E7: the body is of a kind that the operation does not take."""
        kind = content_type.partition(";")[0].strip()
        return cls(
            f"Unsupported content type: '{kind}'. This API method only accepts "
            f"'{accepted}' requests, but you specified the header "
            f"'Content-Type: {content_type}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        )

    @classmethod
    def unknown_parameter(cls, path: str) -> Self:
        """E8: a field that the operation does not know."""
        return cls(f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")

    @classmethod
    def missing_parameter(cls, path: str) -> Self:
        """E9: a field that must be there and is not."""
        return cls(
            f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter"
        )

    @classmethod
    def invalid_type(cls, path: str, expected: str, got: str) -> Self:
        """E10: a value of another JSON type; both are given with their article."""
        where = f"Invalid type for '{path}'" if path else "Invalid type for the request body"
        return cls(
            f"{where}: expected {expected}, but got {got} instead.",
            param=path or None,
            code="invalid_type",
        )

    @classmethod
    def unsupported_value(cls, path: str, value: object, supported: list[str]) -> Self:
        """E11: a value outside a closed set."""
        quoted = [f"'{name}'" for name in supported]
        if len(quoted) > 2:
            listed = ", ".join(quoted[:-1]) + f", and {quoted[-1]}"
        else:
            listed = " and ".join(quoted)
        verb = "values are" if len(quoted) > 1 else "value is"
        return cls(
            f"Invalid value: '{shown(value)}'. Supported {verb}: {listed}.",
            param=path,
            code="invalid_value",
        )

    @classmethod
    def required_property(cls, name: str) -> Self:
        """A form without a field that must be there, as the Files API says it."""
        return cls(f"'{name}' is a required property")

    @classmethod
    def not_one_of(cls, path: str, value: str, supported: list[str]) -> Self:
        """A field of a form outside a closed set, as the Files API says it."""
        return cls(
            f"'{shown(value)}' is not one of {supported} - '{path}'",
            param=path,
        )

    @classmethod
    def files_missing(cls, file_ids: list[str]) -> Self:
        """Files that a request refers to and that are not there."""
        listed = ", ".join(f"'{shown(file_id)}'" for file_id in file_ids)
        return cls(f"The following files were not found: [{listed}].")

    @classmethod
    def string_length(
        cls, path: str, bound: Literal["maximum", "minimum"], limit: int, got: int
    ) -> Self:
        """E12 and E13: lengths count characters."""
        if bound == "maximum":
            return cls(
                f"Invalid '{path}': string too long. Expected a string with maximum length "
                f"{limit}, but got a string with length {got} instead.",
                param=path,
                code="string_above_max_length",
            )
        return cls(
            f"Invalid '{path}': empty string. Expected a string with minimum length {limit}, "
            "but got an empty string instead.",
            param=path,
            code="empty_string",
        )

    @classmethod
    def array_length(
        cls, path: str, bound: Literal["maximum", "minimum"], limit: int, got: int
    ) -> Self:
        """E14 and E15."""
        if bound == "maximum":
            return cls(
                f"Invalid '{path}': array too long. Expected an array with maximum length "
                f"{limit}, but got an array with length {got} instead.",
                param=path,
                code="array_above_max_length",
            )
        return cls(
            f"Invalid '{path}': empty array. Expected an array with minimum length {limit}, "
            "but got an empty array instead.",
            param=path,
            code="empty_array",
        )

    @classmethod
    def too_many_properties(cls, path: str, limit: int, got: int) -> Self:
        """E16."""
        return cls(
            f"Invalid '{path}': too many properties. Expected an object with at most {limit} "
            f"properties, but got an object with {got} properties instead.",
            param=path,
            code="object_above_max_properties",
        )

    @classmethod
    def property_name_length(cls, path: str, limit: int, got: int) -> Self:
        """E17."""
        return cls(
            f"Invalid property name in '{path}': string too long. Expected a string with "
            f"maximum length {limit}, but got a string with length {got} instead.",
            param=path,
            code="property_name_above_max_length",
        )

    @classmethod
    def number_range(
        cls,
        path: str,
        kind: Literal["integer", "decimal"],
        bound: Literal["maximum", "minimum"],
        limit: float,
        got: float,
    ) -> Self:
        """E18 and E19."""
        side, sign = ("above", "<=") if bound == "maximum" else ("below", ">=")
        return cls(
            f"Invalid '{path}': {kind} {side} {bound} value. Expected a value {sign} "
            f"{_number(limit)}, but got {_number(got)} instead.",
            param=path,
            code=f"{kind}_{side}_{bound[:3]}_value",
        )

    @classmethod
    def id_prefix(cls, path: str, value: str, prefix: str) -> Self:
        """E20: an identifier of another kind; `prefix` has no underscore."""
        return cls(
            f"Invalid '{path}': '{shown(value)}'. Expected an ID that begins with '{prefix}'.",
            param=path,
            code="invalid_value",
        )

    @classmethod
    def pattern(cls, path: str, pattern: str) -> Self:
        """E21."""
        return cls(
            f"Invalid '{path}': string does not match pattern. Expected a string that matches "
            f"the pattern '{pattern}'.",
            param=path,
            code="invalid_value",
        )

    @classmethod
    def idempotency_key_reused(cls, key: str) -> Self:
        """The same `Idempotency-Key` came with another request."""
        return cls(
            f"The Idempotency-Key '{shown(key)}' was already used with another request. "
            "Send a new key, or repeat the first request exactly.",
            param="Idempotency-Key",
            code="idempotency_key_reused",
        )


class AlreadyExists(BadRequest):
    """400: a restored id is taken. Nothing was changed."""

    @classmethod
    def object(cls, kind: str, object_id: str, param: str) -> Self:
        """`kind` is the field's word: thread, message."""
        return cls(
            f"A {kind} with id '{object_id}' already exists. Nothing was changed; delete it "
            "first if you want to restore it again.",
            param=param,
            code="already_exists",
        )


class Unauthenticated(ApiError):
    """401: no key, or a wrong one."""

    status = 401
    type = "invalid_request_error"

    @classmethod
    def no_key(cls) -> Self:
        """E1."""
        return cls(
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password "
            "field (with blank username) if you're accessing the API from your browser and are "
            "prompted for a username and password. You can obtain an API key from "
            "https://platform.openai.com/account/api-keys."
        )

    @classmethod
    def wrong_key(cls, key: str) -> Self:
        """E2: the key is shown masked."""
        masked = f"{key[:5]}***{key[-4:]}" if len(key) > 12 else "***"
        return cls(
            f"Incorrect API key provided: {masked}. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            code="invalid_api_key",
        )


class Forbidden(ApiError):
    """403: the server without keys is no door for web pages."""

    status = 403
    type = "invalid_request_error"


class NotFound(ApiError):
    """404: no such URL, or no such object in this project."""

    status = 404
    type = "invalid_request_error"

    @classmethod
    def url(cls, method: str, path: str) -> Self:
        """E4."""
        return cls(f"Invalid URL ({method} {shown(path)})")

    @classmethod
    def object(cls, kind: str, object_id: str) -> Self:
        """The text for a missing object; `kind` is thread, message, assistant, run, run step."""
        return cls(f"No {kind} found with id '{shown(object_id)}'.")

    @classmethod
    def file(cls, file_id: str) -> Self:
        """A missing file, in the words of the Files API."""
        return cls(f"No such File object: {shown(file_id)}", param="id")


class MethodNotAllowed(ApiError):
    """405: the URL is known, the method is not."""

    status = 405
    type = "invalid_request_error"

    def __init__(self, method: str, path: str, allowed: list[str]) -> None:
        """E5; the answer names the methods that there are in `Allow`."""
        super().__init__(f"Invalid method for URL ({method} {shown(path)})")
        self.headers = ((b"allow", ", ".join(allowed).encode("ascii")),)


class BodyTooLarge(ApiError):
    """413: refused without being read whole."""

    status = 413
    type = "invalid_request_error"

    def __init__(self, limit_bytes: int, what: str | None = None) -> None:
        """`what` is the part of the body that has a limit of its own."""
        whole = "The limit is the setting max_body_bytes."
        super().__init__(
            f"The {what or 'request body'} is larger than this server accepts "
            f"({limit_bytes} bytes).{'' if what else f' {whole}'}",
            code="request_too_large",
        )


class RangeNotSatisfiable(ApiError):
    """416: the range that is asked for lies behind the end of the file."""

    status = 416
    type = "invalid_request_error"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The file has {size_bytes} bytes; the range lies behind its end.")
        self.headers = ((b"content-range", b"bytes */%d" % size_bytes),)


class RateLimited(ApiError):
    """429."""

    status = 429
    type = "requests"


class Unavailable(ApiError):
    """503: the store cannot take the write now; nothing was stored, try again."""

    status = 503
    headers = ((b"retry-after", b"1"),)


def shown(value: object, limit: int = 200) -> str:
    """Return `value` for a message: as JSON writes it, cut to `limit` characters, one line."""
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    else:
        text = str(value)
    if len(text) > limit:
        text = text[:limit] + "..."
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _number(value: float) -> str:
    """Return a number as JSON writes it, an integral float without its fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return shown(value, 40)

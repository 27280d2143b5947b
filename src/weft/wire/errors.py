"""Errors on the wire."""

from weft.domain.errors import ApiError
from weft.wire.shapes import ErrorDetail, ErrorResponse, encode


def error_body(error: ApiError) -> str:
    """Return the body of an error's answer."""
    return encode(
        ErrorResponse(
            ErrorDetail(message=error.message, type=error.type, param=error.param, code=error.code)
        )
    )

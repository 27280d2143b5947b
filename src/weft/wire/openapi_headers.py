"""The headers of requests and answers, as the OpenAPI document describes them."""

from typing import Any


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": schema}


PARAMETERS: dict[str, Any] = {
    "IdempotencyKey": _header(
        "Idempotency-Key",
        "Makes it safe to repeat the request: within 24 hours the same key with the same body "
        "brings the first answer again and changes nothing; with another body it is an error.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "LastEventId": _header(
        "Last-Event-ID",
        "With `stream=true`: the number of the last event that was received; the stream goes on "
        "behind it. A number beyond the last event is an error.",
        {"type": "integer", "minimum": 0},
    ),
    "Range": _header(
        "Range",
        "One range of bytes: `bytes=0-1023`, `bytes=1024-`, `bytes=-1024`. Any other form is "
        "ignored, and the whole file comes.",
        {"type": "string"},
    ),
    "IfRange": _header(
        "If-Range",
        "An `ETag`: the range counts for this content only.",
        {"type": "string"},
    ),
    "IfNoneMatch": _header(
        "If-None-Match",
        "`ETag`s, or `*`: the bytes come only if their own is none of them.",
        {"type": "string"},
    ),
}

HEADERS: dict[str, Any] = {
    "RequestId": {
        "description": "`req_` and 32 hexadecimal digits; the server's log has it too.",
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{32}$"},
    },
    "PollAfterMs": {
        "description": "In how many milliseconds to ask again. It is there while the run "
        "goes on; the polling helpers of SDKs heed it.",
        "schema": {"type": "integer"},
    },
    "ContentDisposition": {
        "description": "`attachment`, with the name of the file (RFC 6266).",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The SHA-256 of the whole content, hexadecimal, in quotes.",
        "schema": {"type": "string"},
    },
    "ContentRange": {
        "description": "Which bytes these are, and of how many.",
        "schema": {"type": "string"},
    },
}

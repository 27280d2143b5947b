"""Bodies: JSON for most, forms and files where a description asks for them."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from weft.client.description import JSON, Body

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


class File(NamedTuple):
    """A file to send as a part of a form."""

    name: str
    content: bytes
    media_type: str = "application/octet-stream"


def encoded(body: Body, value: Any) -> tuple[bytes, str]:
    """Return the bytes of a body and its content type."""
    kind = body.media_type.partition(";")[0].strip().lower()
    if kind == JSON or kind.endswith("+json"):
        return _json(value), body.media_type
    if isinstance(value, Mapping) and kind == FORM:
        pairs = [pair for name, inner in value.items() for pair in _each(name, inner)]
        form = "&".join(
            f"{quote(name, safe='')}={quote(text(one), safe='')}" for name, one in pairs
        )
        return form.encode(), FORM
    if isinstance(value, Mapping) and kind == MULTIPART:
        boundary = os.urandom(16).hex()
        parts = [pair for name, inner in value.items() for pair in _each(name, inner)]
        return _multipart(parts, boundary), f"{MULTIPART}; boundary={boundary}"
    return value if isinstance(value, bytes) else text(value).encode(), body.media_type


def checkable(body: Body, value: Any) -> Any:
    """Return a body as JSON for its check; a file is an empty string there."""
    if body.media_type != JSON:
        value = _without_files(value)
    return msgspec.to_builtins(value, str_keys=True)


def _without_files(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_files(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_files(inner) for inner in value]
    return "" if _is_file(value) else value


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except OverflowError:
        return json.dumps(value).encode()  # integers beyond 64 bits


def text(value: Any) -> str:
    """Return a value as parameters and forms write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _each(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a field once for each of its values."""
    for one in value if isinstance(value, list | tuple) and not _is_file(value) else (value,):
        yield name, one


def _is_file(value: Any) -> bool:
    return isinstance(value, bytes | File) or hasattr(value, "read")


def _multipart(parts: Iterable[tuple[str, Any]], boundary: str) -> bytes:
    lines = []
    for name, value in parts:
        head, content = _part(value)
        disposition = f'Content-Disposition: form-data; name="{_escaped(name)}"'
        lines += [f"--{boundary}\r\n{disposition}{head}\r\n\r\n".encode(), content, b"\r\n"]
    return b"".join([*lines, f"--{boundary}--\r\n".encode()])


def _part(value: Any) -> tuple[str, bytes]:
    """Return what the head of a part says beyond its name, and its content."""
    if hasattr(value, "read"):
        value = File(os.path.basename(getattr(value, "name", "upload")), value.read())  # noqa: PTH119
    if isinstance(value, bytes):
        value = File("upload", value)
    if isinstance(value, File):
        head = f'; filename="{_escaped(value.name)}"\r\nContent-Type: {value.media_type}'
        return head, value.content
    if isinstance(value, Mapping | list):
        return f"\r\nContent-Type: {JSON}", _json(value)
    return "", text(value).encode()


def _escaped(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

"""Bodies: JSON for most, forms and files where a description asks for them."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from weft.client.description import JSON, Body
from weft.client.errors import Problem
from weft.client.files import MEDIA_TYPE, WAYS, Form, file_of, is_file

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def encoded(body: Body, value: Any) -> tuple[bytes | Form, str]:
    """Return a body as it is sent, and its content type.

    Raises: OSError for a file that cannot be read.
    """
    kind = body.media_type.partition(";")[0].strip().lower()
    if kind == JSON or kind.endswith("+json"):
        return _json(value), body.media_type
    if isinstance(value, Mapping) and kind == FORM:
        form = "&".join(
            f"{quote(name, safe='')}={quote(text(one), safe='')}"
            for name, one in _fields(body, value)
        )
        return form.encode(), FORM
    if isinstance(value, Mapping) and kind == MULTIPART:
        boundary = os.urandom(16).hex()
        return _multipart(body, _fields(body, value), boundary), f"{kind}; boundary={boundary}"
    if is_file(value):
        return Form([file_of(value).content]), body.media_type
    return text(value).encode(), body.media_type


def checkable(body: Body, value: Any) -> Any:
    """Return a body as JSON for its check; a file is an empty string there."""
    if body.media_type != JSON:
        value = _without_files(value)
    return msgspec.to_builtins(value, str_keys=True)


def texts_for_files(body: Body, value: Any) -> Iterator[Problem]:
    """Yield the places where a form has a text and should have a file.

    A schema cannot say it: to JSON both are strings.
    """
    for name in sorted(body.files) if isinstance(value, Mapping) else ():
        given = value.get(name)
        for one in given if isinstance(given, list) else (given,):
            if isinstance(one, str):
                yield Problem(f"body.{name}", f"is a text; a file is given as {WAYS}")


def _without_files(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_files(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_files(inner) for inner in value]
    return "" if is_file(value) else value


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


def _fields(body: Body, form: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a form, one for each of its values."""
    for name, value in form.items():
        if body.encoding.get(name, {}).get("style") == "deepObject":
            yield from _deep(name, value)
        elif isinstance(value, list | tuple) and not is_file(value):
            yield from ((name, one) for one in value)
        elif value is not None:
            yield name, value


def _deep(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the inner fields of an object as `name[key]`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _deep(f"{name}[{key}]", inner)
    else:
        yield name, value


def _multipart(body: Body, fields: Iterable[tuple[str, Any]], boundary: str) -> Form:
    pieces = []
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escaped(name)}"'
        if is_file(value):
            file = file_of(value)
            kind = _described_kind(body, name) if file.media_type == MEDIA_TYPE else file.media_type
            head += f'; filename="{_escaped(file.name)}"\r\nContent-Type: {kind}'
            content = file.content
        elif isinstance(value, Mapping | list):
            head += f"\r\nContent-Type: {JSON}"
            content = _json(value)
        else:
            content = text(value).encode()
        pieces += [f"{head}\r\n\r\n".encode(), content, b"\r\n"]
    return Form([*pieces, f"--{boundary}--\r\n".encode()])


def _described_kind(body: Body, name: str) -> str:
    """Return the type that the description has for a part, if it has exactly one."""
    kind = str(body.encoding.get(name, {}).get("contentType", MEDIA_TYPE))
    return MEDIA_TYPE if "," in kind or "*" in kind else kind


def _escaped(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

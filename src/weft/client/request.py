"""From a call's arguments to the bytes of its request."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

import msgspec

from weft.client.bodies import encoded, text
from weft.client.description import Operation, Parameter
from weft.client.errors import BadDescription, InvalidRequest, Problem
from weft.client.files import Form

_DELIMITERS = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "|"}


class Request(NamedTuple):
    """A request, ready to be sent, more than once if need be."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | Form = b""


def request_of(
    operation: Operation,
    values: Mapping[str, Any],
    base_url: str,
    headers: Mapping[str, str],
    query: Iterable[tuple[str, str]] = (),
) -> Request:
    """Return the request for values by keyword, of which one may be `body`.

    `query` has pairs that stand in every address, their values quoted.

    Raises: InvalidRequest when a part of the path is missing; OSError for a file that cannot be
    read.
    """
    path = operation.path
    pairs = list(query)
    sent = dict(headers)
    cookies: list[str] = []
    for parameter in operation.parameters:
        value = values.get(parameter.keyword)
        if value is None:
            if parameter.place == "path":
                raise InvalidRequest(operation.name, [Problem(parameter.keyword, "is required")])
            continue
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", _simple(parameter, value))
        elif parameter.place == "query":
            pairs += _query(parameter, value)
        elif parameter.place == "header":
            sent[parameter.name] = _joined(value, ",", text)
        else:
            cookies += [f"{name}={written}" for name, written in _query(parameter, value)]
    if cookies:
        sent["Cookie"] = "; ".join(cookies)
    content: bytes | Form = b""
    if operation.body is not None and values.get("body") is not None:
        content, sent["Content-Type"] = encoded(operation.body, values["body"])
        if isinstance(content, Form):
            sent["Content-Length"] = str(content.size)
    url = _base(operation, base_url) + path
    if pairs:
        url += "?" + "&".join(f"{quote(name, safe='')}={written}" for name, written in pairs)
    return Request(operation.method, url, sent, content)


def _base(operation: Operation, base_url: str) -> str:
    server = base_url if operation.server is None else urljoin(base_url, operation.server)
    return server.rstrip("/")


# --- parameters ---------------------------------------------------------------------------------


def _simple(parameter: Parameter, value: Any) -> str:
    if parameter.style != "simple":
        raise BadDescription(f"The style '{parameter.style}' of '{parameter.name}' is not known.")
    return _joined(value, ",", _quoted)


def _query(parameter: Parameter, value: Any) -> Iterator[tuple[str, str]]:
    """Yield names and quoted values."""
    name = parameter.name
    if parameter.is_json:
        yield name, _quoted(msgspec.json.encode(value).decode())
    elif isinstance(value, Mapping) and parameter.style == "deepObject":
        for key, inner in value.items():
            yield from _deep(f"{name}[{key}]", inner)
    elif isinstance(value, Mapping) and parameter.explode:
        for key, inner in value.items():
            yield str(key), _quoted(inner)
    elif isinstance(value, list | tuple) and parameter.explode:
        for inner in value:
            yield name, _quoted(inner)
    else:
        yield name, _joined(value, _DELIMITERS.get(parameter.style, ","), _quoted)


def _deep(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _deep(f"{name}[{key}]", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield f"{name}[]", _quoted(inner)
    else:
        yield name, _quoted(value)


def _joined(value: Any, delimiter: str, write: Callable[[Any], str]) -> str:
    if isinstance(value, Mapping):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple):
        return delimiter.join(map(write, value))
    return write(value)


def _quoted(value: Any) -> str:
    return quote(text(value), safe="")

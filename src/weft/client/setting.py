"""How a client is set up: whose API, where it stands, and as whom."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypedDict
from urllib.parse import quote, urljoin

import msgspec

from weft.client.description import Description, server_url
from weft.client.errors import BadDescription

BASE_URL = "http://127.0.0.1:8000/v1"
TIMEOUT_S = 60.0  # of silence; a stream has a sign of life every 15 s

Source: TypeAlias = str | Path | Mapping[str, Any]
Fetch: TypeAlias = Callable[[str], bytes]


class Options(TypedDict, total=False):
    """What every call takes beside its parameters."""

    timeout: float
    headers: Mapping[str, str]


class PostOptions(Options, total=False):
    """What calls take that make or change something; without a key of yours they make one."""

    idempotency_key: str


class Credentials(NamedTuple):
    """What every request carries to say who asks."""

    headers: Mapping[str, str] = {}
    query: tuple[tuple[str, str], ...] = ()


def contract() -> Description:
    """Return Weft's own description; it is made when the first call needs it."""
    from weft.client import contract

    return contract.contract()


def plain_contract() -> Description:
    """Return Weft's own description without types: answers are what the server sent."""
    from weft.wire.openapi import document

    return Description(document("3.1"))


def bearer(api_key: str | None) -> Credentials:
    """Return a key as Weft and most others take it."""
    return Credentials({"Authorization": f"Bearer {api_key}"} if api_key else {})


def read(source: Source, fetch: Fetch) -> tuple[Description, str | None]:
    """Return the description in a file, at a URL or in a dict, and where it says the API stands.

    Raises: BadDescription.
    """
    place = None
    if isinstance(source, Mapping):
        # What was read from YAML has dates, and numbers for keys.
        document: Any = msgspec.to_builtins(source, str_keys=True)
    elif isinstance(source, str) and source.startswith(("http://", "https://")):
        place, document = source, _parsed(fetch(source), source)
    else:
        document = _parsed(_bytes_of(Path(source)), str(source))
    if not isinstance(document, dict):
        raise BadDescription("An OpenAPI document is a JSON object.")
    description = Description(document)
    return description, _address(description, place)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise BadDescription(f"{file} cannot be read: {fault.strerror}") from fault


def _parsed(raw: bytes, name: str) -> Any:
    try:
        return json.loads(raw)
    except ValueError as fault:
        raise BadDescription(
            f"{name} is not JSON: {fault}. Of YAML, give the dict that a YAML reader makes of it."
        ) from fault


def _address(description: Description, place: str | None) -> str | None:
    servers = description.document.get("servers") or [{"url": "/"}]
    url = server_url(servers[0])
    url = urljoin(place, url) if place else url
    return url if url.startswith(("http://", "https://")) else None


def credentials(description: Description, api_key: str | None) -> Credentials:
    """Return a key in the way that a description asks for it.

    For HTTP Basic the key is `user:password`.
    """
    if not api_key:
        return Credentials()
    schemes = description.document.get("components", {}).get("securitySchemes", {})
    asked = [name for each in description.document.get("security", ()) for name in each]
    known = [description.follow(schemes[name]) for name in (*asked, *schemes) if name in schemes]
    for scheme in known:
        kind, name = scheme.get("type"), scheme.get("name", "")
        if kind == "http" and scheme.get("scheme", "").lower() == "basic":
            coded = base64.b64encode(api_key.encode()).decode()
            return Credentials({"Authorization": f"Basic {coded}"})
        if kind == "apiKey" and scheme.get("in") == "query":
            return Credentials(query=((name, quote(api_key, safe="")),))
        if kind == "apiKey":
            is_cookie = scheme.get("in") == "cookie"
            return Credentials({"Cookie": f"{name}={api_key}"} if is_cookie else {name: api_key})
        if kind in ("http", "oauth2", "openIdConnect"):
            break
    return bearer(api_key)

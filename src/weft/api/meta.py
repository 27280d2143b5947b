"""What the server says of itself: health and the contract, for programs and for people.

Needs no key.
"""

import json
from functools import cache

from weft.api.call import Answer
from weft.domain.errors import BadRequest
from weft.store.database import Database
from weft.wire.openapi import document

PATHS = ("/healthz", "/readyz", "/openapi.json", "/docs")


async def answer_meta(path: str, query: bytes, database: Database) -> Answer:
    """Answer one of `PATHS`.

    `/healthz`: the process lives. `/readyz`: the database answers too. `/openapi.json`: the
    contract, as OpenAPI 3.1, or 3.0 with `?version=3.0`. `/docs`: the reference as a page.
    Raises: Unavailable from /readyz; BadRequest for another version.
    """
    if path == "/openapi.json":
        return Answer(_document(query.decode("latin-1")))
    if path == "/docs":
        return Answer(_page(), content_type=b"text/html; charset=utf-8")
    if path == "/readyz":
        await database.check()
    return Answer('{"status":"ok"}')


@cache
def _contract(version: str) -> str:
    return json.dumps(document(version), ensure_ascii=False)


@cache
def _page() -> str:
    # It is made once, and only where somebody reads it.
    from weft.wire.markup import html
    from weft.wire.reference import weft

    return html(weft().everything(), "Weft")


def _document(query: str) -> str:
    wanted = [
        value
        for name, _, value in (part.partition("=") for part in query.split("&"))
        if name == "version"
    ]
    version = wanted[-1] if wanted else "3.1"
    if version not in ("3.0", "3.1"):
        raise BadRequest.unsupported_value("version", version, ["3.0", "3.1"])
    return _contract(version)

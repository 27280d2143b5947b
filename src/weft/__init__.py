"""Weft: the Threads API that you host yourself.

The house, room by room (imports point downwards only):

    cli        the command line: weft serve, keys, backup, doctor
    doctor     looks at what a server would run on
    main       builds the rooms, starts and stops them in order
    api        one module for each resource, one function for each operation
    client     calls any API by its OpenAPI document; weft call, weft help, weft chat
    engine     what happens by itself: runs and timed chores
    retrieval  file search: read, cut, index, rank
    llm        who answers: any OpenAI-style endpoint, and a demo that needs none
    store      every object as one transaction: SQLite, named SQL, migrations
    wire       the contract, written once: structs, operations, OpenAPI, errors
    config     settings; the only reader of the environment
    domain     ids, errors, the life of a run: no I/O, no clock
"""

from typing import TYPE_CHECKING, Any

from weft.domain import __version__

if TYPE_CHECKING:
    from weft.client.awaiting import AsyncClient, AsyncEventStream, AsyncListing, AsyncSpecClient
    from weft.client.blocking import Client, EventStream, Listing, SpecClient
    from weft.client.core import Response
    from weft.client.errors import (
        AlreadyExists,
        ApiError,
        BadDescription,
        BadRequest,
        BodyTooLarge,
        Forbidden,
        InvalidRequest,
        MethodNotAllowed,
        NoAnswer,
        NotFound,
        Problem,
        RateLimited,
        TimedOut,
        Unauthenticated,
        Unavailable,
        UnreadableAnswer,
        WeftError,
    )
    from weft.client.events import Event
    from weft.client.files import File
    from weft.client.retry import Retries

__all__ = [
    "AlreadyExists",
    "ApiError",
    "AsyncClient",
    "AsyncEventStream",
    "AsyncListing",
    "AsyncSpecClient",
    "BadDescription",
    "BadRequest",
    "BodyTooLarge",
    "Client",
    "Event",
    "EventStream",
    "File",
    "Forbidden",
    "InvalidRequest",
    "Listing",
    "MethodNotAllowed",
    "NoAnswer",
    "NotFound",
    "Problem",
    "RateLimited",
    "Response",
    "Retries",
    "SpecClient",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "UnreadableAnswer",
    "WeftError",
    "__version__",
]

# Where the public names stand; whatever is not here is one of the errors.
_ROOMS = {
    "blocking": ("Client", "EventStream", "Listing", "SpecClient"),
    "awaiting": ("AsyncClient", "AsyncEventStream", "AsyncListing", "AsyncSpecClient"),
    "core": ("Response",),
    "events": ("Event",),
    "files": ("File",),
    "retry": ("Retries",),
}


def __getattr__(name: str) -> Any:
    """Bring a public name when it is asked for: `import weft` alone stays light."""
    if name not in __all__:
        raise AttributeError(f"module 'weft' has no attribute '{name}'")
    import importlib

    room = next((room for room, names in _ROOMS.items() if name in names), "errors")
    return getattr(importlib.import_module(f"weft.client.{room}"), name)

"""Weft: the Threads API that you host yourself.

The house, room by room (imports point downwards only):

    cli        the command line: weft serve, keys, backup
    main       builds the rooms, starts and stops them in order
    api        one module for each resource, one function for each operation
    client     calls any API by its OpenAPI document; weft call, weft help, weft chat
    engine     what happens by itself: timed chores
    store      every object as one transaction: SQLite, named SQL, migrations
    wire       the contract, written once: structs, operations, OpenAPI, errors
    config     settings; the only reader of the environment
    domain     ids and errors: no I/O, no clock
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.client import (
        ApiError,
        AsyncClient,
        Client,
        Event,
        File,
        InvalidRequest,
        NoAnswer,
        Problem,
        Response,
        Retries,
        WeftError,
    )

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Event",
    "File",
    "InvalidRequest",
    "NoAnswer",
    "Problem",
    "Response",
    "Retries",
    "WeftError",
]


def __getattr__(name: str) -> Any:
    """Bring a public name of the client when it is asked for: `import weft` alone stays light."""
    if name not in __all__:
        raise AttributeError(f"module 'weft' has no attribute '{name}'")
    from weft import client

    return getattr(client, name)

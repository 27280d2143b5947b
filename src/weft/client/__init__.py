"""The client: every operation of an OpenAPI document, checked before it is sent.

setting      whose API, where it stands, as whom
description  a document as operations       schemas     its schemas as JSON Schema 2020-12
check        what is wrong, all at once     request     arguments as bytes      bodies
retry        when to send again             events      server-sent events
core, follow what to do step by step, without any I/O: calls, lists, streams
blocking, awaiting      the two shells that do it       transport     what both know of httpx2
methods, async_methods  the typed methods, made by scripts/client_methods.py
contract     Weft's own description
terminal, chat          weft call, weft help, weft chat
"""

from weft.client.awaiting import AsyncClient, AsyncEventStream, AsyncListing, AsyncSpecClient
from weft.client.blocking import Client, EventStream, Listing, SpecClient
from weft.client.bodies import File
from weft.client.core import Response
from weft.client.errors import (
    ApiError,
    BadDescription,
    InvalidRequest,
    NoAnswer,
    Problem,
    TimedOut,
    UnreadableAnswer,
    WeftError,
)
from weft.client.events import Event
from weft.client.retry import Retries

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncEventStream",
    "AsyncListing",
    "AsyncSpecClient",
    "BadDescription",
    "Client",
    "Event",
    "EventStream",
    "File",
    "InvalidRequest",
    "Listing",
    "NoAnswer",
    "Problem",
    "Response",
    "Retries",
    "SpecClient",
    "TimedOut",
    "UnreadableAnswer",
    "WeftError",
]

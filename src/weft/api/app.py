"""From the socket to a function and back: the ASGI application.

In this order: find the operation, ask who is there, read and check the body,
check the ids in the path, act, answer. Every answer is JSON and carries its
request id; an error that nobody foresaw is a 500 whose traceback is in the log
under that id.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import aclosing
from random import getrandbits
from typing import Any, NamedTuple

from weft.api import (
    assistants,
    files,
    messages,
    meta,
    models,
    runs,
    threads,
    uploads,
    vector_store_files,
    vector_stores,
)
from weft.api.call import Answer, Call, Download, Follow, Headers, Rooms
from weft.api.door import Door
from weft.api.files import NOT_MODIFIED
from weft.api.forms import boundary_of, read_form
from weft.api.idempotency import Repeats, key_of, key_of_form
from weft.api.routing import Router
from weft.api.stream import HEADERS as STREAM_HEADERS
from weft.api.stream import followed, told
from weft.domain.errors import (
    ApiError,
    BadRequest,
    BodyTooLarge,
    MethodNotAllowed,
    Unavailable,
    shown,
)
from weft.wire.body import decode_query
from weft.wire.errors import error_body
from weft.wire.form import Form
from weft.wire.operation import Operation
from weft.wire.operations import PATH_IDS, TABLE

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Function = Callable[[Call[Any]], Awaitable[Answer]]

# From here on a body is checked beside the loop: to find the fault in 32 MB takes seconds.
LARGE_BODY_BYTES = 64 * 1024

RESOURCES = (
    threads,
    messages,
    assistants,
    runs,
    files,
    uploads,
    models,
    vector_stores,
    vector_store_files,
)
# Of a form beyond its file: fields, heads and boundaries.
FORM_BYTES = 256 * 1024

logger = logging.getLogger("weft.api")


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Route(NamedTuple):
    """An operation and the function that does it."""

    operation: Operation
    function: Function


def functions() -> dict[str, Function]:
    """Return the function of each operation by its operation id: the one that bears its name.

    Raises: LookupError unless there is exactly one for each.
    """
    found = {}
    for operation in TABLE:
        having = [module for module in RESOURCES if hasattr(module, operation.function_name)]
        if len(having) != 1:
            raise LookupError(f"{operation.id} has {len(having)} functions, not one")
        found[operation.id] = getattr(having[0], operation.function_name)
    return found


def new_request_id() -> str:
    """Return an id for a request, which its answer and its lines in the log carry."""
    return f"req_{getrandbits(128):032x}"


class App:
    """The API as an ASGI application."""

    def __init__(
        self,
        rooms: Rooms,
        door: Door,
        *,
        max_body_bytes: int,
        acting: Mapping[str, Function] | None = None,
    ) -> None:
        """`acting` gives other functions by operation id; a benchmark puts constants there."""
        chosen = acting or functions()
        self._rooms = rooms
        self._door = door
        self._max_body_bytes = max_body_bytes
        self._repeats = Repeats(rooms.database, rooms.now)
        self._router = Router(
            (method, operation.path, Route(operation, chosen[operation.id]))
            for operation in TABLE
            for method in _methods(operation)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        started = time.perf_counter()
        request_id = new_request_id()
        try:
            answer = await self._answer(scope, receive)
        except ApiError as error:
            if error.status >= 500:
                # Foreseen: its cause was logged with a traceback where it was met.
                logger.warning("%s %s: %s", request_id, shown(scope["path"]), error)
            answer = Answer(error_body(error), error.status, error.headers)
        except ClientGone:
            return
        except asyncio.CancelledError:
            # The server stops, and the time that requests had to finish is over.
            stopped = Unavailable(
                "The server stopped before the request was complete. Whether it was acted on is "
                "not known: send it again with an Idempotency-Key, or look."
            )
            logger.warning("%s %s: was not complete", request_id, shown(scope["path"]))
            answer = Answer(error_body(stopped), stopped.status, stopped.headers)
        except Exception:
            logger.exception("%s %s %s failed", request_id, scope["method"], shown(scope["path"]))
            internal = ApiError.internal(request_id)
            answer = Answer(error_body(internal), internal.status)
        if answer.follow is not None:
            await self._stream(answer, answer.follow, request_id, receive, send)
            return
        download = answer.download
        body = answer.body.encode("utf-8")
        elapsed_ms = int((time.perf_counter() - started) * 1000)
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [
                    *_body_headers(answer, len(body)),
                    (b"openai-version", b"2020-10-01"),
                    (b"openai-processing-ms", b"%d" % elapsed_ms),
                    (b"x-request-id", request_id.encode("ascii")),
                    *answer.headers,
                ],
            }
        )
        if download is not None and scope["method"] == "HEAD":
            download.reading.close()
        elif download is not None:
            await self._send_bytes(download, receive, send)
            return
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        if path in meta.PATHS:
            if method not in ("GET", "HEAD"):
                raise MethodNotAllowed(method, path, ["GET", "HEAD"])
            return await meta.answer_meta(path, scope["query_string"], self._rooms.database)
        headers = dict(scope["headers"])
        if method == "HEAD":
            headers.pop(b"range", None)  # which is defined for GET alone
        route, params, named = self._router.find(method, path)
        operation, function = route
        project = await self._door.project_of(headers, named)
        raw = b""
        body = query = None
        if isinstance(operation.body, Form):
            _require_ids(params)
            call = Call(self._rooms, project, params, None, None, headers, None)
            return await self._answer_form(call, function, operation.body, path, receive)
        if method == "POST":
            raw = await _read(receive, headers, self._max_body_bytes)
        if operation.body is not None:
            _require_json(headers, raw)
            if len(raw) < LARGE_BODY_BYTES:
                body = operation.body.decode(raw)
            else:
                body = await asyncio.to_thread(operation.body.decode, raw)
        if params:
            _require_ids(params)
        if operation.query is not None:
            query = decode_query(scope["query_string"], operation.query)
        key = key_of(headers, method, path, raw)
        call = Call(self._rooms, project, params, query, body, headers, key)
        if key is None:
            answer = await function(call)
        else:
            answer = await self._repeats.once(project, key, lambda: function(call))
        if operation.is_streamed:
            return await followed(call, operation.id, answer)
        return answer

    async def _answer_form(
        self, call: Call[Any], function: Function, form: Form[Any], path: str, receive: Receive
    ) -> Answer:
        """Act on a request that brings a file. What the function does not keep is removed."""
        boundary = boundary_of(call.headers)
        pieces = _pieces(receive, call.headers, form)
        async with self._rooms.contents.arriving() as arrival, aclosing(pieces):
            call.body = await read_form(pieces, form, boundary, arrival)
            call.content = await arrival.finish()
            key = key_of_form(call.headers, path, call.body, call.content)
            call.idempotency_key = key
            if key is None:
                return await function(call)
            return await self._repeats.once(call.project, key, lambda: function(call))

    async def _send_bytes(self, download: Download, receive: Receive, send: Send) -> None:
        """Send bytes of a file until they end or the client goes."""
        gone = asyncio.create_task(_disconnected(receive))
        pieces = download.reading.pieces(download.start, download.stop)
        try:
            async for piece in pieces:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            download.reading.close()

    async def _stream(
        self, answer: Answer, wanted: Follow, request_id: str, receive: Receive, send: Send
    ) -> None:
        """Send a run's events until it rests or the client goes."""
        headers = [*STREAM_HEADERS, (b"x-request-id", request_id.encode("ascii"))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        gone = asyncio.create_task(_disconnected(receive))
        frames = told(self._rooms, wanted, request_id)
        try:
            async with aclosing(frames):
                async for piece in frames:
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()


def _methods(operation: Operation) -> tuple[str, ...]:
    """Return the methods that an operation answers: with bytes also the one for headers alone."""
    return (operation.method,) if operation.response is not None else (operation.method, "HEAD")


def _body_headers(answer: Answer, size: int) -> Headers:
    """Return what is said of a body, `size` bytes long unless it is a download."""
    if answer.status == NOT_MODIFIED:
        return ()
    if answer.download is not None:
        size = answer.download.stop - answer.download.start
    return (b"content-type", answer.content_type), (b"content-length", b"%d" % size)


async def _disconnected(receive: Receive) -> None:
    """Return when the client has gone. What it may still send, such as an unread body, is lost."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive, headers: Mapping[bytes, bytes], limit_bytes: int) -> bytes:
    """Return the body, holding no more of it than `limit_bytes`.

    Raises: BodyTooLarge, before reading when the length was announced; ClientGone.
    """
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        if not message.get("more_body", False):
            return b"".join((*parts, part)) if parts else part
        parts.append(part)


async def _pieces(
    receive: Receive, headers: Mapping[bytes, bytes], form: Form[Any]
) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes.

    Raises: BodyTooLarge, before reading when the length was announced; ClientGone.
    """
    limit_bytes = form.limit_bytes + FORM_BYTES
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise BodyTooLarge(form.limit_bytes, form.file)
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise BodyTooLarge(form.limit_bytes, form.file)
        if part:
            yield part
        if not message.get("more_body", False):
            return


def _require_json(headers: Mapping[bytes, bytes], raw: bytes) -> None:
    """Raise BadRequest for a body that says it is not JSON."""
    content_type = headers.get(b"content-type")
    if content_type == b"application/json" or content_type is None or not raw:
        return
    text = content_type.decode("latin-1")
    kind = text.partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise BadRequest.content_type(text)


def _require_ids(params: dict[str, str]) -> None:
    """Raise BadRequest for an id in the path that is of another kind."""
    for name, value in params.items():
        prefix = PATH_IDS.get(name, "")
        if not value.startswith(prefix):
            raise BadRequest.id_prefix(name, value, prefix)

"""The client without any I/O: what to send, whether to send it again, what came back.

Both shells, blocking and asynchronous, are driven by what stands here (see `steps`).
"""

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from weft.client.bodies import checkable, texts_for_files
from weft.client.description import EVENTS, IDEMPOTENCY_KEY, JSON, Description, Operation
from weft.client.errors import (
    BadDescription,
    InvalidRequest,
    Problem,
    UnreadableAnswer,
    WeftError,
    error_of,
)
from weft.client.request import Request, request_of
from weft.client.retry import Lost, Reply, Retries
from weft.client.schemas import Node
from weft.client.setting import (
    TIMEOUT_S,
    Credentials,
    Fetch,
    Source,
    bearer,
    contract,
    credentials,
    read,
)
from weft.client.steps import Item, Open, Read, Send, Steps, Wait
from weft.domain import __version__

T = TypeVar("T")

AGENT = {"User-Agent": f"weft/{__version__}"}


class Response(NamedTuple, Generic[T]):
    """An answer: the object, and what came with it. Header names are in lower case."""

    data: T
    status: int
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """Under which the server's log knows the request."""
        return self.headers.get("x-request-id")


class Call(NamedTuple):
    """A call that was checked and can be sent."""

    operation: Operation
    values: Node
    headers: Mapping[str, str]
    request: Request
    timeout_s: float
    is_stream: bool
    save_to: Path | None


class Core:
    """What both kinds of client have in common."""

    def __init__(
        self,
        load: Callable[[], Description],
        base_url: str,
        credentials: Credentials,
        *,
        headers: Mapping[str, str] | None = None,
        check: bool = True,
        retries: int | Retries = 2,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """`load` brings the description when the first call needs it."""
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with http:// or https://, not '{base_url}'")
        self._load = load
        self._base_url = base_url.rstrip("/")
        self._headers = {**AGENT, **credentials.headers, **(headers or {})}
        self._query = credentials.query
        self._checks = check
        self.retries = Retries(retries) if isinstance(retries, int) else retries
        self.timeout_s = timeout
        self._checker: Any = None
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}

    @cached_property
    def description(self) -> Description:
        """What the API says of itself."""
        return self._load()

    @property
    def names(self) -> list[str]:
        """The names of all operations, as methods are called."""
        return [operation.name for operation in self.description.operations.values()]

    def request(self, operation: Operation, values: Node, headers: Mapping[str, str]) -> Request:
        """Return the request of an operation for values by keyword."""
        return request_of(operation, values, self._base_url, headers, self._query)

    # --- before sending -------------------------------------------------------------------------

    def prepare(self, name: str, positional: tuple[Any, ...], arguments: Node) -> Call:
        """Return the call of an operation; beside its parameters it takes `OPTIONS`.

        Raises: InvalidRequest with every problem; BadDescription for an unknown operation.
        """
        operation = self.description.find(name)
        stream = bool(arguments.pop("stream", False))
        save_to = arguments.pop("save_to", None)
        timeout_s = arguments.pop("timeout", None)
        headers = {**self._headers, **(arguments.pop("headers", None) or {})}
        values, problems = bound(operation, positional, arguments)
        if stream:
            problems += switch_on(operation, values)
        elif operation.stream_switch == "body" and _asks_for_events(values.get("body")):
            problems.append(Problem("body.stream", "say stream=True beside the body instead"))
        if save_to is not None and (stream or operation.is_list):
            problems.append(Problem("save_to", "this call has no single answer to save"))
        if self._checks:
            problems += self._problems(operation, values)
        if problems:
            raise InvalidRequest(operation.name, problems)
        _add_key(operation, values)
        kind = EVENTS if stream else "*/*" if operation.is_binary else JSON
        headers = {"Accept": kind, **headers}
        request = self.request(operation, values, headers)
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        path = None if save_to is None else Path(save_to)
        return Call(operation, values, headers, request, timeout_s, stream, path)

    def check(self, name: str, positional: tuple[Any, ...], arguments: Node) -> list[Problem]:
        """Return everything that is wrong with the arguments of a call."""
        operation = self.description.find(name)
        values, problems = bound(operation, positional, arguments)
        return problems + self._problems(operation, values)

    def _problems(self, operation: Operation, values: Node) -> list[Problem]:
        if self._checker is None:
            from weft.client.check import Checker  # what makes a first call slow is met only there

            self._checker = Checker(self.description)
        found: list[Problem] = []
        if operation.body is not None and "body" in values:
            found += texts_for_files(operation.body, values["body"])
            try:
                values = {**values, "body": checkable(operation.body, values["body"])}
            except TypeError as fault:
                return [Problem("body", f"is no JSON: {fault}")]
        found += self._checker.problems(operation, values)
        return found

    # --- one answer -----------------------------------------------------------------------------

    def perform(self, call: Call) -> Steps[Response[Any]]:
        """Send a call, again where that may help, and return its answer.

        Raises: ApiError, NoAnswer, UnreadableAnswer.
        """
        reply = yield from exchange(
            call.request, call.timeout_s, self.retries, is_repeatable=call.operation.is_repeatable
        )
        return Response(self._read(call.operation, reply), reply.status, reply.headers)

    def _read(self, operation: Operation, reply: Reply) -> Any:
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if operation.is_binary:
            return reply.body
        if not reply.body:
            return None
        if kind != JSON and not kind.endswith("+json"):
            return reply.body.decode() if kind.startswith("text/") else reply.body
        decoder = self._decoders.get(operation.id)
        if decoder is None:
            decoder = self._decoders[operation.id] = msgspec.json.Decoder(self._type(operation))
        try:
            return decoder.decode(reply.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise UnreadableAnswer(f"The answer of '{operation.name}': {fault}") from fault

    def _type(self, operation: Operation) -> Any:
        reference = str((operation.answer or {}).get("$ref", ""))
        return self.description.types.get(reference.rpartition("/")[2], Any)

    def pieces(self, call: Call) -> Steps[None]:
        """Hand over the head of an answer as a Response, then its bytes as they come.

        When the answer breaks off and it does no harm to ask again, it comes from the beginning
        again: another head, and all bytes.
        Raises: ApiError, NoAnswer.
        """
        attempt = 0
        while True:
            outcome = cast("Reply | Lost", (yield Open(call.request, call.timeout_s)))
            if isinstance(outcome, Reply) and outcome.status < 300:
                yield Item(Response(call.save_to, outcome.status, outcome.headers))
                while isinstance(piece := (yield Read()), bytes):
                    yield Item(piece)
                if piece is None:
                    return
                outcome = cast("Lost", piece)
            is_repeatable = call.operation.is_repeatable
            wait_s = self.retries.wait_s(outcome, attempt, is_repeatable=is_repeatable)
            if wait_s is None:
                raise failure_of(outcome)
            yield Wait(wait_s)
            attempt += 1

    # --- lists ----------------------------------------------------------------------------------

    def pages(self, call: Call) -> Steps[None]:
        """Hand over page after page, each as a Response, as long as the server says there is more.

        With `before` and without `after` the pages go backwards from there.
        """
        is_backwards = "before" in call.values and "after" not in call.values
        cursor, end = ("before", "first_id") if is_backwards else ("after", "last_id")
        while True:
            response = yield from self.perform(call)
            yield Item(response)
            items = part(response.data, "data") or []
            place = part(response.data, end)
            if place is None and items:
                place = part(items[0 if is_backwards else -1], "id")
            has_more = part(response.data, "has_more") is True and items
            if not has_more or place is None or not call.operation.takes("query", cursor):
                return
            call = self._again(call, {cursor: place})

    def _again(self, call: Call, changed: Node) -> Call:
        values = {**call.values, **changed}
        request = self.request(call.operation, values, call.headers)
        return call._replace(values=values, request=request)


def core_of_weft(
    base_url: str,
    api_key: str | None,
    *,
    load: Callable[[], Description] = contract,
    **options: Any,
) -> Core:
    """Return the core of a client of Weft."""
    return Core(load, base_url, bearer(api_key), **options)


def core_of_spec(
    source: Source, fetched: Fetch, base_url: str | None, api_key: str | None, **options: Any
) -> Core:
    """Return the core of a client of the API that a document describes.

    Raises: BadDescription, also when nothing says where the API stands.
    """
    description, address = read(source, fetched)
    if (url := base_url or address) is None:
        raise BadDescription("The document names no server: say base_url=...")
    return Core(lambda: description, url, credentials(description, api_key), **options)


def operation_method(client: Any, core: Core | None, name: str) -> Callable[..., Any]:
    """Return the method of a client that calls the operation with this name.

    Raises: AttributeError when there is none.
    """
    if core is None or name not in core.description:
        raise AttributeError(f"There is no operation '{name}'.")

    def method(*path: Any, **arguments: Any) -> Any:
        return client.call(name, *path, **arguments)

    method.__name__ = name
    return method


def exchange(
    request: Request, timeout_s: float, retries: Retries, *, is_repeatable: bool
) -> Steps[Reply]:
    """Send a request, again where that may help, until there is a success.

    Raises: ApiError, NoAnswer.
    """
    attempt = 0
    while True:
        outcome = cast("Reply | Lost", (yield Send(request, timeout_s)))
        if isinstance(outcome, Reply) and outcome.status < 300:
            return outcome
        wait_s = retries.wait_s(outcome, attempt, is_repeatable=is_repeatable)
        if wait_s is None:
            raise failure_of(outcome)
        yield Wait(wait_s)
        attempt += 1


def fetch(url: str) -> Steps[bytes]:
    """Read a document, which is its description, from a URL."""
    request = Request("GET", url, {**AGENT, "Accept": JSON})
    reply = yield from exchange(request, TIMEOUT_S, Retries(), is_repeatable=True)
    return reply.body


# --- small parts --------------------------------------------------------------------------------


def bound(
    operation: Operation, positional: tuple[Any, ...], arguments: Node
) -> tuple[Node, list[Problem]]:
    """Return arguments by their keywords, and what does not belong to the operation.

    Positional ones are those of the path. None means: not given.
    """
    keywords = {each.name: each.keyword for each in operation.parameters}
    in_path = [each.keyword for each in operation.parameters if each.place == "path"]
    known = {*keywords.values(), "body"} if operation.body else {*keywords.values()}
    given = dict(zip(in_path, positional, strict=False))
    given.update({keywords.get(name, name): value for name, value in arguments.items()})
    problems = [
        Problem(name, f"is not known here; there are: {', '.join(sorted(known)) or 'none'}")
        for name in given
        if name not in known
    ]
    if len(positional) > len(in_path):
        problems.append(Problem("path", f"has {len(in_path)} parameters, not {len(positional)}"))
    values = {name: value for name, value in given.items() if name in known and value is not None}
    return values, problems


def switch_on(operation: Operation, values: Node) -> list[Problem]:
    """Ask for events in the way that the operation has for it."""
    if not operation.is_streamed:
        return [Problem("stream", "this operation has no events")]
    if operation.stream_switch == "body" and operation.body is not None:
        body = values.get("body")
        values["body"] = {**(checkable(operation.body, body) if body else {}), "stream": True}
    elif operation.stream_switch == "query":
        values[switch_keyword(operation)] = "true"
    return []


def switch_keyword(operation: Operation) -> str:
    """Return the keyword of the parameter that asks for events."""
    return next(each.keyword for each in operation.parameters if each.name == "stream")


def _asks_for_events(body: Any) -> bool:
    return part(body, "stream") is True


def _add_key(operation: Operation, values: Node) -> None:
    for each in operation.parameters:
        if each.place == "header" and each.name.lower() == IDEMPOTENCY_KEY:
            values.setdefault(each.keyword, os.urandom(16).hex())


def part(data: Any, name: str) -> Any:
    """Return a field of an object, typed or plain, or None."""
    return data.get(name) if isinstance(data, Mapping) else getattr(data, name, None)


def failure_of(outcome: Reply | Lost) -> WeftError:
    """Return what to raise when repeating does not help."""
    if isinstance(outcome, Lost):
        return outcome.error
    return error_of(outcome.status, outcome.headers, outcome.body)

"""The blocking client: a thin shell that does what the core says, step by step."""

import copy
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast

import httpx2

from weft.client import setting
from weft.client.core import (
    Call,
    Core,
    Response,
    core_of_spec,
    core_of_weft,
    fetch,
    operation_method,
    part,
)
from weft.client.description import Description
from weft.client.errors import Problem
from weft.client.events import Event
from weft.client.files import Arriving
from weft.client.follow import events
from weft.client.methods import Methods
from weft.client.retry import Retries
from weft.client.setting import Source
from weft.client.steps import Action, Item, Open, Outcome, Read, Send, Steps, Wait
from weft.client.transport import FAULTS, lost, reply_of, timeout

P = ParamSpec("P")
T = TypeVar("T")
Page = TypeVar("Page")


class _Doing:
    """Does the steps of one call."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self._open: httpx2.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def act(self, action: Action) -> Outcome:
        """Do one step."""
        try:
            match action:
                case Send(request, timeout_s):
                    method, url, headers, content = request
                    answer = self._http.request(
                        method, url, headers=headers, content=content, timeout=timeout(timeout_s)
                    )
                    return reply_of(answer, answer.content)
                case Open():
                    return self._begin(action)
                case Read():
                    return next(self._pieces, None)
                case Wait(seconds):
                    time.sleep(seconds)
        except FAULTS as fault:
            return lost(fault, getattr(action, "request", None))
        return None

    def _begin(self, action: Open) -> Outcome:
        self.close()
        method, url, headers, content = action.request
        request = self._http.build_request(
            method, url, headers=headers, content=content, timeout=timeout(action.timeout_s)
        )
        self._open = self._http.send(request, stream=True)
        self._pieces = self._open.iter_bytes()
        return reply_of(self._open, b"" if self._open.is_success else self._open.read())

    def run(self, steps: Steps[T]) -> T:
        """Do all steps and return their result."""
        outcome: Outcome = None
        try:
            while True:
                outcome = self.act(cast("Action", steps.send(outcome)))
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            self.close()

    def items(self, steps: Steps[None]) -> Generator[Any, None, None]:
        """Do the steps and yield what they hand over."""
        outcome: Outcome = None
        try:
            while True:
                action = steps.send(outcome)
                outcome = None
                if isinstance(action, Item):
                    yield action.value
                else:
                    outcome = self.act(action)
        except StopIteration:
            return
        finally:
            self.close()

    def close(self) -> None:
        """Let go of what is open."""
        if self._open is not None:
            self._open.close()
            self._open = None


class Listing(Generic[T, Page]):
    """A list: iterating goes through the objects of all pages, which are fetched on the way."""

    def __init__(self, pages: Callable[[], Iterator[Response[Page]]]) -> None:
        self._pages = pages

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from part(page.data, "data")

    def pages(self) -> Iterator[Response[Page]]:
        """Yield page after page, with status and headers."""
        return self._pages()

    def first(self) -> Page:
        """Return the first page alone."""
        return next(self._pages()).data


class EventStream:
    """The events of a run as they happen; it goes on by itself when the connection breaks.

    Iterating to the end, `close` and the end of a `with` block let go of the connection.
    """

    def __init__(self, items: Generator[Any, None, None]) -> None:
        """The first of `items` is the head of the answer."""
        self._items = items
        self.response: Response[None] = next(items)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        return cast("Event", next(self._items))

    def close(self) -> None:
        """Stop following; the run goes on."""
        self._items.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Shell:
    """What a client is, whatever API it speaks to."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._http = httpx2.Client(timeout=timeout(core.timeout_s))
        self._is_answering = False

    @property
    def description(self) -> Description:
        """What the API says of itself."""
        return self._core.description

    def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
        """Call an operation by its id: parameters of the path in their order, the others by name.

        With `save_to`, a path, the answer is written there as it comes, and the path returned.
        Raises: InvalidRequest, with all that is wrong, before anything is sent; ApiError;
        NoAnswer; UnreadableAnswer; BadDescription for an unknown operation; OSError for a file
        that cannot be read or written.
        """
        call = self._core.prepare(operation, path, arguments)
        if self._is_answering and (call.is_stream or call.operation.is_list):
            raise TypeError("lists and streams have no single answer")
        if call.is_stream:
            return EventStream(_Doing(self._http).items(events(self._core, call)))
        if call.operation.is_list:
            return Listing(lambda: _Doing(self._http).items(self._core.pages(call)))
        if call.save_to is not None:
            response = self._saved(call, call.save_to)
        else:
            response = _Doing(self._http).run(self._core.perform(call))
        return response if self._is_answering else response.data

    def _saved(self, call: Call, path: Path) -> Response[Any]:
        """Write an answer to a file, piece by piece, and return its head."""
        with (
            Arriving(path) as file,
            closing(_Doing(self._http).items(self._core.pieces(call))) as got,
        ):
            for item in got:
                if isinstance(item, Response):
                    head = item
                    file.begin()
                else:
                    file.add(item)
            file.end()
        return head

    def check(self, operation: str, /, *path: Any, **arguments: Any) -> list[Problem]:
        """Return everything that is wrong with the arguments of a call, without sending it."""
        return self._core.check(operation, path, arguments)

    def with_response(
        self, method: Callable[P, T], *arguments: P.args, **keywords: P.kwargs
    ) -> Response[T]:
        """Call a method of this client and return its answer with status and headers.

        `client.with_response(client.get_thread, thread.id).headers`. Lists and streams have their
        own: see `Listing.pages` and `EventStream.response`.
        """
        answering = copy.copy(self)
        answering._is_answering = True
        return cast("Response[T]", getattr(answering, method.__name__)(*arguments, **keywords))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SpecClient(Shell):
    """A client of any API that describes itself: a method for each operation, answers as dicts."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return operation_method(self, self.__dict__.get("_core"), name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._core.names]


class Client(Shell, Methods):
    """The client of Weft: one typed method for each operation.

    `check=False` sends without checking; `retries` says how often a request is repeated when that
    can help and can do no harm; `timeout` is in seconds of silence.
    """

    def __init__(
        self,
        base_url: str = setting.BASE_URL,
        api_key: str | None = None,
        *,
        timeout: float = setting.TIMEOUT_S,
        retries: int | Retries = 2,
        check: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            core_of_weft(
                base_url, api_key, timeout=timeout, retries=retries, check=check, headers=headers
            )
        )

    @staticmethod
    def from_spec(
        source: Source, *, base_url: str | None = None, api_key: str | None = None, **options: Any
    ) -> SpecClient:
        """Return a client of the API that an OpenAPI 3.0 or 3.1 document describes.

        `source` is a file, a URL or the document itself. Without `base_url` the document's first
        server is meant. `options` are those of `Client`.
        Raises: BadDescription; NoAnswer and ApiError when a URL cannot be read.
        """
        return SpecClient(core_of_spec(source, fetched, base_url, api_key, **options))


def fetched(url: str) -> bytes:
    """Return what stands at a URL.

    Raises: ApiError, NoAnswer.
    """
    with httpx2.Client() as http:
        return _Doing(http).run(fetch(url))

"""The asynchronous client: the same thin shell as `blocking`, with `await`."""

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast

import anyio
import anyio.to_thread
import httpx2

from weft.client import setting
from weft.client.async_methods import Methods
from weft.client.blocking import fetched
from weft.client.core import (
    Call,
    Core,
    Response,
    core_of_spec,
    core_of_weft,
    operation_method,
    part,
)
from weft.client.description import Description
from weft.client.errors import Problem
from weft.client.events import Event
from weft.client.files import Arriving, Form
from weft.client.follow import events
from weft.client.retry import Retries
from weft.client.setting import Source
from weft.client.steps import Action, Item, Open, Outcome, Read, Send, Steps, Wait
from weft.client.transport import FAULTS, lost, reply_of, timeout

P = ParamSpec("P")
T = TypeVar("T")
Page = TypeVar("Page")


async def _pieces(form: Form) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a form; the loop does not wait for a disk."""
    pieces = iter(form)
    while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
        yield piece


def _sent(content: bytes | Form) -> bytes | AsyncGenerator[bytes, None]:
    return _pieces(content) if isinstance(content, Form) else content


class _Doing:
    """Does the steps of one call."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._open: httpx2.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def act(self, action: Action) -> Outcome:
        """Do one step."""
        try:
            match action:
                case Send(request, timeout_s):
                    method, url, headers, content = request
                    answer = await self._http.request(
                        method,
                        url,
                        headers=headers,
                        content=_sent(content),
                        timeout=timeout(timeout_s),
                    )
                    return reply_of(answer, answer.content)
                case Open():
                    return await self._begin(action)
                case Read():
                    return None if self._pieces is None else await anext(self._pieces, None)
                case Wait(seconds):
                    await anyio.sleep(seconds)
        except FAULTS as fault:
            return lost(fault, getattr(action, "request", None))
        return None

    async def _begin(self, action: Open) -> Outcome:
        await self.close()
        method, url, headers, content = action.request
        request = self._http.build_request(
            method, url, headers=headers, content=_sent(content), timeout=timeout(action.timeout_s)
        )
        self._open = await self._http.send(request, stream=True)
        self._pieces = self._open.aiter_bytes()
        return reply_of(self._open, b"" if self._open.is_success else await self._open.aread())

    async def run(self, steps: Steps[T]) -> T:
        """Do all steps and return their result."""
        outcome: Outcome = None
        try:
            while True:
                outcome = await self.act(cast("Action", steps.send(outcome)))
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            await self.close()

    async def items(self, steps: Steps[None]) -> AsyncGenerator[Any, None]:
        """Do the steps and yield what they hand over."""
        outcome: Outcome = None
        try:
            while True:
                action = steps.send(outcome)
                outcome = None
                if isinstance(action, Item):
                    yield action.value
                else:
                    outcome = await self.act(action)
        except StopIteration:
            return
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of what is open."""
        if self._open is not None:
            await self._open.aclose()
            self._open = None


class AsyncListing(Generic[T, Page]):
    """A list: iterating goes through the objects of all pages, which are fetched on the way."""

    def __init__(self, pages: Callable[[], AsyncGenerator[Response[Page], None]]) -> None:
        self._pages = pages

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        async with aclosing(self._pages()) as pages:
            async for page in pages:
                for item in part(page.data, "data"):
                    yield item

    def pages(self) -> AsyncGenerator[Response[Page], None]:
        """Yield page after page, with status and headers."""
        return self._pages()

    async def first(self) -> Page:
        """Return the first page alone."""
        async with aclosing(self._pages()) as pages:
            return (await anext(pages)).data


class AsyncEventStream:
    """The events of a run as they happen; it goes on by itself when the connection breaks.

    Iterating to the end, `close` and the end of an `async with` block let go of the connection.
    """

    def __init__(self, items: AsyncGenerator[Any, None], response: Response[None]) -> None:
        self._items = items
        self.response = response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return cast("Event", await anext(self._items))

    async def close(self) -> None:
        """Stop following; the run goes on."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncShell:
    """What an asynchronous client is, whatever API it speaks to."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._http = httpx2.AsyncClient(timeout=timeout(core.timeout_s))
        self._is_answering = False

    @property
    def description(self) -> Description:
        """What the API says of itself."""
        return self._core.description

    def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
        """Call an operation by its id: parameters of the path in their order, the others by name.

        With `save_to`, a path, the answer is written there as it comes, and the path returned.
        Returns something to await, for a list something to iterate over.
        Raises: InvalidRequest, with all that is wrong, before anything is sent; ApiError;
        NoAnswer; UnreadableAnswer; BadDescription for an unknown operation.
        """
        call = self._core.prepare(operation, path, arguments)
        if self._is_answering and (call.is_stream or call.operation.is_list):
            raise TypeError("lists and streams have no single answer")
        if call.operation.is_list:
            return AsyncListing(lambda: _Doing(self._http).items(self._core.pages(call)))
        return self._stream(call) if call.is_stream else self._answer(call)

    async def _answer(self, call: Call) -> Any:
        if call.save_to is not None:
            response = await self._saved(call, call.save_to)
        else:
            response = await _Doing(self._http).run(self._core.perform(call))
        return response if self._is_answering else response.data

    async def _saved(self, call: Call, path: Path) -> Response[Any]:
        """Write an answer to a file, piece by piece, and return its head."""
        items = _Doing(self._http).items(self._core.pieces(call))
        with Arriving(path) as file:
            async with aclosing(items):
                async for item in items:
                    if isinstance(item, Response):
                        head = item
                        file.begin()
                    else:
                        await anyio.to_thread.run_sync(file.add, item)
            file.end()
        return head

    async def _stream(self, call: Call) -> AsyncEventStream:
        items = _Doing(self._http).items(events(self._core, call))
        return AsyncEventStream(items, await anext(items))

    def check(self, operation: str, /, *path: Any, **arguments: Any) -> list[Problem]:
        """Return everything that is wrong with the arguments of a call, without sending it."""
        return self._core.check(operation, path, arguments)

    async def with_response(
        self, method: Callable[P, Awaitable[T]], *arguments: P.args, **keywords: P.kwargs
    ) -> Response[T]:
        """Call a method of this client and return its answer with status and headers.

        `(await client.with_response(client.get_thread, thread.id)).headers`. Lists and streams
        have their own: see `AsyncListing.pages` and `AsyncEventStream.response`.
        """
        answering = copy.copy(self)
        answering._is_answering = True
        return cast(
            "Response[T]", await getattr(answering, method.__name__)(*arguments, **keywords)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncSpecClient(AsyncShell):
    """A client of any API that describes itself: a method for each operation, answers as dicts."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return operation_method(self, self.__dict__.get("_core"), name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._core.names]


class AsyncClient(AsyncShell, Methods):
    """The asynchronous client of Weft: one typed method for each operation.

    It takes what `Client` takes.
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
    ) -> AsyncSpecClient:
        """Return a client of any described API, as `Client.from_spec` does.

        A URL is read at once, and blocks until it is.
        """
        return AsyncSpecClient(core_of_spec(source, fetched, base_url, api_key, **options))

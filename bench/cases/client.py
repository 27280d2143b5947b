"""What the client costs: the same calls through `weft.Client` and through plain httpx2."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import httpx2

from bench.fill import thread
from bench.measure import Load
from bench.process import Server
from bench.report import Result, Section, Target
from bench.server import BARE, TEXT
from bench.stage import Stage, median, p50, ratio
from weft import AsyncClient, Client
from weft.domain.ids import Ids
from weft.main import now_us

SECTION = Section(
    "The client",
    "One call after the other, each checked before it is sent and its answer decoded to an object; "
    "beside it httpx2 with a connection kept, the body encoded and the answer decoded by the "
    "standard library, nothing checked, never sent again. The ratio is of the processor time that "
    "the process spends for a call, p50 is how long the call takes, with a server that answers a "
    "constant at once.",
)
MOST = Target.at_most(1.5)
BODY = {"messages": [{"role": "user", "content": TEXT}], "metadata": {"customer": "ada"}}
WARM_UP = 50


class Kind(NamedTuple):
    """A call: through the client of either kind, and by hand."""

    title: str
    call: Callable[[Any], Any]
    by_hand: Callable[[Any, str], Any]


def _kinds(thread_id: str) -> list[Kind]:
    return [
        Kind(
            "create_thread, one message",
            lambda client: client.create_thread(body=BODY),
            lambda http, url: http.post(f"{url}/threads", json=BODY),
        ),
        Kind(
            "get_thread",
            lambda client: client.get_thread(thread_id),
            lambda http, url: http.get(f"{url}/threads/{thread_id}"),
        ),
    ]


def overhead(stage: Stage) -> Iterator[Result]:
    """Measure calls through the client beside the same by hand, blocking and asynchronous."""
    folder = stage.new_path("data")
    thread_id = str(thread(Ids(now_us).new("thread_"))[0].params["id"])
    with Server(folder) as server:
        url = f"{server.address}{BARE}/v1"
        for kind in _kinds(thread_id):
            for name, side in (("blocking", _blocking), ("async", _asynchronous)):
                calls, by_hand = stage.in_turns(
                    f"{kind.title}, {name}, client / httpx2", *side(kind, url, stage.scale.seconds)
                )
                found = ratio(calls, by_hand, cost_us)
                cells = {
                    "Call": f"{kind.title}, {name}",
                    "us": f"{median(calls, cost_us):.0f}",
                    "p50 us": f"{median(calls, p50) * 1000:.0f}",
                    "httpx2, us": f"{median(by_hand, cost_us):.0f}",
                    "p50 us of it": f"{median(by_hand, p50) * 1000:.0f}",
                    "Times httpx2": str(found),
                }
                yield Result(SECTION, cells, found.median, MOST)


def cost_us(load: Load) -> float:
    """Return the processor time of a call; `seconds` are those of the processor here."""
    return load.seconds / load.requests * 1e6


def _blocking(kind: Kind, url: str, seconds: float) -> list[Callable[[], Load]]:
    def call() -> Load:
        with Client(url) as client:
            return _timed(lambda: kind.call(client), seconds)

    def by_hand() -> Load:
        with httpx2.Client() as http:
            return _timed(lambda: _read(kind.by_hand(http, url)), seconds)

    return [call, by_hand]


def _asynchronous(kind: Kind, url: str, seconds: float) -> list[Callable[[], Load]]:
    async def call() -> Load:
        async with AsyncClient(url) as client:
            return await _timed_async(lambda: kind.call(client), seconds)

    async def by_hand() -> Load:
        async with httpx2.AsyncClient() as http:

            async def one() -> Any:
                return _read(await kind.by_hand(http, url))

            return await _timed_async(one, seconds)

    return [lambda: asyncio.run(call()), lambda: asyncio.run(by_hand())]


def _read(response: httpx2.Response) -> Any:
    response.raise_for_status()
    return json.loads(response.content)


def _timed(act: Callable[[], Any], seconds: float) -> Load:
    for _ in range(WARM_UP):
        act()
    times: list[float] = []
    spent = time.process_time()
    started = before = time.perf_counter()
    while before - started < seconds:
        act()
        after = time.perf_counter()
        times.append(after - before)
        before = after
    return _load(times, time.process_time() - spent)


async def _timed_async(act: Callable[[], Awaitable[Any]], seconds: float) -> Load:
    for _ in range(WARM_UP):
        await act()
    times: list[float] = []
    spent = time.process_time()
    started = before = time.perf_counter()
    while before - started < seconds:
        await act()
        after = time.perf_counter()
        times.append(after - before)
        before = after
    return _load(times, time.process_time() - spent)


def _load(times: list[float], spent_s: float) -> Load:
    cuts = statistics.quantiles(times, n=100)
    return Load(len(times), spent_s, statistics.median(times) * 1000, cuts[98] * 1000)

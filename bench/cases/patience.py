"""One client that is slow, or many that are idle, must not be felt by the others."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from urllib.parse import urlsplit

from bench.cases.floor import folder_with_threads
from bench.fill import fill, message, thread
from bench.measure import Load, Request
from bench.process import Server
from bench.report import Result, Section, Target
from bench.stage import Stage, median, p99, ratio
from weft.domain.ids import Ids
from weft.main import now_us
from weft.store.database import Write

SECTION = Section(
    "In slow company",
    "The p99 of `GET /threads/{id}` with 16 connections while somebody else is slow, against the "
    "same without, in turns.",
)
CONNECTIONS = 16
IDLE = 100
MESSAGES, CHARACTERS = 100, 150_000  # together a page of 15 MB
TARGET = Target.at_most(1.5)

Company = Callable[[Server], AbstractContextManager[None]]


def slow_reader(stage: Stage) -> Iterator[Result]:
    """A client that asked for a large page and does not read it."""
    make = Ids(now_us)
    thread_id = make.new("thread_")
    path = f"/v1/threads/{thread_id}/messages?limit={MESSAGES}"
    large = thread(
        thread_id,
        first=[
            message(thread_id, make.new("msg_"), "x" * CHARACTERS, position=number)
            for number in range(1, MESSAGES + 1)
        ],
    )

    @contextmanager
    def company(server: Server) -> Iterator[None]:
        with _asked(server, path) as connection:
            yield
            # It was not cut off: all of the page still comes, now that it is read.
            read = 0
            while read < MESSAGES * CHARACTERS:
                part = connection.recv(1 << 20)
                if not part:
                    raise RuntimeError(f"the slow reader was cut off after {read:,} bytes")
                read += len(part)

    title = f"One client that does not read its page of {MESSAGES * CHARACTERS / 1e6:.0f} MB"
    yield _with_company(stage, title, large, company)


def idle_connections(stage: Stage) -> Iterator[Result]:
    """Many keep-alive connections that say nothing."""

    @contextmanager
    def company(server: Server) -> Iterator[None]:
        with ExitStack() as opened:
            for _ in range(IDLE):
                opened.enter_context(_asked(server, "/healthz"))
            yield

    yield _with_company(stage, f"{IDLE} idle keep-alive connections", (), company)


def _with_company(stage: Stage, title: str, more: Write, company: Company) -> Result:
    folder, ids = folder_with_threads(stage, stage.scale.threads)
    fill(folder, [more])
    file = stage.requests(*(Request("GET", f"/v1/threads/{id_}") for id_ in ids))
    with Server(folder) as server:
        alone = stage.side(server, file, connections=CONNECTIONS)

        def accompanied() -> Load:
            with company(server):
                return alone()

        alone()  # warm up
        slow, quiet = stage.in_turns(f"{title}, with / without", accompanied, alone)
    compared = ratio(slow, quiet, p99)
    cells = {
        "Company": title,
        "p99 ms with": f"{median(slow, p99):.2f}",
        "p99 ms without": f"{median(quiet, p99):.2f}",
        "Ratio": str(compared),
    }
    return Result(SECTION, cells, compared.median, TARGET)


@contextmanager
def _asked(server: Server, path: str) -> Iterator[socket.socket]:
    """Open a connection, ask, and read only the first byte of the answer."""
    at = urlsplit(server.address)
    assert at.hostname is not None
    assert at.port is not None
    with socket.create_connection((at.hostname, at.port), timeout=30) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\n"
            f"Authorization: Bearer {server.key}\r\n\r\n".encode()
        )
        connection.recv(1)
        yield connection

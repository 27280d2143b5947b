"""Much of something must not be slower than little of it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import SystemRandom

from bench.cases.floor import CREATE_WITH_MESSAGE, MESSAGE
from bench.fill import STARTED_AT, fill, message, thread
from bench.measure import Load, Request
from bench.process import Server
from bench.report import Result, Section, Target
from bench.server import TEXT
from bench.stage import Ratio, Stage, median, p50, p99, rate, ratio, say
from weft.domain.ids import Ids
from weft.main import now_us

SECTION = Section(
    "Much against little",
    "The same request to a large and to a small database, in turns. Times are the p50 with one "
    "connection; rates are with 64.",
)
FEW_MESSAGES = 100
FEW_THREADS = 1_000
ASKED_FOR = 10_000  # values of metadata, by chance
USERS = 1_000


def last_messages(stage: Stage) -> Iterator[Result]:
    """The newest 20 messages of a long thread and of a short one."""
    folder, *ids = long_and_short(stage)
    with Server(folder) as server:
        loads = stage.in_turns(
            "last 20 messages, long / short",
            *(
                stage.side(
                    server,
                    stage.requests(Request("GET", f"/v1/threads/{thread_id}/messages?limit=20")),
                    connections=1,
                )
                for thread_id in ids
            ),
        )
    title = f"Last 20 messages of a thread with {stage.scale.long_thread:,}"
    yield _times(f"{title}, against {FEW_MESSAGES}", loads, Target.at_most(1.3))


def long_and_short(stage: Stage) -> tuple[Path, str, str]:
    """Return a new data folder, and the ids of its long thread and of its short one."""
    make = Ids(now_us)
    folder = stage.new_path("data")
    long, short = make.new("thread_"), make.new("thread_")
    sizes = {long: stage.scale.long_thread, short: FEW_MESSAGES}
    fill(
        folder,
        (
            thread(
                thread_id,
                first=[
                    # Ten a second: dates and positions both count.
                    message(
                        thread_id,
                        make.new("msg_"),
                        TEXT,
                        at=STARTED_AT + number // 10,
                        position=number % 10 + 1,
                    )
                    for number in range(size)
                ],
            )
            for thread_id, size in sizes.items()
        ),
    )
    return folder, long, short


def metadata(stage: Stage) -> Iterator[Result]:
    """One thread found by its metadata, among many and among few."""
    say("  filling")
    sizes = (stage.scale.many_threads, FEW_THREADS)
    folders = [_searchable(stage, size) for size in sizes]
    with Server(folders[0]) as many, Server(folders[1]) as few:
        for title, extra in (
            ("Metadata query, one pair", ""),
            ("Metadata query, two pairs, one of them common", "&metadata[plan]=free"),
        ):
            files = [
                stage.requests(
                    *(
                        Request("GET", f"/v1/threads?metadata[case]={_case(number)}{extra}")
                        for number in SystemRandom().sample(range(size), min(size, ASKED_FOR))
                    )
                )
                for size in sizes
            ]
            _require_one_found(many, files[0])
            loads = stage.in_turns(
                f"{title}, many / few",
                stage.side(many, files[0], connections=1),
                stage.side(few, files[1], connections=1),
            )
            against = f"{title}, over {sizes[0]:,} threads, against {sizes[1]:,}"
            yield _times(against, loads, Target.at_most(2))


def creation(stage: Stage) -> Iterator[Result]:
    """The rate of POST /threads in a database with many threads and in one with few."""
    searchable = [
        Request(
            "POST",
            "/v1/threads",
            json.dumps({"messages": [MESSAGE], "metadata": {"user": f"user-{number}"}}),
        )
        for number in range(USERS)
    ]
    for title, requests, target in (
        ("POST /threads, one message", [CREATE_WITH_MESSAGE], Target.at_least(0.9)),
        ("POST /threads, one message and metadata", searchable, None),
    ):
        say("  filling")
        file = stage.requests(*requests)
        large = _with_users(stage, stage.scale.many_created)

        def on_large(file: Path = file, folder: Path = large) -> Load:
            with Server(folder) as server:
                return stage.side(server, file, connections=64)()

        def on_small(file: Path = file) -> Load:
            # A new one each time: it fills while it is measured.
            with Server(_with_users(stage, FEW_THREADS)) as server:
                return stage.side(server, file, connections=64)()

        many, few = stage.in_turns(f"{title}, large / small", on_large, on_small)
        at = f"at {stage.scale.many_created:,} threads, against {FEW_THREADS:,}"
        compared = ratio(many, few, rate)
        measured = f"{median(many, rate):,.0f} against {median(few, rate):,.0f} a second"
        yield _result(f"{title}, {at}", measured, compared, target)


def _searchable(stage: Stage, count: int) -> Path:
    """Return a new data folder with threads of which each has a case of its own."""
    make = Ids(now_us)
    folder = stage.new_path("data")
    fill(
        folder,
        (
            thread(
                make.new("thread_"),
                at=STARTED_AT + number // 10,
                metadata={"case": _case(number), "plan": "free"},
            )
            for number in range(count)
        ),
    )
    return folder


def _with_users(stage: Stage, count: int) -> Path:
    """Return a new data folder with threads as the case creates them."""
    make = Ids(now_us)
    folder = stage.new_path("data")
    fill(
        folder,
        (
            thread(
                thread_id,
                at=STARTED_AT + number // 10,
                metadata={"user": f"user-{number % USERS}"},
                first=[message(thread_id, make.new("msg_"), TEXT)],
            )
            for number, thread_id in ((number, make.new("thread_")) for number in range(count))
        ),
    )
    return folder


def _case(number: int) -> str:
    return f"case-{number:07d}"


def _require_one_found(server: Server, file: Path) -> None:
    """Check that a query finds what it should, so that what is timed is a search that works."""
    method, path = file.read_text(encoding="utf-8").splitlines()[0].split(" ")
    found = json.loads(server.ask(method, path))["data"]
    if len(found) != 1:
        raise RuntimeError(f"{path} found {len(found)} threads, not one")


def _times(title: str, loads: Sequence[Sequence[Load]], target: Target) -> Result:
    much, little = loads
    measured = " against ".join(
        f"{median(side, p50):.2f} (p99 {median(side, p99):.2f})" for side in (much, little)
    )
    return _result(title, f"{measured} ms", ratio(much, little, p50), target)


def _result(title: str, measured: str, compared: Ratio, target: Target | None) -> Result:
    cells = {"Case": title, "Measured": measured, "Ratio": str(compared)}
    return Result(SECTION, cells, compared.median, target)

"""A run on a very long thread starts as fast as one on a short thread."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.cases.scale import FEW_MESSAGES, SECTION, long_and_short
from bench.listener import Relayed
from bench.model_server import Speech
from bench.relay import Relay, relay, run
from bench.report import Result, Target
from bench.stage import Ratio, Stage, say

ONE_TOKEN = Speech(1, 0)
WARMING_UP = 3
# About 70 messages of either thread, so that the model reads as much of the one as of the other.
BUDGET = {"max_prompt_tokens": 1_000}


class _Threads(NamedTuple):
    """A long thread and a short one, in one database."""

    folder: Path
    long: str
    short: str


def first_token(stage: Stage) -> Iterator[Result]:
    """The time from the question to the first token, on a long thread and on a short one."""
    threads = _Threads(*long_and_short(stage))
    of = f"Run on a thread with {stage.scale.long_thread:,} messages, against {FEW_MESSAGES}"
    with relay(stage, threads.folder) as pair:
        yield _compared(stage, pair, threads, f"{of}: first token", BUDGET, Target.at_most(1.3))
        # Here the model reads far more of the long one: as much as fits the settings' budget.
        title = f"{of}: first token, no budget set"
        yield _compared(stage, pair, threads, title, {}, None)


def _compared(
    stage: Stage,
    pair: Relay,
    threads: _Threads,
    title: str,
    body: dict[str, Any],
    target: Target | None,
) -> Result:
    rounds = []
    for number in range(stage.scale.rounds):
        count = max(1, stage.scale.first_tokens // stage.scale.rounds)
        rounds.append(run(_first_tokens(pair, threads, body, count)))
        long_ms, short_ms = rounds[-1]
        say(f"  {title}, round {number + 1}: {long_ms:.2f} / {short_ms:.2f} ms")
    ratios = [long_ms / short_ms for long_ms, short_ms in rounds]
    compared = Ratio(statistics.median(ratios), min(ratios), max(ratios))
    long_ms, short_ms = (statistics.median(side) for side in zip(*rounds, strict=True))
    measured = f"{long_ms:.2f} against {short_ms:.2f} ms"
    cells = {"Case": title, "Measured": measured, "Ratio": str(compared)}
    return Result(SECTION, cells, compared.median, target)


async def _first_tokens(
    pair: Relay, threads: _Threads, body: dict[str, Any], count: int
) -> tuple[float, float]:
    """Return the p50 of the long thread and of the short one, asked in turns; in ms."""
    times = [
        (
            await _first_token(pair, threads.long, body),
            await _first_token(pair, threads.short, body),
        )
        for _ in range(WARMING_UP + count)
    ]
    long_ms, short_ms = zip(*times[WARMING_UP:], strict=True)
    return statistics.median(long_ms), statistics.median(short_ms)


async def _first_token(pair: Relay, thread_id: str, body: dict[str, Any]) -> float:
    asking = Relayed.asking_in(pair.server, thread_id, pair.assistant_id, ONE_TOKEN, **body)
    heard = await pair.listened(asking, ONE_TOKEN)
    heard.require_whole()
    return heard.listeners[0].first_ms

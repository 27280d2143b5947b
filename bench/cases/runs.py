"""What Weft adds between a model and who listens: time, memory, work, and up to which rate."""

import math
import statistics
from collections.abc import Iterator
from typing import NamedTuple

from bench.crowd import Crowd, Moment
from bench.model_server import Speech
from bench.relay import Relay, relay, run
from bench.report import Result, Section, Target
from bench.stage import Stage, say

SECTION = Section(
    "Streamed runs",
    "A model server of our own streams numbered tokens at a set rate, with the moment at which "
    "each was sent. It is heard through Weft, every run on a thread of its own, and directly, in "
    "turns. Both servers and the client that listens share the machine. Every token is counted "
    "and every event's number is checked.",
)
ONE_TOKEN = Speech(1, 0)
AT_5_MS = Speech(200, 5_000)
WARMING_UP = 3
TOKENS_A_SECOND = 4  # of each run
MOST_LAG_S = 1.0
GROWTH = 1.5  # from one rate to the next, until one is too high
NEAR_ENOUGH = 1.1  # the rate that was held, and the one that was not


# --- time -----------------------------------------------------------------------------------


def latency(stage: Stage) -> Iterator[Result]:
    """The time that Weft adds to the first token and to each token, when it is idle."""
    with relay(stage) as pair:
        first = run(_first_tokens(pair, stage.scale.first_tokens))
        heard = run(_tokens(pair, stage.scale.rounds))
    yield _added(f"First token, p50 of {len(first)} pairs", first, 10)
    title = f"Each of {AT_5_MS.tokens} tokens at 5 ms"
    means = [_Times(direct.mean_ms(), relayed.mean_ms()) for direct, relayed in heard]
    yield _added(f"{title}, mean", means, 2)
    p99s = [_Times(direct.delay_ms(99), relayed.delay_ms(99)) for direct, relayed in heard]
    yield _added(f"{title}, p99", p99s, 2)


class _Times(NamedTuple):
    """The same time without Weft and with it."""

    direct_ms: float
    relayed_ms: float


def _added(title: str, times: list[_Times], limit_ms: float) -> Result:
    """Return how much longer it takes through Weft: the median of the differences."""
    added_ms = statistics.median(pair.relayed_ms - pair.direct_ms for pair in times)
    relayed_ms = statistics.median(pair.relayed_ms for pair in times)
    direct_ms = statistics.median(pair.direct_ms for pair in times)
    return _result(
        f"{title}: time added",
        f"{added_ms:.2f} ms: {relayed_ms:.2f} through Weft, {direct_ms:.2f} directly",
        added_ms,
        Target.at_most(limit_ms, " ms"),
    )


async def _first_tokens(pair: Relay, count: int) -> list[_Times]:
    """Return the times from question to first token."""
    seen = []
    for _ in range(WARMING_UP + count):
        direct, relayed = await pair.directly(ONE_TOKEN), await pair.relayed(ONE_TOKEN)
        for heard in (direct, relayed):
            heard.require_whole()
        seen.append(_Times(direct.listeners[0].first_ms, relayed.listeners[0].first_ms))
    return seen[WARMING_UP:]


async def _tokens(pair: Relay, rounds: int) -> list[tuple[Crowd, Crowd]]:
    """Listen to one speech at a time, directly and through Weft."""
    seen = []
    for number in range(rounds):
        direct, relayed = await pair.directly(AT_5_MS), await pair.relayed(AT_5_MS)
        for heard in (direct, relayed):
            heard.require_whole()
        seen.append((direct.crowd, relayed.crowd))
        say(
            f"  {AT_5_MS.tokens} tokens, round {number + 1} of {rounds}: mean "
            f"{relayed.crowd.mean_ms():.2f} ms through Weft, {direct.crowd.mean_ms():.2f} directly"
        )
    return seen


# --- many -----------------------------------------------------------------------------------


def many(stage: Stage) -> Iterator[Result]:
    """Very many runs at the same time: is anything lost, and what does it take?"""
    count, seconds = stage.scale.runs, stage.scale.run_s
    speech = Speech(
        math.ceil(TOKENS_A_SECOND * seconds), 1_000_000 // TOKENS_A_SECOND, together=count
    )
    with relay(stage) as pair:
        before_mb, _ = pair.server.memory_mb()
        relayed = run(pair.relayed(speech, count))
        _, peak_mb = pair.server.memory_mb()
        direct = run(pair.directly(speech, count))
    direct.require_whole()
    for listener in relayed.faulty[:3]:
        say(f"  a stream at fault lacks {listener.missing} tokens: {listener.faults[:3]}")
    yield _result(
        f"{count:,} runs at once, {TOKENS_A_SECOND} tokens a second each for {seconds:g} s: tokens "
        "lost, and streams at fault",
        f"{relayed.missing:,} of {count * speech.tokens:,}, and {len(relayed.faulty):,}",
        relayed.missing + len(relayed.faulty),
        Target.at_most(0),
    )
    yield _result(
        "The same runs: memory",
        f"{peak_mb:.1f} MB at its peak, {before_mb:.1f} MB before",
        peak_mb,
        Target.at_most(400, " MB"),
    )
    yield _cost(relayed.crowd, direct.crowd)
    yield _result(
        "The same runs: time of a token",
        f"p50 {relayed.crowd.delay_ms(50):.1f} ms, p99 {relayed.crowd.delay_ms(99):.1f} ms; "
        f"directly {direct.crowd.delay_ms(50):.1f} and {direct.crowd.delay_ms(99):.1f}",
        relayed.crowd.delay_ms(50),
        None,
    )


def _cost(relayed: Crowd, direct: Crowd) -> Result:
    """Compare what the server does for a token with what a client does that needs no server."""

    def of_server(moment: Moment) -> float:
        return moment.server_s

    def of_client(moment: Moment) -> float:
        return moment.client_s

    server_us, client_us = relayed.cost_us(of_server), direct.cost_us(of_client)
    return _result(
        "The same runs: processor time of a token",
        f"{server_us:.0f} us in Weft, {server_us / client_us:.1f} times the {client_us:.0f} us of "
        f"a client that listens to the model directly; {relayed.cost_us(of_client):.0f} us in one "
        "that listens to Weft",
        server_us,
        None,
    )


# --- the highest rate -----------------------------------------------------------------------


class _Found(NamedTuple):
    """The highest rate that was held, and the lowest that was not: tokens a second and lag."""

    held: float = 0
    held_lag_s: float = 0
    missed: float = math.inf
    missed_lag_s: float = 0

    @property
    def is_near(self) -> bool:
        return self.missed <= self.held * NEAR_ENOUGH

    @property
    def next(self) -> float:
        """The rate to try next."""
        if not self.held:
            return self.missed / 2
        return min(self.held * GROWTH, math.sqrt(self.held * self.missed))


def rate(stage: Stage) -> Iterator[Result]:
    """The highest rate of all tokens at which no token is late by more than a second."""
    count = stage.scale.runs
    found, wanted = _Found(), float(count * TOKENS_A_SECOND)
    with relay(stage) as pair:
        for _ in range(stage.scale.rates):
            heard = run(pair.relayed(_at(wanted, stage), count))
            lag_s = math.inf if heard.faulty else heard.worst_lag_s
            say(f"  {wanted:,.0f} tokens a second: {lag_s:.2f} s late")
            if lag_s <= MOST_LAG_S:
                found = found._replace(held=wanted, held_lag_s=lag_s)
            else:
                found = found._replace(missed=wanted, missed_lag_s=lag_s)
            if found.is_near:
                break
            wanted = found.next
        text = f"{found.held:,.0f} tokens a second, the last one {found.held_lag_s:.2f} s late"
        if math.isinf(found.missed):
            text = f"at least {text}"
        else:
            alone = run(pair.directly(_at(found.missed, stage), count))
            alone.require_whole()
            text += (
                f"; at {found.missed:,.0f} it was {found.missed_lag_s:.2f} s late, directly "
                f"{alone.worst_lag_s:.2f} s"
            )
    yield _result(f"Highest rate that {count:,} runs hold together", text, found.held, None)


def _at(tokens_a_second: float, stage: Stage) -> Speech:
    """Return how each run's model speaks so that all together reach a rate."""
    interval_s = stage.scale.runs / tokens_a_second
    tokens = math.ceil(stage.scale.rate_s / interval_s)
    return Speech(tokens, round(interval_s * 1_000_000), together=stage.scale.runs)


def _result(title: str, measured: str, figure: float, target: Target | None) -> Result:
    return Result(SECTION, {"Case": title, "Measured": measured}, figure, target)

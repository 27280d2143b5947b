"""When to send a request again, and how long to wait before."""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from random import random
from typing import NamedTuple

from weft.client.errors import NoAnswer

LONGEST_WAIT_S = 8.0
# A server that asks for more patience than this is told of as an error instead.
LONGEST_RETRY_AFTER_S = 120.0


class Reply(NamedTuple):
    """An answer of the server. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Lost(NamedTuple):
    """No answer, or one that broke off. Without `was_sent` the server never saw the request."""

    error: NoAnswer
    was_sent: bool


class Retries(NamedTuple):
    """How often to repeat: a request, and a stream since its last event."""

    requests: int = 2
    streams: int = 10
    first_wait_s: float = 0.5
    chance: Callable[[], float] = random
    now_s: Callable[[], float] = time.time

    def wait_s(self, outcome: Reply | Lost, attempt: int, *, is_repeatable: bool) -> float | None:
        """Return how long to wait before the next attempt (the first was 0), or None to give up."""
        if attempt >= self.requests or not _may_help(outcome, is_repeatable):
            return None
        return self.pause_s(outcome, attempt)

    def pause_s(self, outcome: Reply | Lost, attempt: int) -> float | None:
        """Return what the server asks for, or a time that doubles and is never quite the same."""
        asked = _asked_s(outcome.headers, self.now_s()) if isinstance(outcome, Reply) else None
        if asked is not None:
            return asked if asked <= LONGEST_RETRY_AFTER_S else None
        longest_s: float = min(self.first_wait_s * 2**attempt, LONGEST_WAIT_S)
        return longest_s * (1 - self.chance() / 2)


def _may_help(outcome: Reply | Lost, is_repeatable: bool) -> bool:
    if isinstance(outcome, Lost):
        return is_repeatable or not outcome.was_sent
    if outcome.status == 429:  # refused before anything was done
        return True
    return is_repeatable and (outcome.status == 408 or outcome.status >= 500)


def _asked_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return the seconds of `Retry-After`, a number or a date, or of `retry-after-ms`."""
    milliseconds, seconds = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if seconds is not None:
            return max(0.0, float(seconds))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(seconds or "").timestamp() - now_s)
    except ValueError:
        return None

"""What listeners to streams that run at the same time have heard together."""

import time
from array import array
from collections.abc import Callable
from typing import NamedTuple

from bench.process import Process


class Moment(NamedTuple):
    """How far a crowd was, and what it had cost."""

    at_s: float
    tokens: int
    client_s: float  # processor time of this process
    server_s: float  # of the server that it listens to


class Crowd:
    """What listeners that listen at the same time have heard together.

    Its middle, between the first token and the first end, is when all of them are listening.
    """

    def __init__(self, server: Process) -> None:
        self.place = server.place
        self.delays_ns = array("q")  # of each token, from the model to here
        self.begin: Moment | None = None
        self.end: Moment | None = None
        self._server = server

    def heard(self, delay_ns: int) -> None:
        """Count a token."""
        if self.begin is None:
            self.begin = self._now()
        self.delays_ns.append(delay_ns)

    def ended(self) -> None:
        """Note that a stream is over."""
        if self.end is None:
            self.end = self._now()

    def _now(self) -> Moment:
        return Moment(
            time.monotonic(), len(self.delays_ns), time.process_time(), self._server.cpu_s()
        )

    def delay_ms(self, percent: int) -> float:
        """Return a percentile of the tokens' delays."""
        return sorted(self.delays_ns)[len(self.delays_ns) * percent // 100] / 1e6

    def mean_ms(self) -> float:
        """Return the mean of the tokens' delays."""
        return sum(self.delays_ns) / len(self.delays_ns) / 1e6

    def cost_us(self, of: Callable[[Moment], float]) -> float:
        """Return the processor time of a token, in the middle."""
        assert self.begin is not None
        assert self.end is not None
        tokens = self.end.tokens - self.begin.tokens
        return (of(self.end) - of(self.begin)) * 1e6 / max(tokens, 1)

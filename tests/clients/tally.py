"""Counts checks and prints a line for each: for scenarios that run where pytest is not."""

from collections.abc import Iterator
from contextlib import contextmanager


class Tally:
    """How many checks passed and failed."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    @contextmanager
    def check(self, claim: str) -> Iterator[None]:
        """Print whether the block did what `claim` says; a failure does not end the scenario."""
        try:
            yield
        except Exception as fault:  # noqa: BLE001  whatever goes wrong, the claim is not true
            self.failed += 1
            print(f"  FAIL  {claim}\n        {type(fault).__name__}: {fault}", flush=True)
        else:
            self.passed += 1
            print(f"  ok    {claim}", flush=True)

    def close(self) -> int:
        """Print the sum and return the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def same(got: object, expected: object) -> None:
    """Raise AssertionError with both values unless they are equal."""
    if got != expected:
        raise AssertionError(f"got {got!r}, expected {expected!r}")

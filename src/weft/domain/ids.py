"""Identifiers: a prefix and 24 base62 characters.

The first nine characters are microseconds, so that ids made one after another
land side by side in an index; they never decrease within a process. The other
fifteen are random (89 bits), which makes an id unguessable and unique without
asking anybody. Nothing may read an order or a date back from an id: restored
objects bring their own.
"""

import os
from collections.abc import Callable

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TIME_LENGTH = 9
RANDOM_LENGTH = 15

# The longest a restored id may be behind its prefix, and what it may hold.
ID_BODY = r"[A-Za-z0-9_-]{1,64}"

_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
_TO_BASE62 = bytes(ord(ALPHABET[i % 62]) for i in range(256))
# 248 is the last multiple of 62 in a byte: dropping the rest keeps each character equally likely.
_BIASED = bytes(range(248, 256))


class Ids:
    """Makes identifiers; one for each process (it is not safe to share between threads)."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._last_us = 0
        self._pool = ""
        self._used = 0

    def new(self, prefix: str) -> str:
        """Return `prefix` (with its underscore) and 24 characters, greater than the one before."""
        instant = max(self._now_us(), self._last_us + 1)
        self._last_us = instant
        rest, d = divmod(instant, 3844)
        rest, c = divmod(rest, 3844)
        rest, b = divmod(rest, 3844)
        a, first = divmod(rest, 3844)
        lead = ALPHABET[a % 62] + _PAIRS[first]
        return f"{prefix}{lead}{_PAIRS[b]}{_PAIRS[c]}{_PAIRS[d]}{self.random(RANDOM_LENGTH)}"

    def random(self, length: int) -> str:
        """Return `length` base62 characters from the system's random source (at most 2,000)."""
        start = self._used
        self._used = start + length
        if self._used > len(self._pool):
            # Translating a whole block in C costs far less than one call a character.
            self._pool = os.urandom(4096).translate(_TO_BASE62, _BIASED).decode("ascii")
            start, self._used = 0, length
        return self._pool[start : self._used]

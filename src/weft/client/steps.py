"""What the core asks of a shell, one step at a time; the shell does it and says what came of it.

    Send    one request            Reply or Lost
    Open    one request, and leave its answer open for Read     Reply (without body) or Lost
    Read    the next piece of the open answer     bytes, None at its end, or Lost
    Wait    some seconds           None
    Item    a result for whoever called           None

A shell must let go of an open answer when the steps end or are given up.
"""

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from weft.client.request import Request
from weft.client.retry import Lost, Reply

T = TypeVar("T")


class Send(NamedTuple):
    """Send a request and read its whole answer."""

    request: Request
    timeout_s: float


class Open(NamedTuple):
    """Send a request; only an answer that is no success is read whole."""

    request: Request
    timeout_s: float


class Read(NamedTuple):
    """Wait for the next piece of the open answer."""


class Wait(NamedTuple):
    """Do nothing for a while."""

    seconds: float


class Item(NamedTuple):
    """Hand over a result and go on."""

    value: Any


Action: TypeAlias = Send | Open | Read | Wait
Outcome: TypeAlias = Reply | Lost | bytes | None
Steps: TypeAlias = Generator[Action | Item, Outcome, T]

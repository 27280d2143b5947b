"""When a request is tried again, after how long, and when never."""

from email.utils import formatdate

import pytest

from tests.llm import upstream as up
from tests.llm.hearing import NOW, Hear

HI = up.chunk({"content": "Hi"})
FINE = up.text("Hi")


@pytest.mark.parametrize(
    "first",
    [up.failing(500), up.limited(), up.failing(408), up.dropped(), up.cut()],
    ids=["500", "429", "408", "dropped", "nothing in the stream"],
)
def test_a_passing_failure_is_tried_again(hear: Hear, first: up.Behaviour) -> None:
    heard = hear(first, FINE)
    assert (heard.text, len(heard.seen), len(heard.waits)) == ("Hi", 2, 1)


def test_there_are_three_attempts_at_most_with_growing_waits(hear: Hear) -> None:
    heard = hear(up.failing(500))
    assert len(heard.seen) == 3
    assert heard.waits == [0.5, 1.0]
    assert heard.error is not None


@pytest.mark.parametrize("last", [up.cut(HI), up.silent(HI)], ids=["cut", "silence"])
def test_nothing_is_tried_again_after_the_first_token(hear: Hear, last: up.Behaviour) -> None:
    heard = hear(last, FINE, timeout_s=0.5)
    assert (heard.text, len(heard.seen), heard.waits) == ("Hi", 1, [])
    assert heard.error is not None


def test_an_error_after_the_first_token_is_final(hear: Hear) -> None:
    heard = hear(up.stream(HI, {"error": {"message": "Boom.", "code": 500}}), FINE)
    assert (heard.text, len(heard.seen)) == ("Hi", 1)
    assert "Boom." in heard.failure[1]


@pytest.mark.parametrize(
    ("asks", "wait_s"),
    [
        ("7", 7.0),
        ("0.25", 0.25),
        ("0", 0.0),
        ("3600", 60.0),
        ("9" * 400, 60.0),
        (formatdate(NOW + 9, usegmt=True), 9.0),
        (formatdate(NOW + 999, usegmt=True), 60.0),
        (formatdate(NOW - 9, usegmt=True), 0.0),
        ("-1", 0.5),
        ("nan", 0.5),
        ("soon", 0.5),
        ("", 0.5),
        (None, 0.5),
    ],
)
def test_retry_after_is_respected_up_to_a_minute(
    hear: Hear, asks: str | None, wait_s: float
) -> None:
    heard = hear(up.limited(asks), FINE)
    assert (heard.text, heard.waits) == ("Hi", [wait_s])


def test_a_503_may_ask_to_wait_too(hear: Hear) -> None:
    assert hear(up.failing(503, headers={"retry-after": "3"}), FINE).waits == [3.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_would_fail_again_is_not_tried_again(hear: Hear, status: int) -> None:
    assert len(hear(up.failing(status), FINE).seen) == 1

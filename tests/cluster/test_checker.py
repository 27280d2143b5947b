"""The checker of histories finds every anomaly that is planted, and nothing in a sound history."""

import pytest

from tests.cluster.checker import Acknowledged, Found, Listed, Object, Seen, Streamed, anomalies

LOG = ((1, "created"), (2, "queued"), (3, "in_progress"), (4, "completed"))
OBJECTS = (
    Object("thread", "thread_1", "thread_1", "t"),
    Object("message", "msg_1", "thread_1", "m1"),
    Object("message", "msg_2", "thread_1", "m2"),
    Object("message", "msg_3", "thread_1"),  # the model's
    Object("run", "run_1", "thread_1", "r", "completed"),
)
FOUND = Found(OBJECTS, {"run_1": LOG})
SOUND: tuple[Seen, ...] = (
    Acknowledged("thread", "t", "thread_1"),
    Acknowledged("message", "m1", "msg_1"),
    Acknowledged("message", "m2", "msg_2"),
    Acknowledged("run", "r", "run_1"),
    Acknowledged("run", "r", "run_1"),  # a repeated request, answered alike
    Listed("thread_1", ()),
    Listed("thread_1", ("msg_1",)),
    Listed("thread_1", ("msg_1", "msg_2", "msg_3")),
    Streamed("run_1", LOG, is_ended=True),
    Streamed("run_1", LOG[:2], is_ended=False),
)


def with_object(*things: Object) -> Found:
    """What was found, and more."""
    return FOUND._replace(objects=(*OBJECTS, *things))


def without(name: str) -> Found:
    """What was found, but one object."""
    return FOUND._replace(objects=tuple(thing for thing in OBJECTS if thing.id != name))


def test_a_sound_history_has_no_anomaly() -> None:
    assert anomalies(SOUND, FOUND) == []


def test_what_nobody_was_told_of_may_be_there_once_or_not_at_all() -> None:
    assert anomalies(SOUND, with_object(Object("message", "msg_4", "thread_1", "m4"))) == []
    assert anomalies(SOUND[4:5], FOUND) == []


@pytest.mark.parametrize("name", ["thread_1", "msg_1", "msg_2"])
def test_an_acknowledged_object_that_is_gone_is_found(name: str) -> None:
    assert any(
        f"{name} " in said and "not there" in said for said in anomalies(SOUND, without(name))
    )


def test_an_acknowledged_run_that_is_gone_is_found() -> None:
    found = without("run_1")._replace(logs={})
    assert "run run_1 (r) was acknowledged and is not there" in anomalies(SOUND, found)


def test_an_object_that_was_made_twice_is_found_although_one_of_them_was_never_told() -> None:
    twin = with_object(Object("message", "msg_4", "thread_1", "m2"))
    assert anomalies(SOUND, twin) == ["message m2 is there 2 times"]


def test_an_object_that_is_listed_twice_is_found() -> None:
    twin = with_object(Object("message", "msg_3", "thread_1"))
    assert "message msg_3 is listed 2 times" in anomalies(SOUND, twin)


def test_a_repeated_request_that_was_answered_with_another_object_is_found() -> None:
    found = with_object(Object("thread", "thread_2", "thread_2", "t"))
    history = (*SOUND, Acknowledged("thread", "t", "thread_2"))
    assert "thread t was acknowledged as two objects" in anomalies(history, found)


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
def test_a_run_that_never_ended_is_found(status: str) -> None:
    objects = (*OBJECTS[:-1], OBJECTS[-1]._replace(status=status))
    found = FOUND._replace(objects=objects)
    assert anomalies(SOUND, found) == [f"run run_1 never ended: it is {status}"]


@pytest.mark.parametrize(
    "messages",
    [("msg_2", "msg_1"), ("msg_1", "msg_3"), ("msg_1", "msg_1"), ("msg_1", "msg_2", "msg_9")],
    ids=["swapped", "one missing in the middle", "one twice", "one that is not there"],
)
def test_an_order_that_is_not_the_beginning_of_the_final_one_is_found(
    messages: tuple[str, ...],
) -> None:
    history = (*SOUND, Listed("thread_1", messages))
    assert anomalies(history, FOUND) == ["thread thread_1 was seen in another order than it has"]


@pytest.mark.parametrize(
    "events",
    [
        (LOG[0], LOG[2]),
        (LOG[0], LOG[1], LOG[1]),
        (LOG[1], LOG[0]),
        LOG[1:],
    ],
    ids=["gap", "duplicate", "swapped", "no beginning"],
)
def test_a_stream_with_a_gap_or_a_duplicate_is_found(events: tuple[tuple[int, str], ...]) -> None:
    (said,) = anomalies((*SOUND, Streamed("run_1", events, is_ended=False)), FOUND)
    assert said.startswith("a stream of run run_1 is not 1..")


def test_a_stream_that_says_something_else_than_the_log_is_found() -> None:
    events = (LOG[0], (2, "something else"))
    (said,) = anomalies((*SOUND, Streamed("run_1", events, is_ended=False)), FOUND)
    assert said == "a stream of run run_1 says something else than its log"


def test_a_stream_that_goes_on_behind_the_end_of_the_log_is_found() -> None:
    events = (*LOG, (5, "more"))
    (said,) = anomalies((*SOUND, Streamed("run_1", events, is_ended=True)), FOUND)
    assert said == "a stream of run run_1 says something else than its log"


def test_a_stream_that_was_told_of_its_end_too_early_is_found() -> None:
    (said,) = anomalies((*SOUND, Streamed("run_1", LOG[:3], is_ended=True)), FOUND)
    assert said == "a stream of run run_1 ended ahead of its log"


def test_a_log_with_a_gap_is_found() -> None:
    found = FOUND._replace(logs={"run_1": (LOG[0], *LOG[2:])})
    assert anomalies(SOUND[:5], found) == ["the log of run run_1 is not 1..3"]


def test_a_run_without_a_log_is_found() -> None:
    assert anomalies(SOUND[:5], FOUND._replace(logs={})) == ["run run_1 has no log"]

"""The checker of histories finds every anomaly that is planted, and nothing in a sound history."""

from pathlib import Path

import pytest

from tests.cluster.checker import anomalies
from tests.cluster.history import (
    Acknowledged,
    Disturbed,
    Events,
    History,
    Listed,
    Log,
    Object,
    Refused,
    Seen,
    Streamed,
    read,
)

LOG = ((1, "created"), (2, "queued"), (3, "in_progress"), (4, "completed"))
SAW: tuple[Seen, ...] = (
    Acknowledged("thread", "t", "thread_1", 1.0),
    Acknowledged("message", "m1", "msg_1", 2.0),
    Acknowledged("message", "m2", "msg_2", 4.0),
    Acknowledged("run", "r", "run_1", 5.0),
    Acknowledged("run", "r", "run_1", 6.0),  # a repeated request, answered alike
    Disturbed("a node is killed"),
    Refused(503, "1"),
    Listed("thread_1", (), asked_at=1.5),
    Listed("thread_1", ("msg_1",), asked_at=3.0),
    Listed("thread_1", ("msg_1", "msg_2"), asked_at=3.0),  # m2 was stored, and not told yet
    Listed("thread_1", ("msg_1", "msg_2", "msg_3"), asked_at=7.0),
    Listed("thread_1", ("msg_2", "msg_3"), is_whole=False, asked_at=7.0),
    Streamed("run_1", LOG, is_ended=True),
    Streamed("run_1", LOG[:2], is_ended=False),
)
FOUND: tuple[Seen, ...] = (
    Object("thread", "thread_1", "thread_1", "t"),
    Object("message", "msg_1", "thread_1", "m1"),
    Object("message", "msg_2", "thread_1", "m2"),
    Object("message", "msg_3", "thread_1"),  # the model's
    Object("run", "run_1", "thread_1", "r", "completed"),
    Log("run_1", LOG),
)
SOUND = (*SAW, *FOUND)


def without(name: str) -> tuple[Seen, ...]:
    """A sound history, but one object is not there in the end."""
    return tuple(seen for seen in SOUND if not (isinstance(seen, Object) and seen.id == name))


def with_log(log: Events) -> tuple[Seen, ...]:
    """A history without streams, at whose end a run has another log."""
    others = (seen for seen in SOUND if not isinstance(seen, Streamed | Log))
    return (*others, Log("run_1", log))


def test_a_sound_history_has_no_anomaly() -> None:
    assert anomalies(SOUND) == []


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    for seen in SOUND:
        history.add(seen)
    history.close()
    assert tuple(read(history.path)) == SOUND
    assert history.refusals == 1


def test_what_nobody_was_told_of_may_be_there_once_or_not_at_all() -> None:
    assert anomalies((*SOUND, Object("message", "msg_4", "thread_1", "m4"))) == []
    assert anomalies(FOUND) == []


@pytest.mark.parametrize("name", ["thread_1", "msg_1", "msg_2", "run_1"])
def test_an_acknowledged_object_that_is_gone_is_found(name: str) -> None:
    assert any(f"{name} " in said and "not there" in said for said in anomalies(without(name)))


def test_an_object_that_was_made_twice_is_found_although_one_of_them_was_never_told() -> None:
    twin = Object("message", "msg_4", "thread_1", "m2")
    assert anomalies((*SOUND, twin)) == ["message m2 is there 2 times"]


def test_an_object_that_is_listed_twice_is_found() -> None:
    twin = Object("message", "msg_3", "thread_1")
    assert "message msg_3 is listed 2 times" in anomalies((*SOUND, twin))


def test_a_repeated_request_that_was_answered_with_another_object_is_found() -> None:
    twin = (Acknowledged("thread", "t", "thread_2"), Object("thread", "thread_2", "thread_2", "t"))
    assert "thread t was acknowledged as two objects" in anomalies((*SOUND, *twin))


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
def test_a_run_that_never_ended_is_found(status: str) -> None:
    history = (*without("run_1"), Object("run", "run_1", "thread_1", "r", status))
    assert anomalies(history) == [f"run run_1 never ended: it is {status}"]


@pytest.mark.parametrize(
    "refusal",
    [Refused(500, None), Refused(503, None), Refused(502, "1")],
    ids=["an error of ours", "no word of when", "something else"],
)
def test_a_node_that_cannot_answer_and_does_not_say_so_is_found(refusal: Refused) -> None:
    (said,) = anomalies((*SOUND, refusal))
    assert said.startswith(f"a request was answered {refusal.status}")


@pytest.mark.parametrize(
    "messages",
    [("msg_2", "msg_1"), ("msg_1", "msg_3"), ("msg_1", "msg_1"), ("msg_1", "msg_2", "msg_9")],
    ids=["swapped", "one missing in the middle", "one twice", "one that is not there"],
)
def test_an_order_that_is_not_the_beginning_of_the_final_one_is_found(
    messages: tuple[str, ...],
) -> None:
    history = (*SOUND, Listed("thread_1", messages))
    assert anomalies(history) == ["thread thread_1 was seen in another order than it has"]


@pytest.mark.parametrize(
    "messages",
    [("msg_3", "msg_2"), ("msg_2", "msg_2"), ("msg_9", "msg_3"), ("msg_3", "msg_9")],
    ids=["swapped", "one twice", "begun by one that is not there", "ended by one"],
)
def test_newest_messages_that_are_no_piece_of_the_final_order_are_found(
    messages: tuple[str, ...],
) -> None:
    history = (*SOUND, Listed("thread_1", messages, is_whole=False))
    assert anomalies(history) == ["thread thread_1 was seen in another order than it has"]


def test_a_thread_that_was_said_to_be_whole_and_has_no_beginning_is_found() -> None:
    history = (*SOUND, Listed("thread_1", ("msg_2", "msg_3")))
    assert anomalies(history) == ["thread thread_1 was seen in another order than it has"]


@pytest.mark.parametrize(
    "listed",
    [
        Listed("thread_1", (), asked_at=3.0),
        Listed("thread_1", ("msg_1",), asked_at=5.0),
        Listed("thread_1", ("msg_1",), is_whole=False, asked_at=5.0),
    ],
    ids=["nothing", "the last one missing", "the last one missing among the newest"],
)
def test_a_read_that_does_not_show_what_was_acknowledged_before_is_found(listed: Listed) -> None:
    (said,) = anomalies((*SOUND, listed))
    assert said.startswith("thread thread_1 was seen without msg_")


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
def test_a_stream_with_a_gap_or_a_duplicate_is_found(events: Events) -> None:
    (said,) = anomalies((*SOUND, Streamed("run_1", events, is_ended=False)))
    assert said.startswith("a stream of run run_1 is not 1..")


@pytest.mark.parametrize(
    "events",
    [(LOG[0], (2, "something else")), (*LOG, (5, "more"))],
    ids=["another event", "one behind the end"],
)
def test_a_stream_that_says_something_else_than_the_log_is_found(events: Events) -> None:
    (said,) = anomalies((*SOUND, Streamed("run_1", events, is_ended=True)))
    assert said == "a stream of run run_1 says something else than its log"


def test_a_stream_that_was_told_of_its_end_too_early_is_found() -> None:
    (said,) = anomalies((*SOUND, Streamed("run_1", LOG[:3], is_ended=True)))
    assert said == "a stream of run run_1 ended ahead of its log"


@pytest.mark.parametrize(
    "log", [(LOG[0], *LOG[2:]), (*LOG[:2], *LOG[1:])], ids=["gap", "duplicate"]
)
def test_a_log_with_a_gap_or_a_duplicate_is_found(log: Events) -> None:
    assert anomalies(with_log(log)) == [f"the log of run run_1 is not 1..{len(log)}"]


def test_a_run_without_a_log_is_found() -> None:
    assert anomalies(with_log(())) == ["run run_1 has no log"]

"""Many nodes on one PostgreSQL, as processes: streams from any of them, and deaths of some."""

import time
from functools import partial

from tests.api.making import a_thread, an_assistant
from tests.api.running import (
    USER,
    Follower,
    a_run,
    another,
    following,
    gated,
    messages_of,
    path_of,
    runs_of,
    said,
    text_of,
)
from tests.cluster.processes import RECOVERY_S, Town, until
from tests.contract.checker import Event
from tests.harness import Api
from tests.llm.upstream import chunk, silent, text

STREAM = {"stream": "true"}
ENDED = "thread.run.completed"


def begun(stream: Follower) -> list[Event]:
    """Read until the model speaks."""
    return stream.until("thread.message.delta")


def whole(api: Api, run: object) -> list[Event]:
    """The log of a run from its beginning, as a node shows it."""
    return api.events("GET", path_of(run), params=STREAM)


def test_a_run_that_one_node_made_is_streamed_from_another_while_a_third_drives_it(
    town: Town,
) -> None:
    door, other = town.node("--no-worker"), town.node("--no-worker")
    town.worker()
    behaviour, gate = gated("Rain", " and", " wind.")
    town.upstream.play(behaviour)
    run = a_run(door.api, a_thread(door.api, messages=[USER]), an_assistant(door.api))
    with following(other.api, "GET", path_of(run), params=STREAM) as stream:
        gate.let(1)
        seen = begun(stream)
        gate.open()
        seen += stream.rest()
    assert text_of(seen) == "Rain and wind."
    assert seen == whole(door.api, run)


def test_a_worker_apart_ends_in_order_on_a_signal(town: Town) -> None:
    worker = town.worker()
    worker.terminate()
    assert worker.wait(10) == 0
    until(lambda: town.sql("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM procrastinate_workers)"))


def test_a_run_is_cancelled_on_a_node_that_does_not_drive_it(town: Town) -> None:
    door, driver = town.node("--no-worker"), town.node()
    town.upstream.play(silent(chunk({"content": "Rain"})))
    run = a_run(driver.api, a_thread(driver.api, messages=[USER]), an_assistant(driver.api))
    with following(door.api, "GET", path_of(run), params=STREAM) as stream:
        begun(stream)
        assert door.api.ok("POST", f"{path_of(run)}/cancel")["status"] == "cancelling"
        assert stream.rest()[-1].name == "thread.run.cancelled"
    until(lambda: town.upstream.calls[0].is_left)  # the model is not left talking to nobody


def test_a_cancellation_reaches_the_node_that_drives_the_run_within_a_second(town: Town) -> None:
    """Of nine at least five: a single one may meet a machine that is busy with something else."""
    door, driver = town.node("--no-worker"), town.node()
    town.upstream.play(silent(chunk({"content": "Rain"})))
    assistant, took_s = an_assistant(driver.api), []
    for number in range(9):
        run = a_run(driver.api, a_thread(driver.api, messages=[USER]), assistant)
        with following(door.api, "GET", path_of(run), params=STREAM) as stream:
            begun(stream)
            began = time.monotonic()
            door.api.ok("POST", f"{path_of(run)}/cancel")
            until(partial(getattr, town.upstream.calls[number], "is_left"))
            took_s.append(time.monotonic() - began)
            assert stream.rest()[-1].name == "thread.run.cancelled"
    assert sorted(took_s)[4] < 1.0, took_s


def test_ten_seconds_after_the_death_of_a_node_its_runs_are_taken_up(town: Town) -> None:
    """By the database's clock, from the last sign of life to the second attempt."""
    driver = town.node()
    town.sql("CREATE TABLE taken (attempt bigint, at timestamptz)")
    town.sql(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "INSERT INTO taken VALUES (NEW.attempt, clock_timestamp()); RETURN NEW; END$$"
    )
    town.sql(
        "CREATE TRIGGER note AFTER UPDATE ON run FOR EACH ROW "
        "WHEN (NEW.attempt > OLD.attempt) EXECUTE FUNCTION note()"
    )
    town.upstream.play(silent(chunk({"content": "Ra"})), text("Sun."))
    run = a_run(driver.api, a_thread(driver.api, messages=[USER]), an_assistant(driver.api))
    with following(driver.api, "GET", path_of(run), params=STREAM) as stream:
        begun(stream)
    other = town.node()
    driver.kill()
    ((died_at,),) = town.sql("SELECT clock_timestamp()")
    assert whole(other.api, run)[-1].name == ENDED
    query = "SELECT extract(epoch FROM at - %s) FROM taken WHERE attempt = 2"
    ((took_s,),) = town.sql(query, died_at)
    assert float(str(took_s)) < RECOVERY_S


def test_after_the_death_of_a_node_its_run_goes_on_elsewhere_and_so_do_its_streams(
    town: Town,
) -> None:
    """Who streamed from the dead node re-attaches to another; who streamed from another goes on."""
    driver, other = town.node(), town.node("--no-worker")
    town.upstream.play(silent(chunk({"content": "Ra"})), text("Sun."))
    thread = a_thread(driver.api, messages=[USER])
    body = {"assistant_id": an_assistant(driver.api), "stream": True}
    with another(driver.api) as client, following(client, "POST", runs_of(thread), body) as lost:
        seen = begun(lost)
        run = seen[0].data
        with following(other.api, "GET", path_of(run), params=STREAM) as stream:
            watched = begun(stream)
            third = town.node()
            driver.kill()
            until(lambda: len(town.upstream.calls) == 2, RECOVERY_S)
            watched += stream.rest()
    last = {"Last-Event-ID": str(len(seen))}
    seen += third.api.events("GET", path_of(run), params=STREAM, headers=last)
    assert [event.name for event in seen].count("thread.message.incomplete") == 1
    assert seen[-1].name == ENDED
    assert seen == watched == whole(third.api, run)
    assert [said(message) for message in messages_of(other.api, run)][1:] == ["Ra", "Sun."]


def test_a_node_that_was_frozen_writes_nothing_to_a_run_that_another_took_up(town: Town) -> None:
    """It comes back while the other is in the middle of its answer."""
    frozen = town.node()
    first, gate = gated("Ra", "in", " for", " ever")
    second, other_gate = gated("Sun", ".")
    town.upstream.play(first, second, text("Fog."))
    run = a_run(frozen.api, a_thread(frozen.api, messages=[USER]), an_assistant(frozen.api))
    gate.let(1)
    with following(frozen.api, "GET", path_of(run), params=STREAM) as stream:
        begun(stream)
    frozen.freeze()
    other = town.node()
    gate.open()  # what it will read first when it goes on
    until(lambda: len(town.upstream.calls) == 2, RECOVERY_S)
    with following(other.api, "GET", path_of(run), params=STREAM) as stream:
        other_gate.let(1)
        events = [*begun(stream), *begun(stream)]
        frozen.thaw()
        until(lambda: f"run {run['id']} is no longer this worker's" in frozen.log())
        other_gate.open()
        events += stream.rest()
    assert events[-1].name == ENDED
    assert text_of(events) == "RaSun."
    assert whole(other.api, run) == whole(frozen.api, run) == events
    assert [said(message) for message in messages_of(other.api, run)][1:] == ["Ra", "Sun."]
    assert town.sql("SELECT attempt FROM run WHERE id = %s", run["id"]) == [(2,)]
    # It begins anew as another worker, and works again.
    until(lambda: town.sql("SELECT 1 FROM procrastinate_workers HAVING count(*) = 4"))
    other.kill()
    again = a_run(frozen.api, run["thread_id"], run["assistant_id"])
    assert whole(frozen.api, again)[-1].name == ENDED


def test_the_run_of_a_node_that_dies_while_it_keeps_house_is_taken_up_in_time(town: Town) -> None:
    """The dead one was the oldest, so that another has to find out first that it keeps house."""
    first = town.node()
    until(lambda: town.sql("SELECT 1 FROM procrastinate_workers"))
    second, third = town.node(), town.node("--no-worker")
    town.upstream.play(silent(chunk({"content": "Ra"})), silent(), text("Sun."))
    assistant = an_assistant(third.api)
    runs = [a_run(third.api, a_thread(third.api, messages=[USER]), assistant) for _ in range(2)]
    until(lambda: len(town.upstream.calls) == 2)
    first.kill()
    second.kill()
    rescuer = town.node()
    until(lambda: len(town.upstream.calls) == 4, RECOVERY_S)
    for run in runs:
        assert whole(rescuer.api, run)[-1].name == ENDED


def test_runs_of_a_thread_wait_for_one_another_on_whichever_nodes_they_were_made(
    town: Town,
) -> None:
    nodes = [town.node(), town.node()]
    behaviour, gate = gated("One.")
    town.upstream.play(behaviour, text("Two."), text("Three."))
    thread, assistant = a_thread(nodes[0].api, messages=[USER]), an_assistant(nodes[0].api)
    runs = [a_run(nodes[n % 2].api, thread, assistant, queue_when_busy=True) for n in range(3)]
    gate.open()
    assert [whole(nodes[n % 2].api, run)[-1].name for n, run in enumerate(runs, 1)] == [ENDED] * 3
    texts = [said(message) for message in messages_of(nodes[1].api, runs[0])]
    assert texts == ["Hello", "One.", "Two.", "Three."]


def test_a_run_expires_although_its_node_is_dead(town: Town) -> None:
    door = town.node("--no-worker", WEFT_RUN_EXPIRES_S="2")
    driver = town.node()
    town.upstream.play(silent(chunk({"content": "Ra"})))
    run = a_run(door.api, a_thread(door.api, messages=[USER]), an_assistant(door.api))
    with following(door.api, "GET", path_of(run), params=STREAM) as stream:
        begun(stream)
        driver.kill()
        town.worker()
        assert stream.rest()[-1].name == "thread.run.expired"


def test_without_a_worker_anywhere_runs_wait_and_are_driven_when_one_comes(town: Town) -> None:
    door = town.node("--no-worker")
    run = a_run(door.api, a_thread(door.api, messages=[USER]), an_assistant(door.api))
    town.worker()
    assert whole(door.api, run)[-1].name == ENDED

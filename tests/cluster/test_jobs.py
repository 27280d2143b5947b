"""Runs as jobs: whatever happens to the queue or to a worker, each run is driven, and once."""

import pytest

from tests.cluster.house import Nodes
from tests.engine.invariants import check
from tests.engine.scripts import Gate, text
from weft.llm.model import TextDelta
from weft.store import runs as store

pytestmark = pytest.mark.anyio

JOBS = "SELECT id, status FROM procrastinate_jobs"


async def test_a_run_is_driven_by_a_worker_of_another_node(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    await nodes.node()
    key = await door.ask(text("Rain", "."))
    assert (await door.rest(key))["status"] == "completed"
    assert await door.texts(key.thread_id) == ["What is the weather?", "Rain."]
    await check(door, key)


async def test_a_job_comes_with_the_run_and_nothing_is_left_of_it(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    key = await door.ask(text("Rain."))
    ((task, args),) = await nodes.sql("SELECT task_name, args FROM procrastinate_jobs")
    assert task == "drive_run"
    assert args == {**key._asdict(), "attempt": 0}
    await nodes.node()
    await door.rest(key)
    await nodes.until("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs)")
    assert await nodes.sql("SELECT 1 FROM procrastinate_events") == []


async def test_a_run_that_is_refused_leaves_no_job(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    key = await door.ask(text("Rain."))
    with pytest.raises(Exception, match="already has an active run"):
        await door.start(key.thread_id)
    assert len(await nodes.sql(JOBS)) == 1


async def test_a_job_that_comes_twice_does_nothing(nodes: Nodes) -> None:
    """Also while the first one is being done: the run's attempt is counted, and a job names it."""
    node = await nodes.node()
    gate = Gate()
    key = await node.ask([TextDelta("Rain"), gate, *text(".")])
    await gate.met()
    await node.database.write((store.enqueue(key, 0), store.enqueue(key, 0)))
    await nodes.until(f"SELECT 1 FROM ({JOBS}) AS job HAVING count(*) = 1")
    gate.open()
    await node.rest(key)
    ((attempt,),) = await nodes.sql("SELECT attempt FROM run")
    assert attempt == 1
    assert len(nodes.models.scripted.requests) == 1
    await check(node, key)


async def test_a_run_whose_job_the_queue_lost_gets_another(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    key = await door.ask(text("Rain."))
    await nodes.sql("DELETE FROM procrastinate_jobs")
    await nodes.node()
    assert (await door.rest(key))["status"] == "completed"


async def test_a_run_that_a_dead_worker_left_is_taken_up_again(nodes: Nodes) -> None:
    """Its job is held by a worker that shows no life; the new job has another number."""
    door = await nodes.node(has_worker=False)
    key = await door.ask(text("Rain."))
    await nodes.sql(
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) "
        "VALUES (now() - interval '1 minute') RETURNING id) "
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
    )
    await nodes.node()
    assert (await door.rest(key))["status"] == "completed"
    await check(door, key)


async def test_a_worker_that_was_taken_for_dead_begins_anew(nodes: Nodes) -> None:
    """It may not take a job under a number that others have struck off."""
    node = await nodes.node()
    await nodes.until("SELECT 1 FROM procrastinate_workers")
    await nodes.sql("DELETE FROM procrastinate_workers")
    key = await node.ask(text("Rain."))
    assert (await node.rest(key))["status"] == "completed"
    await nodes.until("SELECT 1 FROM procrastinate_workers")


async def test_a_worker_whose_heart_stopped_is_replaced(nodes: Nodes) -> None:
    node = await nodes.node()
    await nodes.until("SELECT 1 FROM procrastinate_workers HAVING count(*) = 2")
    ((last,),) = await nodes.sql("SELECT max(id) FROM procrastinate_workers")
    # A heartbeat that fails once ends all heartbeats of that worker.
    await nodes.sql(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE 'no beat for these'; END$$"
    )
    await nodes.sql(
        "CREATE TRIGGER fail BEFORE UPDATE ON procrastinate_workers "
        f"FOR EACH ROW WHEN (OLD.id <= {last}) EXECUTE FUNCTION fail()"
    )
    await nodes.until("SELECT 1 FROM procrastinate_workers WHERE id > %s HAVING count(*) = 2", last)
    key = await node.ask(text("Rain."))
    assert (await node.rest(key))["status"] == "completed"


async def test_what_the_queue_takes_for_ours_and_nobody_does_is_done_again(nodes: Nodes) -> None:
    """As when the answer to a fetch was lost on its way."""
    door = await nodes.node(has_worker=False)
    node = await nodes.node()
    await node.keeps_house()
    await nodes.sql("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
    await nodes.sql("CREATE TABLE keeper AS SELECT min(id) AS id FROM procrastinate_workers")
    await nodes.sql(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
        "IF NEW.args ->> 'attempt' = '0' AND NOT EXISTS (SELECT 1 FROM lost) THEN "
        "INSERT INTO lost VALUES (1); NEW.status = 'doing'; "
        "NEW.worker_id = (SELECT id FROM keeper); END IF; RETURN NEW; END$$"
    )
    await nodes.sql("CREATE TABLE lost (n int)")
    await nodes.sql(
        "CREATE TRIGGER lose BEFORE INSERT ON procrastinate_jobs "
        "FOR EACH ROW EXECUTE FUNCTION lose()"
    )
    key = await door.ask(text("Rain."))
    assert await nodes.sql("SELECT n FROM lost") == [(1,)]
    assert (await door.rest(key))["status"] == "completed"


async def test_a_run_that_is_cancelled_on_another_node_stops_its_model(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    await nodes.node()
    gate = Gate()
    key = await door.ask([TextDelta("Rain"), gate])
    await gate.met()
    await door.cancel(key)
    assert (await door.rest(key))["status"] == "cancelled"
    await nodes.models.scripted.silence()
    await check(door, key)


async def test_a_run_without_a_worker_is_cancelled_by_who_keeps_house(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    key = await door.ask(text("Rain."))
    await door.cancel(key)
    await nodes.node()
    assert (await door.rest(key))["status"] == "cancelled"
    assert nodes.models.scripted.requests == []


async def test_a_run_that_is_overdue_expires(nodes: Nodes) -> None:
    door = await nodes.node(has_worker=False)
    await nodes.node()
    gate = Gate()
    key = await door.ask([TextDelta("Rain"), gate])
    await gate.met()
    nodes.clock.now += 600
    assert (await door.rest(key))["status"] == "expired"
    await nodes.models.scripted.silence()
    await check(door, key)


async def test_waiting_runs_of_a_thread_follow_one_another_across_nodes(nodes: Nodes) -> None:
    first, second = await nodes.node(), await nodes.node()
    gate = Gate()
    key = await first.ask([TextDelta("Rain"), gate, *text(".")])
    await gate.met()
    waiting = [
        await node.start(key.thread_id, text(f"{n}."), queue_when_busy=True)
        for n, node in enumerate((second, first, second))
    ]
    gate.open()
    for run in waiting:
        assert (await second.rest(run))["status"] == "completed"
    assert await first.texts(key.thread_id) == ["What is the weather?", "Rain.", "0.", "1.", "2."]


async def test_one_of_the_nodes_keeps_house_and_another_after_it(nodes: Nodes) -> None:
    first = await nodes.node()
    await first.keeps_house()
    second = await nodes.node()
    await nodes.until("SELECT 1 FROM procrastinate_workers HAVING count(*) = 4")
    assert not second.distributed.is_keeper()
    await first.stop_engine()
    await second.keeps_house()


async def test_a_node_that_stops_gives_its_runs_to_others(nodes: Nodes) -> None:
    door, first = await nodes.node(has_worker=False), await nodes.node()
    gate = Gate()
    key = await door.ask([TextDelta("Rain"), gate], text("Sun."))
    await gate.met()
    await nodes.node()
    await first.stop_engine()
    assert (await door.rest(key))["status"] == "completed"
    assert await door.texts(key.thread_id) == ["What is the weather?", "Rain", "Sun."]
    await check(door, key)


async def test_many_runs_on_many_nodes_are_each_driven_once(nodes: Nodes) -> None:
    members = [await nodes.node() for _ in range(3)]
    keys = [await members[n % 3].ask(text("Rain.")) for n in range(60)]
    for n, key in enumerate(keys):
        assert (await members[(n + 1) % 3].rest(key))["status"] == "completed"
    assert len(nodes.models.scripted.requests) == 60
    assert await nodes.sql("SELECT DISTINCT attempt FROM run") == [(1,)]

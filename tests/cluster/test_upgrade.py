"""A rolling upgrade: nodes of this version go on while the database is the next one's already."""

import hashlib

import pytest

from tests.api.making import a_thread, an_assistant
from tests.api.running import USER, a_run, at_rest
from tests.cluster.house import Nodes
from tests.cluster.processes import Town
from tests.engine.scripts import text
from tests.harness import weft
from weft.store import jobs
from weft.store.migrations import Migration, migrations
from weft.store.postgres.schema import migrate

# What a next version may do to the tables: add.
NEXT = (
    "ALTER TABLE run ADD COLUMN newer TEXT; ALTER TABLE message ADD COLUMN newer BIGINT DEFAULT 0; "
    "CREATE TABLE newer (thread_id TEXT PRIMARY KEY); CREATE INDEX newer_runs ON run (newer);"
)


def next_version() -> list[Migration]:
    """The steps of a version that comes after this one."""
    known = migrations("postgres")
    sha256 = hashlib.sha256(NEXT.encode()).hexdigest()
    return [*known, Migration(known[-1].number + 1, "newer", NEXT, sha256)]


def test_nodes_of_this_version_serve_and_work_on_the_tables_of_the_next(town: Town) -> None:
    nodes = [town.node(), town.node("--no-worker")]
    thread, assistant = a_thread(nodes[0].api, messages=[USER]), an_assistant(nodes[0].api)
    assert at_rest(nodes[0].api, a_run(nodes[0].api, thread, assistant))["status"] == "completed"
    assert migrate(town.url, next_version()) == [f"{next_version()[-1].number:04d}_newer"]
    for node in nodes:
        run = a_run(node.api, thread, assistant)
        assert at_rest(node.api, run)["status"] == "completed"
        assert a_thread(node.api, messages=[USER])


def test_who_is_started_on_the_tables_of_a_newer_version_says_so(town: Town) -> None:
    migrate(town.url, next_version())
    done = weft("worker", "--database-url", town.url, cwd=town.folder, status=1)
    assert "which this version of Weft does not know" in done.stderr


@pytest.mark.anyio
async def test_a_job_for_something_new_waits_for_a_node_that_knows_it(nodes: Nodes) -> None:
    """Nodes that do not know it leave it alone, and go on with what they know."""
    old = await nodes.node()
    await old.keeps_house()
    told = []

    async def newer(what: str) -> None:
        told.append(what)

    await old.database.write((jobs.enqueue("newer_task", what="this"),))
    await old.rest(await old.ask(text("Rain.")))
    ((task, status),) = await nodes.sql("SELECT task_name, status FROM procrastinate_jobs")
    assert (task, status) == ("newer_task", "todo")
    await nodes.node(tasks={"newer_task": newer})
    await nodes.until("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs)")
    assert told == ["this"]

"""Projects: what belongs to another one does not exist, whatever is asked."""

import uuid
from typing import Any, NamedTuple

import httpx2
import pytest

from tests.api.conftest import Projects
from tests.api.making import (
    a_file,
    a_message,
    a_thread,
    an_assistant,
    an_upload,
    everything,
    ids,
    send_file,
)
from tests.api.running import DEMO
from tests.api.storing import a_store, found, wait_for_index
from tests.harness import Api
from weft.wire.form import Form
from weft.wire.operation import Operation
from weft.wire.operations import TABLE

BODIES: dict[str, list[Any]] = {
    "modifyThread": [{"metadata": {"a": "b"}}, {}],
    "createMessage": [
        {"role": "user", "content": "Hi"},
        {"id": "msg_restored", "role": "user", "content": "Hi"},
    ],
    "modifyMessage": [{"metadata": {"a": "b"}}],
    "modifyAssistant": [{"name": "mine"}, {}],
    "createRun": [{}],
    "modifyRun": [{"metadata": {"a": "b"}}],
    "submitToolOuputsToRun": [{"tool_outputs": []}],
    "modifyVectorStore": [{"name": "mine"}, {}],
    "searchVectorStore": [{"query": "warp"}, {"query": ["warp", "weft"], "max_num_results": 50}],
    # Of the other project's store, and of one's own file: the store is missing first.
    "createVectorStoreFile": [{"file_id": "file-missing"}],
    "updateVectorStoreFileAttributes": [{"attributes": {"a": "b"}}],
    "createVectorStoreFileBatch": [{"file_ids": ["file-missing"]}],
    "addUploadPart": [b"data"],  # sent as a form
    "completeUpload": [{"part_ids": []}, {"part_ids": ["part_1"], "md5": "0"}],
}
# What is asked for in lists of another project's thread.
QUERIES = {
    "listMessages": ["", "?order=asc&limit=1", "?run_id=run_1", "?after={message_id}"],
    "listRuns": ["", "?after={run_id}"],
    "listRunSteps": ["", "?after={step_id}"],
    "getRun": ["", "?stream=true"],
    "listVectorStoreFiles": ["", "?filter=completed", "?after={file_id}"],
    "listFilesInVectorStoreBatch": ["", "?after={file_id}"],
}


class Belongings(NamedTuple):
    """One object of each kind, by the name that it has in paths."""

    thread_id: str
    message_id: str
    assistant_id: str
    run_id: str
    step_id: str
    file_id: str
    upload_id: str
    vector_store_id: str
    batch_id: str

    def path(self, operation: Operation) -> str:
        """Return the path of an operation on these objects."""
        return operation.path.format(**self._asdict())


MISSING = Belongings(
    "thread_missing",
    "msg_missing",
    "asst_missing",
    "run_missing",
    "step_missing",
    "file-missing",
    "upload_missing",
    "vs_missing",
    "vsfb_missing",
)


@pytest.fixture(scope="module")
def foreign(projects: Projects) -> Belongings:
    """What the other project has."""
    thread_id = a_thread(projects.other, metadata={"of": "other"})
    message_id = a_message(projects.other, thread_id)
    assistant_id = an_assistant(projects.other, model="weft-demo")
    runs = f"/threads/{thread_id}/runs"
    run_id = projects.other.ok("POST", runs, {"assistant_id": assistant_id})["id"]
    # The stream ends when the run does.
    projects.other.http.get(f"/v1{runs}/{run_id}?stream=true").raise_for_status()
    (step,) = projects.other.ok("GET", f"{runs}/{run_id}/steps")["data"]
    file_id, upload_id = a_file(projects.other), an_upload(projects.other)
    store_id = a_store(projects.other)
    batches = f"/vector_stores/{store_id}/file_batches"
    batch_id = projects.other.ok("POST", batches, {"file_ids": [file_id]})["id"]
    wait_for_index(projects.other, store_id)
    return Belongings(
        thread_id,
        message_id,
        assistant_id,
        run_id,
        step["id"],
        file_id,
        upload_id,
        store_id,
        batch_id,
    )


def bodies(projects: Projects, operation: Operation) -> list[Any]:
    """Return what to send to an operation: lawful, and only with what is one's own."""
    own = {"assistant_id": an_assistant(projects.one, instructions="Be brief.")}
    return [
        own if operation.id == "createRun" else body for body in BODIES.get(operation.id, [None])
    ]


def sent(api: Api, operation: Operation, path: str, body: Any) -> httpx2.Response:
    """Send a request in the form that the operation takes."""
    if isinstance(operation.body, Form):
        return send_file(api, body, path=path, field=operation.body.file)
    return api.call(operation.method, path, body)


def holdings(api: Api, of: Belongings) -> list[bytes]:
    """Return what a project sees of some objects, to the byte."""
    thread = f"/threads/{of.thread_id}"
    return [
        api.call("GET", path).content
        for path in (
            thread,
            f"{thread}/messages",
            f"{thread}/runs",
            f"{thread}/runs/{of.run_id}/steps",
            f"/assistants/{of.assistant_id}",
            "/files",
            f"/files/{of.file_id}/content",
            f"/vector_stores/{of.vector_store_id}",
            f"/vector_stores/{of.vector_store_id}/files",
            f"/vector_stores/{of.vector_store_id}/file_batches/{of.batch_id}",
        )
    ]


# Models belong to the server, not to a project.
ON_OBJECTS = [operation for operation in TABLE if "_id}" in operation.path]


def test_every_operation_on_an_object_is_tried() -> None:
    named = {operation.id for operation in ON_OBJECTS}
    assert {operation.id for operation in ON_OBJECTS if operation.body} == set(BODIES)
    assert named >= {"getThread", "deleteThread", "listMessages", "getMessage", "deleteAssistant"}


@pytest.mark.parametrize("operation", ON_OBJECTS, ids=[operation.id for operation in ON_OBJECTS])
def test_an_object_of_another_project_is_answered_like_a_missing_one(
    projects: Projects, foreign: Belongings, operation: Operation
) -> None:
    before = holdings(projects.other, foreign)
    for body in bodies(projects, operation):
        for query in QUERIES.get(operation.id, [""]):
            answers = []
            for of in (foreign, MISSING):
                path = of.path(operation) + query.format(**of._asdict())
                answer = sent(projects.one, operation, path, body)
                text = answer.text
                for name, value in of._asdict().items():
                    text = text.replace(value, name)
                headers = {*answer.headers} - {"openai-processing-ms"}
                answers.append((answer.status_code, text, headers))
            assert answers[0] == answers[1]
            assert answers[0][0] == 404
    assert holdings(projects.other, foreign) == before


IN_THREADS = [operation for operation in ON_OBJECTS if operation.path.startswith("/threads")]


@pytest.mark.parametrize("operation", IN_THREADS, ids=[operation.id for operation in IN_THREADS])
def test_a_message_or_run_of_another_project_is_not_found_in_ones_own_thread(
    projects: Projects, foreign: Belongings, operation: Operation
) -> None:
    own = foreign._replace(
        thread_id=a_thread(projects.one), assistant_id=an_assistant(projects.one)
    )
    for body in bodies(projects, operation):
        answer = projects.one.call(operation.method, own.path(operation), body)
        is_foreign = "{message_id}" in operation.path or "{run_id}" in operation.path
        assert answer.status_code == (404 if is_foreign else 200)


@pytest.mark.parametrize("path", ["/threads", "/assistants", "/files"])
def test_a_list_holds_only_what_the_project_has(
    projects: Projects, foreign: Belongings, path: str
) -> None:
    own = {a_thread(projects.one), an_assistant(projects.one), a_file(projects.one)}
    seen = set(ids(everything(projects.one, path, limit=100)))
    assert seen & own
    assert not seen & set(foreign)
    theirs = set(ids(everything(projects.other, path, limit=100)))
    assert theirs & set(foreign)
    assert not theirs & own


@pytest.mark.parametrize("cursor", ["after", "before"])
def test_an_id_of_another_project_is_no_cursor(
    projects: Projects, foreign: Belongings, cursor: str
) -> None:
    own_messages = f"/threads/{a_thread(projects.one)}/messages"
    for path, kind, of in (
        ("/threads", "thread", foreign.thread_id),
        (own_messages, "message", foreign.message_id),
        ("/assistants", "assistant", foreign.assistant_id),
    ):
        status, error = projects.one.error("GET", path, params={cursor: of})
        assert (status, error["message"]) == (404, f"No {kind} found with id '{of}'.")


def test_a_search_finds_only_what_the_project_has(projects: Projects) -> None:
    mark = uuid.uuid4().hex
    own = a_thread(projects.one, metadata={"mark": mark, "more": "x"})
    theirs = a_thread(projects.other, metadata={"mark": mark, "more": "x"})
    for query in ({"metadata[mark]": mark}, {"metadata[mark]": mark, "metadata[more]": "x"}):
        assert ids(everything(projects.one, "/threads", **query)) == [own]
        assert ids(everything(projects.other, "/threads", **query)) == [theirs]


def test_the_same_id_in_two_projects_is_two_objects(projects: Projects) -> None:
    thread_id = f"thread_{uuid.uuid4().hex}"
    message = {"id": "msg_same", "role": "user", "content": "first"}
    for api in (projects.one, projects.other):
        api.ok("POST", "/threads", {"id": thread_id, "messages": [message]})
    path = f"/threads/{thread_id}/messages/msg_same"
    projects.one.ok("POST", path, {"metadata": {"of": "one"}})
    assert projects.other.ok("GET", path)["metadata"] == {}
    projects.one.ok("DELETE", path)
    assert projects.other.ok("GET", path)["id"] == "msg_same"
    projects.one.ok("DELETE", f"/threads/{thread_id}")
    assert ids(everything(projects.other, f"/threads/{thread_id}/messages")) == ["msg_same"]


def test_a_store_or_file_of_another_project_cannot_be_named(
    projects: Projects, foreign: Belongings
) -> None:
    """Nor filled, nor searched: not by a thread, an assistant, a message or a run."""
    store, file = foreign.vector_store_id, foreign.file_id
    own_store, own_thread = a_store(projects.one), a_thread(projects.one)
    named = {"tool_resources": {"file_search": {"vector_store_ids": [store]}}}
    helper = {"tool_resources": {"file_search": {"vector_stores": [{"file_ids": [file]}]}}}
    attached = {
        "role": "user",
        "content": "x",
        "attachments": [{"file_id": file, "tools": [{"type": "file_search"}]}],
    }
    no_store = (404, f"No vector store found with id '{store}'.")
    no_file = (400, f"The following files were not found: ['{file}'].")
    for path, body, expected in (
        ("/threads", named, no_store),
        (f"/threads/{own_thread}", named, no_store),
        ("/assistants", {"model": DEMO, **named}, no_store),
        ("/threads", helper, no_file),
        ("/threads", {"messages": [attached]}, no_file),
        (f"/threads/{own_thread}/messages", attached, no_file),
        ("/vector_stores", {"file_ids": [file]}, no_file),
        (f"/vector_stores/{own_store}/files", {"file_id": file}, no_file),
        (f"/vector_stores/{own_store}/file_batches", {"file_ids": [file]}, no_file),
    ):
        status, error = projects.one.error("POST", path, body)
        assert (status, error["message"]) == expected
    assert found(projects.other, store, "Over one, under one.")


def test_a_thread_restored_with_a_store_of_another_project_never_searches_it(
    projects: Projects, foreign: Belongings
) -> None:
    thread = {
        "id": f"thread_{uuid.uuid4().hex}",
        "messages": [{"role": "user", "content": "Over one, under one?"}],
        "tool_resources": {"file_search": {"vector_store_ids": [foreign.vector_store_id]}},
    }
    projects.one.ok("POST", "/threads", thread)
    tools = [{"type": "file_search"}]
    assistant = an_assistant(projects.one, model=DEMO, tools=tools)
    runs = f"/threads/{thread['id']}/runs"
    events = projects.one.events("POST", runs, {"assistant_id": assistant, "stream": True})
    assert events[-1].name == "thread.run.completed"
    (step,) = projects.one.ok("GET", f"{runs}/{events[-1].data['id']}/steps")["data"]
    assert step["type"] == "message_creation"  # it was not even offered a search

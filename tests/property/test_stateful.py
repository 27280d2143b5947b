"""Any operations in any order: the server answers what a plain model of it says.

Every example plays in two fresh projects of one server, so each id of the one is tried on the
other, where it means nothing.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import httpx2
import pytest
from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.harness import Api, Server
from tests.property import plays
from tests.property.model import Project, Refused, Told, as_read
from tests.property.profiles import FULL, examples
from tests.property.shelf import Shelf, Wire
from weft.config import Settings
from weft.main import create_key

EXAMPLES = 100
STEPS = 50
FEW = 4  # things of a kind that most operations choose among, so that they meet
STRANGER = 7  # the number that chooses among all ids, of whichever project

Say: TypeAlias = Callable[[Told], Wire]

_projects = itertools.count()
_sides = st.sampled_from([0, 0, 0, 1])
_numbers = st.integers(0, 11)
_cursors = st.one_of(st.none(), st.none(), _numbers)
_rarely = st.sampled_from([False, False, False, True])
_keys = st.sampled_from([None, None, None, None, "key 1", "key 2"])


class Sent(NamedTuple):
    """A POST that was sent with an Idempotency-Key and succeeded."""

    path: str
    raw: bytes
    answer: str


class Side:
    """A project as the server shows it, beside the project as it should be."""

    def __init__(self, server: Server) -> None:
        settings = Settings(data_dir=str(server.data_dir))
        self.api = Api(server.address, key=create_key(settings, f"p{next(_projects)}", "")[1])
        self.project = Project()
        self.kept: dict[str, Sent] = {}
        self.is_sound = True

    def hold(self, method: str, path: str, say: Say, **how: Any) -> httpx2.Response | None:
        """Send a request and hold its answer against the model; return it if it was a success."""
        self.is_sound = False
        began = int(time.time())
        answer = self.api.call(method, path, **how)
        told = Told(answer.json(), began, int(time.time()))
        expected, refusal = self._verdict(say, told)
        if refusal is None:
            assert (answer.status_code, told.answer) == (200, expected)
        else:
            assert (answer.status_code, code_of(answer)) == refusal
        self.is_sound = True
        return None if refusal else answer

    @staticmethod
    def _verdict(say: Say, told: Told) -> tuple[Wire, tuple[int, str | None] | None]:
        try:
            return say(told), None
        except Refused as refused:
            return {}, (refused.status, refused.code)

    def post(self, path: str, body: Wire, say: Say, key: str | None = None) -> Wire | None:
        """Do the same with a POST, which may bear a key that was used before."""
        raw = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        kept = self.kept.get(key or "")
        if kept is not None:
            self._repeat(kept, path, raw, headers)
            return None
        answer = self.hold("POST", path, say, raw=raw, headers=headers)
        if answer is None:
            return None
        if key is not None:
            self.kept[key] = Sent(path, raw, answer.text)
        made: Wire = answer.json()
        return made

    def _repeat(self, kept: Sent, path: str, raw: bytes, headers: dict[str, str]) -> None:
        answer = self.api.call("POST", path, raw=raw, headers=headers)
        if (path, raw) == (kept.path, kept.raw):
            assert (answer.status_code, answer.text) == (200, kept.answer)
        else:
            assert (answer.status_code, code_of(answer)) == (400, "idempotency_key_reused")

    def everything(self, path: str, order: str) -> list[Wire]:
        """Return a whole list, read in small pages as clients read it."""
        found: list[Wire] = []
        params: dict[str, Any] = {"limit": 3, "order": order}
        while True:
            page = self.api.ok("GET", path, params=params)
            found += page["data"]
            if not page["has_more"]:
                return found
            params["after"] = page["last_id"]

    def holds_everything(self) -> None:
        """Compare every object of the project with the model, in both orders."""
        project = self.project
        threads = [as_read(wire) for wire in project.threads.wires()]
        lists = {"/threads": threads, "/assistants": project.assistants.wires()}
        for thread_id, shelf in project.messages.items():
            lists[f"/threads/{thread_id}/messages"] = shelf.wires()
        for path, wires in lists.items():
            assert self.everything(path, "asc") == wires
            assert self.everything(path, "desc") == wires[::-1]
        for metadata in plays.SEARCHES if threads else ():
            pairs = {f"metadata[{key}]": value for key, value in metadata.items()}
            page = self.api.ok("GET", "/threads", params={**pairs, "limit": 100})
            assert page == project.list_threads({"limit": 100}, metadata)


def code_of(answer: httpx2.Response) -> str | None:
    """Return the code of an error; of an answer that is none, something that is no code."""
    error = answer.json().get("error", {"code": "(it is no error)"})
    code: str | None = error["code"]
    return code


class _Play(RuleBasedStateMachine):
    """The operations. Numbers choose among the ids that any project has, or could have."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.sides = [Side(server), Side(server)]
        self.threads = list(plays.RESTORED_THREADS)
        self.messages = list(plays.RESTORED_MESSAGES)
        self.assistants = ["asst_none"]

    def teardown(self) -> None:
        """Nothing was lost, nothing came back."""
        for side in self.sides:
            if all(each.is_sound for each in self.sides):
                side.holds_everything()
            side.api.close()

    def thread(self, side: int, number: int) -> str:
        """Choose a thread: mostly one of the side's own that is there."""
        live = [wire["id"] for wire in self.sides[side].project.threads.wires()]
        return chosen(live[:FEW], self.threads, number)

    def message(self, side: int, thread_id: str, number: int) -> str:
        """Choose a message: mostly one of the thread's own that is there."""
        shelf = self.sides[side].project.messages.get(thread_id, Shelf())
        live = [wire["id"] for wire in shelf.wires()]
        return chosen(live[:FEW], self.messages, number)

    def assistant(self, side: int, number: int) -> str:
        """Choose an assistant: mostly one of the side's own that is there."""
        live = [wire["id"] for wire in self.sides[side].project.assistants.wires()]
        return chosen(live[:FEW], self.assistants, number)

    @initialize(
        threads=st.lists(st.one_of(plays.new_threads, plays.old_threads), min_size=2, max_size=3),
        messages=st.lists(plays.new_messages, min_size=4, max_size=10),
        assistants=st.lists(plays.new_assistants, min_size=1, max_size=3),
    )
    def begin(self, threads: list[Wire], messages: list[Wire], assistants: list[Wire]) -> None:
        for thread in threads:
            self.create_thread(0, thread, None)
        for message in messages:
            self.create_message(0, 1, message, None)
        for assistant in assistants:
            self.create_assistant(0, assistant, None)

    # --- threads ----------------------------------------------------------------------------

    @rule(side=_sides, body=st.one_of(plays.new_threads, plays.old_threads), key=_keys)
    def create_thread(self, side: int, body: Wire, key: str | None) -> None:
        at = self.sides[side]
        began = int(time.time())
        thread = at.post("/threads", body, lambda told: at.project.create_thread(body, told), key)
        if thread is None:
            return
        thread_id = thread["id"]
        if thread_id not in self.threads:
            self.threads.append(thread_id)
        path = f"/threads/{thread_id}/messages"
        listed = at.api.ok("GET", path, params={"order": "asc", "limit": 100})
        told = Told(listed, began, int(time.time()))
        assert listed["data"] == at.project.fill(thread_id, body.get("messages", []), told)
        self.messages += [wire["id"] for wire in listed["data"]]

    @rule(side=_sides, number=_numbers, body=plays.new_threads)
    def put_thread_back(self, side: int, number: int, body: Wire) -> None:
        gone = self.sides[side].project.threads.gone()
        if gone:
            thread_id, created_at = gone[number % len(gone)]
            self.create_thread(side, {**body, "id": thread_id, "created_at": created_at}, None)

    @rule(side=_sides, thread=_numbers)
    def get_thread(self, side: int, thread: int) -> None:
        at, thread_id = self.sides[side], self.thread(side, thread)
        at.hold("GET", f"/threads/{thread_id}", lambda _: at.project.read_thread(thread_id))

    @rule(side=_sides, thread=_numbers, body=plays.thread_changes, key=_keys)
    def modify_thread(self, side: int, thread: int, body: Wire, key: str | None) -> None:
        at, thread_id = self.sides[side], self.thread(side, thread)
        path = f"/threads/{thread_id}"
        at.post(path, body, lambda _: at.project.modify_thread(thread_id, body), key)

    @rule(side=_sides, thread=_numbers, is_sure=st.booleans())
    def delete_thread(self, side: int, thread: int, is_sure: bool) -> None:
        if not is_sure:
            return
        at, thread_id = self.sides[side], self.thread(side, thread)
        at.hold("DELETE", f"/threads/{thread_id}", lambda _: at.project.delete_thread(thread_id))

    @rule(
        side=_sides,
        query=plays.queries,
        after=_cursors,
        before=_cursors,
        metadata=plays.searches,
    )
    def list_threads(
        self,
        side: int,
        query: Wire,
        after: int | None,
        before: int | None,
        metadata: dict[str, str],
    ) -> None:
        at = self.sides[side]
        asked = with_cursors(query, at.project.threads, self.threads, after, before)
        pairs = {f"metadata[{key}]": value for key, value in metadata.items()}
        at.hold(
            "GET",
            "/threads",
            lambda _: at.project.list_threads(asked, metadata),
            params={**asked, **pairs},
        )

    # --- messages ---------------------------------------------------------------------------

    @rule(
        side=_sides,
        thread=_numbers,
        body=st.one_of(plays.new_messages, plays.old_messages),
        key=_keys,
    )
    def create_message(self, side: int, thread: int, body: Wire, key: str | None) -> None:
        at, thread_id = self.sides[side], self.thread(side, thread)
        path = f"/threads/{thread_id}/messages"
        made = at.post(
            path, body, lambda told: at.project.create_message(thread_id, body, told), key
        )
        if made is not None:
            self.messages.append(made["id"])

    @rule(side=_sides, thread=_numbers, number=_numbers, body=plays.new_messages)
    def put_message_back(self, side: int, thread: int, number: int, body: Wire) -> None:
        thread_id = self.thread(side, thread)
        gone = self.sides[side].project.messages.get(thread_id, Shelf()).gone()
        if gone:
            message_id, created_at = gone[number % len(gone)]
            body = {**body, "id": message_id, "created_at": created_at}
            self.create_message(side, thread, body, None)

    @rule(side=_sides, thread=_numbers, message=_numbers)
    def get_message(self, side: int, thread: int, message: int) -> None:
        at, thread_id = self.sides[side], self.thread(side, thread)
        message_id = self.message(side, thread_id, message)
        path = f"/threads/{thread_id}/messages/{message_id}"
        at.hold("GET", path, lambda _: at.project.read_message(thread_id, message_id))

    @rule(side=_sides, thread=_numbers, message=_numbers, body=plays.message_changes, key=_keys)
    def modify_message(
        self, side: int, thread: int, message: int, body: Wire, key: str | None
    ) -> None:
        at, thread_id = self.sides[side], self.thread(side, thread)
        message_id = self.message(side, thread_id, message)
        path = f"/threads/{thread_id}/messages/{message_id}"
        at.post(path, body, lambda _: at.project.modify_message(thread_id, message_id, body), key)

    @rule(side=_sides, thread=_numbers, message=_numbers)
    def delete_message(self, side: int, thread: int, message: int) -> None:
        at, thread_id = self.sides[side], self.thread(side, thread)
        message_id = self.message(side, thread_id, message)
        path = f"/threads/{thread_id}/messages/{message_id}"
        at.hold("DELETE", path, lambda _: at.project.delete_message(thread_id, message_id))

    @rule(
        side=_sides,
        thread=_numbers,
        query=plays.queries,
        after=_cursors,
        before=_cursors,
        run_id=st.sampled_from([None, None, *plays.RUNS]),
    )
    def list_messages(
        self,
        side: int,
        thread: int,
        query: Wire,
        after: int | None,
        before: int | None,
        run_id: str | None,
    ) -> None:
        at, thread_id = self.sides[side], self.thread(side, thread)
        shelf = at.project.messages.get(thread_id, Shelf())
        asked = with_cursors(query, shelf, self.messages, after, before)
        at.hold(
            "GET",
            f"/threads/{thread_id}/messages",
            lambda _: at.project.list_messages(thread_id, asked, run_id),
            params=asked if run_id is None else {**asked, "run_id": run_id},
        )

    # --- assistants -------------------------------------------------------------------------

    @rule(side=_sides, body=plays.new_assistants, key=_keys)
    def create_assistant(self, side: int, body: Wire, key: str | None) -> None:
        at = self.sides[side]
        made = at.post(
            "/assistants", body, lambda told: at.project.create_assistant(body, told), key
        )
        if made is not None:
            self.assistants.append(made["id"])

    @rule(side=_sides, number=_numbers, body=plays.assistant_changes, key=_keys)
    def modify_assistant(self, side: int, number: int, body: Wire, key: str | None) -> None:
        at, assistant_id = self.sides[side], self.assistant(side, number)
        path = f"/assistants/{assistant_id}"
        at.post(path, body, lambda _: at.project.modify_assistant(assistant_id, body), key)

    @rule(side=_sides, number=_numbers, is_deleted=st.booleans())
    def get_or_delete_assistant(self, side: int, number: int, is_deleted: bool) -> None:
        at, assistant_id = self.sides[side], self.assistant(side, number)
        act = at.project.delete_assistant if is_deleted else at.project.read_assistant
        method = "DELETE" if is_deleted else "GET"
        at.hold(method, f"/assistants/{assistant_id}", lambda _: act(assistant_id))

    @rule(side=_sides, query=plays.queries, after=_cursors, before=_cursors)
    def list_assistants(
        self, side: int, query: Wire, after: int | None, before: int | None
    ) -> None:
        at = self.sides[side]
        asked = with_cursors(query, at.project.assistants, self.assistants, after, before)
        at.hold("GET", "/assistants", lambda _: at.project.list_assistants(asked), params=asked)

    # --- repeating --------------------------------------------------------------------------

    @rule(side=_sides, number=_numbers, is_changed=_rarely)
    def repeat_with_its_key(self, side: int, number: int, is_changed: bool) -> None:
        at = self.sides[side]
        if not at.kept:
            return
        key = sorted(at.kept)[number % len(at.kept)]
        sent = at.kept[key]
        body = json.loads(sent.raw)
        if is_changed:
            body["metadata"] = {"changed": "yes"}
        at.post(sent.path, body, unexpected, key)


def chosen(known: list[str], others: list[str], number: int) -> str:
    """Choose an id: mostly of the known ones."""
    pool = known if known and number != STRANGER else others
    return pool[number % len(pool)]


def with_cursors(
    query: Wire, shelf: Shelf, others: list[str], after: int | None, before: int | None
) -> Wire:
    """Return a query with cursors: mostly of what is or was there."""
    numbers = {"after": after, "before": before}
    known = list(shelf.things)
    ids = {name: chosen(known, others, at) for name, at in numbers.items() if at is not None}
    return {**query, **ids}


def unexpected(told: Told) -> Wire:
    """Say that this answer was not to come about."""
    raise AssertionError(f"a key that was kept was forgotten: {told}")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: each example makes keys for it."""
    folder = tmp_path_factory.mktemp("stateful") / "data"
    create_key(Settings(data_dir=str(folder)), "first", "")
    with Server(folder) as running:
        yield running


def play(server: Server, number: int = 0) -> None:
    """Play `EXAMPLES` games of up to `STEPS` operations; each number plays others."""

    @seed(number)
    class Play(_Play):
        def __init__(self) -> None:
            super().__init__(server)

    run_state_machine_as_test(Play, settings=examples(EXAMPLES, steps=STEPS, is_slow=True))


def test_any_operations_in_any_order_are_answered_as_the_model_says(keyed: Server) -> None:
    play(keyed)


@pytest.mark.full
@pytest.mark.parametrize("number", range(1, 1 + FULL))
def test_many_more_operations_are_answered_as_the_model_says(keyed: Server, number: int) -> None:
    play(keyed, number)

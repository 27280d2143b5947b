"""The examples are true: sent to a new server in their order they bring their answers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.storing import wait_for_index
from tests.harness import Api, Server, api_of
from weft.wire.example_objects import BOUNDARY, Example
from weft.wire.examples import EXAMPLES
from weft.wire.form import MEDIA_TYPE
from weft.wire.operations import TABLE

OPERATIONS = {each.id: each for each in TABLE}

AN_ID = re.compile(r"(?:(?:thread|msg|asst|run|step|call|upload|part|vs|vsfb)_|file-)[0-9A-Za-z]+")
MADE_DATE = re.compile(r'"(\w+_at)": ?(1[7-9]\d{8})\b')
COUNTED = re.compile(r'"((?:prompt|completion|total)_tokens)": ?(\d+)\b')


class Story:
    """Sends the examples; knows which identifier the server made for which of the examples'."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._made: dict[str, str] = {}

    def tell(self, example: Example) -> None:
        """Send a request, and hold its answer against that of the example."""
        operation = OPERATIONS[example.operation_id]
        path = self._ours(
            re.sub(r"{(\w+)}", lambda name: example.ids[name.group(1)], operation.path)
        )
        if "/runs/" in path:
            self._wait_for_rest(path)
        if "/vector_stores/" in path:
            self._wait_for_index(path)
        if example.file is not None:
            # Lines of a form end with both; within the file nothing may change.
            text = example.form.replace("\n", "\r\n").replace(".\r\n\r\n", ".\n\r\n")
            kind = {"Content-Type": f"{MEDIA_TYPE}; boundary={BOUNDARY}"}
            answer = self._api.call(operation.method, path, raw=text.encode(), headers=kind)
        else:
            body = None if example.body is None else self._ours(json.dumps(example.body))
            sent = None if body is None else json.loads(body)
            answer = self._api.call(operation.method, path, sent, params=dict(example.query))
        assert answer.status_code == 200, answer.text
        if isinstance(example.answer, str):
            got, expected = answer.text, example.answer
        else:
            got, expected = json.dumps(answer.json()), json.dumps(example.answer)
        self._learn(got, expected)
        assert _counted(got) == _counted(self._ours(expected)), example

    def _ours(self, text: str) -> str:
        """Return a text with the identifiers that the server made."""
        return AN_ID.sub(lambda found: self._made.get(found.group(), found.group()), text)

    def _learn(self, got: str, expected: str) -> None:
        """Note which identifiers stand where the example has others."""
        for theirs, made in zip(AN_ID.findall(expected), AN_ID.findall(got), strict=False):
            self._made.setdefault(theirs, made)

    def _wait_for_rest(self, path: str) -> None:
        """Follow the run that a path names: the stream ends where the run rests."""
        run = "/".join(path.split("/")[:5])
        self._api.events("GET", run, params={"stream": "true"})

    def _wait_for_index(self, path: str) -> None:
        """Wait until a store's files are indexed."""
        wait_for_index(self._api, path.split("/")[2])


def _counted(text: str) -> str:
    """Return an answer with what the server dates and counts itself made equal."""
    return COUNTED.sub(r'"\1":0', MADE_DATE.sub(r'"\1":0', text))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that holds nothing yet: the examples bring identifiers of their own."""
    with Server(tmp_path_factory.mktemp("examples") / "data") as server, api_of(server) as found:
        yield found


def test_each_example_brings_its_answer(api: Api) -> None:
    story = Story(api)
    for example in EXAMPLES:
        story.tell(example)


def test_every_operation_has_an_example() -> None:
    assert {example.operation_id for example in EXAMPLES} == set(OPERATIONS)


def test_the_documented_thread_comes_back_with_its_own_id_and_date(tmp_path: Path) -> None:
    documented = {
        "created_at": 1699012949,
        "id": "thread_abc123",
        "metadata": {},
        "object": "thread",
        "tool_resources": {},
    }
    first = EXAMPLES[0]
    assert (first.operation_id, first.body, first.answer) == (
        "createThread",
        documented,
        documented,
    )
    with Server(tmp_path / "data") as server, api_of(server) as fresh:
        assert fresh.ok("POST", "/threads", documented) == documented

"""The examples are true: sent to a new server in their order they bring their answers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Api, Server, api_of
from weft.wire.examples import ASSISTANT_ID, EXAMPLES, IDS, Example
from weft.wire.operations import TABLE

OPERATIONS = {each.id: each for each in TABLE}

MADE_ID = re.compile(r'"(thread|msg|asst)_[0-9A-Za-z]{24}"')
MADE_DATE = re.compile(r'"(\w+_at)": (1[7-9]\d{8})\b')


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that holds nothing yet: the examples bring identifiers of their own."""
    with Server(tmp_path_factory.mktemp("examples") / "data") as server, api_of(server) as found:
        yield found


def _comparable(answer: Any) -> Any:
    """Return an answer with the identifiers and dates that a server makes itself made equal."""
    text = MADE_ID.sub(r'"\1_made"', json.dumps(answer))
    return json.loads(MADE_DATE.sub(r'"\1": 0', text))


def _send(api: Api, example: Example, ids: dict[str, str]) -> Any:
    operation = OPERATIONS[example.operation_id]
    path = re.sub(r"{(\w+)}", lambda name: ids[name.group(1)], operation.path)
    return api.ok(operation.method, path, example.body, params=dict(example.query))


def test_each_example_brings_its_answer(api: Api) -> None:
    ids = dict(IDS)
    for example in EXAMPLES:
        answer = _send(api, example, ids)
        if example.operation_id == "createAssistant":
            ids["assistant_id"] = answer["id"]  # nothing restores an assistant
        answer = json.loads(json.dumps(answer).replace(ids["assistant_id"], ASSISTANT_ID))
        assert _comparable(answer) == _comparable(example.answer), example


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

"""Embeddings from a real server that misbehaves: what is asked, what is accepted, what is told."""

import math
import struct
from typing import Any

import pytest

from tests.llm import upstream as up
from tests.llm.conftest import Run
from tests.llm.upstream import Behaviour, Call, Upstream
from tests.retrieval.vectors import embeddings, vector
from weft.llm.embeddings import ATTEMPTS, BATCH_CHARS, BATCH_TEXTS, Embedder
from weft.llm.endpoint import EMBEDDINGS, Endpoint
from weft.llm.model import ModelError

KEY = "sk-secret-key-of-mine"


class Heard:
    """What came of a call: vectors or an error, the requests, and the waits between them."""

    def __init__(self) -> None:
        self.vectors: list[bytes] = []
        self.error: ModelError | None = None
        self.calls: list[Call] = []
        self.waits: list[float] = []
        self.space = ""


async def ask(
    texts: list[str], *behaviours: Behaviour, dimensions: int | None = None, **how: Any
) -> Heard:
    """Ask an upstream that behaves as told."""
    heard = Heard()

    async def sleep(seconds: float) -> None:
        heard.waits.append(seconds)

    async with Upstream() as upstream:
        upstream.play(*behaviours)
        settings: dict[str, Any] = {"url": upstream.url, "api_key": KEY, "path": EMBEDDINGS, **how}
        embedder = Embedder(
            Endpoint(match="m", **settings), dimensions, sleep=sleep, jitter=lambda: 0.0
        )
        try:
            heard.vectors = await embedder.embed(texts)
            heard.space = await embedder.space()
        except ModelError as error:
            heard.error = error
        finally:
            await embedder.close()
        heard.calls = upstream.calls
    return heard


def numbers(packed: bytes) -> list[float]:
    """Return a vector's numbers."""
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def whole(*vectors: Any, **changes: Any) -> Behaviour:
    """Answer with these vectors, in order."""
    data = [{"index": index, "embedding": found} for index, found in enumerate(vectors)]
    return up.whole(200, {"data": data} | changes)


def test_each_text_gets_its_own_vector_of_length_1(run: Run) -> None:
    """Also when the answer has them in another order."""
    texts = ["one wheel", "two needles", "three looms"]
    heard = run(ask(texts, embeddings()))
    for text, found in zip(texts, heard.vectors, strict=True):
        length = math.hypot(*vector(text))
        assert numbers(found) == pytest.approx([n / length for n in vector(text)], abs=1e-6)
    assert heard.space == "m 256"
    (call,) = heard.calls
    assert call.path == "/v1/embeddings"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.body == {"model": "m", "input": texts, "encoding_format": "float"}


def test_dimensions_are_asked_for_only_when_they_are_set(run: Run) -> None:
    heard = run(ask(["x"], embeddings(8), dimensions=8))
    assert heard.calls[0].body["dimensions"] == 8


def test_a_vector_is_brought_to_a_multiple_of_eight_with_zeros(run: Run) -> None:
    heard = run(ask(["x"], whole([3.0, 4.0])))
    assert numbers(heard.vectors[0]) == pytest.approx([0.6, 0.8, 0, 0, 0, 0, 0, 0])
    assert heard.space == "m 2"


def test_an_answer_without_indexes_is_taken_in_its_order(run: Run) -> None:
    data = [{"embedding": [1.0, 0.0]}, {"embedding": [0.0, 1.0]}]
    heard = run(ask(["a", "b"], up.whole(200, {"data": data})))
    assert [numbers(found)[:2] for found in heard.vectors] == [[1.0, 0.0], [0.0, 1.0]]


def test_many_texts_go_in_parts_and_come_back_in_order(run: Run) -> None:
    texts = [f"text {number}" for number in range(BATCH_TEXTS * 3 + 5)]
    heard = run(ask(texts, embeddings()))
    assert sorted(len(call.body["input"]) for call in heard.calls) == [5, *[BATCH_TEXTS] * 3]
    alone = run(ask(texts[:1], embeddings())).vectors + run(ask(texts[-1:], embeddings())).vectors
    assert [heard.vectors[0], heard.vectors[-1]] == alone
    assert len(heard.vectors) == len(texts)


def test_long_texts_go_in_smaller_parts(run: Run) -> None:
    heard = run(ask(["x" * (BATCH_CHARS // 2)] * 5, embeddings()))
    assert sorted(len(call.body["input"]) for call in heard.calls) == [1, 2, 2]


def test_nothing_is_asked_for_nothing(run: Run) -> None:
    async def none() -> tuple[list[bytes], int]:
        async with Upstream() as upstream:
            endpoint = Endpoint(match="m", url=upstream.url, path=EMBEDDINGS)
            embedder = Embedder(endpoint)
            return await embedder.embed([]), len(upstream.calls)

    assert run(none()) == ([], 0)


@pytest.mark.parametrize(
    "first",
    [up.failing(500), up.failing(503), up.limited(), up.failing(408), up.dropped()],
    ids=["500", "503", "429", "408", "dropped"],
)
def test_a_passing_failure_is_tried_again(run: Run, first: Behaviour) -> None:
    heard = run(ask(["x"], first, embeddings()))
    assert (len(heard.vectors), len(heard.calls), heard.waits) == (1, 2, [0.5])


def test_retry_after_is_respected(run: Run) -> None:
    heard = run(ask(["x"], up.limited("7"), up.limited("3600"), embeddings()))
    assert (len(heard.vectors), heard.waits) == (1, [7.0, 60.0])


def test_there_is_an_end_to_trying_with_growing_waits(run: Run) -> None:
    heard = run(ask(["x"], up.failing(500)))
    assert len(heard.calls) == ATTEMPTS
    assert heard.waits == [0.5, 1.0, 2.0, 4.0]
    assert heard.error is not None
    assert heard.error.code == "server_error"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_would_fail_again_is_told_at_once(run: Run, status: int) -> None:
    heard = run(ask(["x"], up.failing(status)))
    assert len(heard.calls) == 1
    assert heard.error is not None
    assert "127.0.0.1" in heard.error.message


def test_a_text_that_is_too_long_says_what_to_change(run: Run) -> None:
    heard = run(ask(["x"], up.too_long()))
    assert heard.error is not None
    assert heard.error.code == "invalid_prompt"
    assert "chunking_strategy" in heard.error.message


GARBAGE = {
    "no JSON": up.whole(200, b"<html>Hello</html>"),
    "nothing": up.whole(200, b""),
    "another object": up.whole(200, {"object": "list"}),
    "a chat completion": up.whole(200, {"choices": []}),
    "too few": whole(),
    "too many": whole([1.0], [1.0]),
    "empty": whole([]),
    "words": whole(["a"]),
    "base64": whole("AACAPw=="),
    "not a number": up.whole(200, b'{"data": [{"embedding": [NaN]}]}'),
    "beyond numbers": up.whole(200, b'{"data": [{"embedding": [1e999, 1]}]}'),
    "not UTF-8": up.whole(200, b'{"data": "\xff"}'),
    "huge": whole([0.5] * 20_000),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_an_answer_that_is_none_is_told_and_not_tried_again(run: Run, kind: str) -> None:
    heard = run(ask(["x"], GARBAGE[kind]))
    assert len(heard.calls) == 1
    assert heard.error is not None
    assert "list of embeddings" in heard.error.message


def test_vectors_of_different_lengths_in_one_answer_are_refused(run: Run) -> None:
    assert run(ask(["a", "b"], whole([1.0, 0.0], [1.0]))).error is not None


def test_a_model_that_changes_its_dimensions_is_noticed(run: Run) -> None:
    """Half of a store's vectors could not be compared with the others."""
    texts = ["x" * BATCH_CHARS, "y"]
    heard = run(ask(texts, embeddings(8), embeddings(16)))
    assert heard.error is not None
    assert "Restart Weft" in heard.error.message or "restart Weft" in heard.error.message


def test_an_answer_that_stops_in_the_middle_is_tried_again(run: Run) -> None:
    async def half(call: Call) -> None:
        await call.head(200, {"content-length": "1000"})
        await call.raw(b'{"data": [')

    heard = run(ask(["x"], half, embeddings()))
    assert (len(heard.vectors), len(heard.calls)) == (1, 2)


def test_silence_ends_with_a_reason(run: Run) -> None:
    heard = run(ask(["x"], up.silent(), timeout_s=0.2))
    assert heard.error is not None
    assert "0.2 s" in heard.error.message


def test_no_error_shows_the_key(run: Run) -> None:
    for status in (400, 401, 500):
        heard = run(ask(["x"], up.failing(status, f"Incorrect API key: {KEY}")))
        assert heard.error is not None
        assert KEY not in heard.error.message


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com", "http://"])
def test_an_address_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        Embedder(Endpoint(match="m", url=url, path=EMBEDDINGS))
    assert "[embeddings]" in caught.value.message

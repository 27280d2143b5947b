"""An `/embeddings` server for tests: real HTTP, vectors that tell which words a text has."""

import hashlib
from typing import Any

from tests.llm.upstream import Behaviour, Call, Upstream
from weft.llm.embeddings import Embedder
from weft.llm.endpoint import EMBEDDINGS, Endpoint

DIMENSIONS = 256


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A vector that is the nearer to another the more words the texts share, in any form.

    Only the first four letters of a word count, so that it knows more than full text does.
    """
    numbers = [0.001] * dimensions
    for word in text.lower().split():
        digest = hashlib.sha256(word[:4].encode()).digest()
        numbers[digest[0] % dimensions] += 1
        numbers[digest[1] % dimensions] -= 1
    return numbers


def embeddings(dimensions: int = DIMENSIONS, **changes: Any) -> Behaviour:
    """Answer as OpenAI does, in an order of its own; `changes` replace fields of the answer."""

    async def play(call: Call) -> None:
        data = [
            {"object": "embedding", "index": index, "embedding": vector(text, dimensions)}
            for index, text in enumerate(call.body["input"])
        ]
        body = {"object": "list", "model": "any", "data": data[::-1], "usage": {}}
        await call.whole(200, body | changes)

    return play


def embedder_at(upstream: Upstream, **how: Any) -> Embedder:
    """Who asks the upstream; `how` is of the endpoint."""
    settings: dict[str, Any] = {"match": "words", "url": upstream.url, "path": EMBEDDINGS, **how}
    return Embedder(Endpoint(**settings))

"""Vectors for texts, from any OpenAI-style `/embeddings` endpoint.

A text's vector has length 1 and as many numbers as the model gives, brought to a
multiple of eight with zeros, which changes no comparison. Vectors are comparable
only within a `space`: one model with one number of dimensions.
"""

import array
import asyncio
import math
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx2
import msgspec
from msgspec import Struct

from weft.llm.endpoint import Endpoint
from weft.llm.faults import Blame, Fault
from weft.llm.transport import Transport

BATCH_TEXTS = 64  # in one request
BATCH_CHARS = 200_000
AT_ONCE = 4  # requests
ATTEMPTS = 5  # of each request: indexing can wait out a limit of the endpoint
FIRST_WAIT_S = 0.5  # doubled each time, less up to a half
MOST_ANSWER_BYTES = 64 << 20
MOST_DIMENSIONS = 16_384


class _Item(Struct, frozen=True, gc=False):
    embedding: list[float]
    index: int | None = None


class _Answer(Struct, frozen=True):
    data: list[_Item]


class _Blame(Blame):
    """Says what went wrong with embeddings."""

    thing = "list of embeddings"

    def too_long(self, quote: str) -> Fault:
        """Blame a text that the model cannot take."""
        return self._fault(
            "invalid_prompt",
            f'A text is too long for the embedding model "{self._model}" at {self._host}{quote} '
            "Use smaller chunks (chunking_strategy) or a model with a larger context.",
        )

    def changed(self, was: int, now: int) -> Fault:
        """Blame a model that is not the one it was."""
        return self._fault(
            "server_error",
            f'The embedding model "{self._model}" at {self._host} gave vectors of {was} numbers '
            f"and now gives {now}. Give the other model a name of its own, and restart Weft.",
        )


class Embedder:
    """One embedding model at one endpoint. Connections are kept and shared.

    Raises: ModelError for an endpoint that cannot be used.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        dimensions: int | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.model = endpoint.match
        self._asked_dimensions = dimensions
        self._dimensions = 0  # unknown before the first answer
        self._sleep = sleep
        self._now = now
        self._jitter = jitter
        self._url = endpoint.request_url()
        self._blame = _Blame(endpoint, endpoint.match)
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._client = httpx2.AsyncClient(
            transport=Transport(self._url),
            trust_env=False,  # neither a proxy nor a key may come out of the environment unasked
            headers=endpoint.request_headers(),
            timeout=httpx2.Timeout(endpoint.timeout_s, connect=endpoint.connect_timeout_s),
        )

    async def space(self) -> str:
        """Return what vectors must have in common to be compared: the model and its dimensions.

        The endpoint is asked once if it has not answered anything yet.

        Raises: ModelError.
        """
        if not self._dimensions:
            await self.embed(["dimensions"])
        return f"{self.model} {self._dimensions}"

    async def embed(self, texts: Sequence[str], *, attempts: int = ATTEMPTS) -> list[bytes]:
        """Return a vector for each text: float32, little-endian, of length 1.

        Large requests are sent in parts, some of them at once.

        Raises: ModelError.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._batch(batch, attempts)) for batch in _batches(texts)
                ]
        except BaseExceptionGroup as faults:
            found = next((f for f in faults.exceptions if isinstance(f, Fault)), None)
            raise (faults.exceptions[0] if found is None else found.error) from faults
        return [vector for task in tasks for vector in task.result()]

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _batch(self, texts: Sequence[str], attempts: int) -> list[bytes]:
        asked: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self._asked_dimensions is not None:
            asked["dimensions"] = self._asked_dimensions
        body = msgspec.json.encode(asked)
        async with self._at_once:
            for attempt in range(attempts):
                try:
                    answer = await self._asked(body)
                    break
                except Fault as fault:
                    if not fault.retry or attempt == attempts - 1:
                        raise
                    wait_s = fault.wait_s
                if wait_s is None:
                    wait_s = FIRST_WAIT_S * 2**attempt * (1 - self._jitter() / 2)
                await self._sleep(wait_s)
        # Some milliseconds of work.
        return await asyncio.to_thread(self._vectors, answer, len(texts))

    async def _asked(self, body: bytes) -> bytes:
        """Return the body of an answer. Raises: Fault."""
        try:
            request = self._client.build_request("POST", self._url, content=body)
            response = await self._client.send(request, stream=True)
            try:
                pieces, left = [], MOST_ANSWER_BYTES
                async for piece in response.aiter_raw():
                    pieces.append(piece)
                    left -= len(piece)
                    if left < 0:
                        raise self._blame.garbage(pieces[0])
            finally:
                await response.aclose()
        except httpx2.HTTPError as fault:
            raise self._blame.transport(fault) from fault
        answer = b"".join(pieces)
        if response.status_code != httpx2.codes.OK:
            raise self._blame.status(response.status_code, response.headers, answer, self._now())
        return answer

    def _vectors(self, answer: bytes, count: int) -> list[bytes]:
        """Read an answer. Raises: Fault for one that cannot be what was asked for."""
        try:
            items = msgspec.json.decode(answer, type=_Answer).data
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise self._blame.garbage(answer) from fault
        if all(item.index is not None for item in items):
            items.sort(key=lambda item: item.index or 0)
        sizes = {len(item.embedding) for item in items}
        if len(items) != count or len(sizes) != 1:
            raise self._blame.garbage(answer)
        self._check(sizes.pop(), answer)
        return [self._vector(item.embedding, answer) for item in items]

    def _check(self, dimensions: int, answer: bytes) -> None:
        if not 0 < dimensions <= MOST_DIMENSIONS:
            raise self._blame.garbage(answer)
        if self._dimensions not in (0, dimensions):
            raise self._blame.changed(self._dimensions, dimensions)
        self._dimensions = dimensions

    def _vector(self, numbers: list[float], answer: bytes) -> bytes:
        length = math.hypot(*numbers)
        if not math.isfinite(length):
            raise self._blame.garbage(answer)
        # A vector of zeros is like nothing, and remains so.
        found = array.array("f", [number / (length or 1.0) for number in numbers])
        found.extend([0.0] * (-len(found) % 8))
        if sys.byteorder == "big":
            found.byteswap()
        return found.tobytes()


def _batches(texts: Sequence[str]) -> list[Sequence[str]]:
    """Return the texts in parts that one request may hold."""
    found: list[Sequence[str]] = []
    begun, size = 0, 0
    for at, text in enumerate(texts):
        size += len(text)
        if at > begun and (at - begun == BATCH_TEXTS or size > BATCH_CHARS):
            found.append(texts[begun:at])
            begun, size = at, len(text)
    if begun < len(texts):
        found.append(texts[begun:])
    return found

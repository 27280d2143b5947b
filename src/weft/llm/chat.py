"""A model behind any OpenAI-style `/chat/completions`: asked, retried, streamed, given up.

An attempt that fails is tried again at most twice, when the failure allows it and
before anything of the answer was passed on: afterwards a second attempt would
say everything twice. `faults.py` says what may be tried again.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx2

from weft.llm.answer import Answer
from weft.llm.asking import Dialect, body_of
from weft.llm.endpoint import Endpoint
from weft.llm.faults import Blame, Fault
from weft.llm.model import Delta, ModelRequest
from weft.llm.transport import Transport

RETRIES = 2
FIRST_WAIT_S = 0.5  # doubled for the second, less up to a half


class ChatModel:
    """The models of one endpoint. Connections are kept and shared."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._endpoint = endpoint
        self._sleep = sleep
        self._now = now
        self._jitter = jitter
        self._url = endpoint.request_url()
        self._dialect = Dialect()
        self._client = httpx2.AsyncClient(
            transport=Transport(self._url),
            # Neither a proxy nor a key may come out of the environment unasked.
            trust_env=False,
            headers=endpoint.request_headers(),
            timeout=httpx2.Timeout(endpoint.timeout_s, connect=endpoint.connect_timeout_s),
        )

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Answer a request piece by piece; closing the generator ends the call at once.

        Raises: ModelError.
        """
        try:
            answer, deltas = await self._begin(request)
            try:
                while deltas:
                    for delta in deltas:
                        yield delta
                    deltas = await answer.more()
            finally:
                await answer.close()
        except Fault as fault:
            raise fault.error from fault

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _begin(self, request: ModelRequest) -> tuple[Answer, list[Delta]]:
        """Return an answer and its first deltas, after as many attempts as it takes."""
        blame = Blame(self._endpoint, request.model)
        dialects = [self._dialect]
        attempt = 0
        while True:
            try:
                return await self._attempt(
                    body_of(request, self._endpoint.name, dialects[-1]), blame
                )
            except Fault as fault:
                other = dialects[-1].instead(fault.words)
                if other not in dialects:
                    self._dialect = other
                    dialects.append(other)
                    continue
                if not fault.retry or attempt == RETRIES:
                    raise
                wait_s = fault.wait_s
            if wait_s is None:
                wait_s = FIRST_WAIT_S * 2**attempt * (1 - self._jitter() / 2)
            attempt += 1
            await self._sleep(wait_s)

    async def _attempt(self, body: bytes, blame: Blame) -> tuple[Answer, list[Delta]]:
        try:
            response = await self._client.send(
                self._client.build_request("POST", self._url, content=body), stream=True
            )
        except httpx2.HTTPError as fault:
            raise blame.transport(fault) from fault
        answer = Answer(response, blame)
        try:
            await answer.accepted(self._now)
            return answer, await answer.more()
        except BaseException:
            await answer.close()
            raise

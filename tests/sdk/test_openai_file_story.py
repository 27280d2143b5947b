"""Every method of the official SDK for files, uploads and vector stores, with both its clients."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import openai
import pytest

from tests.sdk.conftest import Door
from tests.sdk.file_story import CHAPTERS, Noted, methods_of


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI], ids=["blocking", "async"])
def test_every_method_does_what_it_should(door: Door, kind: Any) -> None:
    """A method that a later SDK adds and the story does not call is a failure."""

    async def story() -> None:
        async with AsyncExitStack() as stack:
            client = kind(base_url=f"{door.address}/v1", api_key=door.key)
            if kind is openai.OpenAI:
                stack.enter_context(client)
            else:
                await stack.enter_async_context(client)
            called: set[str] = set()
            for chapter in CHAPTERS.values():
                await chapter(Noted(client, called))
            assert called >= methods_of(client)

    asyncio.run(story())

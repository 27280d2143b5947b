"""Files and uploads through the official `openai` package, blocking and asynchronous."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

from tests.sdk.conftest import Door

DATA = bytes(range(256)) * 1000
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()


@pytest.fixture
def anyio_backend() -> str:
    """The SDK's usual loop."""
    return "asyncio"


@pytest.fixture
def client(door: Door) -> Iterator[OpenAI]:
    """The blocking client."""
    with OpenAI(base_url=f"{door.address}/v1", api_key=door.key) as found:
        yield found


@pytest.fixture
async def aclient(door: Door) -> AsyncIterator[AsyncOpenAI]:
    """The asynchronous client."""
    async with AsyncOpenAI(base_url=f"{door.address}/v1", api_key=door.key) as found:
        yield found


def test_a_file_lives_from_creation_to_deletion(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "größe.bin"
    path.write_bytes(DATA)
    made = client.files.create(
        file=path, purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert (made.filename, made.bytes, made.purpose) == ("größe.bin", len(DATA), "user_data")
    assert made.expires_at == made.created_at + 3600
    assert client.files.retrieve(made.id) == made
    assert client.files.wait_for_processing(made.id, poll_interval=0.01) == made
    assert client.files.content(made.id).read() == DATA
    with client.files.with_streaming_response.content(made.id) as answer:
        assert b"".join(answer.iter_bytes()) == DATA
    gone = client.files.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "file", True)
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.retrieve(made.id)
    assert caught.value.param == "id"


@pytest.mark.parametrize(
    "file", [b"bytes", ("a.txt", b"bytes"), ("a.txt", b"bytes", "text/plain")], ids=type
)
def test_a_file_may_be_given_in_every_form(client: OpenAI, file: Any) -> None:
    made = client.files.create(file=file, purpose="assistants")
    assert client.files.content(made.id).read() == b"bytes"


def test_files_are_paged_by_the_sdk(client: OpenAI) -> None:
    made = [client.files.create(file=b"x", purpose="evals").id for _ in range(5)]
    listed = [file.id for file in client.files.list(purpose="evals", limit=2)]
    assert listed[:5] == made[::-1]
    oldest_first = [file.id for file in client.files.list(purpose="evals", limit=2, order="asc")]
    assert oldest_first == listed[::-1]


def test_a_text_is_read_by_the_old_method_too(client: OpenAI) -> None:
    made = client.files.create(file=b"Good day.", purpose="assistants")
    assert client.files.content(made.id).text == "Good day."


def test_an_upload_is_made_of_parts(client: OpenAI) -> None:
    upload = client.uploads.create(
        bytes=len(DATA), filename="a.bin", mime_type="application/octet-stream", purpose="batch"
    )
    halves = DATA[:100_000], DATA[100_000:]
    parts = [client.uploads.parts.create(upload.id, data=half) for half in halves]
    done = client.uploads.complete(upload.id, part_ids=[part.id for part in parts], md5=MD5)
    assert done.status == "completed"
    assert done.file is not None
    assert client.files.content(done.file.id).read() == DATA
    with pytest.raises(openai.BadRequestError, match="has status 'completed'"):
        client.uploads.cancel(upload.id)


@pytest.mark.parametrize("how", ["path", "bytes"])
def test_a_file_is_uploaded_in_chunks(client: OpenAI, tmp_path: Path, how: str) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(DATA)
    if how == "path":
        done = client.uploads.upload_file_chunked(
            file=path, mime_type="x/y", purpose="batch", part_size=70_000, md5=MD5
        )
    else:
        done = client.uploads.upload_file_chunked(
            file=DATA,
            filename="large.bin",
            bytes=len(DATA),
            mime_type="x/y",
            purpose="batch",
            part_size=70_000,
        )
    assert done.file is not None
    assert (done.file.filename, done.file.bytes) == ("large.bin", len(DATA))
    assert client.files.content(done.file.id).read() == DATA


def test_an_upload_is_cancelled(client: OpenAI) -> None:
    upload = client.uploads.create(bytes=1, filename="a", mime_type="x/y", purpose="vision")
    assert client.uploads.cancel(upload.id).status == "cancelled"


def test_a_wrong_md5_raises_and_the_upload_can_be_completed_yet(client: OpenAI) -> None:
    upload = client.uploads.create(bytes=1, filename="a", mime_type="x/y", purpose="batch")
    part = client.uploads.parts.create(upload.id, data=b"x")
    with pytest.raises(openai.BadRequestError) as caught:
        client.uploads.complete(upload.id, part_ids=[part.id], md5=MD5)
    assert caught.value.param == "md5"
    assert client.uploads.complete(upload.id, part_ids=[part.id]).status == "completed"


def test_azures_client_uploads_and_downloads(door: Door) -> None:
    with AzureOpenAI(
        azure_endpoint=door.address, api_key=door.key, api_version="2024-05-01-preview"
    ) as client:
        made = client.files.create(file=("a.txt", DATA), purpose="assistants")
        assert client.files.content(made.id).read() == DATA
        assert client.files.delete(made.id).deleted


@pytest.mark.anyio
async def test_a_file_lives_from_creation_to_deletion_asynchronously(
    aclient: AsyncOpenAI,
) -> None:
    files = aclient.files
    made = await files.create(file=("größe.bin", DATA), purpose="user_data")
    assert await files.retrieve(made.id) == made
    assert await files.wait_for_processing(made.id, poll_interval=0.01) == made
    assert (await files.content(made.id)).read() == DATA
    assert made.id in [file.id async for file in files.list(limit=1)]
    assert (await files.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await files.retrieve(made.id)


@pytest.mark.anyio
async def test_uploads_work_asynchronously(aclient: AsyncOpenAI, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(DATA)
    done = await aclient.uploads.upload_file_chunked(
        file=path, mime_type="x/y", purpose="batch", part_size=len(DATA) // 3
    )
    assert done.file is not None
    assert (await aclient.files.content(done.file.id)).read() == DATA
    upload = await aclient.uploads.create(bytes=2, filename="a", mime_type="x/y", purpose="batch")
    part = await aclient.uploads.parts.create(upload.id, data=b"ab")
    done = await aclient.uploads.complete(upload.id, part_ids=[part.id])
    assert done.status == "completed"
    upload = await aclient.uploads.create(bytes=2, filename="a", mime_type="x/y", purpose="batch")
    assert (await aclient.uploads.cancel(upload.id)).status == "cancelled"

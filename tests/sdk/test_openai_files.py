"""Files in every form in which the official SDK takes them. Its other methods: `file_story`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AzureOpenAI, OpenAI

from tests.sdk.conftest import Door

DATA = bytes(range(256)) * 1000


@pytest.fixture
def client(door: Door) -> Iterator[OpenAI]:
    """The blocking client."""
    with OpenAI(base_url=f"{door.address}/v1", api_key=door.key) as found:
        yield found


def test_a_file_may_be_a_path_and_read_as_a_stream(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "größe.bin"
    path.write_bytes(DATA)
    made = client.files.create(file=path, purpose="user_data")
    assert (made.filename, made.bytes, made.purpose) == ("größe.bin", len(DATA), "user_data")
    with client.files.with_streaming_response.content(made.id) as answer:
        assert b"".join(answer.iter_bytes()) == DATA


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


def test_azures_client_uploads_and_downloads(door: Door) -> None:
    with AzureOpenAI(
        azure_endpoint=door.address, api_key=door.key, api_version="2024-05-01-preview"
    ) as client:
        made = client.files.create(file=("a.txt", DATA), purpose="assistants")
        assert client.files.content(made.id).read() == DATA
        assert client.files.delete(made.id).deleted

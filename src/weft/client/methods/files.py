"""The typed methods of `Client`: files.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from weft.client.blocking import Listing
    from weft.client.setting import Options, PostOptions
    from weft.wire.files import DeleteFileResponse, ListFilesResponse, OpenAIFile

Json: TypeAlias = Mapping[str, Any]


class Files:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    def create_file(self, *, body: Json, **options: Unpack[PostOptions]) -> OpenAIFile:
        """Upload a file."""
        return self.call("createFile", body=body, **options)

    def list_files(
        self,
        *,
        purpose: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        **options: Unpack[Options],
    ) -> Listing[OpenAIFile, ListFilesResponse]:
        """List files."""
        return self.call(
            "listFiles", purpose=purpose, limit=limit, order=order, after=after, **options
        )

    def retrieve_file(self, file_id: str, **options: Unpack[Options]) -> OpenAIFile:
        """Retrieve a file."""
        return self.call("retrieveFile", file_id, **options)

    def delete_file(self, file_id: str, **options: Unpack[Options]) -> DeleteFileResponse:
        """Delete a file."""
        return self.call("deleteFile", file_id, **options)

    @overload
    def download_file(
        self, file_id: str, *, save_to: None = None, **options: Unpack[Options]
    ) -> bytes: ...
    @overload
    def download_file(
        self, file_id: str, *, save_to: str | Path, **options: Unpack[Options]
    ) -> Path: ...
    def download_file(
        self, file_id: str, *, save_to: str | Path | None = None, **options: Unpack[Options]
    ) -> bytes | Path:
        """Download a file."""
        return self.call("downloadFile", file_id, save_to=save_to, **options)

    createFile = create_file
    listFiles = list_files
    retrieveFile = retrieve_file
    deleteFile = delete_file
    downloadFile = download_file

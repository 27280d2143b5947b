"""The typed methods of `Client`: uploads.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from typing import Unpack

    from weft.client.setting import PostOptions
    from weft.wire.uploads import CompleteUploadRequest, CreateUploadRequest, Upload, UploadPart

Json: TypeAlias = Mapping[str, Any]


class Uploads:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    def create_upload(
        self, *, body: CreateUploadRequest | Json, **options: Unpack[PostOptions]
    ) -> Upload:
        """Create an upload."""
        return self.call("createUpload", body=body, **options)

    def add_upload_part(
        self, upload_id: str, *, body: Json, **options: Unpack[PostOptions]
    ) -> UploadPart:
        """Add a part."""
        return self.call("addUploadPart", upload_id, body=body, **options)

    def complete_upload(
        self, upload_id: str, *, body: CompleteUploadRequest | Json, **options: Unpack[PostOptions]
    ) -> Upload:
        """Complete an upload."""
        return self.call("completeUpload", upload_id, body=body, **options)

    def cancel_upload(self, upload_id: str, **options: Unpack[PostOptions]) -> Upload:
        """Cancel an upload."""
        return self.call("cancelUpload", upload_id, **options)

    createUpload = create_upload
    addUploadPart = add_upload_part
    completeUpload = complete_upload
    cancelUpload = cancel_upload

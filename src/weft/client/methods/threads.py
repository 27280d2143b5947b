"""The typed methods of `Client`: threads.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from typing import Unpack

    from weft.client.blocking import Listing
    from weft.client.setting import Options, PostOptions
    from weft.wire.threads import (
        CreateThreadRequest,
        DeleteThreadResponse,
        ListThreadsResponse,
        ModifyThreadRequest,
        RestoreThreadRequest,
        ThreadObject,
    )

Json: TypeAlias = Mapping[str, Any]


class Threads:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    def create_thread(
        self,
        *,
        body: CreateThreadRequest | RestoreThreadRequest | Json | None = None,
        **options: Unpack[PostOptions],
    ) -> ThreadObject:
        """Create a thread."""
        return self.call("createThread", body=body, **options)

    def list_threads(
        self,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        metadata: Mapping[str, str] | None = None,
        **options: Unpack[Options],
    ) -> Listing[ThreadObject, ListThreadsResponse]:
        """List threads."""
        return self.call(
            "listThreads",
            limit=limit,
            order=order,
            after=after,
            before=before,
            metadata=metadata,
            **options,
        )

    def get_thread(self, thread_id: str, **options: Unpack[Options]) -> ThreadObject:
        """Retrieve a thread."""
        return self.call("getThread", thread_id, **options)

    def modify_thread(
        self, thread_id: str, *, body: ModifyThreadRequest | Json, **options: Unpack[PostOptions]
    ) -> ThreadObject:
        """Modify a thread."""
        return self.call("modifyThread", thread_id, body=body, **options)

    def delete_thread(self, thread_id: str, **options: Unpack[Options]) -> DeleteThreadResponse:
        """Delete a thread."""
        return self.call("deleteThread", thread_id, **options)

    createThread = create_thread
    listThreads = list_threads
    getThread = get_thread
    modifyThread = modify_thread
    deleteThread = delete_thread

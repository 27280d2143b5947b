"""The typed methods of `Client`: messages.

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
    from weft.wire.messages import (
        CreateMessageRequest,
        ListMessagesResponse,
        MessageObject,
        ModifyMessageRequest,
        RestoreMessageRequest,
    )
    from weft.wire.threads import DeleteMessageResponse

Json: TypeAlias = Mapping[str, Any]


class Messages:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    def create_message(
        self,
        thread_id: str,
        *,
        body: CreateMessageRequest | RestoreMessageRequest | Json,
        **options: Unpack[PostOptions],
    ) -> MessageObject:
        """Create a message."""
        return self.call("createMessage", thread_id, body=body, **options)

    def list_messages(
        self,
        thread_id: str,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        run_id: str | None = None,
        **options: Unpack[Options],
    ) -> Listing[MessageObject, ListMessagesResponse]:
        """List messages."""
        return self.call(
            "listMessages",
            thread_id,
            limit=limit,
            order=order,
            after=after,
            before=before,
            run_id=run_id,
            **options,
        )

    def get_message(
        self, thread_id: str, message_id: str, **options: Unpack[Options]
    ) -> MessageObject:
        """Retrieve a message."""
        return self.call("getMessage", thread_id, message_id, **options)

    def modify_message(
        self,
        thread_id: str,
        message_id: str,
        *,
        body: ModifyMessageRequest | Json,
        **options: Unpack[PostOptions],
    ) -> MessageObject:
        """Modify a message."""
        return self.call("modifyMessage", thread_id, message_id, body=body, **options)

    def delete_message(
        self, thread_id: str, message_id: str, **options: Unpack[Options]
    ) -> DeleteMessageResponse:
        """Delete a message."""
        return self.call("deleteMessage", thread_id, message_id, **options)

    createMessage = create_message
    listMessages = list_messages
    getMessage = get_message
    modifyMessage = modify_message
    deleteMessage = delete_message

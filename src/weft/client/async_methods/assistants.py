"""The typed methods of `AsyncClient`: assistants.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from typing import Unpack

    from weft.client.awaiting import AsyncListing
    from weft.client.setting import Options, PostOptions
    from weft.wire.assistants import (
        AssistantObject,
        CreateAssistantRequest,
        DeleteAssistantResponse,
        ListAssistantsResponse,
        ModifyAssistantRequest,
    )

Json: TypeAlias = Mapping[str, Any]


class Assistants:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    async def create_assistant(
        self, *, body: CreateAssistantRequest | Json, **options: Unpack[PostOptions]
    ) -> AssistantObject:
        """Create an assistant."""
        return await self.call("createAssistant", body=body, **options)

    def list_assistants(
        self,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncListing[AssistantObject, ListAssistantsResponse]:
        """List assistants."""
        return self.call(
            "listAssistants", limit=limit, order=order, after=after, before=before, **options
        )

    async def get_assistant(self, assistant_id: str, **options: Unpack[Options]) -> AssistantObject:
        """Retrieve an assistant."""
        return await self.call("getAssistant", assistant_id, **options)

    async def modify_assistant(
        self,
        assistant_id: str,
        *,
        body: ModifyAssistantRequest | Json,
        **options: Unpack[PostOptions],
    ) -> AssistantObject:
        """Modify an assistant."""
        return await self.call("modifyAssistant", assistant_id, body=body, **options)

    async def delete_assistant(
        self, assistant_id: str, **options: Unpack[Options]
    ) -> DeleteAssistantResponse:
        """Delete an assistant."""
        return await self.call("deleteAssistant", assistant_id, **options)

    createAssistant = create_assistant
    listAssistants = list_assistants
    getAssistant = get_assistant
    modifyAssistant = modify_assistant
    deleteAssistant = delete_assistant

"""The typed methods of `AsyncClient`.

Made by scripts/client_methods.py from the contract in src/weft/wire: edit that instead.
"""
# ruff: noqa: N815  # the contract's names; a method may be called by its operation id
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

if TYPE_CHECKING:
    from typing import Unpack

    from weft.client.awaiting import AsyncEventStream, AsyncListing
    from weft.client.setting import Options, PostOptions
    from weft.wire.assistants import (
        AssistantObject,
        CreateAssistantRequest,
        DeleteAssistantResponse,
        ListAssistantsResponse,
        ModifyAssistantRequest,
    )
    from weft.wire.messages import (
        CreateMessageRequest,
        ListMessagesResponse,
        MessageObject,
        ModifyMessageRequest,
        RestoreMessageRequest,
    )
    from weft.wire.models import ListModelsResponse, Model
    from weft.wire.openapi import Health
    from weft.wire.run_requests import (
        CreateRunRequest,
        CreateThreadAndRunRequest,
        ModifyRunRequest,
        SubmitToolOutputsRunRequest,
    )
    from weft.wire.runs import ListRunsResponse, ListRunStepsResponse, RunObject, RunStepObject
    from weft.wire.threads import (
        CreateThreadRequest,
        DeleteMessageResponse,
        DeleteThreadResponse,
        ListThreadsResponse,
        ModifyThreadRequest,
        RestoreThreadRequest,
        ThreadObject,
    )

Json: TypeAlias = Mapping[str, Any]


class Methods:
    """A method for each operation but those on files."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

    async def create_thread(
        self,
        *,
        body: CreateThreadRequest | RestoreThreadRequest | Json | None = None,
        **options: Unpack[PostOptions],
    ) -> ThreadObject:
        """Create a thread."""
        return await self.call("createThread", body=body, **options)

    def list_threads(
        self,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        metadata: Mapping[str, str] | None = None,
        **options: Unpack[Options],
    ) -> AsyncListing[ThreadObject, ListThreadsResponse]:
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

    async def get_thread(self, thread_id: str, **options: Unpack[Options]) -> ThreadObject:
        """Retrieve a thread."""
        return await self.call("getThread", thread_id, **options)

    async def modify_thread(
        self, thread_id: str, *, body: ModifyThreadRequest | Json, **options: Unpack[PostOptions]
    ) -> ThreadObject:
        """Modify a thread."""
        return await self.call("modifyThread", thread_id, body=body, **options)

    async def delete_thread(
        self, thread_id: str, **options: Unpack[Options]
    ) -> DeleteThreadResponse:
        """Delete a thread."""
        return await self.call("deleteThread", thread_id, **options)

    async def create_message(
        self,
        thread_id: str,
        *,
        body: CreateMessageRequest | RestoreMessageRequest | Json,
        **options: Unpack[PostOptions],
    ) -> MessageObject:
        """Create a message."""
        return await self.call("createMessage", thread_id, body=body, **options)

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
    ) -> AsyncListing[MessageObject, ListMessagesResponse]:
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

    async def get_message(
        self, thread_id: str, message_id: str, **options: Unpack[Options]
    ) -> MessageObject:
        """Retrieve a message."""
        return await self.call("getMessage", thread_id, message_id, **options)

    async def modify_message(
        self,
        thread_id: str,
        message_id: str,
        *,
        body: ModifyMessageRequest | Json,
        **options: Unpack[PostOptions],
    ) -> MessageObject:
        """Modify a message."""
        return await self.call("modifyMessage", thread_id, message_id, body=body, **options)

    async def delete_message(
        self, thread_id: str, message_id: str, **options: Unpack[Options]
    ) -> DeleteMessageResponse:
        """Delete a message."""
        return await self.call("deleteMessage", thread_id, message_id, **options)

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

    @overload
    async def create_thread_and_run(
        self,
        *,
        body: CreateThreadAndRunRequest | Json,
        stream: Literal[False] = False,
        **options: Unpack[PostOptions],
    ) -> RunObject: ...
    @overload
    async def create_thread_and_run(
        self,
        *,
        body: CreateThreadAndRunRequest | Json,
        stream: Literal[True],
        **options: Unpack[PostOptions],
    ) -> AsyncEventStream: ...
    async def create_thread_and_run(
        self,
        *,
        body: CreateThreadAndRunRequest | Json,
        stream: bool = False,
        **options: Unpack[PostOptions],
    ) -> RunObject | AsyncEventStream:
        """Create a thread and run it."""
        return await self.call("createThreadAndRun", body=body, stream=stream, **options)

    @overload
    async def create_run(
        self,
        thread_id: str,
        *,
        body: CreateRunRequest | Json,
        include: list[str] | None = None,
        stream: Literal[False] = False,
        **options: Unpack[PostOptions],
    ) -> RunObject: ...
    @overload
    async def create_run(
        self,
        thread_id: str,
        *,
        body: CreateRunRequest | Json,
        include: list[str] | None = None,
        stream: Literal[True],
        **options: Unpack[PostOptions],
    ) -> AsyncEventStream: ...
    async def create_run(
        self,
        thread_id: str,
        *,
        body: CreateRunRequest | Json,
        include: list[str] | None = None,
        stream: bool = False,
        **options: Unpack[PostOptions],
    ) -> RunObject | AsyncEventStream:
        """Create a run."""
        return await self.call(
            "createRun", thread_id, body=body, include=include, stream=stream, **options
        )

    def list_runs(
        self,
        thread_id: str,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        **options: Unpack[Options],
    ) -> AsyncListing[RunObject, ListRunsResponse]:
        """List runs."""
        return self.call(
            "listRuns", thread_id, limit=limit, order=order, after=after, before=before, **options
        )

    @overload
    async def get_run(
        self,
        thread_id: str,
        run_id: str,
        *,
        starting_after: int | None = None,
        stream: Literal[False] = False,
        **options: Unpack[Options],
    ) -> RunObject: ...
    @overload
    async def get_run(
        self,
        thread_id: str,
        run_id: str,
        *,
        starting_after: int | None = None,
        stream: Literal[True],
        **options: Unpack[Options],
    ) -> AsyncEventStream: ...
    async def get_run(
        self,
        thread_id: str,
        run_id: str,
        *,
        starting_after: int | None = None,
        stream: bool = False,
        **options: Unpack[Options],
    ) -> RunObject | AsyncEventStream:
        """Retrieve a run."""
        return await self.call(
            "getRun", thread_id, run_id, starting_after=starting_after, stream=stream, **options
        )

    async def modify_run(
        self,
        thread_id: str,
        run_id: str,
        *,
        body: ModifyRunRequest | Json,
        **options: Unpack[PostOptions],
    ) -> RunObject:
        """Modify a run."""
        return await self.call("modifyRun", thread_id, run_id, body=body, **options)

    async def cancel_run(
        self, thread_id: str, run_id: str, **options: Unpack[PostOptions]
    ) -> RunObject:
        """Cancel a run."""
        return await self.call("cancelRun", thread_id, run_id, **options)

    @overload
    async def submit_tool_ouputs_to_run(
        self,
        thread_id: str,
        run_id: str,
        *,
        body: SubmitToolOutputsRunRequest | Json,
        stream: Literal[False] = False,
        **options: Unpack[PostOptions],
    ) -> RunObject: ...
    @overload
    async def submit_tool_ouputs_to_run(
        self,
        thread_id: str,
        run_id: str,
        *,
        body: SubmitToolOutputsRunRequest | Json,
        stream: Literal[True],
        **options: Unpack[PostOptions],
    ) -> AsyncEventStream: ...
    async def submit_tool_ouputs_to_run(
        self,
        thread_id: str,
        run_id: str,
        *,
        body: SubmitToolOutputsRunRequest | Json,
        stream: bool = False,
        **options: Unpack[PostOptions],
    ) -> RunObject | AsyncEventStream:
        """Submit tool outputs."""
        return await self.call(
            "submitToolOuputsToRun", thread_id, run_id, body=body, stream=stream, **options
        )

    def list_run_steps(
        self,
        thread_id: str,
        run_id: str,
        *,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        after: str | None = None,
        before: str | None = None,
        include: list[str] | None = None,
        **options: Unpack[Options],
    ) -> AsyncListing[RunStepObject, ListRunStepsResponse]:
        """List run steps."""
        return self.call(
            "listRunSteps",
            thread_id,
            run_id,
            limit=limit,
            order=order,
            after=after,
            before=before,
            include=include,
            **options,
        )

    async def get_run_step(
        self,
        thread_id: str,
        run_id: str,
        step_id: str,
        *,
        include: list[str] | None = None,
        **options: Unpack[Options],
    ) -> RunStepObject:
        """Retrieve a run step."""
        return await self.call("getRunStep", thread_id, run_id, step_id, include=include, **options)

    def list_models(self, **options: Unpack[Options]) -> AsyncListing[Model, ListModelsResponse]:
        """List models."""
        return self.call("listModels", **options)

    async def retrieve_model(self, model: str, **options: Unpack[Options]) -> Model:
        """Retrieve a model."""
        return await self.call("retrieveModel", model, **options)

    async def get_health(self, **options: Unpack[Options]) -> Health:
        """Is the process alive?."""
        return await self.call("getHealth", **options)

    async def get_readiness(self, **options: Unpack[Options]) -> Health:
        """Can it serve?."""
        return await self.call("getReadiness", **options)

    async def get_open_api(
        self, *, version: Literal["3.0", "3.1"] | None = None, **options: Unpack[Options]
    ) -> dict[str, Any]:
        """Read the contract."""
        return await self.call("getOpenApi", version=version, **options)

    createThread = create_thread
    listThreads = list_threads
    getThread = get_thread
    modifyThread = modify_thread
    deleteThread = delete_thread
    createMessage = create_message
    listMessages = list_messages
    getMessage = get_message
    modifyMessage = modify_message
    deleteMessage = delete_message
    createAssistant = create_assistant
    listAssistants = list_assistants
    getAssistant = get_assistant
    modifyAssistant = modify_assistant
    deleteAssistant = delete_assistant
    createThreadAndRun = create_thread_and_run
    createRun = create_run
    listRuns = list_runs
    getRun = get_run
    modifyRun = modify_run
    cancelRun = cancel_run
    submitToolOuputsToRun = submit_tool_ouputs_to_run
    submit_tool_outputs_to_run = submit_tool_ouputs_to_run
    submitToolOutputsToRun = submit_tool_ouputs_to_run
    listRunSteps = list_run_steps
    getRunStep = get_run_step
    listModels = list_models
    retrieveModel = retrieve_model
    getHealth = get_health
    getReadiness = get_readiness
    getOpenApi = get_open_api

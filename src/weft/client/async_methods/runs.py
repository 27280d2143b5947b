"""The typed methods of `AsyncClient`: runs.

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
    from weft.wire.run_requests import (
        CreateRunRequest,
        CreateThreadAndRunRequest,
        ModifyRunRequest,
        SubmitToolOutputsRunRequest,
    )
    from weft.wire.runs import ListRunsResponse, ListRunStepsResponse, RunObject, RunStepObject

Json: TypeAlias = Mapping[str, Any]


class Runs:
    """A method for each operation."""

    if TYPE_CHECKING:

        def call(self, operation: str, /, *path: Any, **arguments: Any) -> Any:
            """Call an operation by its id."""

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

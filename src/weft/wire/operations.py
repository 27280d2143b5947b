"""The operations: what there is, where it stands, what it takes and gives.

The router, the OpenAPI document and the client are made from this table. The
names are the official operation ids; those that the real service never had are
marked `is_extension`.
"""

from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from weft.wire.assistants import (
    AssistantObject,
    CreateAssistantRequest,
    DeleteAssistantResponse,
    ListAssistantsResponse,
    ModifyAssistantRequest,
)
from weft.wire.body import Body
from weft.wire.messages import (
    CreateMessageRequest,
    ListMessagesQuery,
    ListMessagesResponse,
    MessageObject,
    ModifyMessageRequest,
    RestoreMessageRequest,
)
from weft.wire.models import ListModelsResponse, Model
from weft.wire.names import snake
from weft.wire.run_requests import (
    CreateRunRequest,
    CreateThreadAndRunRequest,
    FollowQuery,
    IncludeQuery,
    ListRunStepsQuery,
    ModifyRunRequest,
    SubmitToolOutputsRunRequest,
)
from weft.wire.runs import (
    ListRunsResponse,
    ListRunStepsResponse,
    RunObject,
    RunStepObject,
)
from weft.wire.shapes import ListQuery
from weft.wire.threads import (
    CreateThreadRequest,
    DeleteMessageResponse,
    DeleteThreadResponse,
    ListThreadsQuery,
    ListThreadsResponse,
    ModifyThreadRequest,
    RestoreThreadRequest,
    ThreadObject,
)

Method: TypeAlias = Literal["GET", "POST", "DELETE"]


class Operation(NamedTuple):
    """One operation. `path` is below the prefix (`/v1`); parameters stand in braces."""

    id: str
    method: Method
    path: str
    tag: str
    summary: str
    description: str
    response: type[msgspec.Struct]
    body: Body[Any, Any] | None = None
    query: type[msgspec.Struct] | None = None
    is_extension: bool = False
    is_streamed: bool = False  # the client may ask for events instead

    @property
    def function_name(self) -> str:
        """The operation id in snake case: the name of the function that does it."""
        return snake(self.id)


# What each path parameter begins with, and how errors name the object.
PATH_IDS = {
    "assistant_id": "asst",
    "thread_id": "thread",
    "message_id": "msg",
    "run_id": "run",
    "step_id": "step",
}

TABLE: tuple[Operation, ...] = (
    Operation(
        "createThread",
        "POST",
        "/threads",
        "Threads",
        "Create a thread",
        "Starts a conversation, with its first messages if there are any: all of it is stored, "
        "or nothing. A body with an `id` restores a thread that was exported elsewhere.",
        ThreadObject,
        Body(CreateThreadRequest, restore=RestoreThreadRequest, required=False),
    ),
    Operation(
        "listThreads",
        "GET",
        "/threads",
        "Threads",
        "List threads",
        "Pages through the threads of the project, or finds those that have certain metadata: "
        "`?metadata[user]=u1&metadata[state]=open`.",
        ListThreadsResponse,
        query=ListThreadsQuery,
        is_extension=True,
    ),
    Operation(
        "getThread",
        "GET",
        "/threads/{thread_id}",
        "Threads",
        "Retrieve a thread",
        "Reads a thread.",
        ThreadObject,
    ),
    Operation(
        "modifyThread",
        "POST",
        "/threads/{thread_id}",
        "Threads",
        "Modify a thread",
        "Adds or overwrites metadata and replaces tool resources; what is not sent stays.",
        ThreadObject,
        Body(ModifyThreadRequest),
    ),
    Operation(
        "deleteThread",
        "DELETE",
        "/threads/{thread_id}",
        "Threads",
        "Delete a thread",
        "Removes a thread and everything under it; it is gone for readers at once.",
        DeleteThreadResponse,
    ),
    Operation(
        "createMessage",
        "POST",
        "/threads/{thread_id}/messages",
        "Messages",
        "Create a message",
        "Appends a message to a thread. A body with an `id` restores a message that was "
        "exported elsewhere, at its own date.",
        MessageObject,
        Body(CreateMessageRequest, restore=RestoreMessageRequest),
    ),
    Operation(
        "listMessages",
        "GET",
        "/threads/{thread_id}/messages",
        "Messages",
        "List messages",
        "Pages through the messages of a thread.",
        ListMessagesResponse,
        query=ListMessagesQuery,
    ),
    Operation(
        "getMessage",
        "GET",
        "/threads/{thread_id}/messages/{message_id}",
        "Messages",
        "Retrieve a message",
        "Reads a message.",
        MessageObject,
    ),
    Operation(
        "modifyMessage",
        "POST",
        "/threads/{thread_id}/messages/{message_id}",
        "Messages",
        "Modify a message",
        "Adds or overwrites metadata.",
        MessageObject,
        Body(ModifyMessageRequest),
    ),
    Operation(
        "deleteMessage",
        "DELETE",
        "/threads/{thread_id}/messages/{message_id}",
        "Messages",
        "Delete a message",
        "Removes a message from its thread.",
        DeleteMessageResponse,
    ),
    Operation(
        "createAssistant",
        "POST",
        "/assistants",
        "Assistants",
        "Create an assistant",
        "Makes an assistant of a model, instructions and tools.",
        AssistantObject,
        Body(CreateAssistantRequest),
    ),
    Operation(
        "listAssistants",
        "GET",
        "/assistants",
        "Assistants",
        "List assistants",
        "Pages through the assistants of the project.",
        ListAssistantsResponse,
        query=ListQuery,
    ),
    Operation(
        "getAssistant",
        "GET",
        "/assistants/{assistant_id}",
        "Assistants",
        "Retrieve an assistant",
        "Reads an assistant.",
        AssistantObject,
    ),
    Operation(
        "modifyAssistant",
        "POST",
        "/assistants/{assistant_id}",
        "Assistants",
        "Modify an assistant",
        "Changes what is sent; null resets a field to its default.",
        AssistantObject,
        Body(ModifyAssistantRequest),
    ),
    Operation(
        "deleteAssistant",
        "DELETE",
        "/assistants/{assistant_id}",
        "Assistants",
        "Delete an assistant",
        "Removes an assistant; its threads and runs remain.",
        DeleteAssistantResponse,
    ),
    Operation(
        "createThreadAndRun",
        "POST",
        "/threads/runs",
        "Runs",
        "Create a thread and run it",
        "Makes a thread with its first messages and queues a run on it: both, or nothing.",
        RunObject,
        Body(CreateThreadAndRunRequest),
        is_streamed=True,
    ),
    Operation(
        "createRun",
        "POST",
        "/threads/{thread_id}/runs",
        "Runs",
        "Create a run",
        "Has an assistant answer in a thread. The answer is the queued run; with `stream` it is "
        "the run's events as they happen.",
        RunObject,
        Body(CreateRunRequest),
        query=IncludeQuery,
        is_streamed=True,
    ),
    Operation(
        "listRuns",
        "GET",
        "/threads/{thread_id}/runs",
        "Runs",
        "List runs",
        "Pages through the runs of a thread.",
        ListRunsResponse,
        query=ListQuery,
    ),
    Operation(
        "getRun",
        "GET",
        "/threads/{thread_id}/runs/{run_id}",
        "Runs",
        "Retrieve a run",
        "Reads a run. With `?stream=true` it replays the run's events and follows them to where "
        "the run rests; `starting_after` or a `Last-Event-ID` header goes on behind an event.",
        RunObject,
        query=FollowQuery,
        is_streamed=True,
    ),
    Operation(
        "modifyRun",
        "POST",
        "/threads/{thread_id}/runs/{run_id}",
        "Runs",
        "Modify a run",
        "Adds or overwrites metadata of a run at rest.",
        RunObject,
        Body(ModifyRunRequest),
    ),
    Operation(
        "cancelRun",
        "POST",
        "/threads/{thread_id}/runs/{run_id}/cancel",
        "Runs",
        "Cancel a run",
        "Ends a run, also in the middle of an answer; what was written of it stays.",
        RunObject,
    ),
    Operation(
        "submitToolOuputsToRun",
        "POST",
        "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        "Runs",
        "Submit tool outputs",
        "Hands in what the functions returned that a run waits for: all of them at once.",
        RunObject,
        Body(SubmitToolOutputsRunRequest),
        is_streamed=True,
    ),
    Operation(
        "listRunSteps",
        "GET",
        "/threads/{thread_id}/runs/{run_id}/steps",
        "Runs",
        "List run steps",
        "Pages through the steps of a run.",
        ListRunStepsResponse,
        query=ListRunStepsQuery,
    ),
    Operation(
        "getRunStep",
        "GET",
        "/threads/{thread_id}/runs/{run_id}/steps/{step_id}",
        "Runs",
        "Retrieve a run step",
        "Reads a step of a run.",
        RunStepObject,
        query=IncludeQuery,
    ),
    Operation(
        "listModels",
        "GET",
        "/models",
        "Models",
        "List models",
        "The names of the configured models.",
        ListModelsResponse,
    ),
    Operation(
        "retrieveModel",
        "GET",
        "/models/{model}",
        "Models",
        "Retrieve a model",
        "One configured model.",
        Model,
    ),
)

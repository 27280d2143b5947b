"""What the official document says of threads, messages and assistants: names, no text.

`test_document` holds our own document against these tables. A property is written as the
path to it: `content[].text.value` is the value of the text of each item of the content.
"""

from collections.abc import Mapping
from typing import NamedTuple


class OfficialOperation(NamedTuple):
    """An operation: where it stands and what it takes and gives, by name."""

    id: str
    method: str
    path: str
    path_parameters: tuple[str, ...]
    query_parameters: tuple[str, ...]
    request: str | None
    response: str | None


class OfficialSchema(NamedTuple):
    """A schema: the properties that it requires, and all that can be reached from it."""

    required: frozenset[str]
    properties: frozenset[str]


PAGING = ("limit", "order", "after", "before")

OPERATIONS = (
    OfficialOperation(
        "listAssistants", "GET", "/assistants", (), PAGING, None, "ListAssistantsResponse"
    ),
    OfficialOperation(
        "createAssistant",
        "POST",
        "/assistants",
        (),
        (),
        "CreateAssistantRequest",
        "AssistantObject",
    ),
    OfficialOperation(
        "getAssistant",
        "GET",
        "/assistants/{assistant_id}",
        ("assistant_id",),
        (),
        None,
        "AssistantObject",
    ),
    OfficialOperation(
        "modifyAssistant",
        "POST",
        "/assistants/{assistant_id}",
        ("assistant_id",),
        (),
        "ModifyAssistantRequest",
        "AssistantObject",
    ),
    OfficialOperation(
        "deleteAssistant",
        "DELETE",
        "/assistants/{assistant_id}",
        ("assistant_id",),
        (),
        None,
        "DeleteAssistantResponse",
    ),
    OfficialOperation(
        "createThread", "POST", "/threads", (), (), "CreateThreadRequest", "ThreadObject"
    ),
    OfficialOperation(
        "getThread", "GET", "/threads/{thread_id}", ("thread_id",), (), None, "ThreadObject"
    ),
    OfficialOperation(
        "modifyThread",
        "POST",
        "/threads/{thread_id}",
        ("thread_id",),
        (),
        "ModifyThreadRequest",
        "ThreadObject",
    ),
    OfficialOperation(
        "deleteThread",
        "DELETE",
        "/threads/{thread_id}",
        ("thread_id",),
        (),
        None,
        "DeleteThreadResponse",
    ),
    OfficialOperation(
        "listMessages",
        "GET",
        "/threads/{thread_id}/messages",
        ("thread_id",),
        (*PAGING, "run_id"),
        None,
        "ListMessagesResponse",
    ),
    OfficialOperation(
        "createMessage",
        "POST",
        "/threads/{thread_id}/messages",
        ("thread_id",),
        (),
        "CreateMessageRequest",
        "MessageObject",
    ),
    OfficialOperation(
        "getMessage",
        "GET",
        "/threads/{thread_id}/messages/{message_id}",
        ("thread_id", "message_id"),
        (),
        None,
        "MessageObject",
    ),
    OfficialOperation(
        "modifyMessage",
        "POST",
        "/threads/{thread_id}/messages/{message_id}",
        ("thread_id", "message_id"),
        (),
        "ModifyMessageRequest",
        "MessageObject",
    ),
    OfficialOperation(
        "deleteMessage",
        "DELETE",
        "/threads/{thread_id}/messages/{message_id}",
        ("thread_id", "message_id"),
        (),
        None,
        "DeleteMessageResponse",
    ),
)


def schema(
    required: str, properties: str, *, within: Mapping[str, OfficialSchema] | None = None
) -> OfficialSchema:
    """Return a schema from words; `within` are properties that are of a schema themselves."""
    names = set(properties.split())
    for name, inner in (within or {}).items():
        names |= {f"{name}.{each}" for each in inner.properties}
    return OfficialSchema(frozenset(required.split()), frozenset(names))


def page_of(item: OfficialSchema) -> OfficialSchema:
    """Return the schema of a page of objects."""
    names = frozenset({"object", "data", "first_id", "last_id", "has_more"})
    return OfficialSchema(names, names | {f"data[].{name}" for name in item.properties})


_SCHEMAS = {
    "AssistantObject": schema(
        "id object created_at name description model instructions tools metadata",
        """
        created_at description id instructions metadata model name object response_format
        response_format.json_schema response_format.json_schema.description
        response_format.json_schema.name response_format.json_schema.schema
        response_format.json_schema.strict response_format.type temperature tool_resources
        tool_resources.code_interpreter tool_resources.code_interpreter.file_ids
        tool_resources.file_search tool_resources.file_search.vector_store_ids tools
        tools[].file_search tools[].file_search.max_num_results
        tools[].file_search.ranking_options tools[].file_search.ranking_options.ranker
        tools[].file_search.ranking_options.score_threshold tools[].function
        tools[].function.description tools[].function.name tools[].function.parameters
        tools[].function.strict tools[].type top_p
        """,
    ),
    "CreateAssistantRequest": schema(
        "model",
        """
        description instructions metadata model name reasoning_effort response_format
        response_format.json_schema response_format.json_schema.description
        response_format.json_schema.name response_format.json_schema.schema
        response_format.json_schema.strict response_format.type temperature tool_resources
        tool_resources.code_interpreter tool_resources.code_interpreter.file_ids
        tool_resources.file_search tool_resources.file_search.vector_store_ids
        tool_resources.file_search.vector_stores
        tool_resources.file_search.vector_stores[].chunking_strategy
        tool_resources.file_search.vector_stores[].chunking_strategy.static
        tool_resources.file_search.vector_stores[].chunking_strategy.static.chunk_overlap_tokens
        tool_resources.file_search.vector_stores[].chunking_strategy.static.max_chunk_size_tokens
        tool_resources.file_search.vector_stores[].chunking_strategy.type
        tool_resources.file_search.vector_stores[].file_ids
        tool_resources.file_search.vector_stores[].metadata tools tools[].file_search
        tools[].file_search.max_num_results tools[].file_search.ranking_options
        tools[].file_search.ranking_options.ranker
        tools[].file_search.ranking_options.score_threshold tools[].function
        tools[].function.description tools[].function.name tools[].function.parameters
        tools[].function.strict tools[].type top_p
        """,
    ),
    "CreateMessageRequest": schema(
        "role content",
        """
        attachments attachments[].file_id attachments[].tools attachments[].tools[].type
        content content[].image_file content[].image_file.detail content[].image_file.file_id
        content[].image_url content[].image_url.detail content[].image_url.url content[].text
        content[].type metadata role
        """,
    ),
    "CreateThreadRequest": schema(
        "",
        """
        messages messages[].attachments messages[].attachments[].file_id
        messages[].attachments[].tools messages[].attachments[].tools[].type
        messages[].content messages[].content[].image_file
        messages[].content[].image_file.detail messages[].content[].image_file.file_id
        messages[].content[].image_url messages[].content[].image_url.detail
        messages[].content[].image_url.url messages[].content[].text messages[].content[].type
        messages[].metadata messages[].role metadata tool_resources
        tool_resources.code_interpreter tool_resources.code_interpreter.file_ids
        tool_resources.file_search tool_resources.file_search.vector_store_ids
        tool_resources.file_search.vector_stores
        tool_resources.file_search.vector_stores[].chunking_strategy
        tool_resources.file_search.vector_stores[].chunking_strategy.static
        tool_resources.file_search.vector_stores[].chunking_strategy.static.chunk_overlap_tokens
        tool_resources.file_search.vector_stores[].chunking_strategy.static.max_chunk_size_tokens
        tool_resources.file_search.vector_stores[].chunking_strategy.type
        tool_resources.file_search.vector_stores[].file_ids
        tool_resources.file_search.vector_stores[].metadata
        """,
    ),
    "DeleteAssistantResponse": schema(
        "id object deleted",
        """
        deleted id object
        """,
    ),
    "DeleteMessageResponse": schema(
        "id object deleted",
        """
        deleted id object
        """,
    ),
    "DeleteThreadResponse": schema(
        "id object deleted",
        """
        deleted id object
        """,
    ),
    "MessageObject": schema(
        """
        id object created_at thread_id status incomplete_details completed_at incomplete_at
        role content assistant_id run_id attachments metadata
        """,
        """
        assistant_id attachments attachments[].file_id attachments[].tools
        attachments[].tools[].type completed_at content content[].image_file
        content[].image_file.detail content[].image_file.file_id content[].image_url
        content[].image_url.detail content[].image_url.url content[].refusal content[].text
        content[].text.annotations content[].text.annotations[].end_index
        content[].text.annotations[].file_citation
        content[].text.annotations[].file_citation.file_id
        content[].text.annotations[].file_path content[].text.annotations[].file_path.file_id
        content[].text.annotations[].start_index content[].text.annotations[].text
        content[].text.annotations[].type content[].text.value content[].type created_at id
        incomplete_at incomplete_details incomplete_details.reason metadata object role run_id
        status thread_id
        """,
    ),
    "ModifyAssistantRequest": schema(
        "",
        """
        description instructions metadata model name reasoning_effort response_format
        response_format.json_schema response_format.json_schema.description
        response_format.json_schema.name response_format.json_schema.schema
        response_format.json_schema.strict response_format.type temperature tool_resources
        tool_resources.code_interpreter tool_resources.code_interpreter.file_ids
        tool_resources.file_search tool_resources.file_search.vector_store_ids tools
        tools[].file_search tools[].file_search.max_num_results
        tools[].file_search.ranking_options tools[].file_search.ranking_options.ranker
        tools[].file_search.ranking_options.score_threshold tools[].function
        tools[].function.description tools[].function.name tools[].function.parameters
        tools[].function.strict tools[].type top_p
        """,
    ),
    "ModifyMessageRequest": schema(
        "",
        """
        metadata
        """,
    ),
    "ModifyThreadRequest": schema(
        "",
        """
        metadata tool_resources tool_resources.code_interpreter
        tool_resources.code_interpreter.file_ids tool_resources.file_search
        tool_resources.file_search.vector_store_ids
        """,
    ),
    "ThreadObject": schema(
        "id object created_at tool_resources metadata",
        """
        created_at id metadata object tool_resources tool_resources.code_interpreter
        tool_resources.code_interpreter.file_ids tool_resources.file_search
        tool_resources.file_search.vector_store_ids
        """,
    ),
}

SCHEMAS = {
    **_SCHEMAS,
    "ListAssistantsResponse": page_of(_SCHEMAS["AssistantObject"]),
    "ListMessagesResponse": page_of(_SCHEMAS["MessageObject"]),
}

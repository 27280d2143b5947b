"""What the official document says of vector stores: names, no text."""

from tests.contract.official import PAGING, OfficialOperation, page_of, schema

_STORE = ("vector_store_id",)

OPERATIONS = (
    OfficialOperation(
        "listVectorStores", "GET", "/vector_stores", (), PAGING, None, "ListVectorStoresResponse"
    ),
    OfficialOperation(
        "createVectorStore",
        "POST",
        "/vector_stores",
        (),
        (),
        "CreateVectorStoreRequest",
        "VectorStoreObject",
    ),
    OfficialOperation(
        "getVectorStore",
        "GET",
        "/vector_stores/{vector_store_id}",
        _STORE,
        (),
        None,
        "VectorStoreObject",
    ),
    OfficialOperation(
        "modifyVectorStore",
        "POST",
        "/vector_stores/{vector_store_id}",
        _STORE,
        (),
        "UpdateVectorStoreRequest",
        "VectorStoreObject",
    ),
    OfficialOperation(
        "deleteVectorStore",
        "DELETE",
        "/vector_stores/{vector_store_id}",
        _STORE,
        (),
        None,
        "DeleteVectorStoreResponse",
    ),
    OfficialOperation(
        "createVectorStoreFileBatch",
        "POST",
        "/vector_stores/{vector_store_id}/file_batches",
        _STORE,
        (),
        "CreateVectorStoreFileBatchRequest",
        "VectorStoreFileBatchObject",
    ),
    OfficialOperation(
        "getVectorStoreFileBatch",
        "GET",
        "/vector_stores/{vector_store_id}/file_batches/{batch_id}",
        ("vector_store_id", "batch_id"),
        (),
        None,
        "VectorStoreFileBatchObject",
    ),
    OfficialOperation(
        "cancelVectorStoreFileBatch",
        "POST",
        "/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
        ("vector_store_id", "batch_id"),
        (),
        None,
        "VectorStoreFileBatchObject",
    ),
    OfficialOperation(
        "listFilesInVectorStoreBatch",
        "GET",
        "/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
        ("vector_store_id", "batch_id"),
        (*PAGING, "filter"),
        None,
        "ListVectorStoreFilesResponse",
    ),
    OfficialOperation(
        "listVectorStoreFiles",
        "GET",
        "/vector_stores/{vector_store_id}/files",
        _STORE,
        (*PAGING, "filter"),
        None,
        "ListVectorStoreFilesResponse",
    ),
    OfficialOperation(
        "createVectorStoreFile",
        "POST",
        "/vector_stores/{vector_store_id}/files",
        _STORE,
        (),
        "CreateVectorStoreFileRequest",
        "VectorStoreFileObject",
    ),
    OfficialOperation(
        "getVectorStoreFile",
        "GET",
        "/vector_stores/{vector_store_id}/files/{file_id}",
        ("vector_store_id", "file_id"),
        (),
        None,
        "VectorStoreFileObject",
    ),
    OfficialOperation(
        "updateVectorStoreFileAttributes",
        "POST",
        "/vector_stores/{vector_store_id}/files/{file_id}",
        ("vector_store_id", "file_id"),
        (),
        "UpdateVectorStoreFileAttributesRequest",
        "VectorStoreFileObject",
    ),
    OfficialOperation(
        "deleteVectorStoreFile",
        "DELETE",
        "/vector_stores/{vector_store_id}/files/{file_id}",
        ("vector_store_id", "file_id"),
        (),
        None,
        "DeleteVectorStoreFileResponse",
    ),
    OfficialOperation(
        "retrieveVectorStoreFileContent",
        "GET",
        "/vector_stores/{vector_store_id}/files/{file_id}/content",
        ("vector_store_id", "file_id"),
        (),
        None,
        "VectorStoreFileContentResponse",
    ),
    OfficialOperation(
        "searchVectorStore",
        "POST",
        "/vector_stores/{vector_store_id}/search",
        _STORE,
        (),
        "VectorStoreSearchRequest",
        "VectorStoreSearchResultsPage",
    ),
)

# Conditions stand within conditions without end; the comparison of documents goes so deep.
_FILTERS = [
    ".".join(["filters", *["filters[]"] * depth, name])
    for depth in range(7)
    for name in ("type", "key", "value", "filters")
]

_SCHEMAS = {
    "CreateVectorStoreFileBatchRequest": schema(
        "",
        """
        attributes chunking_strategy chunking_strategy.static
        chunking_strategy.static.chunk_overlap_tokens
        chunking_strategy.static.max_chunk_size_tokens chunking_strategy.type file_ids
        files files[].attributes files[].chunking_strategy
        files[].chunking_strategy.static
        files[].chunking_strategy.static.chunk_overlap_tokens
        files[].chunking_strategy.static.max_chunk_size_tokens
        files[].chunking_strategy.type files[].file_id
        """,
    ),
    "CreateVectorStoreFileRequest": schema(
        "file_id",
        """
        attributes chunking_strategy chunking_strategy.static
        chunking_strategy.static.chunk_overlap_tokens
        chunking_strategy.static.max_chunk_size_tokens chunking_strategy.type file_id
        """,
    ),
    "CreateVectorStoreRequest": schema(
        "",
        """
        chunking_strategy chunking_strategy.static
        chunking_strategy.static.chunk_overlap_tokens
        chunking_strategy.static.max_chunk_size_tokens chunking_strategy.type
        description expires_after expires_after.anchor expires_after.days file_ids
        metadata name
        """,
    ),
    "DeleteVectorStoreFileResponse": schema(
        "object deleted id",
        """
        deleted id object
        """,
    ),
    "DeleteVectorStoreResponse": schema(
        "object deleted id",
        """
        deleted id object
        """,
    ),
    "UpdateVectorStoreFileAttributesRequest": schema(
        "attributes",
        """
        attributes
        """,
    ),
    "UpdateVectorStoreRequest": schema(
        "",
        """
        expires_after expires_after.anchor expires_after.days metadata name
        """,
    ),
    "VectorStoreFileBatchObject": schema(
        "object status created_at vector_store_id file_counts id",
        """
        created_at file_counts file_counts.cancelled file_counts.completed
        file_counts.failed file_counts.in_progress file_counts.total id object status
        vector_store_id
        """,
    ),
    "VectorStoreFileContentResponse": schema(
        "object next_page has_more data",
        """
        data data[].text data[].type has_more next_page object
        """,
    ),
    "VectorStoreFileObject": schema(
        "object status created_at last_error usage_bytes vector_store_id id",
        """
        attributes chunking_strategy chunking_strategy.static
        chunking_strategy.static.chunk_overlap_tokens
        chunking_strategy.static.max_chunk_size_tokens chunking_strategy.type created_at
        id last_error last_error.code last_error.message object status usage_bytes
        vector_store_id
        """,
    ),
    "VectorStoreObject": schema(
        "object name status created_at metadata last_active_at usage_bytes file_counts id",
        """
        created_at expires_after expires_after.anchor expires_after.days expires_at
        file_counts file_counts.cancelled file_counts.completed file_counts.failed
        file_counts.in_progress file_counts.total id last_active_at metadata name object
        status usage_bytes
        """,
    ),
    "VectorStoreSearchResultsPage": schema(
        "object has_more search_query next_page data",
        """
        data data[].attributes data[].content data[].content[].text
        data[].content[].type data[].file_id data[].filename data[].score has_more
        next_page object search_query
        """,
    ),
    "VectorStoreSearchRequest": schema(
        "query",
        """
        filters max_num_results query ranking_options ranking_options.ranker
        ranking_options.score_threshold rewrite_query
        """
        + " ".join(_FILTERS),
    ),
}

SCHEMAS = {
    **_SCHEMAS,
    "ListVectorStoresResponse": page_of(_SCHEMAS["VectorStoreObject"]),
    "ListVectorStoreFilesResponse": page_of(_SCHEMAS["VectorStoreFileObject"]),
}

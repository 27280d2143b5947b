"""The part of the story in `examples` that is about vector stores: behind that about files."""

from typing import Any

from weft.wire.example_objects import (
    BATCH_ID,
    NEWEST,
    VECTOR_STORE_ID,
    Example,
    a_page,
    deleted,
)
from weft.wire.file_examples import MADE_ID, PATTERN

_ATTRIBUTES = {"topic": "weaving"}
_TEXT = PATTERN.strip()
_COUNTS = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
_ON_FILE = (("file_id", MADE_ID),)


def _a_store(files: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": VECTOR_STORE_ID,
        "object": "vector_store",
        "created_at": NEWEST,
        "name": "Patterns",
        "description": None,
        "usage_bytes": len(_TEXT) * files,
        "file_counts": {**_COUNTS, "completed": files, "total": files},
        "status": "completed",
        "expires_after": None,
        "expires_at": None,
        "last_active_at": NEWEST,
        "metadata": {},
        **more,
    }


def _a_file(status: str = "completed", attributes: dict[str, str] = _ATTRIBUTES) -> dict[str, Any]:
    return {
        "id": MADE_ID,
        "object": "vector_store.file",
        "usage_bytes": len(_TEXT) if status == "completed" else 0,
        "created_at": NEWEST,
        "vector_store_id": VECTOR_STORE_ID,
        "status": status,
        "last_error": None,
        "chunking_strategy": {
            "type": "static",
            "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
        "attributes": attributes,
    }


def _a_batch(status: str) -> dict[str, Any]:
    return {
        "id": BATCH_ID,
        "object": "vector_store.file_batch",
        "created_at": NEWEST,
        "status": status,
        "vector_store_id": VECTOR_STORE_ID,
        "file_counts": {**_COUNTS, status: 1, "total": 1},
    }


VECTOR_STORE_EXAMPLES: tuple[Example, ...] = (
    Example("createVectorStore", "create", "An empty store", _a_store(), {"name": "Patterns"}),
    Example(
        "createVectorStoreFile",
        "add",
        "Put a file into it",
        _a_file("in_progress"),
        {"file_id": MADE_ID, "attributes": _ATTRIBUTES},
    ),
    Example("getVectorStoreFile", "file", "The file is indexed", _a_file(), other_ids=_ON_FILE),
    Example("listVectorStoreFiles", "page", "The files of the store", a_page(_a_file())),
    Example("getVectorStore", "store", "The store with its file", _a_store(1)),
    Example("listVectorStores", "page", "The newest store", a_page(_a_store(1))),
    Example(
        "searchVectorStore",
        "search",
        "Ask for a passage",
        {
            "object": "vector_store.search_results.page",
            "search_query": ["What is a twill?"],
            "data": [
                {
                    "file_id": MADE_ID,
                    "filename": "patterns.txt",
                    "score": 0.625,
                    "attributes": _ATTRIBUTES,
                    "content": [{"type": "text", "text": _TEXT}],
                }
            ],
            "has_more": False,
            "next_page": None,
        },
        {
            "query": "What is a twill?",
            "max_num_results": 3,
            "filters": {"type": "eq", "key": "topic", "value": "weaving"},
        },
    ),
    Example(
        "retrieveVectorStoreFileContent",
        "content",
        "Its text",
        {
            "object": "vector_store.file_content.page",
            "data": [{"type": "text", "text": _TEXT}],
            "has_more": False,
            "next_page": None,
        },
        other_ids=_ON_FILE,
    ),
    Example(
        "updateVectorStoreFileAttributes",
        "attributes",
        "Other attributes",
        _a_file(attributes={"topic": "twill"}),
        {"attributes": {"topic": "twill"}},
        other_ids=_ON_FILE,
    ),
    Example(
        "modifyVectorStore",
        "expiry",
        "Let it go when nobody has used it for a week",
        _a_store(
            1,
            expires_after={"anchor": "last_active_at", "days": 7},
            expires_at=NEWEST + 7 * 86400,
        ),
        {"expires_after": {"anchor": "last_active_at", "days": 7}},
    ),
    Example(
        "deleteVectorStoreFile",
        "deleted",
        "Take the file out",
        deleted(MADE_ID, "vector_store.file"),
        other_ids=_ON_FILE,
    ),
    Example(
        "createVectorStoreFileBatch",
        "add",
        "Put files into it at once",
        _a_batch("in_progress"),
        {"file_ids": [MADE_ID]},
    ),
    Example("getVectorStoreFileBatch", "batch", "All are indexed", _a_batch("completed")),
    Example(
        "listFilesInVectorStoreBatch",
        "page",
        "The files of the batch",
        a_page(_a_file(attributes={})),
    ),
    Example(
        "cancelVectorStoreFileBatch",
        "cancel",
        "There is nothing left to cancel",
        _a_batch("completed"),
    ),
    Example(
        "deleteVectorStore",
        "deleted",
        "The store is gone",
        deleted(VECTOR_STORE_ID, "vector_store"),
    ),
)

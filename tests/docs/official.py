"""The operations of the real service, as its own document listed them."""

import json
from pathlib import Path

OPERATIONS = frozenset(
    """
GET /assistants
POST /assistants
GET /assistants/{assistant_id}
POST /assistants/{assistant_id}
DELETE /assistants/{assistant_id}
POST /threads
POST /threads/runs
GET /threads/{thread_id}
POST /threads/{thread_id}
DELETE /threads/{thread_id}
GET /threads/{thread_id}/messages
POST /threads/{thread_id}/messages
GET /threads/{thread_id}/messages/{message_id}
POST /threads/{thread_id}/messages/{message_id}
DELETE /threads/{thread_id}/messages/{message_id}
GET /threads/{thread_id}/runs
POST /threads/{thread_id}/runs
GET /threads/{thread_id}/runs/{run_id}
POST /threads/{thread_id}/runs/{run_id}
POST /threads/{thread_id}/runs/{run_id}/cancel
GET /threads/{thread_id}/runs/{run_id}/steps
GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}
POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs
GET /files
POST /files
DELETE /files/{file_id}
GET /files/{file_id}
GET /files/{file_id}/content
POST /uploads
POST /uploads/{upload_id}/cancel
POST /uploads/{upload_id}/complete
POST /uploads/{upload_id}/parts
GET /vector_stores
POST /vector_stores
GET /vector_stores/{vector_store_id}
POST /vector_stores/{vector_store_id}
DELETE /vector_stores/{vector_store_id}
POST /vector_stores/{vector_store_id}/file_batches
GET /vector_stores/{vector_store_id}/file_batches/{batch_id}
POST /vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel
GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files
GET /vector_stores/{vector_store_id}/files
POST /vector_stores/{vector_store_id}/files
GET /vector_stores/{vector_store_id}/files/{file_id}
DELETE /vector_stores/{vector_store_id}/files/{file_id}
POST /vector_stores/{vector_store_id}/files/{file_id}
GET /vector_stores/{vector_store_id}/files/{file_id}/content
POST /vector_stores/{vector_store_id}/search
GET /models
GET /models/{model}
DELETE /models/{model}
POST /conversations/{conversation_id}/items
GET /conversations/{conversation_id}/items
GET /conversations/{conversation_id}/items/{item_id}
DELETE /conversations/{conversation_id}/items/{item_id}
POST /conversations
GET /conversations/{conversation_id}
DELETE /conversations/{conversation_id}
POST /conversations/{conversation_id}
""".strip().splitlines()
)


def operations_of(document: Path) -> frozenset[str]:
    """Return the operations of an OpenAPI document, as `METHOD /path`."""
    methods = {"get", "post", "delete", "put", "patch"}
    paths = json.loads(document.read_text(encoding="utf-8"))["paths"]
    return frozenset(
        f"{method.upper()} {path}"
        for path, item in paths.items()
        for method in methods.intersection(item)
    )

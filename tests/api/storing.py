"""Uploading files, filling vector stores, and waiting until what is in them can be found."""

import time
from typing import Any

from tests.harness import Api

PATIENCE_S = 240.0
QUIETLY_S = 0.02  # between two looks: the process that reads files is nice, and needs the CPU too


def a_file(api: Api, text: str | bytes = "A loom holds the warp.", name: str = "looms.txt") -> str:
    """Upload a file and return its id."""
    data = text.encode() if isinstance(text, str) else text
    answer = api.http.post(
        f"{api.prefix}/files", data={"purpose": "assistants"}, files={"file": (name, data)}
    )
    assert answer.status_code == 200, answer.text
    made: str = answer.json()["id"]
    return made


def a_store(api: Api, *file_ids: str, **body: Any) -> str:
    """Make a vector store with some files and return its id; the files may not be indexed yet."""
    made: str = api.ok("POST", "/vector_stores", {"file_ids": list(file_ids), **body})["id"]
    return made


def an_indexed_store(api: Api, *file_ids: str, **body: Any) -> str:
    """Make a vector store whose files are indexed, and return its id."""
    store = a_store(api, *file_ids, **body)
    wait_for_index(api, store)
    return store


def wait_for_index(api: Api, store: str) -> Any:
    """Return a store as it is once nothing is being indexed in it."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        answer = api.http.get(f"{api.prefix}/vector_stores/{store}")
        if answer.status_code != 200 or not answer.json()["file_counts"]["in_progress"]:
            return answer.json()
        assert time.monotonic() < give_up_at, f"not indexed in time: {answer.text}"
        time.sleep(QUIETLY_S)


def found(api: Api, store: str, query: str | list[str], **body: Any) -> list[Any]:
    """Search a store, and return the results."""
    results: list[Any] = api.ok("POST", f"/vector_stores/{store}/search", {"query": query, **body})[
        "data"
    ]
    return results


def file_in(api: Api, store: str, file_id: str) -> Any:
    """Return a file as it is in a store."""
    return api.ok("GET", f"/vector_stores/{store}/files/{file_id}")


def counts(**some: int) -> dict[str, int]:
    """Return file counts of which only some are not 0."""
    names = ("in_progress", "completed", "failed", "cancelled")
    return {**dict.fromkeys(names, 0), **some, "total": sum(some.values())}

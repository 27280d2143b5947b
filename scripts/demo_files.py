"""The third act of the demo: files come with a question, are searched, and the answer cites."""

from typing import TYPE_CHECKING, Any

from demo_stage import AN_INSTANT, Demo, Like, Wrong

if TYPE_CHECKING:
    from weft import Event

DYES = "Madder dyes wool a warm red.\nSoak its roots overnight, and never let them boil."
LOOMS = "The warp is held tight on the loom. The shuttle carries the weft to and fro."
QUESTION = "Which plant dyes wool red?"
MARK = "【1:0†dyes.md】"
# What the demo model makes of the passage that it found.
ANSWER = (
    f"In the files I found: “{' '.join(DYES.split())}”{MARK}. "
    "I am Weft's demo model: I only repeat what the functions told me."
)
CITED_AT = ANSWER.index(MARK)
FILE_SEARCH = {
    "type": "file_search",
    "file_search": {
        "ranking_options": {
            "score_threshold": 0.0,
            "ranker": "default_2024_08_21",
            "hybrid_search": None,
        }
    },
}
TO_SEARCH = {"type": "file_search"}
# Otherwise steps say which files were found, and not what stands in them.
WITH_CONTENT = ["step_details.tool_calls[*].file_search.results[*].content"]
A_STORE = Like(r"vs_[A-Za-z0-9]{24}")
A_SCORE = float  # from 0 to 1
EVENTS = [
    "thread.created",
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.run.step.delta",
    "thread.run.step.completed",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.completed",
]


def tell_files(demo: Demo) -> None:
    """Attach two files, have the right one searched and cited, and take it away again."""
    dyes_id = _upload(demo, "Upload a file", "dyes.md", DYES)
    looms_id = _upload(demo, "Upload another one", "looms.txt", LOOMS)
    assistant_id = _make_assistant(demo)
    heard = _ask(demo, assistant_id, [dyes_id, looms_id])
    _read_the_search(demo, heard, dyes_id)
    _read_the_citation(demo, heard, dyes_id)
    store_id = _look_into_the_store(demo, heard)
    _search(demo, "Search it without a run", store_id, [_result(dyes_id)])
    _delete(demo, dyes_id)
    _search(demo, "Nothing of it is found any more", store_id, [])


def _upload(demo: Demo, title: str, name: str, text: str) -> str:
    content = text.encode()
    made = demo.step(
        title,
        "create_file",
        body={"purpose": "assistants", "file": (name, content)},
        expected={
            "object": "file",
            "id": Like(r"file-[A-Za-z0-9]{24}"),
            "purpose": "assistants",
            "filename": name,
            "bytes": len(content),
            "created_at": AN_INSTANT,
            "expires_at": None,
            "status": "processed",
            "status_details": None,
        },
    )
    return str(made["id"])


def _make_assistant(demo: Demo) -> str:
    made = demo.step(
        "Make an assistant that may search files",
        "create_assistant",
        body={"model": "weft-demo", "name": "Librarian", "tools": [TO_SEARCH]},
        expected={
            "id": Like(r"asst_[A-Za-z0-9]{24}"),
            "object": "assistant",
            "created_at": AN_INSTANT,
            "name": "Librarian",
            "description": None,
            "model": "weft-demo",
            "instructions": None,
            "tools": [FILE_SEARCH],
            "top_p": 1.0,
            "temperature": 1.0,
            "reasoning_effort": None,
            "tool_resources": {"file_search": {"vector_store_ids": []}},
            "metadata": {},
            "response_format": "auto",
        },
    )
    return str(made["id"])


def _ask(demo: Demo, assistant_id: str, file_ids: list[str]) -> "list[Event]":
    attachments = [{"file_id": file_id, "tools": [TO_SEARCH]} for file_id in file_ids]
    question = {"role": "user", "content": QUESTION, "attachments": attachments}
    heard = demo.listen(
        "Ask, with both attached: they are indexed, it searches them and cites what it found",
        "create_thread_and_run",
        body={"assistant_id": assistant_id, "thread": {"messages": [question]}},
    )
    names = list(dict.fromkeys(event.event for event in heard))
    if names != EVENTS:
        raise Wrong(f"the events were {names}; expected {EVENTS}")
    said = "".join(event.text for event in heard if event.event == "thread.message.delta")
    if said != ANSWER:
        raise Wrong(f"the answer was {said!r}; expected {ANSWER!r}")
    return heard


def _read_the_search(demo: Demo, heard: "list[Event]", file_id: str) -> None:
    """Read the step that searched, with what it found."""
    step = next(event.data for event in heard if event.event == "thread.run.step.completed")
    found = {
        "file_id": file_id,
        "file_name": "dyes.md",
        "score": A_SCORE,
        "attributes": {},
        "content": [{"type": "text", "text": DYES}],
    }
    call = {
        "id": Like(r"call_[A-Za-z0-9]{24}"),
        "type": "file_search",
        "file_search": {
            "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
            "results": [found],
        },
    }
    demo.step(
        "The run's step tells what was found, with `include` word for word",
        "get_run_step",
        step["thread_id"],
        step["run_id"],
        step["id"],
        include=WITH_CONTENT,
        expected={
            **step,
            "expires_at": None,  # as of everything that has ended
            "step_details": {"type": "tool_calls", "tool_calls": [call]},
        },
    )


def _read_the_citation(demo: Demo, heard: "list[Event]", file_id: str) -> None:
    """Read the answer: its annotation names the file and leads to the mark, to the character."""
    message = next(event.data for event in heard if event.event == "thread.message.completed")
    citation = {
        "type": "file_citation",
        "text": MARK,
        "start_index": CITED_AT,
        "end_index": CITED_AT + len(MARK),
        "file_citation": {"file_id": file_id},
    }
    demo.step(
        "The mark in the answer is a citation: it names the file",
        "get_message",
        message["thread_id"],
        message["id"],
        expected={
            **message,
            "content": [{"type": "text", "text": {"value": ANSWER, "annotations": [citation]}}],
        },
    )


def _look_into_the_store(demo: Demo, heard: "list[Event]") -> str:
    """Find the store that the attachments made, and return its id."""
    thread_id = heard[0].data["id"]
    thread = demo.step(
        "The attachments made a vector store for the thread",
        "get_thread",
        thread_id,
        expected={
            "id": thread_id,
            "object": "thread",
            "created_at": AN_INSTANT,
            "metadata": {},
            "tool_resources": {"file_search": {"vector_store_ids": [A_STORE]}},
        },
    )
    store_id = str(thread["tool_resources"]["file_search"]["vector_store_ids"][0])
    demo.step(
        "It goes by itself a week after its last use",
        "get_vector_store",
        store_id,
        expected={
            "id": store_id,
            "object": "vector_store",
            "created_at": AN_INSTANT,
            "name": None,
            "description": None,
            "usage_bytes": len(DYES) + len(LOOMS),
            "file_counts": {
                "in_progress": 0,
                "completed": 2,
                "failed": 0,
                "cancelled": 0,
                "total": 2,
            },
            "status": "completed",
            "expires_after": {"anchor": "last_active_at", "days": 7},
            "expires_at": AN_INSTANT,
            "last_active_at": AN_INSTANT,
            "metadata": {},
        },
    )
    return store_id


def _result(file_id: str) -> dict[str, Any]:
    """Return the result of a search that finds the passage on dyes."""
    return {
        "file_id": file_id,
        "filename": "dyes.md",
        "score": A_SCORE,
        "attributes": {},
        "content": [{"type": "text", "text": DYES}],
    }


def _search(demo: Demo, title: str, store_id: str, results: list[dict[str, Any]]) -> None:
    demo.step(
        title,
        "search_vector_store",
        store_id,
        body={"query": "a red colour for wool"},
        expected={
            "object": "vector_store.search_results.page",
            "search_query": ["a red colour for wool"],
            "data": results,
            "has_more": False,
            "next_page": None,
        },
    )


def _delete(demo: Demo, file_id: str) -> None:
    demo.step(
        "Delete the file: it is out of every store at once",
        "delete_file",
        file_id,
        expected={"object": "file", "id": file_id, "deleted": True},
    )

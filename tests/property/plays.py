"""Strategies for the stateful test: few names and few values, so that operations meet."""

from typing import Any, TypeAlias

from hypothesis import strategies as st

from tests.property.model import NEVER_OLDER

Bodies: TypeAlias = st.SearchStrategy[dict[str, Any]]

RESTORED_THREADS = ["thread_A", "thread_B-_9"]
RESTORED_MESSAGES = ["msg_A", "msg_B"]
RUNS = ["run_1", "run_2"]

_OLD = st.sampled_from([1, 1, 1, 0, 2, 1_700_000_000, NEVER_OLDER])
_flags = st.sampled_from("01")
_some = st.one_of(
    st.fixed_dictionaries({"a": _flags, "b": _flags}),
    st.dictionaries(st.sampled_from("ab"), _flags, max_size=1),
)
# A NUL is refused in metadata: other tests say how.
_odd = st.dictionaries(
    st.sampled_from(["a", "é\U0001f469", 'q"[]&=%']),
    st.text(max_size=5).map(lambda text: text.replace("\0", "")),
    max_size=2,
)
_many = st.just({f"k{index}": "v" for index in range(15)})
metadata: st.SearchStrategy[dict[str, str]] = st.one_of(_some, _some, _some, _odd, _many)
SEARCHES: list[dict[str, str]] = [
    {"a": "0"},
    {"b": "1"},
    {"a": "0", "b": "0"},
    {"a": "1", "b": "0"},
    {"k1": "v", "a": "1"},
]
searches = st.sampled_from([{}, {}, {}, *SEARCHES])


def _resources_of(files: tuple[str, ...] = (), stores: tuple[str, ...] = ()) -> Bodies:
    """Resources that name some of the files and of the vector stores."""
    lists = st.lists(st.sampled_from(files), max_size=2) if files else st.just([])
    return st.fixed_dictionaries(
        {},
        optional={
            "code_interpreter": st.fixed_dictionaries({}, optional={"file_ids": lists}),
            "file_search": st.fixed_dictionaries(
                {}, optional={"vector_store_ids": st.sampled_from([[], list(stores)])}
            ),
        },
    )


# What is new refers to what is there, and there is nothing; what is restored to anything.
_resources = _resources_of()
_old_resources = _resources_of(("file-1", "file-2"), ("vs_1",))


def _optional(always: dict[str, Any], **maybe: st.SearchStrategy[Any]) -> Bodies:
    return st.fixed_dictionaries(always, optional=maybe)


# --- messages ---------------------------------------------------------------------------------

_parts = st.one_of(
    st.text(min_size=1, max_size=5).map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
)
_old_parts = st.one_of(
    _parts, st.just({"type": "image_file", "image_file": {"file_id": "file-1", "detail": "low"}})
)


def _message_of(parts: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    contents = st.one_of(
        st.sampled_from(["Hello", "\0\u2028\U0001f469"]), st.lists(parts, min_size=1, max_size=3)
    )
    return {"role": st.sampled_from(["user", "assistant"]), "content": contents}


_message = _message_of(_parts)
_attachments = st.just([{"file_id": "file-1", "tools": [{"type": "file_search"}]}])

new_messages = _optional(_message, metadata=metadata)
old_messages = _optional(
    {**_message_of(_old_parts), "id": st.sampled_from(RESTORED_MESSAGES)},
    created_at=_OLD,
    object=st.just("thread.message"),
    run_id=st.sampled_from(RUNS),
    thread_id=st.sampled_from(RESTORED_THREADS),
    metadata=_some,
    attachments=_attachments,
)
message_changes = _optional({}, metadata=metadata)

# --- threads ----------------------------------------------------------------------------------

new_threads = _optional(
    {},
    messages=st.lists(new_messages, max_size=4),
    metadata=metadata,
    tool_resources=_resources,
)
_kept_messages = _optional(
    {**_message_of(_old_parts), "id": st.sampled_from(RESTORED_MESSAGES)},
    created_at=_OLD,
    run_id=st.just("run_1"),
)
old_threads = _optional(
    {"id": st.sampled_from(RESTORED_THREADS)},
    object=st.just("thread"),
    created_at=_OLD,
    messages=st.lists(st.one_of(_kept_messages, old_messages, new_messages), max_size=4),
    metadata=metadata,
    tool_resources=_old_resources,
)
thread_changes = _optional(
    {},
    metadata=st.one_of(st.none(), metadata),
    tool_resources=st.one_of(st.none(), _resources),
)

# --- assistants -------------------------------------------------------------------------------

_tools = st.lists(
    st.sampled_from(
        [
            {"type": "code_interpreter"},
            {"type": "file_search"},
            {"type": "file_search", "file_search": {"max_num_results": 7}},
            {"type": "function", "function": {"name": "now"}},
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
        ]
    ),
    max_size=3,
)
_assistant = {
    "name": st.one_of(st.none(), st.text(max_size=3)),
    "instructions": st.one_of(st.none(), st.just("Be brief.")),
    "tools": st.one_of(st.none(), _tools),
    "tool_resources": st.one_of(st.none(), _resources),
    "temperature": st.sampled_from([None, 0, 0.5, 2]),
    "reasoning_effort": st.sampled_from([None, "low", "max"]),
    "response_format": st.sampled_from([None, "auto", {"type": "json_object"}]),
    "metadata": st.one_of(st.none(), metadata),
}
_models = st.sampled_from(["demo", "gpt-4o"])
new_assistants = _optional({"model": _models}, **_assistant)
assistant_changes = _optional({}, model=_models, **_assistant)

# --- lists ------------------------------------------------------------------------------------

queries = _optional(
    {}, limit=st.sampled_from([1, 2, 3, 20, 100]), order=st.sampled_from(["asc", "desc"])
)

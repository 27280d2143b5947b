"""What threads, messages and assistants do to vector stores: make them, name them, fill them.

Everything is part of the write of the object itself, so that there is never a message whose file
is in no store, nor a store that nothing names. Bodies without files and stores pay nothing.
"""

from collections.abc import Iterable, Sequence

from weft.api.call import Call
from weft.api.filling import new_files, new_store, refused_store
from weft.domain.errors import BadRequest, NotFound
from weft.store import threads as thread_store
from weft.store import vector_stores as store
from weft.store.database import Statement
from weft.store.vector_stores import INDEXING
from weft.wire.messages import (
    AttachmentToolCode,
    AttachmentToolFileSearch,
    CreateMessageRequest,
    RestoreMessageRequest,
)
from weft.wire.shapes import encode
from weft.wire.threads import stored as stored_thread
from weft.wire.tools import (
    CodeInterpreterResources,
    FileSearchResources,
    ToolResources,
    ToolResourcesModifyRequest,
    ToolResourcesRequest,
    VectorStoreHelper,
    resources,
)
from weft.wire.vector_stores import (
    CreateVectorStoreFileRequest,
    Settings,
    VectorStoreExpirationAfter,
)

# A store that comes into being with a thread goes with it, when nobody uses it any more.
THREADS_OWN = VectorStoreExpirationAfter("last_active_at", 7)


# The guards of `attach_to`: who is refused by one of them asks again.
ATTACHING = frozenset({"thread_replace", "vector_store_touch"})


def wakes(statements: Sequence[Statement]) -> tuple[str, ...]:
    """Return whom a write wakes that has these statements about stores in it."""
    return (INDEXING,) if statements else ()


async def made_resources(
    call: Call[object],
    given: ToolResourcesRequest | ToolResourcesModifyRequest | None,
    now: int,
    expires_after: VectorStoreExpirationAfter | None = None,
) -> tuple[ToolResources, list[Statement]]:
    """Return the resources that a request gives, and the statements that make its new stores.

    `commit` sees to it that the stores and files are there.
    Raises: BadRequest for files that are not there or cannot be searched.
    """
    found = resources(given)
    name_stores(call, given)
    helpers: list[VectorStoreHelper] = []
    if isinstance(given, ToolResourcesRequest) and given.file_search:
        helpers = given.file_search.vector_stores or []
    statements: list[Statement] = []
    for helper in helpers:
        entries = (
            CreateVectorStoreFileRequest(file_id, helper.chunking_strategy)
            for file_id in helper.file_ids or ()
        )
        files = await new_files(call, entries)
        settings = Settings(expires_after=expires_after, metadata=helper.metadata or {})
        store_id, made = new_store(call, settings, files, now)
        found.file_search = FileSearchResources([store_id])
        statements += made
    return found, statements


async def thread_resources(
    call: Call[object],
    given: ToolResourcesRequest | ToolResourcesModifyRequest | None,
    messages: Iterable[CreateMessageRequest | RestoreMessageRequest],
    now: int,
    *,
    is_restored: bool = False,
) -> tuple[ToolResources, list[Statement]]:
    """Return what a new thread has, and the statements that make it: as given, and as attached.

    Restored messages bring nothing, and the stores that a restored thread names may be missing:
    what they refer to may be long gone.
    Guard (`vector_store_touch`): the store that files are attached to has not expired.
    """
    found, statements = await made_resources(call, given, now, THREADS_OWN)
    if is_restored:
        call.vector_store_ids.clear()
    new = [each for each in messages if isinstance(each, CreateMessageRequest)]
    if has_attachments(new):
        statements += await attach(call, found, new, now)
    return found, statements


def name_stores(
    call: Call[object], given: ToolResourcesRequest | ToolResourcesModifyRequest | None
) -> None:
    """Note the stores that a request names: they must be there when it is stored."""
    if given is not None and given.file_search:
        call.vector_store_ids += given.file_search.vector_store_ids or []


# --- files that come with messages ----------------------------------------------------------------


def has_attachments(messages: Iterable[CreateMessageRequest]) -> bool:
    """Say whether a message of these brings a file for a tool."""
    return any(attachment.tools for each in messages for attachment in each.attachments or ())


async def attach(
    call: Call[object], found: ToolResources, messages: Iterable[CreateMessageRequest], now: int
) -> list[Statement]:
    """Add what messages bring to a thread's resources, and return the statements that do it.

    Files to be searched go into the thread's store, one that is made if there is none.
    Raises: BadRequest for files that are not there, or cannot be searched.
    """
    to_run, to_search = _by_tool(messages)
    if to_run:
        had = found.code_interpreter.file_ids if found.code_interpreter else []
        found.code_interpreter = CodeInterpreterResources(list(dict.fromkeys([*had, *to_run])))
    if not to_search:
        return []
    files = await new_files(call, map(CreateVectorStoreFileRequest, to_search))
    if found.file_search and found.file_search.vector_store_ids:
        return [*store.add(call.project, found.file_search.vector_store_ids[0], files, now)]
    store_id, made = new_store(call, Settings(expires_after=THREADS_OWN), files, now)
    found.file_search = FileSearchResources([store_id])
    return [*made]


async def attach_to(
    call: Call[object], thread_id: str, messages: Sequence[CreateMessageRequest], now: int
) -> list[Statement]:
    """Return the statements that give a thread what new messages bring; none if nothing.

    Guards: the thread is still as it was read (`thread_replace`), its store has not expired
    (`vector_store_touch`).
    Raises: NotFound for the thread; BadRequest for the files, or a store that has expired.
    """
    if not has_attachments(messages):
        return []
    was = await thread_store.get(call.rooms.database, call.project, thread_id)
    if was is None:
        raise NotFound.object("thread", thread_id)
    thread = stored_thread.decode(was)
    await _drop_missing(call, thread.tool_resources, now)
    statements = await attach(call, thread.tool_resources, messages, now)
    replace = thread_store.replace(call.project, thread_id, was, encode(thread))
    return [replace, *statements]


def _by_tool(messages: Iterable[CreateMessageRequest]) -> tuple[list[str], list[str]]:
    """Return the files for the code interpreter and those for the file search, each once."""
    found: dict[type, dict[str, None]] = {AttachmentToolCode: {}, AttachmentToolFileSearch: {}}
    for message in messages:
        for attachment in message.attachments or ():
            for tool in attachment.tools:
                found[type(tool)][attachment.file_id] = None
    return list(found[AttachmentToolCode]), list(found[AttachmentToolFileSearch])


async def _drop_missing(call: Call[object], found: ToolResources, now: int) -> None:
    """Forget a store that was deleted: the next file makes another one.

    Raises: BadRequest for a store that has expired.
    """
    if not found.file_search or not found.file_search.vector_store_ids:
        return
    (store_id,) = found.file_search.vector_store_ids
    row = await store.get(call.rooms.database, call.project, store_id)
    if row is None:
        found.file_search = FileSearchResources([])
    elif row.expires_at is not None and row.expires_at <= now:
        raise await refused_store(call, store_id)


# --- runs -----------------------------------------------------------------------------------------


async def use_stores(call: Call[object], store_ids: Iterable[str], now: int) -> list[Statement]:
    """Return the statements by which a run uses stores; those that are deleted are left out.

    Guard (`vector_store_touch`): none has expired or was deleted since.
    Raises: BadRequest for a store that has expired.
    """
    statements = []
    for store_id in dict.fromkeys(store_ids):
        row = await store.get(call.rooms.database, call.project, store_id)
        if row is None:
            continue
        if row.expires_at is not None and row.expires_at <= now:
            raise BadRequest(f"Vector store {store_id} is expired.")
        statements.append(store.touch(call.project, store_id, now))
    return statements


def stores_of(found: ToolResources) -> list[str]:
    """Return the stores that an object's resources name."""
    return found.file_search.vector_store_ids if found.file_search else []

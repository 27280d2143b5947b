"""Files, uploads and vector stores as programs use them: one story for each client and version.

Works with the blocking and the asynchronous client of `openai` 1.x to 3.x: nothing is imported here
beyond the SDK. `CHAPTERS` together call every method that the SDK has for these resources;
`Noted` notes which, and `methods_of` says which there are.
"""

import hashlib
import inspect
import warnings
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import openai

from tests.clients.tally import same

Chapter: TypeAlias = Callable[[Any], Awaitable[None]]

RESOURCES = (
    *("files", "uploads", "uploads.parts"),
    *("vector_stores", "vector_stores.files", "vector_stores.file_batches"),
)

DATA = bytes(range(256)) * 1000
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
LOOM = ("loom.txt", b"A loom holds the warp threads tight.")
DYE = ("dye.md", b"# Dyes\n\nMadder dyes wool red.")
SILK = ("silk.txt", b"Silk is smooth.")
WEEK: Any = {"anchor": "last_active_at", "days": 7}
STATIC: Any = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 300, "chunk_overlap_tokens": 100},
}
OFTEN = {"poll_interval_ms": 20}


class Noted:
    """A client or one of its resources; the names of the methods that are taken are noted."""

    def __init__(self, of: Any, taken: set[str], path: str = "") -> None:
        self._of, self._taken, self._path = of, taken, path

    def __getattr__(self, name: str) -> Any:
        path = f"{self._path}{name}"
        found = getattr(self._of, name)
        if path in RESOURCES:
            return Noted(found, self._taken, f"{path}.")
        self._taken.add(path)
        return found


def methods_of(client: Any) -> set[str]:
    """Return every method that a client has for files, uploads and vector stores."""
    found = set()
    for path in RESOURCES:
        resource = client
        for name in path.split("."):
            resource = getattr(resource, name)
        methods = inspect.getmembers(type(resource), inspect.isfunction)
        found |= {f"{path}.{name}" for name, _ in methods if not name.startswith("_")}
    return found


async def got(answer: Any) -> Any:
    """Return an answer of either client."""
    return await answer if inspect.isawaitable(answer) else answer


async def listed(pages: Any) -> list[Any]:
    """Return everything on the pages that either client gives."""
    if isinstance(pages, AsyncIterable):
        return [one async for one in pages]
    return list(pages)


async def refused(answer: Callable[[], Any], error: type[openai.APIStatusError]) -> Any:
    """Make a call that must fail with an error, and return it."""
    with suppress(error):
        try:
            await got(answer())
        except error as caught:
            return caught
    raise AssertionError(f"{error.__name__} was not raised")


def ids(objects: list[Any]) -> list[str]:
    """Return the ids of objects."""
    return [one.id for one in objects]


# --- files --------------------------------------------------------------------------------------


async def a_file_lives(client: Any) -> None:
    """From creation over each way of reading to deletion."""
    files = client.files
    made = await got(
        files.create(
            file=("größe.bin", DATA),
            purpose="user_data",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
    )
    same((made.filename, made.bytes, made.purpose), ("größe.bin", len(DATA), "user_data"))
    same((made.status, made.expires_at), ("processed", made.created_at + 3600))
    same(await got(files.retrieve(made.id)), made)
    same(await got(files.wait_for_processing(made.id, poll_interval=0.01)), made)
    same((await got(files.content(made.id))).read(), DATA)
    same((await listed(files.list(purpose="user_data", order="desc", limit=1)))[0], made)
    gone = await got(files.delete(made.id))
    same((gone.id, gone.object, gone.deleted), (made.id, "file", True))
    error = await refused(lambda: files.retrieve(made.id), openai.NotFoundError)
    same(error.param, "id")


async def a_text_is_read_by_the_old_method(client: Any) -> None:
    """`retrieve_content`, which gives text."""
    made = await got(client.files.create(file="Guten Tag, größer.".encode(), purpose="assistants"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        same(await got(client.files.retrieve_content(made.id)), "Guten Tag, größer.")


async def an_upload_is_made_of_parts(client: Any) -> None:
    """Parts in the order given, their MD5, and an upload that is given up."""
    uploads = client.uploads
    about: Any = {"filename": "a.bin", "mime_type": "x/y", "purpose": "batch", "bytes": len(DATA)}
    upload = await got(uploads.create(**about))
    last = await got(uploads.parts.create(upload.id, data=DATA[100_000:]))
    first = await got(uploads.parts.create(upload.id, data=DATA[:100_000]))
    turned = [last.id, first.id]
    error = await refused(
        lambda: uploads.complete(upload.id, part_ids=turned, md5=MD5), openai.BadRequestError
    )
    same(error.param, "md5")
    done = await got(uploads.complete(upload.id, part_ids=turned[::-1], md5=MD5))
    same((done.status, done.file.created_at), ("completed", upload.created_at))
    same((await got(client.files.content(done.file.id))).read(), DATA)
    other = await got(uploads.create(**about))
    same((await got(uploads.cancel(other.id))).status, "cancelled")


async def a_file_is_uploaded_in_chunks(client: Any) -> None:
    """From a path and from bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "large.bin"
        path.write_bytes(DATA)
        of_path = {"file": path, "md5": MD5}
        of_bytes = {"file": DATA, "filename": "large.bin", "bytes": len(DATA)}
        for given in (of_path, of_bytes):
            done = await got(
                client.uploads.upload_file_chunked(
                    **given, mime_type="x/y", purpose="batch", part_size=70_000
                )
            )
            same((done.file.filename, done.file.bytes), ("large.bin", len(DATA)))
            same((await got(client.files.content(done.file.id))).read(), DATA)


# --- vector stores ------------------------------------------------------------------------------


async def a_store_lives(client: Any) -> None:
    """Made, read, changed, listed and deleted."""
    stores = client.vector_stores
    made = await got(stores.create(name="Craft", expires_after=WEEK, metadata={"a": "1"}))
    same((made.object, made.status, made.name), ("vector_store", "completed", "Craft"))
    same(made.expires_at, made.last_active_at + 7 * 86400)
    changed = await got(stores.update(made.id, name="Weaving", metadata={"b": "2"}))
    same((changed.name, changed.metadata), ("Weaving", {"a": "1", "b": "2"}))
    same(await got(stores.retrieve(made.id)), changed)
    others = ids([await got(stores.create()) for _ in range(3)])
    newest = ids(await listed(stores.list(limit=2)))
    same([each for each in newest if each in {made.id, *others}], [*others[::-1], made.id])
    gone = await got(stores.delete(made.id))
    same((gone.id, gone.object, gone.deleted), (made.id, "vector_store.deleted", True))
    await refused(lambda: stores.retrieve(made.id), openai.NotFoundError)


async def files_are_put_into_a_store(client: Any) -> None:
    """In each way that the SDK has, and waited for."""
    stores = client.vector_stores
    files = stores.files
    store = (await got(stores.create())).id
    loom = await got(files.upload_and_poll(vector_store_id=store, file=LOOM, **OFTEN))
    same((loom.object, loom.status, loom.last_error), ("vector_store.file", "completed", None))
    attributes = {"topic": "dye", "year": 2024}
    other = (await got(client.files.create(file=DYE, purpose="assistants"))).id
    how = {"attributes": attributes, "chunking_strategy": STATIC, **OFTEN}
    dye = await got(files.create_and_poll(other, vector_store_id=store, **how))
    same((dye.id, dye.status, dye.attributes), (other, "completed", attributes))
    same(dye.chunking_strategy.static.max_chunk_size_tokens, 300)
    silk = await got(files.upload(vector_store_id=store, file=SILK))
    done = await got(files.poll(silk.id, vector_store_id=store, **OFTEN))
    same(done.status, "completed")
    same(await got(files.retrieve(silk.id, vector_store_id=store)), done)
    again = await got(files.create(vector_store_id=store, file_id=silk.id))
    same(again.id, silk.id)
    await got(files.poll(silk.id, vector_store_id=store, **OFTEN))
    found = await listed(files.list(store, limit=1, filter="completed"))
    same(set(ids(found)), {loom.id, dye.id, silk.id})
    red = await got(files.update(dye.id, vector_store_id=store, attributes={"topic": "red"}))
    same(red.attributes, {"topic": "red"})
    (content,) = await listed(files.content(loom.id, vector_store_id=store))
    same((content.type, content.text), ("text", LOOM[1].decode()))
    gone = await got(files.delete(loom.id, vector_store_id=store))
    same((gone.object, gone.deleted), ("vector_store.file.deleted", True))
    counted = (await got(stores.retrieve(store))).file_counts
    same((counted.completed, counted.total), (2, 2))


async def a_store_is_searched(client: Any) -> None:
    """With everything that a search takes."""
    stores = client.vector_stores
    store = (await got(stores.create())).id
    batch = await got(stores.file_batches.upload_and_poll(store, files=[LOOM, DYE], **OFTEN))
    same((batch.file_counts.completed, batch.file_counts.total), (2, 2))
    dye = next(
        each.file_id
        for each in await listed(stores.search(store, query="madder"))
        if each.filename == DYE[0]
    )
    (best,) = await listed(
        stores.search(store, query="which threads does a loom hold", max_num_results=1)
    )
    same((best.filename, best.content[0].text), (LOOM[0], LOOM[1].decode()))
    await got(stores.files.update(dye, vector_store_id=store, attributes={"topic": "red"}))
    narrow = await listed(
        stores.search(
            store,
            query=["madder", "loom"],
            filters={"type": "eq", "key": "topic", "value": "red"},
            ranking_options={"ranker": "auto", "score_threshold": 0.0},
            rewrite_query=True,
        )
    )
    same({each.file_id for each in narrow}, {dye})


async def batches_are_made(client: Any) -> None:
    """In each way, waited for, listed and cancelled."""
    stores = client.vector_stores
    batches = stores.file_batches
    store = (await got(stores.create())).id
    first = await got(batches.upload_and_poll(store, files=[LOOM, DYE], **OFTEN))
    same((first.object, first.status), ("vector_store.file_batch", "completed"))
    same((first.file_counts.completed, first.file_counts.total), (2, 2))
    files = ids(await listed(batches.list_files(first.id, vector_store_id=store, order="asc")))
    same(len(files), 2)
    second = await got(batches.create_and_poll(store, file_ids=files, **OFTEN))
    same(second.file_counts.completed, 2)
    begun = await got(batches.create(store, file_ids=files, attributes={"n": 1}))
    done = await got(batches.poll(begun.id, vector_store_id=store, **OFTEN))
    same((done.id, done.status), (begun.id, "completed"))
    same(await got(batches.retrieve(begun.id, vector_store_id=store)), done)
    same((await got(batches.cancel(begun.id, vector_store_id=store))).status, "completed")
    oldest = batches.list_files(
        done.id, vector_store_id=store, order="asc", limit=1, filter="completed"
    )
    same(ids(await listed(oldest)), files)


async def what_cannot_be_searched_is_told(client: Any) -> None:
    """A broken file ends as failed, an unsupported one is refused."""
    store = (await got(client.vector_stores.create())).id
    files = client.vector_stores.files
    broken = ("broken.pdf", b"%PDF-1.7 and nothing else")
    done = await got(files.upload_and_poll(vector_store_id=store, file=broken, **OFTEN))
    same((done.status, done.last_error.code), ("failed", "invalid_file"))
    table = ("table.csv", b"a,b\n")
    error = await refused(
        lambda: files.upload_and_poll(vector_store_id=store, file=table), openai.BadRequestError
    )
    same(error.code, "unsupported_file")


CHAPTERS: dict[str, Chapter] = {
    "files: create, retrieve, list, content, wait_for_processing, delete": a_file_lives,
    "files: retrieve_content": a_text_is_read_by_the_old_method,
    "uploads: create, parts, complete with md5, cancel": an_upload_is_made_of_parts,
    "uploads: upload_file_chunked": a_file_is_uploaded_in_chunks,
    "vector stores: create, retrieve, update, list, delete": a_store_lives,
    "vector stores: every way in for files": files_are_put_into_a_store,
    "vector stores: search": a_store_is_searched,
    "vector stores: file batches": batches_are_made,
    "vector stores: files that cannot be searched": what_cannot_be_searched_is_told,
}

"""The indexing of files in vector stores: jobs that survive the process that does them.

    claim      the file becomes this attempt's: every write from here on stands behind its fence
    read       a process of its own brings the text; it is cut, embedded and written in slices
    publish    all of it is found from one moment on, and the file is completed

A file that cannot be read ends as failed and says why. Whatever else goes wrong is tried three
times. A file that is cancelled or taken out meanwhile is let go of within a second.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from weft.domain.errors import Unavailable
from weft.llm.embeddings import Embedder
from weft.llm.model import ModelError
from weft.retrieval.extract import Unreadable
from weft.retrieval.indexing import Indexed, Superseded, index
from weft.store import chunks
from weft.store import files as file_store
from weft.store import vector_stores as store
from weft.store.chunks import FileKey
from weft.store.contents import Contents
from weft.store.database import Database, Refused, Write
from weft.store.vector_stores import INDEXING, Job

LOOK_S = 1.0
MAX_TRIES = 3
STOP_S = 1.0  # how long a reading process may take to end when the server stops

logger = logging.getLogger("weft.indexing")


class Indexing(NamedTuple):
    """What indexing takes. Without an embedder only words are found."""

    database: Database
    contents: Contents
    embedder: Embedder | None = None


class IndexingEngine:
    """Indexes every file of one database from one process, one file for each core at a time."""

    def __init__(
        self, tools: Indexing, *, look_s: float = LOOK_S, at_once: int = os.cpu_count() or 1
    ) -> None:
        self._tools = tools
        self._look_s = look_s
        self._at_once = at_once
        self._working: dict[FileKey, tuple[int, asyncio.Task[None]]] = {}

    async def work(self) -> None:
        """Work until cancelled; then let go of every file, which a next start takes up."""
        try:
            with self._tools.database.bells.listening(INDEXING) as bell:
                while True:
                    try:
                        await self._look()
                    except Unavailable as fault:
                        logger.warning("indexing has to wait: %s", fault)
                    except Exception:
                        logger.exception("indexing stumbled; it looks again")
                    await bell.wait(self._look_s)
        finally:
            await self._let_go()

    async def _look(self) -> None:
        """Let go of what is not wanted any more, and take up what waits while there is room."""
        database = self._tools.database
        for key, (attempt, task) in list(self._working.items()):
            job = await store.job(database, key)
            if job is None or job.attempt > attempt:
                task.cancel()
        for key, _ in await store.queue(database, 2 * self._at_once):
            if len(self._working) >= self._at_once:
                break
            if key in self._working:
                continue
            job = await store.job(database, key)
            if job is not None:
                task = asyncio.create_task(self._work_on(key, job), name=f"index {key.file_id}")
                # Not in the task itself: one that is cancelled ahead of its first step never runs.
                task.add_done_callback(partial(self._ended, key))
                self._working[key] = (job.attempt + 1, task)

    def _ended(self, key: FileKey, _: asyncio.Task[None]) -> None:
        """Make room for what waits."""
        del self._working[key]
        self._tools.database.bells.ring(INDEXING)

    async def _work_on(self, key: FileKey, job: Job) -> None:
        try:
            await index_file(self._tools, key, job)
        except Unavailable as fault:
            logger.warning("file %s has to wait: %s", key.file_id, fault)
        except Exception:
            logger.exception("file %s stumbled; it is looked at again", key.file_id)

    async def _let_go(self) -> None:
        """End all work, also in the middle of a file. It is not the files' fault."""
        left = {key: attempt for key, (attempt, _) in self._working.items()}
        tasks = [task for _, task in self._working.values()]
        for task in tasks:
            task.cancel()
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=STOP_S)
        try:
            await self._tools.database.write(
                tuple(store.release(key, attempt) for key, attempt in left.items())
            )
        except Unavailable as fault:
            logger.warning("the files being indexed could not be let go of: %s", fault)


async def index_file(tools: Indexing, key: FileKey, job: Job) -> None:
    """Bring a file to its end, unless somebody else does or it is not wanted any more.

    Raises: domain.errors.Unavailable, and whatever nobody foresaw; the file is in progress then,
    and one try is spent.
    """
    if job.tries >= MAX_TRIES:
        await _fail(tools, key, job, "server_error", f"Indexing was tried {job.tries} times.")
        return
    began = time.perf_counter()
    try:
        await tools.database.write((store.claim(key, job),))
    except Refused:
        return  # cancelled, removed, or somebody was faster
    job = job._replace(attempt=job.attempt + 1, tries=job.tries + 1)
    try:
        indexed = await _index(tools, key, job)
        if indexed is not None:
            await _complete(tools, key, job, indexed)
            took_s = time.perf_counter() - began
            logger.info("%s: %d passages in %.1f s", key.file_id, indexed.chunks, took_s)
    except Superseded:
        logger.debug("file %s is no longer this worker's", key.file_id)
    except Unreadable as fault:
        await _fail(tools, key, job, fault.code, fault.message)
    except ModelError as fault:
        logger.warning("file %s cannot be embedded: %s", key.file_id, fault)
        if job.tries >= MAX_TRIES:
            await _fail(tools, key, job, "server_error", fault.message)


async def _index(tools: Indexing, key: FileKey, job: Job) -> Indexed | None:
    """Write the passages of a file; None when the file is gone, and was failed for it."""
    file = await file_store.stored(tools.database, key.project, key.file_id)
    if file is None:
        await _fail(tools, key, job, "invalid_file", "The file is not there any more.")
        return None
    async with tools.contents.path(file.location) as path:
        return await index(
            tools.database,
            tools.embedder,
            key,
            job.attempt,
            path,
            file.filename,
            max_tokens=job.max_tokens,
            overlap_tokens=job.overlap_tokens,
            fence=(store.fence(key, job.attempt),),
        )


async def _complete(tools: Indexing, key: FileKey, job: Job, indexed: Indexed) -> None:
    """Let what was indexed be found. Raises: Superseded."""

    def publish(attributes: str) -> Write:
        return chunks.publish(key, job.attempt, json.loads(attributes))

    if not await _finish(tools, key, job, "completed", publish, usage_bytes=indexed.usage_bytes):
        raise Superseded


async def _fail(tools: Indexing, key: FileKey, job: Job, code: str, message: str) -> None:
    """End a file as failed, unless it is not this attempt's any more."""
    error = json.dumps({"code": code, "message": message})
    await _finish(tools, key, job, "failed", lambda _: chunks.remove_file(key), last_error=error)


async def _finish(
    tools: Indexing,
    key: FileKey,
    job: Job,
    status: str,
    more: Callable[[str], Write],
    *,
    usage_bytes: int = 0,
    last_error: str | None = None,
) -> bool:
    """End a job, with `more` statements for the attributes that the file has by now.

    Returns: whether it was still this attempt's.
    """
    attributes = job.attributes
    while True:
        finish = store.finish(
            key,
            job.attempt,
            status=status,
            usage_bytes=usage_bytes,
            last_error=last_error,
            attributes=attributes,
        )
        try:
            await tools.database.write(
                (finish, *more(attributes)), wakes=(store.topic(key.vector_store_id),)
            )
        except Refused:
            now = await store.job(tools.database, key)
            if now is None or now.attempt != job.attempt or now.attributes == attributes:
                return False
            attributes = now.attributes  # a client changed them meanwhile
        else:
            return True

"""`weft doctor`: looks at what a server would run on, and says what to mend.

It changes nothing but probe files, which it removes, and asks each model
endpoint for one short answer.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import uvloop

from weft import __version__
from weft.config import Settings
from weft.llm.catalog import Catalog
from weft.llm.demo import NAME as DEMO
from weft.llm.model import ChatMessage, ModelError, ModelRequest, TextDelta
from weft.main import CannotStart, blobs_of, catalog, embedder
from weft.store.blobs import FOLDER, new_location
from weft.store.database import Unusable
from weft.store.folder import DATABASE
from weft.store.migrations import MigrationError
from weft.store.opening import files_without_vectors, look_at_postgres

FREE_BYTES = 1 << 30
SLOW_FSYNC_MS = 20.0


class Finding(NamedTuple):
    """One thing that was looked at. `is_well` is False for what must be mended."""

    what: str
    is_well: bool
    says: str


async def examine(settings: Settings, model: str | None = None) -> AsyncIterator[Finding]:
    """Yield what was found, a finding at a time, because a model may take its time.

    `model` is asked in place of the patterns that name no single model.
    """
    yield Finding("version", True, f"weft {__version__}, SQLite {apsw.sqlite_lib_version()}")
    if settings.postgres_url is None:
        for look in (_folder, _fsync, _database, _keys):
            yield await asyncio.to_thread(_guarded, look, settings)
    else:
        for found in await asyncio.to_thread(_postgres, settings.postgres_url):
            yield found
    yield await asyncio.to_thread(_guarded, _files, settings)
    models = catalog(settings)
    try:
        for name in dict.fromkeys([model or DEMO, *models.names()]):
            yield await _ask(models, name)
        for endpoint in settings.endpoints:
            if endpoint.match not in models.names() and model is None:
                says = f"{endpoint.url}: name a model of it to ask it: weft doctor --model NAME"
                yield Finding(f"models '{endpoint.match}'", True, says)
    finally:
        await models.close()
    yield await _file_search(settings)


def _guarded(look: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return look(settings)
    except (OSError, apsw.Error, CannotStart) as fault:
        return Finding(look.__name__.strip("_"), False, str(fault))


def _folder(settings: Settings) -> Finding:
    folder = settings.data_path
    nearest = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
    )
    free = shutil.disk_usage(nearest).free
    where = f"{folder} ({'there' if folder.exists() else 'will be made'})"
    if not os.access(nearest, os.W_OK):
        return Finding("data folder", False, f"{where}: {nearest} is not writable")
    return Finding("data folder", free > FREE_BYTES, f"{where}, {free / 1e9:.1f} GB free")


def _fsync(settings: Settings) -> Finding:
    folder = settings.data_path if settings.data_path.exists() else Path()
    probe = folder / f".weft-probe-{os.getpid()}"
    file = os.open(probe, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        times = []
        for _ in range(20):
            os.pwrite(file, b"x" * 4096, 0)
            begun = time.perf_counter()
            os.fdatasync(file)
            times.append(time.perf_counter() - begun)
    finally:
        os.close(file)
        probe.unlink()
    median_ms = sorted(times)[10] * 1000
    says = f"{median_ms:.2f} ms to be safe on the disk; every write waits for one of these"
    return Finding("fsync", median_ms < SLOW_FSYNC_MS, says)


def _database(settings: Settings) -> Finding:
    path = settings.data_path / DATABASE
    if not path.exists():
        return Finding("database", True, "none yet: weft serve makes it")
    found = _read(path, "PRAGMA quick_check(3)")
    steps = _read(path, "SELECT count(*) FROM weft_migration")[0][0]
    is_well = found == [("ok",)]
    state = "sound" if is_well else f"DAMAGED: {found}"
    return Finding(
        "database", is_well, f"{path.stat().st_size:,} bytes, {steps} migrations, {state}"
    )


def _keys(settings: Settings) -> Finding:
    path = settings.data_path / DATABASE
    if not path.exists() or not (revoked := _read(path, "SELECT revoked_at FROM api_key")):
        return Finding("keys", True, "none: open to this machine only")
    active = sum(revoked_at is None for (revoked_at,) in revoked)
    return Finding("keys", active > 0, f"{active} active of {len(revoked)}")


def _files(settings: Settings) -> Finding:
    """Write, read and remove a probe where the bytes of files lie."""
    where = settings.files_url or str(settings.data_path / FOLDER)
    if settings.postgres_url is not None and settings.files_url is None:
        where += " (several nodes must share it, or set files_url)"
    if settings.files_url is None and not (settings.data_path / FOLDER).exists():
        return Finding("files", True, f"{where} will be made")
    blobs, location, probe = blobs_of(settings), new_location(), b"weft doctor"
    sink = blobs.create(location)
    try:
        sink.write(probe)
        sink.finish()
        source = blobs.open(location)
        try:
            is_well = source.read(0, len(probe)) == probe
        finally:
            source.close()
    finally:
        sink.close()
        blobs.remove(location)
    says = "can be written and read" if is_well else "gives other bytes than were written"
    return Finding("files", is_well, f"{where} {says}")


def _without_vectors(settings: Settings, space: str) -> int:
    """Return how many files in vector stores have no vectors of this space."""
    if settings.postgres_url is not None:
        return files_without_vectors(settings.postgres_url, space)
    path = settings.data_path / DATABASE
    if not path.exists() or not _read(path, "SELECT 1 FROM sqlite_schema WHERE name='chunk_file'"):
        return 0
    of_others = "SELECT count(*) FROM chunk_file WHERE is_published = 1 AND space IS NOT ?"
    return int(_read(path, of_others, (space,))[0][0])


def _read(path: Path, sql: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query, on a connection that cannot change anything."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def _postgres(url: str) -> list[Finding]:
    """Look at a PostgreSQL database."""
    try:
        return [Finding(*found) for found in look_at_postgres(url)]
    except (Unusable, MigrationError) as fault:
        return [Finding("database", False, str(fault))]


async def _ask(models: Catalog, name: str) -> Finding:
    what = f"model '{name}'"
    request = ModelRequest(
        model=name,
        messages=[ChatMessage(role="user", content="Say OK.")],
        temperature=None,
        top_p=None,
        reasoning_effort=None,
        max_completion_tokens=256,
    )
    begun = time.perf_counter()
    try:
        async with aclosing(models.find(name).stream(request)) as stream:
            async for delta in stream:
                if isinstance(delta, TextDelta):
                    first_ms = (time.perf_counter() - begun) * 1000
                    return Finding(what, True, f"answers, first word after {first_ms:.0f} ms")
    except ModelError as error:
        return Finding(what, False, error.message)
    return Finding(what, False, "it ended without a word")


async def _file_search(settings: Settings) -> Finding:
    """Say how file search ranks, and whether the endpoint for it answers."""
    vectors = embedder(settings)
    if vectors is None:
        says = "full text alone; for a hybrid ranking put [embeddings] into weft.toml"
        return Finding("file search", True, says)
    begun = time.perf_counter()
    try:
        await vectors.embed(["Are you there?"], attempts=1)
        took_ms = (time.perf_counter() - begun) * 1000
        space = await vectors.space()
        says = f"hybrid: full text and the vectors of {space}, in {took_ms:.0f} ms"
        others = await asyncio.to_thread(_without_vectors, settings, space)
        if others:
            says += f"; files without such vectors, to be put into their stores anew: {others}"
        return Finding("file search", True, says)
    except ModelError as error:
        says = f"full text alone, because there are no vectors: {error.message}"
        return Finding("file search", False, says)
    finally:
        await vectors.close()


def run(settings: Settings, model: str | None, show: Callable[[Finding], None]) -> bool:
    """Examine everything, show each finding as it comes, and say whether all is well."""

    async def look() -> bool:
        is_well = True
        async for finding in examine(settings, model):
            show(finding)
            is_well = is_well and finding.is_well
        return is_well

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(look())

"""Timed chores: sweeping what was deleted and what has expired."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from weft.domain.errors import Unavailable
from weft.store import uploads
from weft.store.chunks import sweep_chunks
from weft.store.contents import Contents
from weft.store.database import Database, Refused
from weft.store.sweep import (
    sweep_files,
    sweep_logs,
    sweep_old,
    sweep_threads,
    sweep_vector_stores,
)
from weft.wire.shapes import encode
from weft.wire.uploads import ended

EVERY_S = 1.0
OLD_EVERY = 30  # of those rounds

logger = logging.getLogger("weft.keeper")


async def end_uploads(database: Database, now: int) -> bool:
    """End a slice of the uploads whose time is over; say whether there was any."""
    overdue = await uploads.overdue(database, now)
    for project, upload_id, wire in overdue:
        ends = uploads.end(project, upload_id, "expired", now, encode(ended(wire, "expired")))
        with contextlib.suppress(Refused):  # it was completed or cancelled meanwhile
            await database.write(ends)
    return bool(overdue)


async def keep(
    database: Database,
    contents: Contents,
    now: Callable[[], int],
    is_mine: Callable[[], bool],
) -> None:
    """Do the chores until cancelled, while they are this node's to do.

    A database that cannot serve is tried again.
    """
    rounds = 0
    while True:
        try:
            while is_mine() and (
                await sweep_threads(database)
                or await sweep_vector_stores(database, now())
                or await sweep_chunks(database)
            ):
                pass  # a slice at a time, each a write of its own: others come between
            while is_mine() and (
                await sweep_files(database, now()) or await end_uploads(database, now())
            ):
                pass
            while is_mine() and await contents.sweep():
                pass
            if rounds % OLD_EVERY == 0:
                while is_mine() and (
                    await sweep_logs(database, now()) or await sweep_old(database, now())
                ):
                    pass  # likewise
        except Unavailable as fault:
            logger.warning("the chores have to wait: %s", fault)
        except Exception:
            logger.exception("a chore failed; the next round tries again")
        rounds += 1
        await asyncio.sleep(EVERY_S)

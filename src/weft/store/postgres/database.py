"""The `Database` on PostgreSQL: a connection each for short reads, long ones, and writes."""

from typing import Self

import psycopg
from psycopg.pq.abc import PGresult

from weft.domain.errors import Unavailable
from weft.store.bells import Bells
from weft.store.database import Page, Params, Row, Unusable, Write
from weft.store.postgres.forms import Forms
from weft.store.postgres.link import LONG_S, Link, one_line
from weft.store.postgres.listener import Listener
from weft.store.postgres.pipe import Pipe
from weft.store.postgres.reads import Reads
from weft.store.postgres.schema import shown
from weft.store.postgres.writes import GroupCommit


class Postgres:
    """A `Database` on PostgreSQL, which must be migrated; any number of nodes may use it."""

    def __init__(self, url: str) -> None:
        """Use `opened` instead, which also connects."""
        self.bells = Bells()
        self._url = url
        self._forms = Forms()
        self._links = (Link(url, "reads"), Link(url, "long reads", LONG_S), Link(url, "writes"))
        read, scan, write = self._links
        self._reads = Reads(read, self._forms)
        self._scans = Reads(scan, self._forms)
        self._writes = GroupCommit(write, self._forms, self.bells)
        self._listener = Listener(url, self._forms, self.bells, write.is_served_by)
        self._is_closed = False

    @classmethod
    async def opened(cls, url: str) -> Self:
        """Connect. Raises: store.database.Unusable, which says what is wrong."""
        database = cls(url)
        try:
            pipes = [await link.open() for link in database._links]
            _require_own_sessions(pipes)
            await database._listener.open()
            await _learn(database._forms, pipes[0])
        except (psycopg.Error, OSError) as fault:
            await database.close()
            raise Unusable(f"{shown(url)} cannot be used: {one_line(fault)}.") from fault
        except Unusable:
            await database.close()
            raise
        return database

    async def one(self, name: str, params: Params) -> Row | None:
        """See `Database.one`."""
        self._require_open()
        return await self._reads.one(name, params)

    async def page(
        self, name: str, params: Params, *, limit_bytes: int | None = None, is_long: bool = False
    ) -> Page:
        """See `Database.page`."""
        self._require_open()
        reads = self._scans if is_long else self._reads
        return await reads.page(name, params, limit_bytes)

    async def write(
        self, write: Write, *, is_long: bool = False, wakes: tuple[str, ...] = ()
    ) -> None:
        """See `Database.write`."""
        await self._writes.submit(write, is_long, wakes)

    async def check(self) -> None:
        """See `Database.check`."""
        self._require_open()
        await self._reads.alive()

    async def close(self) -> None:
        """See `Database.close`."""
        self._is_closed = True
        await self._writes.close()
        self._listener.close()
        for link in self._links:
            link.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise Unavailable("The server is stopping. Try again.")


def _require_own_sessions(pipes: list[Pipe]) -> None:
    """Refuse a pooler that gives several connections the same session.

    Raises: Unusable.
    """
    if len({pipe.backend_pid for pipe in pipes}) < len(pipes):
        raise Unusable(
            "Between Weft and PostgreSQL stands a pooler in transaction mode (or statement mode): "
            "several connections share one session there, which loses LISTEN, SET, prepared "
            "statements and advisory locks. Set pool_mode = session for Weft's database in "
            "PgBouncer, or connect without it; a Weft server needs a handful of connections."
        )


async def _learn(forms: Forms, pipe: Pipe) -> None:
    """Ask PostgreSQL for the types of every statement's parameters."""
    known = [*forms.plain.values(), *forms.own.values()]
    answers = await pipe.describe(known)
    for form, answer in zip(known, answers, strict=False):
        if isinstance(answer, Exception):
            raise answer
        described: PGresult | None = answer
        assert described is not None  # noqa: S101  # only the point at the end is None
        form.learn(described.param_type(n) for n in range(described.nparams))

"""The way to the queue: Procrastinate's tables, through connections of its own.

While the database is away, whoever asks waits. Procrastinate by itself would
end the worker, and with it every run that it drives, over one lost connection.
To ask again is safe: what a fetch whose answer was lost has taken is found out
and given to somebody else (engine/cluster.py), everything else may happen twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from procrastinate import PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from psycopg import OperationalError

from weft.store.postgres.link import one_line
from weft.store.postgres.pipe import CONNECT_S, KEEPALIVE

CONNECTIONS = 3  # and one that listens
WAIT_S = 5.0  # for a connection
AGAIN_S = 0.25
GIVE_UP_S = 1.0  # then a connection is tried for anew: the pool waits ever longer between attempts

T = TypeVar("T")

logger = logging.getLogger("weft.store")


class Connector(PsycopgConnector):
    """Asks until it is answered, or until it `is_over`: the node stops."""

    def __init__(self, url: str, is_over: Callable[[], bool]) -> None:
        super().__init__(
            conninfo=url,
            kwargs={"application_name": "weft queue", "connect_timeout": CONNECT_S, **KEEPALIVE},
            configure=_configure,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=WAIT_S,
            reconnect_timeout=GIVE_UP_S,
        )
        self._is_over = is_over
        self._is_away = False

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """See Procrastinate."""
        await self._answered(lambda: super(Connector, self).execute_query_async(query, **arguments))

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """See Procrastinate."""
        return await self._answered(
            lambda: super(Connector, self).execute_query_one_async(query, **arguments)
        )

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """See Procrastinate."""
        return await self._answered(
            lambda: super(Connector, self).execute_query_all_async(query, **arguments)
        )

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """See Procrastinate."""
        await self._answered(
            lambda: super(Connector, self).listen_notify(on_notification, channels)
        )

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the database answers. Raises: ConnectorException for what it refuses."""
        while True:
            try:
                answer = await ask()
            except ConnectorException as fault:
                if self._is_over() or not isinstance(fault.__cause__, OperationalError):
                    raise
                if not self._is_away:
                    logger.warning("the queue has to wait: %s", one_line(fault.__cause__))
                self._is_away = True
                await asyncio.sleep(AGAIN_S)
            else:
                self._is_away = False
                return answer


async def _configure(connection: Any) -> None:
    await connection.set_autocommit(True)
    # A power cut may undo what the queue was told: a job that comes again does nothing.
    await connection.execute("SET synchronous_commit = off")

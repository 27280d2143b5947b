"""What a query costs, whatever the machine."""

from collections.abc import Iterator

import apsw
import pytest


class Work:
    """Counts the steps of SQLite's machine."""

    def __init__(self) -> None:
        self.steps = 0

    def watch(self, connection: apsw.Connection) -> None:
        """Count what a connection does from now on."""
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._add)

    def _add(self, event: dict[str, dict[str, int]]) -> None:
        self.steps += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]


@pytest.fixture
def work() -> Iterator[Work]:
    """The work of every connection that is opened during the test."""
    counted = Work()
    apsw.connection_hooks.append(counted.watch)
    yield counted
    apsw.connection_hooks.remove(counted.watch)

"""What an engine is: it drives the runs of a database until it is cancelled.

Embedded: every run is a task of the one process (worker.py). Distributed: runs
are jobs that the workers of many nodes share (cluster.py). Both tell the same
story of a run (drive.py) and do the same chores (chores.py).
"""

from typing import Protocol


class Engine(Protocol):
    """Drives runs, and does what becomes due with time."""

    async def work(self) -> None:
        """Work until cancelled; then let go of every run, for whoever takes it up next."""
        ...

    def is_keeper(self) -> bool:
        """Say whether the timed chores are this node's: of all nodes, one does them."""
        ...

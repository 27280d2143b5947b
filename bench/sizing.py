"""What a size needs, computed from what `bench.sizes` measured; written into docs/scaling.md."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
YEAR_S = 365 * 24 * 3600
DAY_S = 24 * 3600
PEAK = 4  # times the mean
ROOM = 2  # half of each core is left free
TOKENS = 300  # of an answer
MESSAGES_PER_THREAD = 10
MESSAGES = (10**6, 10**9, 10**11)
MACHINES = (1, 3, 100)
CORES = 4  # of a machine; a node is one process, and keeps one core busy

OPERATIONS = {
    "create": "create a thread",
    "append": "append a message of 400 characters",
    "read": "read a thread",
    "list": "list its last 20 messages",
    "one": "a run, streamed, with its first token",
    "slow token": "each further token, 32 models at 50 a second each",
    "fast token": "each further token, 32 models at 250 a second each",
}
ROWS = {
    "thread": "thread, with one pair of metadata",
    "message": "message of 400 characters",
    "run": "run, with its step",
    "row": "row of a run's log",
}
SPEECHES = {
    "one": "1 token",
    "slow": "100 tokens, 50 a second",
    "fast": "100 tokens, 250 a second",
}


class Cost(NamedTuple):
    """Processor time of one operation, in microseconds."""

    node_us: float
    database_us: float


class Figures(NamedTuple):
    """Measured on one database: costs, rows in the log of a run, bytes of a row with indexes."""

    costs: dict[str, Cost]
    logged: dict[str, float]
    rows: dict[str, float]

    def turn(self) -> Cost:
        """The cost of a question and its answer, at the rate at which tokens are cheap."""
        once = [self.costs[name] for name in ("append", "one", "list")]
        token = self.costs["fast token"]
        node = sum(cost.node_us for cost in once)
        database = sum(cost.database_us for cost in once)
        return Cost(
            node + (TOKENS - 1) * token.node_us, database + (TOKENS - 1) * token.database_us
        )

    def kept_bytes(self) -> float:
        """What stays for each message: itself, half a run, and its share of a thread."""
        return (
            self.rows["message"] + self.rows["run"] / 2 + self.rows["thread"] / MESSAGES_PER_THREAD
        )

    def log_bytes(self) -> float:
        """What the log of an answer takes for a day, when each token is a write of its own."""
        own = self.logged["one"]
        of_token = (self.logged["slow"] - own) / 99
        return (own + of_token * (TOKENS - 1)) * self.rows["row"]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _round(figure: float) -> str:
    """Return two digits that count, with commas."""
    if figure < 10:
        return f"{figure:.2g}"
    digits = len(str(int(figure))) - 2
    return f"{round(figure / 10**digits) * 10**digits:,}"


def _bytes(figure: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if figure >= size:
            return f"{_round(figure / size)} {unit}"
    return f"{_round(figure / 1e3)} kB"


def measured(small: Figures, large: Figures) -> str:
    """Return what was measured, as tables."""
    rows = [
        (title, _round(small.rows[name]), _round(large.rows[name])) for name, title in ROWS.items()
    ]
    logs = [
        (title, _round(small.logged[name]), _round(large.logged[name]))
        for name, title in SPEECHES.items()
    ]
    costs = [
        (title, *(_round(us) for us in (small.costs[name].node_us, *large.costs[name])))
        for name, title in OPERATIONS.items()
    ]
    on = f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores"
    return "\n".join(
        [
            f"{on}, load average {os.getloadavg()[2]:.1f} in the last quarter of an hour.\n",
            _table(("bytes on the disk, with indexes", "SQLite", "PostgreSQL"), rows),
            _table(("rows in the log of a run of", "SQLite", "PostgreSQL"), logs),
            _table(("us of processor time", "node on SQLite", "node", "PostgreSQL"), costs),
        ]
    )


def _needs(large: Figures) -> Sequence[Sequence[str]]:
    """What so many messages a year need."""
    turn, needs = large.turn(), []
    for messages in MESSAGES:
        mean = messages / 2 / YEAR_S
        cores = (mean * PEAK * us / 1e6 for us in turn)
        disk = (messages * large.kept_bytes(), mean * DAY_S * large.log_bytes())
        rates = (mean * PEAK, *cores)
        needs.append([f"{messages:.0e}", *map(_round, rates), *map(_bytes, disk)])
    return needs


def _carries(large: Figures) -> Sequence[Sequence[str]]:
    """What so many machines carry while one of them is missing."""
    turn, carries = large.turn(), []
    for machines in MACHINES:
        turns = max(machines - 1, 1) * CORES / ROOM / (turn.node_us / 1e6)
        rates = (turns, turns * TOKENS, turns * turn.database_us / 1e6)
        carries.append([str(machines), *map(_round, rates), f"{turns / PEAK * 2 * YEAR_S:.0e}"])
    return carries


def computed(large: Figures) -> str:
    """Return what the sizes need and what the layouts carry, as tables."""
    turn = large.turn()
    took = f"{_round(turn.node_us / 1e3)} ms of a node and {_round(turn.database_us / 1e3)} ms"
    needs = ("messages in a year", "turns/s at the peak", "cores of nodes, busy")
    disks = ("cores of PostgreSQL, busy", "disk after the year", "logs of the last day")
    carried = ("turns/s", "tokens/s", "cores of PostgreSQL, busy", "messages in a year")
    kept, log = _bytes(large.kept_bytes()), _bytes(large.log_bytes())
    stay = f"{kept} stay for each message, and the log of an answer is {log} for a day.\n"
    return "\n".join(
        [
            f"A turn takes {took} of PostgreSQL; {stay}",
            _table((*needs, *disks), _needs(large)),
            _table((f"machines of {CORES} cores, a node on each core", *carried), _carries(large)),
        ]
    )


def write(small: Figures, large: Figures) -> None:
    """Put the tables where the page marks their places."""
    text = PAGE.read_text(encoding="utf-8")
    for name, tables in (("measured", measured(small, large)), ("computed", computed(large))):
        ahead, begin, rest = text.partition(f"<!-- {name} by python -m bench.sizes -->\n")
        _, end, behind = rest.partition(f"<!-- end of {name} -->")
        text = ahead + begin + tables + end + behind
    PAGE.write_text(text, encoding="utf-8")

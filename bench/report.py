"""What was measured, held against its target, as tables for people."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Target(NamedTuple):
    """A limit for a figure."""

    limit: float
    is_least: bool
    unit: str = ""

    @classmethod
    def at_least(cls, limit: float, unit: str = "") -> "Target":
        """A figure that must not be lower."""
        return cls(limit, is_least=True, unit=unit)

    @classmethod
    def at_most(cls, limit: float, unit: str = "") -> "Target":
        """A figure that must not be higher."""
        return cls(limit, is_least=False, unit=unit)

    def is_met(self, figure: float) -> bool:
        """Say whether a figure keeps to the limit."""
        return figure >= self.limit if self.is_least else figure <= self.limit

    def __str__(self) -> str:
        return f"{'at least' if self.is_least else 'at most'} {self.limit:g}{self.unit}"


class Section(NamedTuple):
    """A table: its title, and what its reader must know."""

    title: str
    text: str


class Result(NamedTuple):
    """One row of a section: cells by their heading, and the figure that the target speaks of."""

    section: Section
    cells: Mapping[str, str]
    figure: float
    target: Target | None

    @property
    def row(self) -> dict[str, str]:
        """The cells with target and verdict."""
        if self.target is None:
            return {**self.cells, "Target": "", "": ""}
        verdict = "met" if self.target.is_met(self.figure) else "**not met**"
        return {**self.cells, "Target": str(self.target), "": verdict}


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of equal headings as a Markdown table that is aligned to be read as text."""
    headings = list(rows[0])
    lines = [headings, *([row[heading] for heading in headings] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    drawn = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)


def sections(results: Sequence[Result]) -> str:
    """Return every section with its table, in the order in which they were measured."""
    titles = list(dict.fromkeys(result.section for result in results))
    return "\n\n".join(
        f"## {section.title}\n\n{section.text}\n\n"
        + table([result.row for result in results if result.section == section])
        for section in titles
    )


def page(results: Sequence[Result], machine: Mapping[str, str], command: str) -> str:
    """Return docs/benchmarks.md."""
    measured = [result for result in results if result.target is not None]
    met = sum(result.target.is_met(result.figure) for result in measured if result.target)
    facts = table([{"": name, "Measured on": value} for name, value in machine.items()])
    return (
        "# Benchmarks\n\n"
        f"Written by `{command}`: run it to have these figures of your own machine. "
        f"{met} of {len(measured)} targets are met here.\n\n"
        f"{facts}\n\n"
        "Both sides of a ratio are measured in turns, in one run: a ratio is the median over the "
        "rounds, with the lowest and the highest in brackets. Where a table shows rates and "
        "times, they are medians over the rounds too. Every commit is synced to the disk before "
        "its request is answered, so the disk's fsync time is part of every write.\n\n"
        f"{sections(results)}\n"
    )

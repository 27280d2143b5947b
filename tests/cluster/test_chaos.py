"""Three nodes under load, one of which dies or freezes every few seconds: nothing lost or twice.

WEFT_CHAOS_S=600 makes the long one as long as you like. What clients saw stays in history.jsonl.
"""

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.chaos import Load, Nodes, killing, play
from tests.cluster.checker import anomalies
from tests.cluster.history import Acknowledged, Disturbed, Object, Seen, Streamed
from tests.cluster.processes import Town
from tests.llm.upstream import text

DURATION_S = float(os.environ.get("WEFT_CHAOS_S", "150"))
ANSWER = "It rains in Spain, and the wind blows over the plain."


def tell(history: list[Seen]) -> Counter[str | None]:
    """Print what happened, and return how many runs ended how."""
    told = Counter(seen.kind for seen in history if isinstance(seen, Acknowledged))
    ends = Counter(
        seen.status for seen in history if isinstance(seen, Object) and seen.kind == "run"
    )
    disturbed = Counter(seen.what for seen in history if isinstance(seen, Disturbed))
    streams = sum(isinstance(seen, Streamed) for seen in history)
    print(f"{dict(disturbed)}; acknowledged {dict(told)}, runs {dict(ends)}, {streams} streams")
    return ends


def whatever_dies_each_client_was_told_the_truth(
    town: Town, folder: Path, duration_s: float, every_s: float
) -> None:
    town.upstream.play(text(ANSWER, per_second=20))
    nodes = Nodes(town, 3)
    load = Load(clients=12, duration_s=duration_s)
    history = asyncio.run(play(nodes, load, killing(nodes, every_s), folder))
    ends = tell(history)
    assert anomalies(history) == []
    assert ends["completed"]


def test_whatever_dies_each_client_was_told_the_truth(town: Town, tmp_path: Path) -> None:
    whatever_dies_each_client_was_told_the_truth(town, tmp_path, 15, every_s=2)


@pytest.mark.full
def test_whatever_dies_for_minutes_each_client_was_told_the_truth(
    town: Town, tmp_path: Path
) -> None:
    whatever_dies_each_client_was_told_the_truth(town, tmp_path, DURATION_S, every_s=3)

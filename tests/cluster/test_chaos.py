"""Three nodes under load, one of which dies or freezes every few seconds: nothing lost or twice.

WEFT_CHAOS_S=600 makes it as long as you like.
"""

import asyncio
import os
from collections import Counter

import pytest

from tests.cluster.chaos import Load, Nodes, play
from tests.cluster.checker import Acknowledged, anomalies
from tests.cluster.processes import Town
from tests.llm.upstream import text

DURATION_S = float(os.environ.get("WEFT_CHAOS_S", "30"))


@pytest.mark.full
def test_whatever_dies_each_client_was_told_the_truth(town: Town) -> None:
    town.upstream.play(text("It rains in Spain, and the wind blows over the plain.", per_second=10))
    nodes = Nodes(town, 3)
    history, found = asyncio.run(play(nodes, Load(8, DURATION_S, kill_every_s=3)))
    told = Counter(seen.kind for seen in history if isinstance(seen, Acknowledged))
    ends = Counter(thing.status for thing in found.objects if thing.kind == "run")
    print(
        f"{nodes.kills} killed, {nodes.frozen} frozen, acknowledged {dict(told)}, runs {dict(ends)}"
    )
    assert anomalies(history, found) == []
    assert nodes.kills
    assert nodes.frozen
    assert ends["completed"] >= 10

"""Runs every client's scenario against real servers and adds up what they say.

    python -m tests.clients [WORD]     only the clients with WORD in their name

The last line is the sum; the exit status is 0 only when every check passed.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.clients.environments import ROOT, CannotInstall, Client, clients
from tests.harness import Server, weft

SCENARIO_S = 300.0


class Sum(NamedTuple):
    """How many checks passed and failed."""

    passed: int
    failed: int


def main(words: Sequence[str]) -> int:
    """Run the clients that are asked for and return the exit status."""
    chosen = [client for client in clients() if all(word in client.name for word in words)]
    if not chosen:
        print("no client of that name; there are: " + " ".join(one.name for one in clients()))
        return 1
    with tempfile.TemporaryDirectory(prefix="weft-clients-") as name:
        folder = Path(name)
        made = weft("keys", "create", "--data-dir", str(folder / "keyed"), cwd=folder)
        with Server(folder / "keyed") as keyed, Server(folder / "open") as without_keys:
            print(f"servers: {keyed.address} with a key, {without_keys.address} without")
            arguments = [keyed.address, made.stdout.strip(), without_keys.address]
            sums = [_try(client, arguments) for client in chosen]
    passed = sum(one.passed for one in sums)
    failed = sum(one.failed for one in sums)
    print(f"clients: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def _try(client: Client, arguments: Sequence[str]) -> Sum:
    """Install a client if need be and run its scenario."""
    print(f"\n{client.name}", flush=True)
    try:
        command = client.prepare()
        done = subprocess.run(
            [*command, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=SCENARIO_S
        )
    except (CannotInstall, subprocess.TimeoutExpired) as fault:
        print(f"  FAIL  {fault}", flush=True)
        return Sum(0, 1)
    print(done.stdout, end="", flush=True)
    found = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
    counted = Sum(int(found[1]), int(found[2])) if found else Sum(0, 0)
    if counted.failed == 0 and (counted.passed == 0 or done.returncode != 0):
        print(f"  FAIL  the scenario broke off with exit status {done.returncode}", flush=True)
        return Sum(counted.passed, 1)
    return counted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m bench`: start servers, measure every case, write docs/benchmarks.md.

`python -m bench profile` shows where the time goes instead.
"""

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench import profile
from bench.cases import CASES
from bench.machine import describe, fsync
from bench.measure import wrk
from bench.report import Result, page
from bench.stage import FULL, QUICK, Stage, say

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
FOLDER = Path("build") / "bench"


def main() -> int:
    """Measure what was asked for. A target that is missed is told, not an error."""
    if sys.argv[1:2] == ["profile"]:
        return profile.main(sys.argv[2:])
    chosen = _parser().parse_args()
    generator = None if chosen.own_load else wrk()
    if generator is None and not chosen.own_load:
        say("wrk is not installed: using the generator of our own, which takes more of the machine")
    names = chosen.only or list(CASES)
    chosen.dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=chosen.dir)).resolve()
    try:
        scale = QUICK if chosen.quick else FULL
        machine = describe(folder, generator=generator)
        machine["Disk, before"] = str(fsync(folder, scale.fsyncs))
        results = _measure(names, Stage(folder, scale, generator))
        machine["Disk, after"] = str(fsync(folder, scale.fsyncs))
    finally:
        shutil.rmtree(folder)
    written = page(results, machine, shlex.join(["python", "-m", "bench", *sys.argv[1:]]))
    print(written)
    # Figures of a part, or of a moment, do not replace those of a whole run.
    is_whole = not chosen.quick and not chosen.only
    out = chosen.out or (PAGE if is_whole else None)
    if out is not None:
        out.write_text(written, encoding="utf-8")
        say(f"wrote {out}")
    return 0


def _measure(names: list[str], stage: Stage) -> list[Result]:
    results: list[Result] = []
    for number, name in enumerate(names, 1):
        say(f"{name} ({number} of {len(names)})")
        started = time.monotonic()
        results += CASES[name](stage)
        say(f"  took {time.monotonic() - started:.0f} s")
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small and short: to see that it works, not how fast"
    )
    parser.add_argument(
        "--only", action="append", choices=list(CASES), metavar="NAME", help=", ".join(CASES)
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"the page to write (whole runs: docs/{PAGE.name})"
    )
    parser.add_argument(
        "--dir", type=Path, default=FOLDER, help=f"on the disk to be measured ({FOLDER})"
    )
    parser.add_argument("--own-load", action="store_true", help="do not use wrk")
    return parser


if __name__ == "__main__":
    sys.exit(main())

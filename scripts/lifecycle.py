"""Write the life of a run into docs/runs.md: a diagram and a table made from the code's own.

`--check` exits with 1 when the page is not current.
"""

import sys
from pathlib import Path

from weft.domain.lifecycle import AT_REST, STAMPS, STATUSES, TABLE, TERMINAL

PAGE = Path(__file__).parents[1] / "docs" / "runs.md"
BEGIN = "<!-- made from domain/lifecycle.py by scripts/lifecycle.py: do not edit -->\n"
END = "<!-- end -->\n"


def diagram() -> str:
    """Return the table of the life as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> queued: create"]
    lines += [f"    {before} --> {then}: {cause}" for (before, cause), then in TABLE.items()]
    lines += [f"    {status} --> [*]" for status in STATUSES if status in TERMINAL]
    return "\n".join([*lines, "```", ""])


def table() -> str:
    """Return a row for each status: what may happen in it, and what it stamps."""
    rows = ["| status | at rest | goes on to | stamps |", "|---|---|---|---|"]
    for status in STATUSES:
        ways = [
            f"`{then}` ({cause})" for (before, cause), then in TABLE.items() if before == status
        ]
        rest = "for ever" if status in TERMINAL else "yes" if status in AT_REST else ""
        stamp = f"`{STAMPS[status]}`" if status in STAMPS else ""
        rows.append(f"| `{status}` | {rest} | {', '.join(ways)} | {stamp} |")
    return "\n".join([*rows, ""])


def current(page: str) -> str:
    """Return the page with its made part as it has to be."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{diagram()}\n{table()}\n{END}{tail}"


def main() -> int:
    """Write the page, or check it."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = current(page)
    if page == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{PAGE.name} is not current: python scripts/lifecycle.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`kubemend doctor`: is everything there that kubemend needs?"""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.checkup import Checkup, Grade, checkups
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.options import NOWHERE, Access, Output
from kubemend.surfaces.cli.words import line

SIGNS = {
    Grade.OK: ("✓", "green"),
    Grade.NOTE: ("!", "yellow"),
    Grade.UNKNOWN: ("?", "yellow"),
    Grade.FAILED: ("✗", "red"),
}


async def doctor(*, output: Output = "table", access: Access = NOWHERE) -> int:
    """Check Python, the ledger, the kubeconfig, the server, the clock, and the permissions as viewer and as fixer."""
    found = [one async for one in checkups(access)]
    out.answer(output, found, _table(found))
    return Exit.FOUND if any(c.grade is Grade.FAILED for c in found) else Exit.OK


def _table(found: list[Checkup]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for one in found:
        sign, style = SIGNS[one.grade]
        seen = Text(line(one.seen))
        if one.hint:
            seen.append(f"  {line(one.hint)}", style="cyan")
        grid.add_row(Text(sign, style=style), Text(one.name, style="bold"), seen)
    return grid

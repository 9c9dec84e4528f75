"""`kubemend audit`: the trail of everything that was decided and done."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from kubemend.engine import views
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.options import Output, Store
from kubemend.surfaces.cli.render.repair import timeline
from kubemend.surfaces.cli.wiring import wiring


async def audit(
    *,
    repair: Annotated[str | None, Parameter(help="Only what belongs to this repair.")] = None,
    limit: Annotated[int, Parameter(help="How many records, the newest ones.")] = 100,
    verify: Annotated[bool, Parameter(help="Prove that no record was edited or removed in between.")] = False,
    output: Output = "table",
    store: Store = None,
) -> int:
    """The audit trail, oldest of the shown records first."""
    async with wiring().ledger(store) as ledger:
        if repair is not None:
            await ledger.repairs.get(repair)  # an unknown id is an error, not an empty trail
        broken = await ledger.audit.broken_at() if verify else None
        records = [] if verify else await ledger.audit.list(repair=repair, limit=limit)
    if verify:
        return _verdict(broken, output)
    shown = timeline(records) if records else Text("nothing has been recorded yet", style="dim")
    out.answer(output, [views.of_record(r) for r in records], shown)
    return Exit.OK


def _verdict(broken: int | None, output: Output) -> int:
    said = Text("✓ the audit trail is whole", style="green")
    if broken is not None:
        said = Text(f"✗ record {broken} does not follow from the one before: it was edited, or one was removed", "red")
    out.answer(output, {"whole": broken is None, "broken_at": broken}, said)
    return Exit.OK if broken is None else Exit.FOUND

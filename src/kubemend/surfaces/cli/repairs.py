"""`kubemend repairs`: what was repaired, and one repair in detail."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from kubemend.engine import views
from kubemend.engine.preview import done
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.options import Output, Store
from kubemend.surfaces.cli.render import repair as render
from kubemend.surfaces.cli.wiring import wiring


async def repairs(
    repair: Annotated[str | None, Parameter(name="ID", help="Show this one in detail.")] = None,
    /,
    *,
    limit: Annotated[int, Parameter(help="How many to list, newest first.")] = 50,
    output: Output = "table",
    store: Store = None,
) -> int:
    """Past and present repairs, or one in detail with its diff and timeline."""
    async with wiring().ledger(store) as ledger:
        if repair is None:
            found = await ledger.repairs.list(limit=limit)
            out.answer(output, [views.of_repair(r) for r in found], render.listed(found))
            return 0
        one = await ledger.repairs.get(repair)
        records = await ledger.audit.list(repair=one.id, limit=1000)
    timeline = [views.of_record(r) for r in records]
    view = {**views.of_repair(one), "diffs": [p.diff for p in done(one)], "timeline": timeline}
    out.answer(output, view, *render.detailed(one, records))
    return 0

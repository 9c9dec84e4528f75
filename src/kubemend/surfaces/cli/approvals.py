"""`kubemend approvals`: the plans that wait for a person, and the person's answer."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from kubemend.engine import views
from kubemend.engine.preview import previews
from kubemend.model.repair import State
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.mending import decide, own, status_of, take_over
from kubemend.surfaces.cli.options import NOWHERE, Access, Output, Store
from kubemend.surfaces.cli.people import actor
from kubemend.surfaces.cli.progress import Progress
from kubemend.surfaces.cli.render import plan as render_plan
from kubemend.surfaces.cli.render import repair as render
from kubemend.surfaces.cli.wiring import wiring

Id = Annotated[str, Parameter(name="ID", help="The repair; see kubemend approvals list.")]


async def pending(*, output: Output = "table", store: Store = None) -> int:
    """Plans that wait for a person's yes."""
    async with wiring().ledger(store) as ledger:
        waiting = await ledger.repairs.list(states=[State.AWAITING_APPROVAL])
    out.answer(output, [views.of_repair(r) for r in waiting], render.waiting(waiting))
    return 0


async def approve(repair: Id, /, *, output: Output = "table", access: Access = NOWHERE) -> int:
    """Say yes to one plan and carry it out, to its end, in this process.

    The approval is bound to the plan's hash and is used up at once. If the cluster has changed so that the plan
    would be another now, it is refused.
    """
    progress = Progress()
    async with wiring().bench(access, scope=None, tell=progress) as bench:
        await take_over(bench, progress)
        found = await own(bench, repair)
        card = render_plan.planned(found.plan, await previews(found.plan, bench.seat.reader), name=found.id)
        (out.show if output == "table" else out.say)(*card)
        last = await decide(bench, found, progress, yes=True, access=access)
    out.answer(output, views.of_repair(last), render.ended(last))
    return status_of(last)


async def reject(
    repair: Id,
    why: Annotated[str, Parameter(help="The reason, for the record.")] = "a person said no",
    /,
    *,
    output: Output = "table",
    store: Store = None,
) -> int:
    """Say no to one plan: it is never carried out, and not proposed again for a day unless somebody asks for it."""
    async with wiring().ledger(store) as ledger:
        found = await ledger.repairs.get(repair)
        last = await ledger.repairs.move(found, State.REJECTED, why=why, actor=actor())
    out.answer(output, views.of_repair(last), render.ended(last))
    return 0

"""`kubemend fix`: one object from diagnosis to a proven repair, with a person's yes in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Plan
from kubemend.model.ref import Ref
from kubemend.model.repair import Repair, State
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli import target, views
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.interrupt import Interrupted
from kubemend.surfaces.cli.mending import conclude, mend, status_of, take_over
from kubemend.surfaces.cli.options import NOWHERE, RECORDS, Access
from kubemend.surfaces.cli.people import actor, ask
from kubemend.surfaces.cli.preview import as_files, previews
from kubemend.surfaces.cli.progress import Progress
from kubemend.surfaces.cli.render import plan as render_plan
from kubemend.surfaces.cli.render import scan as render_scan
from kubemend.surfaces.cli.wiring import Bench, wiring
from kubemend.surfaces.cli.words import many

if TYPE_CHECKING:
    from kubemend.engine.planner import Planned

Shape = Literal["table", "json", "yaml", "patch"]


async def fix(
    target: Annotated[str, Parameter(help="KIND/NAME, for example deployment/web.")],
    /,
    *,
    dry_run: Annotated[bool, Parameter(help="Plan and check, the server's dry run included; change nothing.")] = False,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), help="Approve the plan without being asked.")] = False,
    output: Annotated[
        Shape, Parameter(name=("--output", "-o"), group=RECORDS, help="How to print; `patch` prints the plan as a file.")
    ] = "table",
    access: Access = NOWHERE,
) -> int:
    """Diagnose one object, plan its repair, ask, apply and verify.

    In the default mode nothing is written: the plan is shown with the command that would approve it.
    """
    progress = Progress()
    async with wiring().bench(access, scope=None, tell=progress) as bench:
        await take_over(bench, progress)
        diagnosis = _diagnosed(bench, target, access)
        if diagnosis is None:
            return Exit.OK
        planned = await bench.mender.plan(diagnosis)
        if planned.plan is None:
            return _no_plan(diagnosis, planned, output)
        if output == "patch":
            out.write(out.as_yaml(*as_files(planned.plan)))
            return Exit.OK
        errand = Errand(bench, progress, diagnosis, planned.plan, output)
        await errand.show_plan(planned)
        return await (errand.rehearse() if dry_run else errand.run(yes=yes))


def _diagnosed(bench: Bench, word: str, access: Access) -> Diagnosis | None:
    """The fault of the named object or of what controls it. None, and said so, when it has none."""
    ref = target.parse(word, access.namespace or bench.seat.namespace)
    snapshot, report = bench.mender.sight.snapshot(), bench.mender.report()
    found = target.present(ref, snapshot)
    top = snapshot.top(found).ref
    diagnosis = target.about(report, (ref, top))
    if diagnosis is not None:
        out.say(*render_scan.cause(diagnosis))
        return diagnosis
    here = [n for n in report.not_judged if n.namespace in ("", ref.namespace)]
    out.say(Text(f"no fault found on {top}", style="yellow" if here else "green"))
    if here:
        out.say(Text(f"but {many(len({n.code for n in here}), 'rule')} could not be judged; see kubemend scan", style="yellow"))
    return None


def _no_plan(diagnosis: Diagnosis, planned: Planned, shape: Shape) -> int:
    if shape in ("json", "yaml"):
        out.emit(views.of_diagnosis(diagnosis, views.Remedy(None, planned.why_not)), shape)
    else:
        out.show(Text.assemble(("NO PLAN ", "bold yellow"), f"  {planned.why_not}"))
    return Exit.FOUND


class Errand:
    """One plan on its way from the screen to the cluster."""

    def __init__(self, bench: Bench, progress: Progress, diagnosis: Diagnosis, plan: Plan, shape: Shape) -> None:
        self._bench, self._progress, self._diagnosis, self._plan, self._shape = bench, progress, diagnosis, plan, shape

    @property
    def _mute(self) -> bool:
        return self._shape in ("json", "yaml")

    async def show_plan(self, planned: Planned) -> None:
        """The card with the diff; to stderr when stdout is for a program."""
        changes = await previews(self._plan, self._bench.seat.reader)
        (out.say if self._mute else out.show)(*render_plan.planned(self._plan, changes, turned=planned.turned))

    async def rehearse(self) -> int:
        """All checks, nothing else."""
        passed = True
        async for check in self._bench.mender.guard.rehearse(self._plan):
            passed = passed and check.ok
            self._progress.note(f"{'✓' if check.ok else '✗'} {check.name}: {check.why}")
        if self._mute:
            out.emit({"plan": views.of_plan(self._plan), "would_go": passed}, self._shape)
        else:
            out.show(Text("dry run: nothing was changed; " + ("all checks passed" if passed else "it would be refused")))
        return Exit.OK if passed else Exit.REFUSED

    async def run(self, *, yes: bool) -> int:
        """Propose, ask if need be, carry out."""
        mender = self._bench.mender
        _, _, repair = await mender.propose(self._diagnosis, actor=actor())
        if repair is None:
            out.say(Text("the plan no longer stands; run the command again"))
            return Exit.FOUND
        if mender.guard.policy.writes:
            try:
                if not await self._may_go(repair, yes=yes):
                    return await self._rejected(repair)
            except asyncio.CancelledError:
                raise Interrupted(f"repair {repair.id} waits for approval", hint=approving(repair)) from None
            return self._conclude(await mend(self._bench, repair, self._progress, actor=actor()))
        out.say(
            Text.assemble(("read-only: nothing was written. ", "yellow"), "To approve this plan and have it carried out:"),
            Text(f"  {approving(repair)}", style="cyan"),
        )
        return self._conclude(repair, Exit.REFUSED)

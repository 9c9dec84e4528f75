"""`kubemend fix`: one object from diagnosis to a proven repair, with a person's yes in between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from kubemend.engine import views
from kubemend.engine.preview import as_files, previews
from kubemend.model.errors import KubemendError
from kubemend.model.finding import Diagnosis
from kubemend.model.plan import Plan
from kubemend.model.repair import Repair
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli import target as targets
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.interrupt import Interrupted
from kubemend.surfaces.cli.mending import approving, checked, decide, status_of, take_over
from kubemend.surfaces.cli.options import NOWHERE, RECORDS, Access
from kubemend.surfaces.cli.people import actor
from kubemend.surfaces.cli.progress import Progress
from kubemend.surfaces.cli.render import plan as render_plan
from kubemend.surfaces.cli.render import scan as render_scan
from kubemend.surfaces.cli.render.repair import ended
from kubemend.surfaces.cli.wiring import Bench, wiring
from kubemend.surfaces.cli.words import line, many

if TYPE_CHECKING:
    from kubemend.engine.planner import Planned

Shape = Literal["table", "json", "yaml", "patch"]


class Changed(KubemendError):
    """What was diagnosed a moment ago is no longer so."""

    code = "cluster-changed"


async def fix(
    target: Annotated[str, Parameter(help="KIND/NAME, for example deployment/web.")],
    /,
    *,
    dry_run: Annotated[bool, Parameter(help="Plan and check, the server's dry run included; change nothing.")] = False,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), help="Approve the plan without being asked.")] = False,
    output: Annotated[
        Shape,
        Parameter(name=("--output", "-o"), group=RECORDS, help="How to print; `patch` prints the plan as a file."),
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
        planned = await bench.mender.plan(diagnosis, asked=True)
        if planned.plan is None:
            return _no_plan(diagnosis, planned, output)
        if output == "patch":
            out.write(out.as_yaml(*await as_files(planned.plan, bench.seat.reader)))
            return Exit.OK
        await _show(bench, planned.plan, planned, output)
        if dry_run:
            return await _rehearsed(bench, planned.plan, progress, output)
        repair = await _decided(bench, diagnosis, progress, yes=yes, access=access)
        out.answer(output, views.of_repair(repair), ended(repair))
        return status_of(repair)


def _diagnosed(bench: Bench, word: str, access: Access) -> Diagnosis | None:
    """The fault of the named object or of what controls it. None, and said so, when it has none."""
    ref = targets.parse(word, access.namespace or bench.seat.namespace)
    snapshot, report = bench.mender.sight.snapshot(), bench.mender.report()
    top = snapshot.top(targets.present(ref, snapshot)).ref
    diagnosis = targets.about(report, (ref, top))
    if diagnosis is not None:
        out.say(*render_scan.cause(diagnosis))
        return diagnosis
    unknown = {n.code for n in report.not_judged if n.namespace in ("", ref.namespace)}
    out.say(Text(f"no fault found on {top}", style="yellow" if unknown else "green"))
    if unknown:
        out.say(Text(f"but {many(len(unknown), 'rule')} could not be judged; see kubemend scan", style="yellow"))
    return None


def _no_plan(diagnosis: Diagnosis, planned: Planned, shape: Shape) -> int:
    said = Text.assemble(("NO PLAN ", "bold yellow"), f"  {line(planned.why_not)}")
    if shape == "patch":
        out.say(said)
    else:
        out.answer(shape, views.of_diagnosis(diagnosis, views.Remedy(None, planned.why_not)), said)
    return Exit.FOUND


async def _show(bench: Bench, plan: Plan, planned: Planned, shape: Shape) -> None:
    """The card with the diff; on stderr when stdout is for a program."""
    card = render_plan.planned(plan, await previews(plan, bench.seat.reader), turned=planned.turned)
    (out.show if shape == "table" else out.say)(*card)


async def _rehearsed(bench: Bench, plan: Plan, progress: Progress, shape: Shape) -> int:
    """All checks, nothing else."""
    passed = await checked(bench, plan, progress)
    said = Text("dry run: nothing was changed; " + ("every check passed" if passed else "it would be refused"))
    out.answer(shape, {"plan": views.of_plan(plan), "passed": passed}, said)
    return Exit.OK if passed else Exit.REFUSED


async def _decided(bench: Bench, diagnosis: Diagnosis, progress: Progress, *, yes: bool, access: Access) -> Repair:
    """Propose the plan, have it decided on, and carry it out if it may be. The repair in the state it then has."""
    _, planned, repair = await bench.mender.propose(diagnosis, actor=actor(), asked=True)
    if repair is None:
        raise Changed(f"the cluster changed meanwhile: {planned.why_not}", hint="run the same command again")
    try:
        return await decide(bench, repair, progress, yes=yes, access=access)
    except asyncio.CancelledError:
        raise Interrupted(f"repair {repair.id} still waits for approval", hint=approving(repair, access)) from None

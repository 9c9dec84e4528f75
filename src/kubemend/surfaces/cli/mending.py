"""Carrying a repair out in front of a person: progress, Ctrl-C, and what becomes of the incident."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Coroutine
from typing import Any

from rich.text import Text

from kubemend.model.errors import InvalidInput
from kubemend.model.plan import Plan
from kubemend.model.repair import Phase, Repair, State
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.interrupt import Interrupted, on_stop
from kubemend.surfaces.cli.options import Access
from kubemend.surfaces.cli.people import actor, ask
from kubemend.surfaces.cli.progress import Progress
from kubemend.surfaces.cli.wiring import Bench

ENDS = {
    State.SUCCEEDED: (Phase.RESOLVED, Exit.OK),
    State.ESCALATED: (Phase.ESCALATED, Exit.FOUND),
    State.REFUSED: (Phase.OPENED, Exit.REFUSED),
    State.REJECTED: (Phase.OPENED, Exit.REFUSED),
    State.AWAITING_APPROVAL: (Phase.OPENED, Exit.REFUSED),
}
"""What a repair's last state makes of its incident and of the exit status; any other: still open, not repaired."""


async def take_over(bench: Bench, progress: Progress) -> None:
    """Bring repairs to their end whose process died, before anything new is begun."""
    for repair in await bench.mender.guard.resume():
        progress.note(f"{repair.id} was left unfinished by another process; it is {repair.state} now")


async def own(bench: Bench, repair_id: str) -> Repair:
    """A repair of this very cluster. UnknownRepair, or InvalidInput when it is another cluster's."""
    repair = await bench.mender.ledger.repairs.get(repair_id)
    if repair.cluster != bench.mender.cluster:
        raise InvalidInput(
            f"repair {repair.id} belongs to another cluster than context {bench.seat.context}",
            code="other-cluster",
            hint="name the right one with --context",
        )
    return repair


def approving(repair: Repair, access: Access) -> str:
    """The command that approves a waiting repair and has it carried out."""
    return writing(f"approvals approve {repair.id}", access)


def writing(command: str, access: Access) -> str:
    """A command that may write, on the same cluster and ledger as this one."""
    given = (("--kubeconfig", access.kubeconfig), ("--context", access.context), ("--store", access.store))
    options = [f"{option} {shlex.quote(str(value))}" for option, value in given if value is not None]
    return " ".join(["kubemend", command, "--allow-changes", *options])


async def checked(bench: Bench, plan: Plan, progress: Progress) -> bool:
    """Tell what preflight would say, the server's dry run included. Whether all of it is good."""
    passed = True
    async for check in bench.mender.guard.rehearse(plan):
        passed = passed and check.ok
        progress.note(f"{'✓' if check.ok else '✗'} {check.name}: {check.why}")
    return passed


async def decide(bench: Bench, repair: Repair, progress: Progress, *, yes: bool, access: Access) -> Repair:
    """Have a proposed plan approved, by policy or by a person, and carry it out. Returns the repair as it then is."""
    guard = bench.mender.guard
    if not access.writes:
        out.say(
            Text(
                "read-only: nothing was written. This command approves the plan and has it carried out:", style="yellow"
            ),
            Text(f"  {approving(repair, access)}", style="cyan"),
        )
        return repair
    if repair.state is State.AWAITING_APPROVAL and not yes:
        if not await checked(bench, repair.plan, progress):
            return await bench.mender.ledger.repairs.move(repair, State.REFUSED, why="its checks failed; see above")
        chosen = await ask(f"Carry out {repair.id} (plan {repair.plan.hash[:12]})?", ("yes", "no"))
        if chosen is None:
            out.say(Text(f"no answer; it waits: {approving(repair, access)}", style="yellow"))
            return repair
        if chosen == 1:
            return await guard.reject(repair, actor=actor())
    if repair.state is State.AWAITING_APPROVAL:
        await guard.approve(repair, plan_hash=repair.plan.hash, actor=actor())
    return await mend(bench, repair, progress)


async def mend(bench: Bench, repair: Repair, progress: Progress) -> Repair:
    """Carry an approved repair out to its end, and say on the incident how it came out."""
    incidents = bench.mender.ledger.incidents
    await incidents.move(repair.incident, Phase.REPAIRING)
    try:
        return await followed(bench, bench.mender.guard.carry_out(repair, actor=actor()), progress)
    finally:
        told = progress.last
        last = told if told is not None and told.id == repair.id else repair
        await incidents.move(repair.incident, ENDS.get(last.state, (Phase.OPENED, Exit.FOUND))[0])


async def followed(bench: Bench, work: Coroutine[Any, Any, Repair], progress: Progress) -> Repair:
    """Await a repair's end. The first Ctrl-C lets it come to a safe one, the second leaves at once."""
    task = asyncio.ensure_future(work)
    pressed = 0

    def stop() -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            task.cancel()
            return
        bench.mender.guard.halt()
        if progress.mutating:
            progress.note(
                "stopping: the change is made, so it is proven or taken back first. Ctrl-C again to leave at once;"
            )
            progress.note("whatever is then unfinished, the next kubemend that may write brings to its end")
        else:
            progress.note("stopping before anything is changed")

    try:
        with on_stop(stop):
            last = await task
    except asyncio.CancelledError:
        raise _left(progress) from None
    finally:
        progress.close()
    if pressed:
        raise Interrupted(f"repair {last.id} is {last.state}: {last.why}", hint=f"kubemend repairs {last.id}")
    return last


def _left(progress: Progress) -> Interrupted:
    last = progress.last
    if last is None:
        return Interrupted("nothing was begun")
    return Interrupted(
        f"left while repair {last.id} was {last.state}",
        hint=f"kubemend repairs {last.id} shows it; the next `kubemend watch`, `fix`, `undo` or `approvals approve` "
        "with --allow-changes or --auto-fix finishes it or takes it back",
    )


def status_of(repair: Repair) -> int:
    """The exit status for a repair's last state."""
    return ENDS.get(repair.state, (Phase.OPENED, Exit.FOUND))[1]

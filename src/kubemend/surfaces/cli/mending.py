"""Carrying a repair out in front of a person: progress, Ctrl-C, and what becomes of the incident."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from kubemend.model.errors import InvalidInput
from kubemend.model.repair import Phase, Repair, State
from kubemend.surfaces.cli import output
from kubemend.surfaces.cli.exits import Exit
from kubemend.surfaces.cli.interrupt import Interrupted, on_stop
from kubemend.surfaces.cli.progress import Progress
from kubemend.surfaces.cli.render.repair import ended
from kubemend.surfaces.cli.wiring import Bench

ENDS = {
    State.SUCCEEDED: (Phase.RESOLVED, Exit.OK),
    State.ESCALATED: (Phase.ESCALATED, Exit.FOUND),
    State.REFUSED: (Phase.OPENED, Exit.REFUSED),
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


async def mend(bench: Bench, repair: Repair, progress: Progress, *, actor: str) -> Repair:
    """Carry an approved repair out to its end, and say on the incident how it came out."""
    incidents = bench.mender.ledger.incidents
    await incidents.move(repair.incident, Phase.REPAIRING)
    last = await followed(bench, bench.mender.guard.carry_out(repair, actor=actor), progress)
    await incidents.move(repair.incident, ENDS.get(last.state, (Phase.OPENED, Exit.FOUND))[0])
    return last


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
            progress.note("stopping: the change is made, so it is proven or taken back first. Ctrl-C again to leave at once;")
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


def conclude(repair: Repair) -> int:
    """Print how it came out, and give the exit status."""
    output.show(ended(repair))
    return status_of(repair)


def status_of(repair: Repair) -> int:
    """The exit status for a repair's last state."""
    return ENDS.get(repair.state, (Phase.OPENED, Exit.FOUND))[1]

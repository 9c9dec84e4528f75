"""Taking the changes of a repair back, the last one first: only where they still are as we left them."""

from __future__ import annotations

from typing import Any

from kubemend.cluster.errors import ClusterError, Conflict, NotFound, OutcomeUnknown, TimedOut
from kubemend.engine.guard.errors import Elsewhere, Stopped
from kubemend.engine.guard.means import CONFLICTS, Means, stepped
from kubemend.engine.guard.rollback import final, hindrance, order, restored, users
from kubemend.engine.guard.succession import successor
from kubemend.engine.guard.witness import found, leaving, made, until_gone
from kubemend.model.plan import Create, Evict, Exec
from kubemend.model.repair import Repair, State
from kubemend.store.switch import Paused

Object = dict[str, Any]


async def restore(repair: Repair, means: Means) -> Repair:
    """Take back what is not taken back yet. Ends in rolled back, or escalated where someone else's value stands."""
    why = repair.why
    for index in order(repair.plan.changes):
        try:
            repair = await _looked_for(repair, index, means)
            if repair.steps[index].after is not None and not repair.steps[index].undone:
                repair = await _restore_one(repair, index, means)
        except (ClusterError, Stopped, Paused) as error:
            return await means.move(repair, State.ESCALATED, f"could not take it back: {error.message}")
    if repair.undo:
        return await means.move(repair, State.ROLLED_BACK, "undone as asked")
    only_evicted = all(isinstance(c, Evict) for c in repair.plan.changes)
    done = "nothing could be taken back, for a pod that was evicted is gone" if only_evicted else "taken back"
    return await means.move(repair, State.ROLLED_BACK, f"{done}: {why}")


async def _looked_for(repair: Repair, index: int, means: Means) -> Repair:
    """A write of which nobody knew whether it was made counts as made when it shows."""
    change, step = repair.plan.changes[index], repair.steps[index]
    if not step.sent or step.after is not None:
        return repair
    live = await means.hands.live(change.target)
    if not made(change, live, step, repair.id):
        return repair
    steps = stepped(repair, index, after=found(change, live, step), sent=False)
    return await means.note(repair, {"result": "found already made", "change": index}, steps)


async def _restore_one(repair: Repair, index: int, means: Means) -> Repair:
    change, step = repair.plan.changes[index], repair.steps[index]
    if isinstance(change, Exec):
        raise Stopped(f"{final(change, step.before)}; the repair failed because {repair.why}")
    after = step.after or {}
    for _ in range(CONFLICTS):
        live = await means.hands.live(change.target)
        if live is not None and isinstance(change, Create) and leaving(live):
            await until_gone(change, live["metadata"]["uid"], means)
            continue
        if isinstance(change, Evict):
            live = await successor(change, step.before, repair.plan, means)
            if live is None:
                break
        elif restored(change, step.before, after, live):
            break
        if (theirs := hindrance(change, step.before, after, live, asked=repair.undo)) is not None:
            raise Elsewhere(f"{change.target} was changed by someone else since: {theirs}")
        if (held := users(change, means.sight.snapshot())) is not None:
            raise Stopped(f"{change.target} can't be deleted: {held}")
        repair = await means.announce(repair, index, live, "undo")
        try:
            await means.hands.restore(change, step.before, after, live)
        except (Conflict, OutcomeUnknown, TimedOut, NotFound) as error:
            repair = await means.note(repair, {"result": error.code, "message": error.message})
            continue
        except ClusterError as error:
            await means.note(repair, {"result": error.code, "message": error.message})
            raise
        repair = await means.note(repair, {"result": "ok", "change": index})
    else:
        raise Stopped(f"{change.target} is not as it was before after {CONFLICTS} attempts")
    return await means.note(repair, {"result": "as before", "change": index}, stepped(repair, index, undone=True))

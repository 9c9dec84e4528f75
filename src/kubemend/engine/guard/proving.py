"""From the last change to the proof that it worked; else on to taking it back."""

from __future__ import annotations

from collections.abc import Sequence

from kubemend.cluster.errors import ClusterError
from kubemend.engine.guard.means import Means
from kubemend.engine.guard.rollback import foreign
from kubemend.engine.guard.verification import Seen, verify
from kubemend.model.plan import Delete, Evict, Exec
from kubemend.model.repair import Repair, State
from kubemend.model.rule import Rule


async def prove(repair: Repair, means: Means, rules: Sequence[Rule], *, patience_s: float) -> Repair:
    """Watch until the repair is proven or not: succeeded, or rolling back. patience_s: see `verify`."""
    means.tell(repair, f"verifying for up to {repair.plan.verify.within_s:g} s")

    async def beat() -> None:
        await means.ledger.repairs.beat(repair)

    result = await verify(repair, means.sight, rules, patience_s=patience_s, beat=beat)
    if result.seen is Seen.WELL:
        return await means.move(repair, State.SUCCEEDED, result.why + await _theirs(repair, means))
    return await means.move(repair, State.ROLLING_BACK, f"verification failed: {result.why}")


async def _theirs(repair: Repair, means: Means) -> str:
    """What someone else made meanwhile of the fields we wrote: then it is not our change alone that was proven."""
    told = ""
    for change, step in zip(repair.plan.changes, repair.steps, strict=True):
        if isinstance(change, (Evict, Delete, Exec)):
            continue
        try:
            live = await means.hands.live(change.target)
        except ClusterError as error:
            told += f"; {change.target} could not be compared with what was written: {error.message}"
            continue
        if (theirs := foreign(change, step.before, step.after or {}, live)) is not None:
            told += f"; {change.target} was changed by someone else meanwhile: {theirs}"
    return told

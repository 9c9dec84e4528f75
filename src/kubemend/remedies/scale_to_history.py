"""Back from zero."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis, cite
from kubemend.model.objects import Deployment, HorizontalPodAutoscaler, Node, Pod, StatefulSet
from kubemend.model.plan import Declined, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, scale, strategy
from kubemend.remedies.room import places


@strategy(
    cures=("KM404",),
    risk=Risk.MEDIUM,
    reads=(Deployment, StatefulSet, HorizontalPodAutoscaler, Node, Pod),
    needs={Access("patch", "deployments/scale", "apps"), Access("patch", "statefulsets/scale", "apps")},
    order=30,
)
def scale_to_history(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Scale a workload back from zero to what it had, within its autoscaler's bounds, or to their minimum.

    ## Safety
    Planned only from exactly zero and only if the nodes have room for all its pods. Nothing but the number of
    replicas changes, and undo sets it to zero again.
    """
    workload, facts = snapshot.find(diagnosis.target), diagnosis.root.facts
    if not isinstance(workload, Deployment | StatefulSet):
        return Declined(f"{diagnosis.target} is no longer there")
    if workload.spec.replicas:
        return Declined(f"{workload.ref} has {workload.spec.replicas} replicas again")
    before, least, most = facts.get("before"), facts.get("least"), facts.get("most")
    if isinstance(least, int) and isinstance(most, int):
        wanted = min(max(before, least), most) if isinstance(before, int) else least
        why = f"its autoscaler wants {least} to {most} replicas"
    elif isinstance(before, int) and before > 0:
        wanted, why = before, f"it had {before} replicas"
    else:
        return Declined("nothing tells how many replicas it had")
    fits = places(workload.spec.template, workload.namespace, snapshot, wanted=wanted)
    if fits < wanted:
        return Declined(f"the nodes have room for {fits} of {wanted} pods")
    return Proposal(
        changes=(scale(workload, was=0, replicas=wanted),),
        reason=f"{why}, has none, and traffic depends on it" if isinstance(before, int) else f"{why} and it has none",
        confidence=0.85,
        verify=Verify(healthy=(workload.ref,), within_s=120.0 + 15.0 * wanted),
        requires=(cite(workload, "spec", "replicas"),),
    )

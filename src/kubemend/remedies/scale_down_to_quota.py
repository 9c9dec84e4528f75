"""As many replicas as the quota holds."""

from __future__ import annotations

from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis, cite
from kubemend.model.objects import Deployment, HorizontalPodAutoscaler, ResourceQuota, StatefulSet
from kubemend.model.plan import Declined, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, scale, strategy


@strategy(
    cures=("KM402",),
    risk=Risk.MEDIUM,
    reads=(Deployment, StatefulSet, HorizontalPodAutoscaler, ResourceQuota),
    needs={Access("patch", "deployments/scale", "apps"), Access("patch", "statefulsets/scale", "apps")},
    order=40,
)
def scale_down_to_quota(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Take back the part of a scale-up that the namespace's quota refuses.

    ## Safety
    No running pod is stopped: the new count is that of the pods that are there, and never less than the workload
    had before it was scaled up. Declined where nothing shows that it was scaled up (then the quota may have been
    lowered, and a person decides), during a rollout, and where an autoscaler sets the replicas.
    """
    workload, facts = snapshot.find(diagnosis.target), diagnosis.root.facts
    if not isinstance(workload, Deployment | StatefulSet):
        return Declined(f"{diagnosis.target} has no replicas to lower")
    wanted = workload.spec.replicas
    numbers = f"{facts['used']} of {facts['hard']} {facts['resource']} are in use, each pod takes {facts['each']}"
    before, missing = facts.get("before"), facts.get("missing")
    if not isinstance(before, int) or not isinstance(missing, int):
        return Declined(f"nothing shows that the replicas were raised to {wanted}; {numbers}")
    if scaler := _scaler(snapshot, workload):
        return Declined(f"autoscaler {scaler} sets the replicas; its maximum is what must be lowered; {numbers}")
    if workload.status.replicas > workload.status.updated_replicas:
        return Declined("a rollout is under way, for which the quota has to hold both revisions")
    fits = wanted - missing
    if not before <= fits < wanted or fits < 1:
        return Declined(f"the quota holds {fits} of {wanted} replicas, and it had {before} before; {numbers}")
    return Proposal(
        changes=(scale(workload, was=wanted, replicas=fits),),
        reason=f"it was scaled from {before} to {wanted} replicas, of which the quota holds {fits}: {numbers}",
        confidence=0.8,
        verify=Verify(healthy=(workload.ref,)),
        requires=(cite(workload, "spec", "replicas"),),
    )


def _scaler(snapshot: Snapshot, workload: Deployment | StatefulSet) -> str | None:
    for scaler in snapshot.all(HorizontalPodAutoscaler, workload.namespace):
        aim = scaler.spec.scale_target_ref
        if (aim.kind, aim.name) == (type(workload).__name__, workload.name):
            return scaler.name
    return None

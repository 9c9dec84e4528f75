"""A fresh pod in place of one that alone is unwell."""

from __future__ import annotations

from kubemend.kube.rollout import active, ready
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis, cite
from kubemend.model.objects import DaemonSet, Pod, ReplicaSet, StatefulSet
from kubemend.model.plan import Declined, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, evict, strategy
from kubemend.remedies.site import thriving


@strategy(
    cures=("KM102", "KM111", "KM112"),
    risk=Risk.LOW,
    reads=(Pod,),
    needs={Access("create", "pods/eviction")},
    order=90,
)
def restart_pod(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Evict one pod that is unwell while others made from the same template are well.

    The last resort for a fault whose cause isn't known: since other pods of the same revision work, the
    template is right, and a new pod has no state of the old one (its `emptyDir` volumes, its node perhaps).

    ## Safety
    Only a pod that a controller replaces, and only through the eviction API, which heeds disruption budgets.
    Where no other pod of the revision is well, a new one would be made from the same template and fail
    alike, so it is declined. An eviction can't be undone; nothing but the one pod is lost.
    """
    pod = snapshot.find(diagnosis.root.about)
    if not isinstance(pod, Pod) or not active(pod):
        return Declined(f"{diagnosis.root.about} is gone or going")
    if ready(pod):
        return Declined(f"{pod.ref} is ready again")
    owner = snapshot.owner(pod)
    if not isinstance(owner, ReplicaSet | StatefulSet | DaemonSet):
        return Declined("no controller would replace the pod")
    well = thriving(pod, snapshot)
    if not well:
        return Declined("no other pod of its revision is well, so a new one would fail alike")
    return Proposal(
        changes=(evict(pod),),
        reason=f"{len(well)} other pods of the same revision are well; this one alone isn't",
        confidence=0.7 if len(well) > 1 else 0.65,
        verify=Verify(healthy=(snapshot.top(pod).ref,), gone=False, steady_s=10.0),
        requires=(cite(pod, "metadata", "ownerReferences", 0, "uid"),),
    )

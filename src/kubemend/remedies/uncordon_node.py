"""Open a node again that pods are waiting for."""

from __future__ import annotations

from kubemend.kube.rollout import active
from kubemend.model.access import Access, Risk
from kubemend.model.finding import Diagnosis, cite
from kubemend.model.objects import Node, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.plan import Declined, Verify
from kubemend.model.snapshot import Snapshot
from kubemend.model.strategy import Proposal, patch, strategy

SIGNS = (
    "maintenance",
    "drain",
    "decommission",
    "reboot",
    "kured",
    "tobedeletedbyclusterautoscaler",
    "deletioncandidateofclusterautoscaler",
    "karpenter.sh/disrupt",
    "cluster.x-k8s.io/delete",
)
"""Parts of the names of labels, annotations and taints by which people and programs mark a node they work on."""

ALWAYS = "machineconfiguration.openshift.io/"
"""Prefix of annotations that speak of draining on every node of an OpenShift cluster."""


@strategy(
    cures=("KM205",),
    risk=Risk.MEDIUM,
    reads=(Node, Pod),
    needs={Access("patch", "nodes")},
    order=30,
)
def uncordon_node(diagnosis: Diagnosis, snapshot: Snapshot) -> Proposal | Declined:
    """Uncordon a node that pods are waiting for.

    ## Safety
    A cordon may be somebody's intent, so it is lifted only from a node that is ready, isn't being deleted, bears
    no sign of maintenance (a label, annotation or taint that says so), and hasn't been drained while other nodes
    stayed open. No pod is touched.
    """
    node = snapshot.find(diagnosis.target)
    if not isinstance(node, Node) or node.metadata.deletion_timestamp is not None:
        return Declined(f"{diagnosis.target} is gone or going")
    if not node.spec.unschedulable:
        return Declined(f"{node.ref} is no longer cordoned")
    state = condition(node.status.conditions, "Ready")
    if state is None or state.status != "True":
        return Declined(f"{node.ref} isn't ready")
    if sign := _sign(node):
        return Declined(f"{sign} says that somebody works on {node.ref}")
    if _drained(node, snapshot):
        return Declined(f"{node.ref} has been drained while other nodes stayed open, as for maintenance")
    return Proposal(
        changes=(patch(node, {"spec": {"unschedulable": None}}),),
        reason=f"{node.name} is ready, has room and no sign of maintenance, and pods wait for it",
        confidence=0.8,
        verify=Verify(healthy=(node.ref,)),
        requires=(cite(node, "spec", "unschedulable"),),
    )


def _sign(node: Node) -> str | None:
    marks = (*node.metadata.labels, *node.metadata.annotations, *(t.key for t in node.spec.taints))
    return next((m for m in marks if not m.startswith(ALWAYS) and any(s in m.lower() for s in SIGNS)), None)


def _drained(node: Node, snapshot: Snapshot) -> bool:
    """Whether nothing but DaemonSet pods is left on the node though another one is open."""
    if all(n.spec.unschedulable for n in snapshot.all(Node)):
        return False
    left = [p for p in snapshot.all(Pod) if p.spec.node_name == node.name and active(p)]
    return not any(p.metadata.controller is None or p.metadata.controller.kind != "DaemonSet" for p in left)

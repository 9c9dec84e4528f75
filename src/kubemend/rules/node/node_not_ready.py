"""KM601: a node that is out of order."""

from __future__ import annotations

from collections.abc import Iterator

from kubemend.kube.rollout import active, ready
from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Node, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.ref import Ref
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS
from kubemend.rules.workload.words import count

JOINING_S = 120.0
"""Seconds a new node is given to become ready: networking and images of its own pods come first."""


@rule(
    "KM601",
    severity=Severity.CRITICAL,
    reads=(Node,),
    uses=(Pod, *CONTROLLERS),
    explains=("KM112", "KM113", "KM114", "KM201", "KM203", "KM204", "KM205", "KM401", "KM503", "KM602"),
    spreads=True,
    whole=True,
)
def node_not_ready(snapshot: Snapshot) -> Iterator[Observation]:
    """A node isn't ready.

    ## What it means
    The node's kubelet reports that it can't run pods (`Ready` is False), or has stopped reporting (`Unknown`,
    40 seconds or more without a sign of life). A node that has just joined isn't reported.

    ## Why it matters
    Its pods may be down or out of reach. After five minutes they are made anew elsewhere, if there is room;
    those of a StatefulSet only once the node is back or removed.

    ## What to do
    Look at the machine: is it up, is its kubelet running, can it reach the API server? If it is lost for good,
    delete the Node object so that its pods can move.
    """
    for node in snapshot.all(Node):
        state = condition(node.status.conditions, "Ready")
        if state is None or state.status == "True" or node.metadata.deletion_timestamp or _joining(node, snapshot):
            continue
        at = node.status.conditions.index(state)
        pods = [p for p in snapshot.group(Pod, placed_on, node.name) if p.status.phase != "Succeeded"]
        word = "has stopped reporting" if state.status == "Unknown" else "reports that it isn't ready"
        yield Observation(
            about=node.ref,
            says=f"node {word} ({count(len(pods), 'pod')} on it)",
            evidence=(cite(node, "status", "conditions", at, "status"),),
            confidence=0.95,
            facts={"status": state.status, "pods": len(pods)},
            affects=(*_hit(snapshot, pods, node), *(p.ref for p in pods)),
        )


def placed_on(pod: Pod) -> str | None:
    """The name of a pod's node."""
    return pod.spec.node_name or None


def _joining(node: Node, snapshot: Snapshot) -> bool:
    made = node.metadata.creation_timestamp
    return made is not None and not snapshot.has_passed(JOINING_S, made)


def _hit(snapshot: Snapshot, pods: list[Pod], node: Node) -> tuple[Ref, ...]:
    """The workloads whose trouble is all on this node: one that fails elsewhere too has another cause."""
    by_top: dict[Ref, list[Pod]] = {}
    for pod in pods:
        top = snapshot.top(pod)
        if top.ref not in by_top:
            by_top[top.ref] = [p for p in snapshot.pods(top) if p.spec.node_name and active(p) and not ready(p)]
    return tuple(ref for ref, ill in by_top.items() if ill and all(p.spec.node_name == node.name for p in ill))

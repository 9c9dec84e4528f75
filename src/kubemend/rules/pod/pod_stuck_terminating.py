"""KM114: deleted, but not gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kubemend.model.finding import Observation, Severity, cite
from kubemend.model.objects import Node, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.ref import Ref
from kubemend.model.rule import rule
from kubemend.model.snapshot import Snapshot
from kubemend.rules.pod.seen import CONTROLLERS, clock

LATE_S = 120.0
"""Seconds past the grace period after which a deletion counts as stuck: unmounting volumes takes its time."""


@rule("KM114", severity=Severity.WARNING, reads=(Pod,), uses=(Node, *CONTROLLERS), explains=("KM401", "KM503"))
def pod_stuck_terminating(snapshot: Snapshot) -> Iterator[Observation]:
    """A pod was deleted long ago and still isn't gone.

    ## What it means
    The pod's grace period is over by two minutes or more. Its node may be gone or out of touch, so that no
    kubelet confirms the end; a finalizer may be left; a volume may refuse to unmount.

    ## Why it matters
    A StatefulSet makes no replacement as long as the old pod of that name is there, and the node, if it
    lives, keeps the resources taken.

    ## What to do
    See to the node first. Remove a leftover finalizer only if its controller is gone. Deleting the pod by
    force is safe only when it surely no longer runs; kubemend doesn't do it.
    """
    for pod in snapshot.all(Pod):
        # The deletion timestamp is when the grace period ends, not when the deletion was asked for.
        until = pod.metadata.deletion_timestamp
        if until is not None and snapshot.has_passed(LATE_S, until):
            yield _observation(snapshot, pod, until)


def _observation(snapshot: Snapshot, pod: Pod, until: datetime) -> Observation:
    node = snapshot.get(Node, "", pod.spec.node_name)
    state = condition(node.status.conditions, "Ready") if node else None
    gone = bool(pod.spec.node_name) and node is None and snapshot.was_read(Node)
    held = f"; finalizers: {', '.join(pod.metadata.finalizers)}" if pod.metadata.finalizers else ""
    where = f"; its node {pod.spec.node_name} {'is gone' if gone else 'is not ready'}"
    unwell = gone or (state is not None and state.status != "True")
    return Observation(
        about=pod.ref,
        says=f"the pod is still terminating; its grace period ended at {clock(until)}{held}{where if unwell else ''}",
        evidence=(cite(pod, "metadata", "deletionTimestamp"), cite(pod, "metadata", "finalizers")),
        confidence=0.95,
        facts={"finalizers": pod.metadata.finalizers, "node": pod.spec.node_name, "node_unwell": unwell},
        depends=(Ref("Node", "", pod.spec.node_name),) if pod.spec.node_name else (),
    )

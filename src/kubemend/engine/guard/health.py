"""Whether an object does its work: the question that verification asks of what was repaired."""

from __future__ import annotations

from kubemend.kube.rollout import Progress, progress
from kubemend.kube.selectors import subset
from kubemend.model.objects import (
    DaemonSet,
    Deployment,
    EndpointSlice,
    Ingress,
    Job,
    Node,
    Obj,
    PersistentVolumeClaim,
    Pod,
    ReplicaSet,
    Service,
    StatefulSet,
)
from kubemend.model.objects.meta import condition
from kubemend.model.ref import Ref
from kubemend.model.snapshot import Snapshot


def health(obj: Obj, snapshot: Snapshot) -> Progress:
    """Complete when the object is ready and does what it is for; else why not."""
    match obj:
        case Deployment() | StatefulSet() | DaemonSet() | ReplicaSet() | Job() | Pod():
            return progress(obj)
        case Service():
            return _service(obj, snapshot)
        case Node():
            ready = condition(obj.status.conditions, "Ready")
            if obj.spec.unschedulable:
                return Progress(False, "cordoned")
            return Progress(ready is not None and ready.status == "True", "Ready" if ready else "no Ready condition")
        case PersistentVolumeClaim():
            return Progress(obj.status.phase == "Bound", f"phase {obj.status.phase or 'unknown'}")
        case _:
            return Progress(True, "there")


def _service(service: Service, snapshot: Snapshot) -> Progress:
    slices = snapshot.all(EndpointSlice, service.namespace)
    mine = [s for s in slices if s.metadata.labels.get("kubernetes.io/service-name") == service.name]
    ready = sum(1 for s in mine for e in s.endpoints or () if e.conditions.ready is not False)
    return Progress(ready > 0, f"{ready} ready endpoints")


def neighbours(target: Obj, snapshot: Snapshot) -> set[Ref]:
    """Objects a repair of `target` could hurt: its Services and Ingresses, workloads on its nodes, those it shares."""
    found: set[Ref] = set()
    pods = snapshot.pods(target)
    services = [
        s
        for s in snapshot.all(Service, target.namespace)
        if s.spec.selector and any(subset(s.spec.selector, p.metadata.labels) for p in pods)
    ]
    found.update(s.ref for s in services)
    found.update(i.ref for i in snapshot.all(Ingress, target.namespace))
    nodes = {p.spec.node_name for p in pods if p.spec.node_name}
    for pod in snapshot.all(Pod):
        same_service = pod.namespace == target.namespace and any(
            subset(s.spec.selector, pod.metadata.labels) for s in services
        )
        if pod.spec.node_name in nodes or same_service:
            found.add(snapshot.top(pod).ref)
    return found - {target.ref}

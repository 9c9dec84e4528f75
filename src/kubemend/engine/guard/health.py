"""Whether an object does its work: the question that verification asks of what was repaired."""

from __future__ import annotations

from kubemend.kube.rollout import Progress, progress
from kubemend.kube.selectors import matches, subset
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
    PodDisruptionBudget,
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


def near(target: Obj, snapshot: Snapshot) -> set[Ref]:
    """Objects whose new faults a repair of `target` answers for.

    Its Services and their Ingresses, other workloads behind the same Services, and the workloads of its namespace
    that a PodDisruptionBudget protects.
    """
    pods = snapshot.pods(target)
    services = [s for s in snapshot.all(Service, target.namespace) if any(_selects(s, p) for p in pods)]
    found = {s.ref for s in services} | {i.ref for i in snapshot.all(Ingress, target.namespace)}
    budgets = snapshot.all(PodDisruptionBudget, target.namespace)
    for pod in snapshot.all(Pod, target.namespace):
        served = any(_selects(s, pod) for s in services)
        if served or any(matches(b.spec.selector, pod.metadata.labels) for b in budgets):
            found.add(snapshot.top(pod).ref)
    return found - {target.ref}


def beside(target: Obj, snapshot: Snapshot) -> set[Ref]:
    """Nodes that run the target's pods, and the other workloads on them: what a hungrier pod could starve."""
    nodes = {p.spec.node_name for p in snapshot.pods(target) if p.spec.node_name}
    found = {n.ref for n in snapshot.all(Node) if n.name in nodes}
    found.update(snapshot.top(p).ref for p in snapshot.all(Pod) if p.spec.node_name in nodes)
    return found - {target.ref}


def _selects(service: Service, pod: Pod) -> bool:
    return bool(service.spec.selector) and subset(service.spec.selector, pod.metadata.labels)

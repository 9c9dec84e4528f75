"""What hangs on an object: what it owns, directly and further down, and what names it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from kubemend.kube.references import references
from kubemend.kube.selectors import subset
from kubemend.model.objects import (
    HorizontalPodAutoscaler,
    Ingress,
    Job,
    Obj,
    PersistentVolumeClaim,
    Pod,
    ReplicaSet,
    Service,
    StatefulSet,
)
from kubemend.model.ref import Ref
from kubemend.tools.look import Look

OWNED: tuple[type[Obj], ...] = (ReplicaSet, Job, Pod, PersistentVolumeClaim)
"""Kinds that are looked through for owner references; others are not, and the answer says so."""
ABOVE: dict[str, tuple[type[Obj], ...]] = {
    "Deployment": (ReplicaSet, Pod),
    "CronJob": (Job, Pod),
    "ReplicaSet": (Pod,),
    "StatefulSet": (Pod, PersistentVolumeClaim),
    "DaemonSet": (Pod,),
    "Job": (Pod,),
}
USERS: dict[str, tuple[type[Obj], ...]] = {
    "ConfigMap": (Pod,),
    "Secret": (Pod,),
    "ServiceAccount": (Pod,),
    "PersistentVolumeClaim": (Pod,),
    "Service": (Ingress, StatefulSet),
    "Deployment": (HorizontalPodAutoscaler, Service),
    "StatefulSet": (HorizontalPodAutoscaler, Service),
    "DaemonSet": (Service,),
    "Pod": (Service,),
}


class Dependent(Struct, frozen=True):
    """One object that feels the deletion. how: owned (deleted with it), or uses (names or selects it)."""

    kind: str
    name: str
    how: str


async def dependents(cluster: Look, ref: Ref, uid: str, labels: dict[str, str]) -> tuple[Dependent, ...]:
    """What is deleted with the object, and what uses it. Kinds that can't be read become gaps.

    labels: of the pods it makes, or its own.
    """
    found = [Dependent(o.ref.kind, o.name, "owned") for o in await _owned(cluster, ref, uid)]
    for kind in USERS.get(ref.kind, ()):
        held = await cluster.beside(kind, ref.namespace)
        found += [Dependent(o.ref.kind, o.name, "uses") for o in held or () if _uses(o, ref, labels)]
    return tuple(found)


async def _owned(cluster: Look, ref: Ref, uid: str) -> list[Obj]:
    owners, found = {uid}, list[Obj]()
    for kind in ABOVE.get(ref.kind, ()):
        mine = [
            o
            for o in await cluster.beside(kind, ref.namespace) or ()
            if any(r.uid in owners for r in o.metadata.owner_references)
        ]
        owners |= {o.metadata.uid for o in mine}
        found += mine
    return found


def _uses(obj: Obj, ref: Ref, labels: dict[str, str]) -> bool:
    match obj:
        case Pod():
            return any(r.kind == ref.kind and r.name == ref.name for r in references(obj.spec))
        case Service():
            return bool(obj.spec.selector) and subset(obj.spec.selector, labels)
        case StatefulSet():
            return obj.spec.service_name == ref.name
        case HorizontalPodAutoscaler():
            aim = obj.spec.scale_target_ref
            return (aim.kind, aim.name) == (ref.kind, ref.name)
        case Ingress():
            return ref.name in backends(obj)
    return False


def backends(ingress: Ingress) -> Iterator[str]:
    """The names of the Services that an Ingress sends to."""
    spec = ingress.spec
    held = [p.backend for r in spec.rules for p in (r.http.paths if r.http else ())]
    if spec.default_backend is not None:
        held.append(spec.default_backend)
    yield from (b.service.name for b in held if b.service is not None)

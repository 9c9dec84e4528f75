"""Which checks an object of a kind must pass when it is made and when it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kubemend.lab.admission import metadata, objects, podchange, pods, workloads
from kubemend.lab.api import Object
from kubemend.lab.apiserver.status import Cause, invalid
from kubemend.lab.kinds import Kind


def _pod(obj: Object) -> Iterator[Cause]:
    return pods.check(obj["spec"], "spec")


_CHECKS: dict[str, Callable[[Object], Iterator[Cause]]] = {
    "ClusterRoleBinding": objects.binding,
    "ConfigMap": objects.keys,
    "CronJob": workloads.cronjob,
    "DaemonSet": workloads.daemonset,
    "Deployment": workloads.deployment,
    "Event": objects.event,
    "HorizontalPodAutoscaler": objects.autoscaler,
    "Ingress": objects.ingress,
    "Job": workloads.job,
    "NetworkPolicy": objects.network_policy,
    "PersistentVolume": objects.volume,
    "PersistentVolumeClaim": objects.claim,
    "Pod": _pod,
    "PodDisruptionBudget": objects.budget,
    "ReplicaSet": workloads.replicaset,
    "RoleBinding": objects.binding,
    "Secret": objects.keys,
    "Service": objects.service,
    "StatefulSet": workloads.statefulset,
    "StorageClass": objects.storage_class,
}
_WORKLOADS = frozenset({"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"})


def check_new(kind: Kind, obj: Object) -> None:
    """Raises `ApiError` (422) with all faults of a new object."""
    _raise(kind, obj, list(_faults(kind, obj)))


def check_change(kind: Kind, old: Object, new: Object, *, subresource: str = "") -> None:
    """Raises `ApiError` (422) with all faults of a change. Of a status only the metadata is looked at."""
    causes = list(metadata.changed(old, new))
    if subresource == "resize":
        causes += podchange.check_resize(old, new)
    elif not subresource:
        causes += [*_faults(kind, new), *_change(kind, old, new)]
    _raise(kind, new, causes)


def _faults(kind: Kind, obj: Object) -> Iterator[Cause]:
    yield from metadata.check(kind, obj)
    if (check := _CHECKS.get(kind.storage)) is not None:
        yield from check(obj)


def _change(kind: Kind, old: Object, new: Object) -> Iterator[Cause]:
    if kind.kind == "Pod":
        yield from podchange.check(old, new)
    elif kind.kind in _WORKLOADS:
        yield from workloads.changed(kind.kind, old, new)
    else:
        yield from objects.changed(kind.kind, old, new)


def _raise(kind: Kind, obj: Object, causes: list[Cause]) -> None:
    if causes:
        raise invalid(kind, obj["metadata"].get("name", ""), causes)

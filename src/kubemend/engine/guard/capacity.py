"""Whether the cluster can hold what a plan makes: per node, not in sum; quota and LimitRange too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling import Room, Storage, requests
from kubemend.model.objects import (
    Deployment,
    LimitRange,
    Namespace,
    Node,
    Obj,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    ResourceQuota,
    StatefulSet,
    StorageClass,
)
from kubemend.model.snapshot import Snapshot

Amounts = Mapping[str, Decimal]


def shortages(before: Obj, after: Obj, snapshot: Snapshot) -> Iterator[str]:
    """What would be short if `before` became `after`, one sentence each; nothing when all fits.

    Only workloads with a replica count of their own are judged, and only when their pods or number change.
    """
    if not isinstance(after, (Deployment, StatefulSet)) or not isinstance(before, (Deployment, StatefulSet)):
        return
    if before.spec.template == after.spec.template and after.spec.replicas <= before.spec.replicas:
        return
    yield from _nodes(before, after, snapshot)
    for quota in snapshot.all(ResourceQuota, after.namespace):
        yield from _quota(before, after, quota)
    for limits in snapshot.all(LimitRange, after.namespace):
        yield from _limit_range(after.spec.template.spec, limits)


def _nodes(before: Deployment | StatefulSet, after: Deployment | StatefulSet, snapshot: Snapshot) -> Iterator[str]:
    if not snapshot.was_read(Node) or not snapshot.was_read(Pod, after.namespace):
        yield "nodes and pods could not be read, so it is unknown whether the new pods fit"
        return
    spec, nodes = after.spec.template.spec, snapshot.all(Node)
    old = {p.metadata.uid for p in snapshot.pods(before)}
    others = [p for p in snapshot.all(Pod) if p.metadata.uid not in old]
    labels = after.spec.template.metadata.labels
    room = Room(
        spec,
        after.namespace,
        labels,
        nodes,
        others,
        storage=_storage(snapshot, after.namespace),
        namespaces={n.name: n.metadata.labels for n in snapshot.all(Namespace)},
    )
    placed = room.fill(after.spec.replicas)
    if placed < after.spec.replicas:
        asked = ", ".join(f"{k} {v.normalize():f}" for k, v in sorted(requests(spec).items()))
        yield f"only {placed} of {after.spec.replicas} pods would fit on the {len(nodes)} nodes (each asks {asked})"


def _storage(snapshot: Snapshot, namespace: str) -> Storage | None:
    """Claims and volumes, where they were read; None when it is unknown what they would keep off a node."""
    kinds = (PersistentVolumeClaim, PersistentVolume, StorageClass)
    if not all(snapshot.was_read(k, namespace) for k in kinds):
        return None
    claims = snapshot.all(PersistentVolumeClaim, namespace)
    return Storage.of(claims, snapshot.all(PersistentVolume), snapshot.all(StorageClass))


def _quota(before: Deployment | StatefulSet, after: Deployment | StatefulSet, quota: ResourceQuota) -> Iterator[str]:
    old, new = _charge(before.spec.template.spec), _charge(after.spec.template.spec)
    surge = _surge(after)
    for name, hard in quota.status.hard.items():
        each = new.get(name)
        if each is None:
            continue
        used = parse(quota.status.used.get(name, 0))
        end = used + each * after.spec.replicas - old.get(name, Decimal(0)) * before.spec.replicas
        peak = max(end, used + each * surge)
        if peak > parse(hard):
            have = f"{used.normalize():f} of {parse(hard).normalize():f} used"
            yield f"quota {quota.name}: {name} would reach {peak.normalize():f} ({have})"


def _charge(spec: PodSpec) -> dict[str, Decimal]:
    """What one pod counts against a quota, by the quota's own resource names."""
    charge = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name, need in requests(spec).items():
        charge[name] = charge[f"requests.{name}"] = need
    for container in spec.containers:
        for name, limit in container.resources.limits.items():
            key = f"limits.{name}"
            charge[key] = charge.get(key, Decimal(0)) + parse(limit)
    return charge


def _surge(workload: Deployment | StatefulSet) -> int:
    """Pods that exist beside the old ones while rolling: maxSurge, 25 % rounded up by default (Deployment API)."""
    if not isinstance(workload, Deployment) or workload.spec.strategy.type != "RollingUpdate":
        return 0
    rolling = workload.spec.strategy.rolling_update
    surge = "25%" if rolling is None or rolling.max_surge is None else rolling.max_surge
    if isinstance(surge, int):
        return surge
    return math.ceil(workload.spec.replicas * int(surge.rstrip("%")) / 100)


def _limit_range(spec: PodSpec, limits: LimitRange) -> Iterator[str]:
    for item in limits.spec.limits:
        if item.type != "Container":
            continue
        for container in spec.containers:
            for name, most in item.max.items():
                asked = container.resources.limits.get(name)
                if asked is not None and parse(asked) > parse(most):
                    yield f"LimitRange {limits.name}: container {container.name} asks {asked} {name}, at most {most}"

"""How much memory a container's limit may come to: what the namespace's rules and the nodes leave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.quantity import parse, to_bytes
from kubemend.kube.rollout import active
from kubemend.model.objects import Container, DaemonSet, Deployment, LimitRange, Node, Pod, ResourceQuota
from kubemend.model.snapshot import Snapshot
from kubemend.remedies.site import Site


class Ceiling(Struct, frozen=True, order=True):
    """The most that something allows, in bytes, and what it is."""

    size: int
    why: str


def ceilings(found: Site, container: Container, snapshot: Snapshot, *, now: int, request: int) -> Iterator[Ceiling]:
    """Every bound on the memory limit of a workload's container.

    now: its limit, request: its memory request, both in bytes. Nodes count if they were read.
    """
    namespace = found.obj.namespace
    for held in snapshot.all(LimitRange, namespace):
        yield from _range(found, container, held, request)
    for quota in snapshot.all(ResourceQuota, namespace):
        yield from _quota(found, quota, snapshot, now)
    sizes = [to_bytes(n.status.allocatable.get("memory", 0)) for n in snapshot.all(Node) if not n.spec.unschedulable]
    if sizes:
        yield Ceiling(max(sizes), "no node has more memory")


def _range(found: Site, container: Container, held: LimitRange, request: int) -> Iterator[Ceiling]:
    for item in held.spec.limits:
        most = item.max.get("memory")
        if item.type == "Container" and most is not None:
            yield Ceiling(to_bytes(most), f"LimitRange {held.name!r} allows a container no more")
        if item.type == "Pod" and most is not None:
            yield Ceiling(to_bytes(most) - _others(found, container), f"LimitRange {held.name!r} allows a pod no more")
        ratio = item.max_limit_request_ratio.get("memory")
        if item.type == "Container" and ratio is not None and request:
            why = f"LimitRange {held.name!r} bounds the limit by the request"
            yield Ceiling(int(parse(ratio) * request), why)


def _others(found: Site, container: Container) -> int:
    """The limits of the pod's other containers together."""
    return sum(
        to_bytes(c.resources.limits.get("memory", 0))
        for c in found.template.spec.containers
        if c.name != container.name
    )


def _quota(found: Site, quota: ResourceQuota, snapshot: Snapshot, now: int) -> Iterator[Ceiling]:
    """What is left of a quota on limits, shared by as many pods as a rollout has at once."""
    hard = (quota.status.hard or quota.spec.hard).get("limits.memory")
    if hard is None:
        return
    left = parse(hard) - parse(quota.status.used.get("limits.memory", 0))
    counted = sum(active(p) for p in snapshot.pods(found.obj))
    most = (left + now * counted) / max(1, _peak(found))
    yield Ceiling(int(max(most, Decimal())), f"ResourceQuota {quota.name!r} leaves no more")


def _peak(found: Site) -> int:
    """Pods of the workload at once while it is rolled out."""
    obj = found.obj
    if isinstance(obj, Deployment):
        return obj.spec.replicas + _surge(obj)
    if isinstance(obj, DaemonSet):
        return obj.status.desired_number_scheduled
    return 1 if isinstance(obj, Pod) else obj.spec.replicas


def _surge(deployment: Deployment) -> int:
    """Pods beyond the replicas, a share rounded up (`deploymentutil.ResolveFenceposts`); 25 % is the default."""
    if deployment.spec.strategy.type == "Recreate":
        return 0
    rolling = deployment.spec.strategy.rolling_update
    surge = rolling.max_surge if rolling is not None and rolling.max_surge is not None else "25%"
    if isinstance(surge, str) and surge.endswith("%"):
        return math.ceil(deployment.spec.replicas * int(surge.removesuffix("%")) / 100)
    return int(surge)

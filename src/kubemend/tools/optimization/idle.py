"""Nodes, volumes, claims and workloads that cost and do nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.quantity import parse
from kubemend.model.objects import (
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
)
from kubemend.model.snapshot import Snapshot
from kubemend.tools import unused
from kubemend.tools.optimization.prices import Tariff, of_node, of_pod, rounded
from kubemend.tools.usage import PodKey, Used
from kubemend.tools.workloads import living, replicas_of, running, workloads

IDLE_CORES = Decimal("0.001")
"""CPU of a pod below which it does nothing just now."""


class Idle(Struct, frozen=True):
    """One thing that does nothing. monthly_cost: what it costs by the price book; None where it costs nothing
    by itself, or its size isn't known."""

    kind: str
    name: str
    namespace: str
    why: str
    monthly_cost: float | None = None


def nodes(snapshot: Snapshot, tariff: Tariff) -> Iterator[Idle]:
    """Nodes on which nothing runs but what runs on every node (DaemonSets) or belongs to it (mirror pods)."""
    busy = {p.spec.node_name for p in snapshot.all(Pod) if living(p) and not _everywhere(p)}
    for node in snapshot.all(Node):
        if node.name not in busy:
            yield Idle("Node", node.name, "", "only DaemonSet pods run on it", rounded(of_node(node, tariff)))


def _everywhere(pod: Pod) -> bool:
    owner = pod.metadata.controller
    return owner is not None and owner.kind in ("DaemonSet", "Node")


def volumes(snapshot: Snapshot, tariff: Tariff) -> Iterator[Idle]:
    """Volumes that no claim holds."""
    for volume in snapshot.all(PersistentVolume):
        if volume.status.phase in ("Available", "Released", "Failed"):
            size = parse(volume.spec.capacity.get("storage", 0))
            cost = rounded(tariff.prices.storage(size))
            yield Idle("PersistentVolume", volume.name, "", f"it is {volume.status.phase}", cost)


def claims(snapshot: Snapshot, tariff: Tariff) -> Iterator[Idle]:
    """Claims that no pod or template mounts."""
    for claim in unused.claims(snapshot):
        size = _size(claim)
        cost = rounded(tariff.prices.storage(size)) if claim.status.phase == "Bound" else None
        yield Idle("PersistentVolumeClaim", claim.name, claim.namespace, "no pod or template mounts it", cost)


def _size(claim: PersistentVolumeClaim) -> Decimal:
    return parse(claim.status.capacity.get("storage") or claim.spec.resources.requests.get("storage", 0))


def stopped(snapshot: Snapshot) -> Iterator[Idle]:
    """Workloads scaled to 0."""
    for workload in workloads(snapshot):
        if workload.ref.kind != "DaemonSet" and not replicas_of(workload):
            yield Idle(workload.ref.kind, workload.name, workload.namespace, "scaled to 0")


def quiet(snapshot: Snapshot, using: Mapping[PodKey, Used], tariff: Tariff) -> Iterator[Idle]:
    """Workloads of which every pod is metered, and uses less than a thousandth of a core just now."""
    for workload in workloads(snapshot):
        pods = running(snapshot, workload)
        used = [using.get((p.namespace, p.name)) for p in pods]
        if pods and all(u is not None and u.cores < IDLE_CORES for u in used):
            cost = sum((of_pod(p, u, tariff) for p, u in zip(pods, used, strict=True)), Decimal())
            why = "its pods use less than 1m of CPU each just now"
            yield Idle(workload.ref.kind, workload.name, workload.namespace, why, rounded(cost))

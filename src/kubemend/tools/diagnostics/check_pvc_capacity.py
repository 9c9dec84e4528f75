"""Tool: claims, and how full they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.kube.quantity import to_bytes
from kubemend.kube.references import references
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.tool import tool
from kubemend.tools.diagnostics.get_kubernetes_node_capacity import human
from kubemend.tools.look import Look
from kubemend.tools.usage import Fill, fills
from kubemend.tools.words import Scope

Key = tuple[str, str]


class ClaimRow(Struct, frozen=True):
    """One claim. used_bytes and percent_used: as its kubelet measures them; None when nobody tells (see `incomplete`).

    inodes_percent_used: a volume can be full of files that hold little. expandable: None when classes weren't read.
    """

    name: str
    namespace: str
    status: str
    capacity: str
    capacity_bytes: int
    used_bytes: int | None
    percent_used: float | None
    inodes_percent_used: float | None
    storage_class: str
    expandable: bool | None
    access_modes: tuple[str, ...]
    mounted_by: tuple[str, ...]
    why_pending: str


class ClaimReport(Struct, frozen=True):
    """Claims, the fullest first. high_usage_pvcs: at or above the threshold; None when use is not known."""

    threshold_percent: int
    pvc_list: tuple[ClaimRow, ...]
    pending_pvcs: tuple[str, ...]
    high_usage_pvcs: tuple[str, ...] | None
    recommendations: tuple[str, ...]
    total_capacity: str
    total_capacity_bytes: int
    total_pvcs: int


@tool(
    risk=Risk.READ,
    needs={
        Access("list", "persistentvolumeclaims"),
        Access("list", "pods"),
        Access("list", "storageclasses", "storage.k8s.io"),
        Access("list", "events"),
    },
    examples=({"namespace": "shop"},),
)
async def check_pvc_capacity(
    cluster: Look,
    *,
    namespace: Scope = None,
    threshold_percent: Annotated[
        int, Meta(description="Per cent used from which on it counts as high.", ge=1, le=100)
    ] = 80,
) -> ClaimReport:
    """Show claims with their size, who mounts them, why they wait, and, with Prometheus, how full they are.

    How full a volume is only its kubelet knows; it reaches us through Prometheus (`kubelet_volume_stats_used_bytes`
    over `kubelet_volume_stats_capacity_bytes`).
    """
    claims = await cluster.list(PersistentVolumeClaim, namespace)
    mounted = _mounted(await cluster.list(Pod, namespace))
    classes = await cluster.beside(StorageClass)
    growing = None if classes is None else {c.name: c.allow_volume_expansion for c in classes}
    about_claims = "involvedObject.kind=PersistentVolumeClaim"
    events = _reasons(await cluster.beside(Event, namespace, fields=about_claims) or ())
    full = await fills(cluster, namespace)
    rows = [_row(c, mounted, growing, events, full) for c in claims]
    rows.sort(key=lambda r: (-(r.percent_used or 0.0), r.namespace, r.name))
    high = [r for r in rows if (r.percent_used or 0.0) >= threshold_percent]
    total = sum(r.capacity_bytes for r in rows)
    return ClaimReport(
        threshold_percent=threshold_percent,
        pvc_list=tuple(rows),
        pending_pvcs=tuple(f"{r.namespace}/{r.name}" for r in rows if r.status == "Pending"),
        high_usage_pvcs=None if full is None else tuple(f"{r.namespace}/{r.name}" for r in high),
        recommendations=tuple(_advice(rows, high)),
        total_capacity=human(Decimal(total)),
        total_capacity_bytes=total,
        total_pvcs=len(rows),
    )


def _mounted(pods: Sequence[Pod]) -> Mapping[Key, list[str]]:
    found: defaultdict[Key, list[str]] = defaultdict(list)
    for pod in pods:
        if pod.status.phase not in ("Succeeded", "Failed"):
            for name in {r.name for r in references(pod.spec) if r.kind == "PersistentVolumeClaim"}:
                found[pod.namespace, name].append(pod.name)
    return found


def _reasons(events: Sequence[Event]) -> Mapping[Key, str]:
    """The newest word of the volume controllers about each claim."""
    told = sorted(events, key=lambda e: (e.last_seen is not None, e.last_seen))
    return {(e.namespace, e.involved_object.name): f"{e.reason}: {e.message}" for e in told}


def _row(
    claim: PersistentVolumeClaim,
    mounted: Mapping[Key, list[str]],
    growing: Mapping[str, bool] | None,
    events: Mapping[Key, str],
    full: Mapping[Key, Fill] | None,
) -> ClaimRow:
    key, spec = (claim.namespace, claim.name), claim.spec
    size = claim.status.capacity.get("storage") or spec.resources.requests.get("storage", 0)
    fill = None if full is None else full.get(key)
    pending = claim.status.phase == "Pending"
    return ClaimRow(
        name=claim.name,
        namespace=claim.namespace,
        status=claim.status.phase,
        capacity=str(size),
        capacity_bytes=to_bytes(size),
        used_bytes=None if fill is None else fill.used_bytes,
        percent_used=None if fill is None else fill.percent,
        inodes_percent_used=None if fill is None else fill.inodes_percent,
        storage_class=spec.storage_class_name or "",
        expandable=None if growing is None else growing.get(spec.storage_class_name or "", False),
        access_modes=spec.access_modes,
        mounted_by=tuple(sorted(mounted.get(key, ()))),
        why_pending=events.get(key, "") if pending else "",
    )


def _advice(rows: Sequence[ClaimRow], high: Sequence[ClaimRow]) -> Iterator[str]:
    for row in high:
        can = "can be enlarged in place" if row.expandable else "can't be enlarged in place: its class doesn't allow it"
        yield f"{row.namespace}/{row.name} is {row.percent_used} % full and {can}"
    if idle := [r for r in rows if not r.mounted_by and r.status == "Bound"]:
        yield f"{len(idle)} bound claims are mounted by no pod: identify_idle_resources"

"""Tool: requests that nobody uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.scheduling import requests
from kubemend.model.access import Access, Risk
from kubemend.model.snapshot import Snapshot
from kubemend.model.tool import tool
from kubemend.tools.advice import scene
from kubemend.tools.look import Look
from kubemend.tools.usage import OF_PODS, PodKey, Used, by_pod, metered
from kubemend.tools.words import Scope
from kubemend.tools.workloads import Workload, running, workloads

OVER = 50.0
"""Per cent of its requests below which a workload counts as over-provisioned."""
IDLE_CORES = Decimal("0.001")
"""CPU of a whole pod below which it does nothing just now."""


class WasteRow(Struct, frozen=True):
    """One workload, all its running pods together. wasted: requested less used, at least 0. used_percent: None
    without a request or without metrics. state: "over-provisioned", "idle", "under-provisioned", "no-requests",
    "fitting" or "not-known"."""

    kind: str
    name: str
    namespace: str
    pods: int
    state: str
    requested_cpu_cores: float
    used_cpu_cores: float | None
    wasted_cpu_cores: float | None
    cpu_used_percent: float | None
    requested_memory_bytes: int
    used_memory_bytes: int | None
    wasted_memory_bytes: int | None
    memory_used_percent: float | None


class Waste(Struct, frozen=True):
    """Workloads, those that waste most first (as shares of all that is requested, CPU and memory alike).

    basis: where use comes from. Sums are over the workloads of which use is known.
    """

    scope: str
    basis: str
    total: int
    by_state: dict[str, int]
    requested_cpu_cores: float
    wasted_cpu_cores: float
    requested_memory_bytes: int
    wasted_memory_bytes: int
    workloads: tuple[WasteRow, ...]
    next_step: str


@tool(
    risk=Risk.READ,
    needs={
        Access("list", "deployments", "apps"),
        Access("list", "statefulsets", "apps"),
        Access("list", "daemonsets", "apps"),
        Access("list", "replicasets", "apps"),
        Access("list", "pods"),
        OF_PODS,
    },
    examples=({"namespace": "shop"},),
)
async def analyze_resource_waste(cluster: Look, *, namespace: Scope = None) -> Waste:
    """Compare what workloads request with what they use just now; over-provisioned and idle ones first.

    wasted = requests - use of running pods, at least 0. Use is a look at this moment (metrics.k8s.io): a workload
    that is quiet now may need its room later. recommend_resource_right_sizing looks at two weeks.
    """
    snapshot = await scene(cluster, namespace)
    using = await metered(cluster, namespace)
    pods = None if using is None else by_pod(using)
    rows = [r for w in workloads(snapshot) if (r := _row(snapshot, w, pods)) is not None]
    all_cpu = sum(r.requested_cpu_cores for r in rows) or 1.0
    all_memory = sum(r.requested_memory_bytes for r in rows) or 1
    rows.sort(
        key=lambda r: (
            -((r.wasted_cpu_cores or 0) / all_cpu + (r.wasted_memory_bytes or 0) / all_memory),
            r.namespace,
            r.kind,
            r.name,
        )
    )
    known = [r for r in rows if r.used_cpu_cores is not None]
    return Waste(
        scope=namespace or "all",
        basis="none" if using is None else "metrics.k8s.io, just now",
        total=len(rows),
        by_state=_states(rows),
        requested_cpu_cores=round(sum(r.requested_cpu_cores for r in known), 3),
        wasted_cpu_cores=round(sum(r.wasted_cpu_cores or 0 for r in known), 3),
        requested_memory_bytes=sum(r.requested_memory_bytes for r in known),
        wasted_memory_bytes=sum(r.wasted_memory_bytes or 0 for r in known),
        workloads=tuple(rows),
        next_step="recommend_resource_right_sizing tells what to request; calculate_cost_savings what that saves",
    )


def _states(rows: Sequence[WasteRow]) -> dict[str, int]:
    return {s: sum(r.state == s for r in rows) for s in sorted({r.state for r in rows})}


def _row(snapshot: Snapshot, workload: Workload, using: Mapping[PodKey, Used] | None) -> WasteRow | None:
    """None for a workload without running pods: what doesn't run wastes nothing."""
    pods = [p for p in running(snapshot, workload) if p.spec.node_name]
    if not pods:
        return None
    asked = [requests(p.spec) for p in pods]
    cpu = sum((a.get("cpu", Decimal()) for a in asked), Decimal())
    memory = sum((a.get("memory", Decimal()) for a in asked), Decimal())
    known = [u for p in pods if (u := (using or {}).get((p.namespace, p.name))) is not None]
    used = sum(known, Used()) if known else None
    return WasteRow(
        kind=workload.ref.kind,
        name=workload.name,
        namespace=workload.namespace,
        pods=len(pods),
        state=_state(cpu, memory, used, len(pods)),
        requested_cpu_cores=float(cpu),
        used_cpu_cores=None if used is None else float(used.cores),
        wasted_cpu_cores=None if used is None else float(max(cpu - used.cores, Decimal())),
        cpu_used_percent=_share(used.cores, cpu) if used else None,
        requested_memory_bytes=int(memory),
        used_memory_bytes=None if used is None else used.bytes,
        wasted_memory_bytes=None if used is None else int(max(memory - used.bytes, Decimal())),
        memory_used_percent=_share(Decimal(used.bytes), memory) if used else None,
    )


def _state(cpu: Decimal, memory: Decimal, used: Used | None, pods: int) -> str:
    if used is None:
        return "not-known"
    if not cpu and not memory:
        return "no-requests"
    if used.cores < IDLE_CORES * pods:
        return "idle"
    shares = [s for s in (_share(used.cores, cpu), _share(Decimal(used.bytes), memory)) if s is not None]
    if any(s > 100 for s in shares):
        return "under-provisioned"
    return "over-provisioned" if all(s < OVER for s in shares) else "fitting"


def _share(part: Decimal, whole: Decimal) -> float | None:
    return round(float(part / whole * 100), 1) if whole else None

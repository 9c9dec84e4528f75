"""Tool: how well workloads stand the loss of a pod, a node or a zone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from kubemend.kube.rollout import ready
from kubemend.model.access import Access, Risk
from kubemend.model.objects import (
    DaemonSet,
    Deployment,
    HorizontalPodAutoscaler,
    Node,
    Pod,
    PodDisruptionBudget,
    ReplicaSet,
    StatefulSet,
)
from kubemend.model.snapshot import Snapshot
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.optimization.placing import Ground, counted
from kubemend.tools.optimization.steadiness import Gap, Setting, gaps, score
from kubemend.tools.words import Scope
from kubemend.tools.workloads import (
    MaybeWorkload,
    Spread,
    Workload,
    budgets_of,
    gathered,
    replicas_of,
    running,
    spreads,
    template_of,
    workloads,
)

GOOD, FAIR = 90, 70


class Standing(Struct, frozen=True):
    """One workload. score: of 100; grade: "good" from 90, "fair" from 70, else "poor". budgets: None when not read."""

    kind: str
    name: str
    namespace: str
    replicas: int
    ready: int
    score: int
    grade: str
    gaps: tuple[Gap, ...]
    nodes: dict[str, int]
    zones: dict[str, int]
    spread: tuple[Spread, ...]
    budgets: tuple[str, ...] | None
    autoscaler: str


class Availability(Struct, frozen=True):
    """The workloads, the worst first; those scaled to 0 are left out. score: their mean; None without any."""

    scope: str
    total: int
    score: float | None
    by_grade: dict[str, int]
    scaled_to_zero: tuple[str, ...]
    workloads: tuple[Standing, ...]


@tool(
    risk=Risk.READ,
    needs={
        Access("list", "deployments", "apps"),
        Access("list", "statefulsets", "apps"),
        Access("list", "daemonsets", "apps"),
        Access("list", "replicasets", "apps"),
        Access("list", "pods"),
        Access("list", "nodes"),
        Access("list", "poddisruptionbudgets", "policy"),
        Access("list", "horizontalpodautoscalers", "autoscaling"),
    },
    examples=({"namespace": "shop"},),
)
async def analyze_high_availability(
    cluster: Look, *, namespace: Scope = None, workload: MaybeWorkload = None
) -> Availability:
    """Judge how workloads stand the loss of a pod, a node or a zone: score, gaps and how to close each.

    Looked at: replicas ready and wanted, where they are, what keeps them apart, disruption budgets, rollout
    settings, probes and requests. The score is 100 less what each gap costs (`costs`), at least 0.
    """
    snapshot = await gathered(
        cluster,
        namespace,
        Deployment,
        StatefulSet,
        DaemonSet,
        ReplicaSet,
        Pod,
        beside=(Node, PodDisruptionBudget, HorizontalPodAutoscaler),
    )
    # In a thread: while thousands are judged, other calls go on.
    return await asyncio.to_thread(_judged, snapshot, workloads(snapshot, workload))


def _judged(snapshot: Snapshot, found: Sequence[Workload]) -> Availability:
    nodes = Ground(snapshot.all(Node))
    rows = [_standing(snapshot, w, nodes) for w in found if replicas_of(w)]
    rows.sort(key=lambda r: (r.score, r.namespace, r.kind, r.name))
    return Availability(
        scope=snapshot.namespace or "all",
        total=len(rows),
        score=round(sum(r.score for r in rows) / len(rows), 1) if rows else None,
        by_grade={g: sum(r.grade == g for r in rows) for g in ("good", "fair", "poor")},
        scaled_to_zero=tuple(str(w.ref) for w in found if not replicas_of(w)),
        workloads=tuple(rows),
    )


def _standing(snapshot: Snapshot, workload: Workload, nodes: Ground) -> Standing:
    pods = running(snapshot, workload)
    budgets = None
    if snapshot.was_read(PodDisruptionBudget, workload.namespace):
        budgets = budgets_of(workload, snapshot.all(PodDisruptionBudget, workload.namespace))
    scaler = _autoscaler(workload, snapshot.all(HorizontalPodAutoscaler, workload.namespace))
    told = tuple(gaps(Setting(workload, pods, nodes if snapshot.was_read(Node) else None, budgets, scaler)))
    points = score(told)
    return Standing(
        kind=workload.ref.kind,
        name=workload.name,
        namespace=workload.namespace,
        replicas=replicas_of(workload),
        ready=sum(map(ready, pods)),
        score=points,
        grade="good" if points >= GOOD else "fair" if points >= FAIR else "poor",
        gaps=told,
        nodes=counted((p.spec.node_name for p in pods), ()),
        zones=counted((nodes.zone(p.spec.node_name) for p in pods), ()),
        spread=tuple(spreads(template_of(workload))),
        budgets=None if budgets is None else tuple(b.name for b in budgets),
        autoscaler="" if scaler is None else scaler.name,
    )


def _autoscaler(workload: Workload, found: Sequence[HorizontalPodAutoscaler]) -> HorizontalPodAutoscaler | None:
    ref = workload.ref
    aims = ((a, a.spec.scale_target_ref) for a in found)
    return next((a for a, aim in aims if (aim.kind, aim.name) == (ref.kind, ref.name)), None)

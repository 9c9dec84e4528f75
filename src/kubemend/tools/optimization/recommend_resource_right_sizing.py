"""Tool: what workloads should request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools import advice
from kubemend.tools.advice import GRADES, Basis, Sized, patch, sized
from kubemend.tools.look import Look
from kubemend.tools.sizing import FORMULA, FORMULA_OWN
from kubemend.tools.words import Scope
from kubemend.tools.workloads import MaybeWorkload


class RightSizing(Struct, frozen=True):
    """Containers, those that differ most first. by_severity: how many of each grade; "unknown": not enough data.

    freed: what all replicas together would request less (below zero: more). patches: one for each workload that has
    any advice, ready for `kubectl patch`.
    """

    scope: str
    basis: Basis
    formula: dict[str, str]
    total: int
    by_severity: dict[str, int]
    freed_cpu_cores: float
    freed_memory_bytes: int
    recommendations: tuple[Sized, ...]
    patches: dict[str, dict[str, Any]]


@tool(risk=Risk.READ, needs=advice.NEEDS, examples=({"namespace": "shop"},), within_s=90)
async def recommend_resource_right_sizing(
    cluster: Look, *, namespace: Scope = None, workload: MaybeWorkload = None
) -> RightSizing:
    """Recommend requests and limits for workloads from what they used over two weeks (KRR's `simple` strategy).

    Without Prometheus from our own samples, as VPA's recommender does: one look at metrics.k8s.io says what is used
    now, not what is needed. A container with too few points, or that an autoscaler drives by that resource, gets no
    number, and the reason.
    """
    found = await sized(cluster, namespace, workload)
    rows = found.rows
    by_workload: defaultdict[str, list[Sized]] = defaultdict(list)
    for row in rows:
        by_workload[f"{row.namespace}/{row.kind.lower()}/{row.name}"].append(row)
    patches = {who: made for who, mine in sorted(by_workload.items()) if (made := patch(mine)) is not None}
    return RightSizing(
        scope=namespace or "all",
        basis=found.basis,
        formula=FORMULA_OWN if found.basis.source == "samples" else FORMULA,
        total=len(rows),
        by_severity={g: sum(r.severity == g for r in rows) for g in GRADES},
        freed_cpu_cores=round(freed(rows, "cpu"), 3),
        freed_memory_bytes=int(freed(rows, "memory")),
        recommendations=tuple(rows),
        patches=patches,
    )


def freed(rows: Sequence[Sized], resource: str) -> float:
    """By how much the requests of all replicas would fall; what has no request now frees nothing."""
    total = 0.0
    for row in rows:
        told = row.cpu if resource == "cpu" else row.memory
        if told.recommended_request is not None and told.current_request is not None:
            total += (told.current_request.number - told.recommended_request.number) * row.replicas
    return total

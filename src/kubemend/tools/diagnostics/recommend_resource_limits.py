"""Tool: what one workload should request and be limited to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from kubemend.model.access import Risk
from kubemend.model.tool import tool
from kubemend.tools import advice
from kubemend.tools.advice import Basis, Sized, patch, sized, text
from kubemend.tools.look import Look
from kubemend.tools.words import Namespace
from kubemend.tools.workloads import WorkloadName


class LimitAdvice(Struct, frozen=True):
    """One workload. patch: a strategic merge patch with all that is advised; None when nothing is."""

    workload: str
    namespace: str
    basis: Basis
    containers: tuple[Sized, ...]
    enough_data: bool
    patch: dict[str, Any] | None
    command: str
    summary: tuple[str, ...]


@tool(
    risk=Risk.READ,
    needs=advice.NEEDS,
    examples=({"namespace": "shop", "workload": "web"},),
    within_s=60,
)
async def recommend_resource_limits(cluster: Look, *, namespace: Namespace, workload: WorkloadName) -> LimitAdvice:
    """Recommend requests and limits for a workload from what it used over two weeks, with the formula and the data.

    CPU request: the highest 95th percentile of its pods, no CPU limit. Memory request and limit: the highest peak
    x 1.15, or x 1.25 of a limit it was killed at. That is KRR's `simple` strategy, from Prometheus; without it our own
    samples give VPA's numbers. With fewer than 100 points the answer is "not enough data" and what is used now; only
    a kill for memory is a number of its own.
    """
    found = await sized(cluster, namespace, workload)
    rows = found.rows
    change = patch(rows)
    first = rows[0] if rows else None
    target = f"{first.kind.lower()}/{first.name}" if first else workload
    known = any(r.cpu.known or r.memory.known for r in rows)
    return LimitAdvice(
        workload=target,
        namespace=namespace,
        basis=found.basis,
        containers=tuple(rows),
        enough_data=known,
        patch=change,
        command="" if change is None else f"kubectl -n {namespace} patch {target} -p '{json.dumps(change)}'",
        summary=tuple(_summary(rows)),
    )


def _summary(rows: Sequence[Sized]) -> Iterator[str]:
    for row in rows:
        for told in (row.cpu, row.memory):
            if told.recommended_request is None:
                yield f"{row.container}: {told.resource}: {told.info}"
            else:
                before, after = text(told.current_request), told.recommended_request.quantity
                yield f"{row.container}: {told.resource} request {before} -> {after} ({told.change}, {told.severity})"

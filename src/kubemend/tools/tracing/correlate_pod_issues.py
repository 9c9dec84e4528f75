"""Tool: what failing pods have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from kubemend.model.access import Access, Risk
from kubemend.model.objects import Node, Pod
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.tracing.shared import MOST, Common, Shared, commons, symptom, troubled
from kubemend.tools.words import MaybeName, Scope


class Failing(Struct, frozen=True):
    """One failing pod, and which of the shared things it has, the most telling first."""

    name: str
    namespace: str
    node: str
    symptom: str
    shares: tuple[str, ...]


class Correlation(Struct, frozen=True):
    """clusters: what at least two failing pods share, the most telling first. likely_common_cause: the first telling.

    pods: the failing ones; alone: those that share nothing with another.
    """

    namespace: str
    failing_pods: int
    healthy_pods: int
    likely_common_cause: str | None
    clusters: tuple[Shared, ...]
    pods: tuple[Failing, ...]
    alone: tuple[str, ...]
    summary: str


@tool(
    risk=Risk.READ,
    needs={Access("list", "pods"), Access("list", "nodes")},
    examples=({"namespace": "shop"},),
)
async def correlate_pod_issues(
    cluster: Look,
    *,
    namespace: Scope = None,
    pod_name: Annotated[MaybeName, Meta(description="Show only what this failing pod shares.")] = None,
) -> Correlation:
    """Find what failing pods share: node, zone, image, ConfigMap, Secret, claim, account, revision, symptom.

    Each is weighed against healthy pods that have it too: what only failing pods have is the likely cause.
    """
    pods = [p for p in await cluster.list(Pod, namespace) if p.status.phase != "Succeeded"]
    nodes = await cluster.beside(Node)
    failing = [p for p in pods if troubled(p)]
    healthy = [p for p in pods if not troubled(p)]
    found = commons(failing, healthy, nodes or ())
    if pod_name is not None:
        mine = [p for p in failing if p.name == pod_name]
        found = [(s, pods) for s, pods in found if any(_name(p) in pods for p in mine)]
        failing = mine
    if len(found) > MOST:
        cluster.missing("data/clusters", f"{MOST} of {len(found)} shown")
        found = found[:MOST]
    rows = tuple(_row(p, found) for p in failing)
    cause = next((s for s, _ in found if s.telling), None)
    return Correlation(
        namespace=namespace or "all",
        failing_pods=len(failing),
        healthy_pods=len(healthy),
        likely_common_cause=None if cause is None else cause.says,
        clusters=tuple(s for s, _ in found),
        pods=rows,
        alone=tuple(f"{r.namespace}/{r.name}" for r in rows if not r.shares),
        summary=_summary(failing, cause),
    )


def _name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"


def _row(pod: Pod, found: Sequence[Common]) -> Failing:
    shares = tuple(f"{s.what} {s.value}" for s, pods in found if _name(pod) in pods)
    return Failing(pod.name, pod.namespace, pod.spec.node_name, symptom(pod), shares)


def _summary(failing: Sequence[Pod], cause: Shared | None) -> str:
    if not failing:
        return "no failing pod"
    if cause is None and len(failing) == 1:
        return f"one failing pod, {_name(failing[0])} ({symptom(failing[0])}), which shares nothing with another"
    if cause is None:
        return f"{len(failing)} failing pods, and nothing they share sets them apart from healthy ones"
    return f"{len(failing)} failing pods; most likely: {cause.says}"

"""Tool: who is in danger of eviction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.eviction import order, over, priority
from kubemend.kube.quantity import parse
from kubemend.kube.scheduling import requests
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Node, Pod
from kubemend.model.tool import tool
from kubemend.tools.look import Look
from kubemend.tools.performance.loads import limits, share
from kubemend.tools.resources.list_kubernetes_events import EPOCH
from kubemend.tools.usage import OF_NODES, OF_PODS, Used, by_pod, metered, metered_nodes
from kubemend.tools.workloads import living

NEAR = 90.0
"""Per cent of its memory from which on a node is near pressure."""
SHOWN = 10


class AtRisk(Struct, frozen=True):
    """One pod, in its place in the order. over_request_bytes: use above its memory request; None when not measured."""

    name: str
    namespace: str
    qos: str
    priority: int
    used_bytes: int | None
    request_bytes: int
    over_request_bytes: int | None


class NodePressure(Struct, frozen=True):
    """One node. risk: "evicting" under pressure, "near" from 90 % of its memory on, else "none"; "unknown" without
    metrics. memory_limited_percent: what limits promise, of what is there: above 100 the node is overcommitted.

    eviction_order: who goes first under memory pressure; None when use isn't known.
    """

    name: str
    risk: str
    pressures: tuple[str, ...]
    memory_used_percent: float | None
    memory_limited_percent: float | None
    eviction_order: tuple[AtRisk, ...] | None
    best_effort_pods: int


class Evicted(Struct, frozen=True):
    """A pod that was evicted, in the kubelet's words."""

    name: str
    namespace: str
    node: str
    message: str
    when: datetime | None


class PressureReport(Struct, frozen=True):
    """Nodes, those in danger first. evicted: pods that still stand as failed for it, and those that events tell of."""

    check_time: datetime
    nodes: tuple[NodePressure, ...]
    evicted: tuple[Evicted, ...]
    recommendations: tuple[str, ...]


_RISKS = ("evicting", "near", "unknown", "none")


@tool(
    risk=Risk.READ,
    needs={Access("list", "nodes"), Access("list", "pods"), Access("list", "events"), OF_PODS, OF_NODES},
    examples=({},),
)
async def check_pod_eviction_pressure(cluster: Look) -> PressureReport:
    """Show pressure on nodes, what was evicted, and which pods of each node would be evicted first.

    The order is the kubelet's for memory: pods that use more than they request first, then by priority, then by how
    much more they use. QoS plays no part of its own; it follows from requests.
    """
    nodes, pods = await cluster.list(Node), await cluster.list(Pod)
    events = await cluster.beside(Event, fields="reason=Evicted")
    on_nodes, using = await metered_nodes(cluster), await metered(cluster, None)
    used = None if using is None else {k: u.bytes for k, u in by_pod(using).items()}
    here: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        if living(pod) and pod.spec.node_name:
            here[pod.spec.node_name].append(pod)
    rows = [_node(n, here[n.name], None if on_nodes is None else on_nodes.get(n.name), used) for n in nodes]
    rows.sort(key=lambda r: (_RISKS.index(r.risk), -(r.memory_used_percent or 0.0), r.name))
    return PressureReport(
        check_time=datetime.now(UTC),
        nodes=tuple(rows),
        evicted=tuple(_evicted(pods, events or ())),
        recommendations=tuple(_advice(rows)),
    )


def _node(
    node: Node, pods: Sequence[Pod], used: Used | None, by_pod_: Mapping[tuple[str, str], int] | None
) -> NodePressure:
    pressures = tuple(c.type for c in node.status.conditions if c.type.endswith("Pressure") and c.status == "True")
    room = parse(node.status.allocatable.get("memory", 0))
    part = None if used is None else share(Decimal(used.bytes), room)
    capped = sum((limits(p.spec).get("memory", Decimal()) for p in pods), Decimal())
    first = None if by_pod_ is None else tuple(_at_risk(p, by_pod_) for p in order(pods, by_pod_)[:SHOWN])
    return NodePressure(
        name=node.name,
        risk=_risk(pressures, part),
        pressures=pressures,
        memory_used_percent=part,
        memory_limited_percent=share(capped, room),
        eviction_order=first,
        best_effort_pods=sum(p.status.qos_class == "BestEffort" for p in pods),
    )


def _risk(pressures: Sequence[str], part: float | None) -> str:
    if pressures:
        return "evicting"
    if part is None:
        return "unknown"
    return "near" if part >= NEAR else "none"


def _at_risk(pod: Pod, used: Mapping[tuple[str, str], int]) -> AtRisk:
    amount = used.get((pod.namespace, pod.name))
    return AtRisk(
        name=pod.name,
        namespace=pod.namespace,
        qos=pod.status.qos_class,
        priority=priority(pod),
        used_bytes=amount,
        request_bytes=int(requests(pod.spec).get("memory", Decimal())),
        over_request_bytes=None if amount is None else over(pod, amount),
    )


def _evicted(pods: Sequence[Pod], events: Sequence[Event]) -> Iterator[Evicted]:
    seen: set[tuple[str, str]] = set()
    for pod in pods:
        if pod.status.reason == "Evicted":
            seen.add((pod.namespace, pod.name))
            yield Evicted(pod.name, pod.namespace, pod.spec.node_name, pod.status.message, pod.status.start_time)
    for event in sorted(events, key=lambda e: e.last_seen or EPOCH, reverse=True):
        about = event.involved_object
        if event.reason == "Evicted" and (event.namespace, about.name) not in seen:
            seen.add((event.namespace, about.name))
            yield Evicted(about.name, event.namespace, "", event.message, event.last_seen)


def _advice(rows: Sequence[NodePressure]) -> Iterator[str]:
    if any(r.risk == "evicting" for r in rows):
        yield "nodes under pressure evict: free them, or move what uses more than it requests"
    if any((r.memory_limited_percent or 0) > 100 for r in rows):
        yield "limits promise more memory than there is: pods that fill them will be evicted or killed"
    if any(r.best_effort_pods for r in rows):
        yield "pods without requests go first: recommend_resource_limits tells what they need"

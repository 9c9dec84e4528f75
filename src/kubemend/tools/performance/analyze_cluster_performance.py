"""Tool: how the cluster carries its load."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.quantity import format_bytes, format_cores, parse
from kubemend.model.access import Access, Risk
from kubemend.model.objects import HorizontalPodAutoscaler, Node, Pod
from kubemend.model.objects.meta import condition
from kubemend.model.objects.node import NodeStatus
from kubemend.model.tool import tool
from kubemend.tools.diagnostics.get_pending_kubernetes_pods import why
from kubemend.tools.look import Look
from kubemend.tools.performance.loads import Load, load, total
from kubemend.tools.performance.throttling import Throttled, throttled
from kubemend.tools.usage import OF_NODES, OF_PODS, PodKey, Used, by_pod, metered, metered_nodes
from kubemend.tools.workloads import living

HIGH = 85.0
"""Per cent of what is allocatable from which on a node counts as loaded."""


class NodeLoad(Struct, frozen=True):
    """One node. used: what the node itself uses, its system included."""

    name: str
    ready: bool
    pressures: tuple[str, ...]
    pods: int
    load: Load


class NamespaceLoad(Struct, frozen=True):
    """One namespace's running pods."""

    name: str
    pods: int
    load: Load


class Waiting(Struct, frozen=True):
    """Pending pods with one reason, and the message of the first."""

    reason: str
    count: int
    message: str
    pods: tuple[str, ...]


class AtMax(Struct, frozen=True):
    """An autoscaler that has no replicas left to give."""

    name: str
    namespace: str
    target: str
    max_replicas: int


class Performance(Struct, frozen=True):
    """The cluster now, what is worst first. autoscalers_at_max: None when they could not be read; throttled: None
    without Prometheus. findings: what deserves a look, in a sentence each."""

    check_time: datetime
    cluster: Load
    nodes: tuple[NodeLoad, ...]
    namespaces: tuple[NamespaceLoad, ...]
    pending: tuple[Waiting, ...]
    autoscalers_at_max: tuple[AtMax, ...] | None
    throttled: tuple[Throttled, ...] | None
    findings: tuple[str, ...]


@tool(
    risk=Risk.READ,
    needs={
        Access("list", "nodes"),
        Access("list", "pods"),
        Access("list", "horizontalpodautoscalers", "autoscaling"),
        OF_PODS,
        OF_NODES,
    },
    examples=({},),
)
async def analyze_cluster_performance(cluster: Look) -> Performance:
    """Show requests, limits and use by node and namespace, pressure, pending pods and why, and autoscalers at max.

    Per cents are of what nodes can allocate. Use is a look at this moment (metrics.k8s.io); CPU throttling is told
    with Prometheus: the share of periods, over five minutes, in which a container was held back by its CPU limit.
    """
    nodes, pods = await cluster.list(Node), await cluster.list(Pod)
    scalers = await cluster.beside(HorizontalPodAutoscaler)
    using, on_nodes = await metered(cluster, None), await metered_nodes(cluster)
    of_pods = None if using is None else by_pod(using)
    placed = [p for p in pods if p.spec.node_name and living(p)]
    here: defaultdict[str, list[Pod]] = defaultdict(list)
    spaces: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in placed:
        here[pod.spec.node_name].append(pod)
        spaces[pod.namespace].append(pod)
    rows = [_node(n, here[n.name], load(here[n.name], (on_nodes or {}).get(n.name), n)) for n in nodes]
    rows.sort(key=lambda r: (-_weight(r.load), r.name))
    areas = [
        NamespaceLoad(name, len(mine), load(mine, total([(p.namespace, p.name) for p in mine], of_pods)))
        for name, mine in spaces.items()
    ]
    areas.sort(key=lambda a: (-a.load.requested_memory_bytes, a.name))
    pending = tuple(_pending(pods))
    maxed = None if scalers is None else tuple(map(_at_max, filter(_is_at_max, scalers)))
    held = await throttled(cluster, None)
    used = None if on_nodes is None else sum(on_nodes.values(), Used())
    return Performance(
        check_time=datetime.now(UTC),
        cluster=load(placed, used, _whole(nodes)),
        nodes=tuple(rows),
        namespaces=tuple(areas),
        pending=pending,
        autoscalers_at_max=maxed,
        throttled=held,
        findings=tuple(_findings(rows, _hungriest(here, of_pods or {}), pending, maxed or (), held or ())),
    )


def _whole(nodes: Sequence[Node]) -> Node:
    """All nodes as if they were one."""
    sums: dict[str, Decimal] = {}
    for node in nodes:
        for name in ("cpu", "memory"):
            sums[name] = sums.get(name, Decimal()) + parse(node.status.allocatable.get(name, 0))
    return Node(status=NodeStatus(allocatable={k: f"{v:f}" for k, v in sums.items()}))


def _weight(held: Load) -> float:
    known = (held.cpu_used_percent, held.memory_used_percent, held.cpu_requested_percent, held.memory_requested_percent)
    return max((k for k in known if k is not None), default=0.0)


def _node(node: Node, pods: Sequence[Pod], held: Load) -> NodeLoad:
    ready = condition(node.status.conditions, "Ready")
    pressures = tuple(c.type for c in node.status.conditions if c.type.endswith("Pressure") and c.status == "True")
    return NodeLoad(node.name, ready is not None and ready.status == "True", pressures, len(pods), held)


def _pending(pods: Sequence[Pod]) -> Iterator[Waiting]:
    found: defaultdict[str, list[tuple[Pod, str]]] = defaultdict(list)
    for pod in pods:
        if pod.status.phase == "Pending" and living(pod):
            reason, message = why(pod)
            found[reason or "not told"].append((pod, message))
    for reason, held in sorted(found.items(), key=lambda f: (-len(f[1]), f[0])):
        yield Waiting(reason, len(held), held[0][1], tuple(f"{p.namespace}/{p.name}" for p, _ in held))


def _is_at_max(found: HorizontalPodAutoscaler) -> bool:
    """Whether it would go on if it might. One whose bounds are equal was never meant to move."""
    limited = condition(found.status.conditions, "ScalingLimited")
    wants_more = limited is None or (limited.status == "True" and limited.reason != "TooFewReplicas")
    return found.status.current_replicas >= found.spec.max_replicas > found.spec.min_replicas and wants_more


def _at_max(found: HorizontalPodAutoscaler) -> AtMax:
    aim = found.spec.scale_target_ref
    return AtMax(found.name, found.namespace, f"{aim.kind}/{aim.name}", found.spec.max_replicas)


def _hungriest(here: Mapping[str, Sequence[Pod]], using: Mapping[PodKey, Used]) -> dict[tuple[str, str], str]:
    """By (node, "CPU" or "memory"): who of its pods uses most, and how much."""
    found: dict[tuple[str, str], str] = {}
    for node, pods in here.items():
        known = [(p, using[p.namespace, p.name]) for p in pods if (p.namespace, p.name) in using]
        if known:
            pod, used = max(known, key=lambda k: k[1].cores)
            found[node, "CPU"] = f"{pod.namespace}/{pod.name} {format_cores(used.cores)}"
            pod, used = max(known, key=lambda k: k[1].bytes)
            found[node, "memory"] = f"{pod.namespace}/{pod.name} {format_bytes(used.bytes // 2**20 * 2**20)}"
    return found


def _findings(
    nodes: Sequence[NodeLoad],
    most: Mapping[tuple[str, str], str],
    pending: Sequence[Waiting],
    maxed: Sequence[AtMax],
    held: Sequence[Throttled],
) -> Iterator[str]:
    for node in nodes:
        if not node.ready:
            yield f"node {node.name} is not ready"
        for pressure in node.pressures:
            yield f"node {node.name} has {pressure}"
        for word, value in (("CPU", node.load.cpu_used_percent), ("memory", node.load.memory_used_percent)):
            if value is not None and value >= HIGH:
                who = most.get((node.name, word))
                yield f"node {node.name} uses {value} % of its {word}" + (f", most of its pods {who}" if who else "")
    for waiting in pending:
        why = f"{waiting.reason}: {waiting.message.partition('. ')[0]}" if waiting.message else waiting.reason
        yield f"{waiting.count} pods are pending: {why}"
    yield from (f"autoscaler {a.namespace}/{a.name} is at its maximum of {a.max_replicas}" for a in maxed)
    if held:
        yield f"{len(held)} containers are throttled by their CPU limit in a quarter of all periods or more"

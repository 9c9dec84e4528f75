"""Tool: everything about one node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from kubemend.kube.quantity import parse
from kubemend.kube.scheduling import requests
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Node, Pod
from kubemend.model.objects.meta import Condition, condition
from kubemend.model.objects.node import Taint
from kubemend.model.tool import tool
from kubemend.tools.diagnostics.get_kubernetes_node_capacity import human, percent
from kubemend.tools.look import Look
from kubemend.tools.resources.list_kubernetes_events import EPOCH, EventRow, row
from kubemend.tools.resources.list_kubernetes_nodes import roles
from kubemend.tools.words import Name

FULL = 90.0
"""Per cent of what is allocatable from which on a node takes hardly anything more."""
SHOWN = 10


class Amounts(Struct, frozen=True):
    """CPU, memory and pods."""

    cpu_cores: float
    memory_bytes: int
    memory: str
    pods: int


class Room(Struct, frozen=True):
    """What pods have requested. fragmentation_risk: "high" when one of CPU and memory is nearly gone and of the
    other more than half is left, so that what is left serves nobody; else "low"."""

    allocatable: Amounts
    allocated: Amounts
    available: Amounts
    utilization_percent: dict[str, float]
    fragmentation_risk: str


class Largest(Struct, frozen=True):
    """The pod that requests most memory."""

    name: str
    namespace: str
    memory_bytes: int
    cpu_cores: float


class PodSummary(Struct, frozen=True):
    """What is on it; finished pods too."""

    total_pods: int
    by_phase: dict[str, int]
    not_ready: tuple[str, ...]
    largest_pod: Largest | None


class NodeFacts(Struct, frozen=True):
    """What the node is."""

    kubelet_version: str
    container_runtime: str
    os_image: str
    architecture: str
    roles: tuple[str, ...]


class NodeIssue(Struct, frozen=True):
    """One thing wrong. category: "condition", "scheduling", "resource", "pods" or "events"."""

    severity: str
    category: str
    message: str
    details: str


class NodeReport(Struct, frozen=True):
    """One node. health_status: "healthy", "warning" or "critical", by the worst issue."""

    node_name: str
    health_status: str
    conditions: tuple[Condition, ...]
    taints: tuple[Taint, ...]
    is_cordoned: bool
    resource_analysis: Room
    pod_summary: PodSummary
    node_info: NodeFacts
    issues: tuple[NodeIssue, ...]
    recent_events: tuple[EventRow, ...] | None
    recommendations: tuple[str, ...]
    diagnosis_summary: str
    check_time: datetime


@tool(
    risk=Risk.READ,
    needs={Access("get", "nodes"), Access("list", "pods"), Access("list", "events")},
    examples=({"node_name": "lab-1"},),
)
async def diagnose_node_issues(cluster: Look, *, node_name: Name) -> NodeReport:
    """Show one node whole: readiness and pressures, taints, room by requests, its pods, and what its events tell."""
    node = await cluster.one(Node, "", node_name)
    pods = await cluster.list(Pod, fields=f"spec.nodeName={node_name}")
    seen = await cluster.beside(Event, "default", fields=f"involvedObject.kind=Node,involvedObject.name={node_name}")
    events = None if seen is None else sorted(seen, key=lambda e: e.last_seen or EPOCH, reverse=True)
    room = _room(node, [p for p in pods if p.status.phase not in ("Succeeded", "Failed")])
    issues = tuple(_issues(node, pods, room, events or ()))
    health = "critical" if any(i.severity == "critical" for i in issues) else "warning" if issues else "healthy"
    info = node.status.node_info
    return NodeReport(
        node_name=node.name,
        health_status=health,
        conditions=node.status.conditions,
        taints=node.spec.taints,
        is_cordoned=node.spec.unschedulable,
        resource_analysis=room,
        pod_summary=_pods(pods),
        node_info=NodeFacts(
            info.kubelet_version, info.container_runtime_version, info.os_image, info.architecture, roles(node)
        ),
        issues=issues,
        recent_events=None if events is None else tuple(row(e) for e in events[:SHOWN]),
        recommendations=tuple(_advice(issues)),
        diagnosis_summary="; ".join(i.message for i in issues) or "nothing wrong found",
        check_time=datetime.now(UTC),
    )


def _room(node: Node, pods: Sequence[Pod]) -> Room:
    taken: Counter[str] = Counter()
    asked: dict[str, Decimal] = {"cpu": Decimal(), "memory": Decimal()}
    for pod in pods:
        for name, amount in requests(pod.spec).items():
            asked[name] = asked.get(name, Decimal()) + amount
    taken["pods"] = len(pods)
    has = {k: parse(node.status.allocatable.get(k, 0)) for k in ("cpu", "memory", "pods")}
    used = {**{k: asked[k] for k in ("cpu", "memory")}, "pods": Decimal(taken["pods"])}
    shares = {k: percent(used[k], has[k]) for k in has}
    low, high = sorted((shares["cpu"], shares["memory"]))
    return Room(
        allocatable=_amounts(has),
        allocated=_amounts(used),
        available=_amounts({k: max(has[k] - used[k], Decimal()) for k in has}),
        utilization_percent=shares,
        fragmentation_risk="high" if high >= FULL and low < 50 else "low",
    )


def _amounts(amounts: Mapping[str, Decimal]) -> Amounts:
    cpu, memory, pods = amounts["cpu"], amounts["memory"], amounts["pods"]
    return Amounts(float(cpu), int(memory), human(memory), int(pods))


def _pods(pods: Sequence[Pod]) -> PodSummary:
    asked = [(requests(p.spec), p) for p in pods if p.status.phase not in ("Succeeded", "Failed")]
    top = max(asked, key=lambda a: (a[0].get("memory", Decimal()), a[1].name), default=None)
    largest = None
    if top is not None:
        need, pod = top
        largest = Largest(pod.name, pod.namespace, int(need.get("memory", 0)), float(need.get("cpu", 0)))
    return PodSummary(
        total_pods=len(pods),
        by_phase=dict(Counter(p.status.phase for p in pods)),
        not_ready=tuple(f"{p.namespace}/{p.name}" for p in pods if _unready(p)),
        largest_pod=largest,
    )


def _unready(pod: Pod) -> bool:
    state = condition(pod.status.conditions, "Ready")
    return pod.status.phase == "Running" and (state is None or state.status != "True")


def _issues(node: Node, pods: Sequence[Pod], room: Room, events: Sequence[Event]) -> Iterator[NodeIssue]:
    ready = condition(node.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        word = "tells nothing of itself" if ready is None or ready.status == "Unknown" else "is not ready"
        said = "" if ready is None else f"{ready.reason}: {ready.message}"
        yield NodeIssue("critical", "condition", f"the node {word}", said)
    for told in node.status.conditions:
        if told.type != "Ready" and told.status == "True":
            severity = "critical" if told.type.endswith("Pressure") else "warning"
            yield NodeIssue(severity, "condition", f"{told.type} is true", f"{told.reason}: {told.message}")
    if node.spec.unschedulable:
        yield NodeIssue("warning", "scheduling", "the node is cordoned: it takes no new pods", "")
    for name, share in room.utilization_percent.items():
        if share >= FULL:
            yield NodeIssue("warning", "resource", f"{share} % of its {name} is requested", "")
    if evicted := [p.name for p in pods if p.status.reason == "Evicted"]:
        yield NodeIssue("warning", "pods", f"{len(evicted)} pods were evicted from it", ", ".join(sorted(evicted)))
    for reason, count in Counter(e.reason for e in events if e.type == "Warning").most_common(3):
        last = next(e for e in events if e.reason == reason)
        yield NodeIssue("warning", "events", f"{reason} ({count})", last.message)


def _advice(issues: Sequence[NodeIssue]) -> Iterator[str]:
    kinds = {(i.category, i.message.partition(" ")[0]) for i in issues}
    if ("condition", "the") in kinds:
        yield "look at the machine and its kubelet: nothing in the API can mend that"
    if any(c == "condition" and w.endswith("Pressure") for c, w in kinds):
        yield "check_pod_eviction_pressure tells which pods go first, and who uses more than it requests"
    if any(c == "scheduling" for c, _ in kinds):
        yield "uncordon_node, if nobody means it to be cordoned"
    if any(c == "resource" for c, _ in kinds):
        yield "analyze_resource_waste finds requests that nobody uses"

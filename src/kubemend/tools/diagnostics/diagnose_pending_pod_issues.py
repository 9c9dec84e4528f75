"""Tool: why one pod has no place, node by node."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from kubemend.kube.quantity import format_bytes, format_cores
from kubemend.kube.references import references
from kubemend.kube.scheduling import Misfit, Neighbours, free, misfit, requests
from kubemend.model.access import Access, Risk
from kubemend.model.objects import Event, Node, PersistentVolumeClaim, Pod, StorageClass
from kubemend.model.objects import Namespace as NamespaceObject
from kubemend.model.objects.meta import condition
from kubemend.model.tool import tool
from kubemend.tools.diagnostics.get_failed_kubernetes_pods import STUCK
from kubemend.tools.diagnostics.get_pending_kubernetes_pods import why
from kubemend.tools.look import Look
from kubemend.tools.words import Name, Namespace

CATEGORY = {
    "cpu": "resource", "memory": "resource", "pods": "resource", "resource": "resource",
    "node-selector": "affinity", "node-affinity": "affinity", "pod-affinity": "affinity",
    "pod-anti-affinity": "affinity", "topology-spread": "affinity", "taint": "taint",
    "unschedulable": "scheduling", "node-name": "scheduling", "port": "scheduling", "volume": "pvc",
}  # fmt: skip
"""Upstream's category of each way in which a node can't take a pod."""

ADVICE = {
    "resource": "lower its requests (recommend_resource_limits), free room, or add a node",
    "affinity": "correct its selectors, or label nodes for them",
    "taint": "tolerate the taint if it belongs there, or add nodes without it",
    "scheduling": "uncordon a node, if nobody means it to be cordoned",
    "pvc": "check_kubernetes_persistent_volumes and check_pvc_capacity tell of its claims",
    "image": "get_failed_kubernetes_pods tells what pulling it met",
}
CLAIM = "PersistentVolumeClaim"


class Issue(Struct, frozen=True):
    """One reason. category: "scheduling", "resource", "affinity", "taint", "pvc" or "image". details: node → why."""

    category: str
    severity: str
    message: str
    details: dict[str, Any]


class Candidate(Struct, frozen=True):
    """One node. fits: the scheduler's hard filters let the pod in. reasons: what keeps it out."""

    node: str
    fits: bool
    reasons: tuple[str, ...]


class PendingReport(Struct, frozen=True):
    """Why a pod waits. node_candidates: the nodes nearest to taking it first."""

    pod_name: str
    namespace: str
    phase: str
    pending_reason: str
    message: str
    requests: dict[str, str]
    issues: tuple[Issue, ...]
    node_candidates: tuple[Candidate, ...]
    recommendations: tuple[str, ...]
    diagnosis_summary: str


@tool(
    risk=Risk.READ,
    needs={
        Access("get", "pods"),
        Access("list", "nodes"),
        Access("list", "pods"),
        Access("list", "namespaces"),
        Access("list", "persistentvolumeclaims"),
        Access("list", "storageclasses", "storage.k8s.io"),
        Access("list", "events"),
    },
    examples=({"pod_name": "crasher", "namespace": "shop"},),
)
async def diagnose_pending_pod_issues(cluster: Look, *, pod_name: Name, namespace: Namespace) -> PendingReport:
    """Tell why a pod waits: each node held against the scheduler's hard filters, its claims, and its images.

    Host ports, volume topology and device claims are not among the filters followed; the scheduler's own message,
    which knows them, is in `message`.
    """
    pod = await cluster.one(Pod, namespace, pod_name)
    candidates, kept = await _nodes(cluster, pod)
    claims = [i async for i in _claims(cluster, pod)]
    events = await cluster.beside(Event, namespace, fields=f"involvedObject.uid={pod.metadata.uid}")
    issues = (*_placing(pod, candidates, kept), *claims, *_images(pod))
    reason, message = why(pod)
    if not message and events:
        message = max(events, key=lambda e: (e.last_seen is not None, e.last_seen)).message
    return PendingReport(
        pod_name=pod.name,
        namespace=namespace,
        phase=pod.status.phase,
        pending_reason=reason,
        message=message,
        requests={k: _shown(k, v) for k, v in sorted(requests(pod.spec).items())},
        issues=issues,
        node_candidates=candidates,
        recommendations=tuple(dict.fromkeys(ADVICE[i.category] for i in issues)),
        diagnosis_summary=_summary(pod, issues, candidates),
    )


async def _nodes(cluster: Look, pod: Pod) -> tuple[tuple[Candidate, ...], Mapping[str, dict[str, str]]]:
    """Every node with what keeps the pod off it, and the reasons by category, then node."""
    nodes, pods = await cluster.list(Node), await cluster.list(Pod)
    spaces = {n.name: n.metadata.labels for n in await cluster.beside(NamespaceObject) or ()}
    others = [p for p in pods if p.metadata.uid != pod.metadata.uid]
    spec, labels = pod.spec, pod.metadata.labels
    neighbours = Neighbours(spec, pod.namespace, labels, nodes, others, namespaces=spaces)
    here: defaultdict[str, list[Pod]] = defaultdict(list)
    for other in others:
        here[other.spec.node_name].append(other)
    found, kept = [], defaultdict[str, dict[str, str]](dict)
    for node in nodes:
        away: tuple[Misfit, ...] = (*misfit(spec, labels, node, free(node, here[node.name])), *neighbours.misfits(node))
        bad = ["the node is not ready"] if _unready(node) else []
        for one in away:
            kept[CATEGORY[one.kind]].setdefault(node.name, one.detail)
        found.append(Candidate(node.name, not away and not bad, (*bad, *(m.detail for m in away))))
    return tuple(sorted(found, key=lambda c: (len(c.reasons), c.node))), kept


def _unready(node: Node) -> bool:
    state = condition(node.status.conditions, "Ready")
    return state is not None and state.status != "True"


def _placing(pod: Pod, candidates: Sequence[Candidate], kept: Mapping[str, dict[str, str]]) -> Iterator[Issue]:
    """Reasons only while it has no node and none would take it: what keeps it off one of several is no trouble."""
    if pod.spec.node_name or any(c.fits for c in candidates):
        return
    for category, nodes in sorted(kept.items(), key=lambda k: -len(k[1])):
        message = f"{len(nodes)} of {len(candidates)} nodes: {Counter(nodes.values()).most_common(1)[0][0]}"
        yield Issue(category, "high" if len(nodes) == len(candidates) else "medium", message, dict(nodes))


async def _claims(cluster: Look, pod: Pod) -> AsyncIterator[Issue]:
    held = await cluster.beside(PersistentVolumeClaim, pod.namespace)
    classes = await cluster.beside(StorageClass)
    wanted = {r.name for r in references(pod.spec) if r.kind == CLAIM}
    by_name = {c.name: c for c in held or ()}
    modes = {c.name: c.volume_binding_mode for c in classes or ()}
    for name in sorted(wanted) if held is not None else ():
        claim = by_name.get(name)
        if claim is None:
            yield Issue("pvc", "high", f"there is no claim {name}", {"claim": name})
        elif claim.status.phase != "Bound":
            class_ = claim.spec.storage_class_name or ""
            waits = modes.get(class_) == "WaitForFirstConsumer"
            severity = "low" if waits else "high"
            said = "waits until the pod has a node" if waits else f"is {claim.status.phase}"
            if classes is not None and class_ and class_ not in modes:
                severity, said = "high", f"names StorageClass {class_}, which doesn't exist"
            yield Issue("pvc", severity, f"claim {name} {said}", {"claim": name, "storage_class": class_})


def _images(pod: Pod) -> Iterator[Issue]:
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waits = status.state.waiting
        if waits is not None and waits.reason in STUCK and ("Image" in waits.reason):
            said = f"container {status.name}: {waits.reason}: {waits.message}"
            yield Issue("image", "high", said, {"container": status.name, "image": status.image})


def _summary(pod: Pod, issues: Sequence[Issue], candidates: Sequence[Candidate]) -> str:
    if pod.status.phase != "Pending":
        return f"the pod is {pod.status.phase}, not Pending"
    if worst := [i for i in issues if i.severity == "high"] or list(issues):
        return "; ".join(i.message for i in worst[:3])
    if pod.spec.node_name:
        return f"it has its node, {pod.spec.node_name}, and its containers are on their way"
    fitting = [c.node for c in candidates if c.fits]
    return f"{len(fitting)} nodes would take it now: the scheduler should place it" if fitting else "no reason found"


def _shown(name: str, amount: Any) -> str:
    return format_cores(amount) if name == "cpu" else format_bytes(int(amount))

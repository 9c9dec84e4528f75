"""Would a rollout come through on the nodes as they are? Its pods are placed one after the other, old ones going."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from kubemend.kube.scheduling.neighbours import Neighbours
from kubemend.kube.scheduling.node import misfit
from kubemend.kube.scheduling.resources import free, needs
from kubemend.kube.selectors import matches
from kubemend.model.objects.meta import LabelSelector, Meta, condition
from kubemend.model.objects.node import Node
from kubemend.model.objects.pod import Affinity, Pod, PodAffinity, PodSpec, PodTemplate

ZONE = "topology.kubernetes.io/zone"
MOST = 60
"""Pods that are placed at most; beyond it the rehearsal says nothing new and takes long."""


@dataclass(frozen=True)
class Rehearsal:
    """How a rollout ends. complete: every new pod found a place. nodes: of the new pods, in order.

    why: the reasons that kept the next pod off the nodes, the commonest first, with how many nodes each kept away.
    """

    complete: bool
    nodes: tuple[str, ...]
    why: tuple[tuple[str, int], ...] = ()


@dataclass
class _Stage:
    """The nodes while pods come and go."""

    nodes: Sequence[Node]
    usable: Sequence[Node]
    pods: list[Pod]
    left: dict[str, dict[str, Decimal]]
    why: Counter[str] = field(default_factory=Counter)


def rehearse(
    template: PodTemplate,
    namespace: str,
    replicas: int,
    *,
    nodes: Sequence[Node],
    pods: Sequence[Pod],
    old: Sequence[Pod] = (),
    surge: int = 1,
    unavailable: int = 0,
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
) -> Rehearsal:
    """Play a rolling update (apps/v1): at most `surge` pods above `replicas`, at most `unavailable` below it.

    pods: all that hold a place now, `old` (the pods that are replaced) among them. Each pod goes to the node, among
    those where kube-scheduler's hard filters let it, whose zone and which itself has the fewest of its like: the
    scheduler's scores may choose otherwise, but what it refuses is refused here. Nodes that aren't ready take none.
    """
    stage = _stage(template, nodes, pods)
    going, placed = list(old), list[str]()
    wanted = min(replicas, MOST)
    while len(placed) < wanted:
        if len(placed) + len(going) < wanted + surge and (node := _place(stage, template, namespace, namespaces)):
            placed.append(node)
        elif going and (len(placed) + len(going) > wanted - unavailable):
            _leave(stage, going.pop())
        else:
            return Rehearsal(False, tuple(placed), tuple(stage.why.most_common()))
    return Rehearsal(True, tuple(placed))


def _stage(template: PodTemplate, nodes: Sequence[Node], pods: Sequence[Pod]) -> _Stage:
    usable = [n for n in nodes if _ready(n) and n.metadata.deletion_timestamp is None]
    by_node: dict[str, list[Pod]] = {n.name: [] for n in nodes}
    for pod in pods:
        if pod.spec.node_name in by_node:
            by_node[pod.spec.node_name].append(pod)
    concerned = [p for p in pods if p.spec.node_name and _matters(template, p)]
    return _Stage(nodes, usable, concerned, {n.name: free(n, by_node[n.name]) for n in usable})


def _place(
    stage: _Stage, template: PodTemplate, namespace: str, namespaces: Mapping[str, Mapping[str, str]] | None
) -> str:
    """Place one pod; the node's name, or "" with `stage.why` filled."""
    spec, labels = template.spec, template.metadata.labels
    neighbours = Neighbours(spec, namespace, labels, stage.nodes, stage.pods, namespaces=namespaces)
    stage.why = Counter()
    open_: list[Node] = []
    for node in stage.usable:
        kept = (*misfit(spec, labels, node, stage.left[node.name]), *neighbours.misfits(node))
        if kept:
            stage.why.update({m.kind for m in kept})
        else:
            open_.append(node)
    if not open_:
        return ""
    zones, hosts = _crowds(stage, labels)
    best = min(open_, key=lambda n: (zones[n.metadata.labels.get(ZONE)], hosts[n.name], n.name))
    _take(stage, spec, best.name, 1)
    meta = Meta(name=f"rehearsed-{len(stage.pods)}", namespace=namespace, labels=labels)
    stage.pods.append(Pod(metadata=meta, spec=msgspec.structs.replace(spec, node_name=best.name)))
    return best.name


def _crowds(stage: _Stage, labels: Mapping[str, str]) -> tuple[Counter[str | None], Counter[str]]:
    """How many pods with these very labels are in each zone, and on each node."""
    zones = {n.name: n.metadata.labels.get(ZONE) for n in stage.nodes}
    hosts = Counter(p.spec.node_name for p in stage.pods if p.metadata.labels.items() >= labels.items())
    in_zones: Counter[str | None] = Counter()
    for host, count in hosts.items():
        in_zones[zones.get(host)] += count
    return in_zones, hosts


def _leave(stage: _Stage, pod: Pod) -> None:
    stage.pods = [p for p in stage.pods if (p.namespace, p.name) != (pod.namespace, pod.name)]
    _take(stage, pod.spec, pod.spec.node_name, -1)


def _take(stage: _Stage, spec: PodSpec, node: str, sign: int) -> None:
    if (left := stage.left.get(node)) is None:
        return
    for name, amount in needs(spec).items():
        left[name] = left.get(name, Decimal()) - sign * amount


def _matters(template: PodTemplate, pod: Pod) -> bool:
    """Whether a pod is of the template's like, can matter for its terms, or has terms that may keep it away."""
    if pod.metadata.labels.items() >= template.metadata.labels.items():
        return True
    if any(matches(s, pod.metadata.labels) for s in _selectors(template.spec)):
        return True
    terms = _anti(pod.spec).required_during_scheduling_ignored_during_execution
    return any(matches(t.label_selector, template.metadata.labels) for t in terms)


def _selectors(spec: PodSpec) -> Iterable[LabelSelector | None]:
    affinity = spec.affinity or Affinity()
    for wanted in (affinity.pod_affinity, affinity.pod_anti_affinity):
        for term in wanted.required_during_scheduling_ignored_during_execution if wanted else ():
            yield term.label_selector
    for constraint in spec.topology_spread_constraints:
        yield constraint.label_selector


def _anti(spec: PodSpec) -> PodAffinity:
    return (spec.affinity or Affinity()).pod_anti_affinity or PodAffinity()


def _ready(node: Node) -> bool:
    state = condition(node.status.conditions, "Ready")
    return state is None or state.status == "True"

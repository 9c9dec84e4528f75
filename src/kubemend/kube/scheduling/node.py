"""The scheduler's filters that look at one node alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from kubemend.kube.quantity import format_bytes, format_cores
from kubemend.kube.scheduling.resources import PODS, needs
from kubemend.kube.selectors import Requirement, subset
from kubemend.model.objects.node import Node, Taint
from kubemend.model.objects.pod import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Toleration

_UNSCHEDULABLE = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
_BYTES = ("memory", "ephemeral-storage", "storage", "hugepages-")


class Misfit(Struct, frozen=True):
    """One reason why a pod can't go to a node."""

    kind: Literal[
        "cpu",
        "memory",
        "pods",
        "resource",
        "node-selector",
        "node-affinity",
        "taint",
        "unschedulable",
        "node-name",
        "pod-affinity",
        "pod-anti-affinity",
        "topology-spread",
        "port",
        "volume",
    ]
    detail: str


def misfit(spec: PodSpec, labels: Mapping[str, str], node: Node, free: Mapping[str, Decimal]) -> tuple[Misfit, ...]:
    """Every reason why `node`, of which `free` is left, can't take the pod; empty when it fits.

    labels: the pod's own. No filter of one node reads them; they stand here so that both halves of the
    judgement (this and `affinity_misfit`) are asked about the same pod.
    Raises `QuantityError` or `SelectorError` for what the API server would have refused.
    """
    return (*closed(spec, node), *room_misfits(needs(spec), free))


def closed(spec: PodSpec, node: Node) -> tuple[Misfit, ...]:
    """Every reason why the node wouldn't take the pod even if it were empty and had no end."""
    return (*_named(spec, node), *_cordoned(spec, node), *_tainted(spec, node), *_chosen(spec, node))


def _named(spec: PodSpec, node: Node) -> Iterator[Misfit]:
    if spec.node_name and spec.node_name != node.name:
        yield Misfit("node-name", f"the pod is bound to node {spec.node_name}")


def _cordoned(spec: PodSpec, node: Node) -> Iterator[Misfit]:
    if node.spec.unschedulable and not tolerates(spec.tolerations, _UNSCHEDULABLE):
        yield Misfit("unschedulable", "the node is cordoned")


def _tainted(spec: PodSpec, node: Node) -> Iterator[Misfit]:
    for taint in node.spec.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not tolerates(spec.tolerations, taint):
            value = f"={taint.value}" if taint.value else ""
            yield Misfit("taint", f"the taint {taint.key}{value}:{taint.effect} isn't tolerated")


def _chosen(spec: PodSpec, node: Node) -> Iterator[Misfit]:
    if not subset(spec.node_selector, node.metadata.labels):
        missing = (f"{k}={v}" for k, v in spec.node_selector.items() if node.metadata.labels.get(k) != v)
        yield Misfit("node-selector", f"the node lacks the label {', '.join(sorted(missing))}")
    if not _has_affinity(spec, node):
        yield Misfit("node-affinity", "no term of the required node affinity matches the node")


def selects(spec: PodSpec, node: Node) -> bool:
    """Whether the pod's node selector and required node affinity both accept the node."""
    return subset(spec.node_selector, node.metadata.labels) and _has_affinity(spec, node)


def _has_affinity(spec: PodSpec, node: Node) -> bool:
    wanted = spec.affinity.node_affinity if spec.affinity else None
    required = wanted.required_during_scheduling_ignored_during_execution if wanted else None
    return required is None or node_selected(required, node)


def node_selected(selector: NodeSelector, node: Node) -> bool:
    """Whether one of the selector's terms matches the node; a pod's affinity and a volume's mean the same by it."""
    return any(_term(t, node) for t in selector.node_selector_terms)


def _term(term: NodeSelectorTerm, node: Node) -> bool:
    """A term without any requirement matches no node; its requirements are ANDed, terms ORed."""
    if not term.match_expressions and not term.match_fields:
        return False
    return _all(term.match_expressions, node.metadata.labels) and _all(term.match_fields, {"metadata.name": node.name})


def _all(wanted: Iterable[NodeSelectorRequirement], values: Mapping[str, str]) -> bool:
    return all(Requirement(r.key, r.operator, r.values).matches(values) for r in wanted)


def tolerates(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """Whether one of the tolerations tolerates the taint (`core/v1 Toleration.ToleratesTaint`)."""
    return any(_tolerates(t, taint) for t in tolerations)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator in ("", "Equal"):
        return toleration.value == taint.value
    return toleration.operator == "Exists"


def room_misfits(need: Mapping[str, Decimal], free: Mapping[str, Decimal]) -> Iterator[Misfit]:
    """What of `free` is less than what a pod needs. A need of nothing fits even where too much is given away."""
    for name, wanted in need.items():
        left = free.get(name, Decimal())
        if wanted > max(left, Decimal()):
            yield _insufficient(name, wanted, left)


def _insufficient(name: str, wanted: Decimal, left: Decimal) -> Misfit:
    if name == PODS:
        return Misfit("pods", "the node holds as many pods as it may")
    detail = f"{name}: {_shown(name, wanted)} requested, {_shown(name, left)} free"
    match name:
        case "cpu":
            return Misfit("cpu", detail)
        case "memory":
            return Misfit("memory", detail)
    return Misfit("resource", detail)


def _shown(name: str, amount: Decimal) -> str:
    if name == "cpu":
        return format_cores(amount)
    return format_bytes(int(amount)) if name.startswith(_BYTES) else f"{amount:f}"

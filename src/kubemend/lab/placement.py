"""Which nodes could take a pod, and in kube-scheduler's words why the others couldn't. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import msgspec

from kubemend.kube.scheduling import affinity_misfit, free, misfit, requests, tolerates
from kubemend.lab.api import Object
from kubemend.lab.fields import labels, spec
from kubemend.model.objects import Node, Pod, PodSpec
from kubemend.model.objects.pod import Affinity, NodeAffinity, NodeSelector

_HELPLESS = (
    "node(s) were unschedulable",
    "node(s) had untolerated taint",
    "node(s) didn't match",
)
"""Beginnings of reasons that the deletion of other pods wouldn't change."""
_HELPED = ("node(s) didn't match pod topology spread constraints", "node(s) didn't match pod anti-affinity rules")


class Hopeless(str):
    """A reason that holds for the node even when it is empty."""

    __slots__ = ()


_WORDS = {
    "node-name": "node(s) didn't match the requested node name",
    "node-selector": "node(s) didn't match Pod's node affinity/selector",
    "node-affinity": "node(s) didn't match Pod's node affinity/selector",
    "cpu": "Insufficient cpu",
    "memory": "Insufficient memory",
    "pods": "Too many pods",
    "pod-affinity": "node(s) didn't match pod affinity rules",
    "pod-anti-affinity": "node(s) didn't match pod anti-affinity rules",
    "topology-spread": "node(s) didn't match pod topology spread constraints",
}
_ORDER = (
    ("unschedulable",),
    ("node-name",),
    ("taint",),
    ("node-selector", "node-affinity"),
    ("cpu", "memory", "resource", "pods"),
)
"""The scheduler's filters in their order: the first that refuses a node is the one that is told."""


@dataclass(frozen=True)
class Site:
    """A node with the pods on it."""

    node: Node
    pods: tuple[Pod, ...]

    @cached_property
    def room(self) -> dict[str, Decimal]:
        """What is left on it."""
        return free(self.node, self.pods)

    @cached_property
    def size(self) -> dict[str, Decimal]:
        """What would be left if it were empty."""
        return free(self.node, ())


def refusals(pod: Pod, site: Site, sites: Sequence[Site], volumes: Iterable[Object] = ()) -> tuple[str, ...]:
    """Why the node can't take the pod: the first failing filter's reasons; empty when it can.

    volumes: the persistent volumes that the pod's claims are bound to.
    """
    found = misfit(pod.spec, pod.metadata.labels, site.node, site.room)
    for kinds in _ORDER:
        if told := [_worded(pod, site.node, m.kind, m.detail) for m in found if m.kind in kinds]:
            return tuple(dict.fromkeys(map(Hopeless, told) if _never(pod, site, kinds) else told))
    if _ports(pod) & {p for there in site.pods for p in _ports(there)}:
        return ("node(s) didn't have free ports for the requested pod ports",)
    if any(not _reachable(v, site.node) for v in volumes):
        return ("node(s) didn't match PersistentVolume's node affinity",)
    near = _neighbours(pod, site, sites)
    return (_WORDS[near],) if near else ()


def _never(pod: Pod, site: Site, kinds: tuple[str, ...]) -> bool:
    """Whether even the empty node lacks something that the pod asks for."""
    return any(m.kind in kinds for m in misfit(pod.spec, pod.metadata.labels, site.node, site.size))


def _worded(pod: Pod, node: Node, kind: str, detail: str) -> str:
    match kind:
        case "unschedulable":
            return "node(s) were unschedulable"
        case "taint":
            hard = (t for t in node.spec.taints if t.effect in ("NoSchedule", "NoExecute"))
            taint = next(t for t in hard if not tolerates(pod.spec.tolerations, t))
            return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
        case "resource":
            return f"Insufficient {detail.partition(':')[0]}"
    return _WORDS[kind]


def _ports(pod: Pod) -> set[tuple[int, str]]:
    containers = [*pod.spec.containers, *(c for c in pod.spec.init_containers if c.restart_policy == "Always")]
    return {(p.host_port, p.protocol) for c in containers for p in c.ports if p.host_port}


def _reachable(volume: Object, node: Node) -> bool:
    wanted = (spec(volume).get("nodeAffinity") or {}).get("required")
    if wanted is None:
        return True
    selector = NodeAffinity(msgspec.convert(wanted, NodeSelector))
    return not any(m.kind == "node-affinity" for m in misfit(PodSpec(affinity=Affinity(selector)), {}, node, {}))


def _neighbours(pod: Pod, site: Site, sites: Sequence[Site]) -> str:
    """The kind of the first misfit with the pods already there; "" when there is none."""
    wary = [p for s in sites for p in s.pods if p.spec.affinity is not None and p.spec.affinity.pod_anti_affinity]
    if pod.spec.affinity is None and not pod.spec.topology_spread_constraints and not wary:
        return ""
    nodes, pods = [s.node for s in sites], [p for s in sites for p in s.pods]
    found = affinity_misfit(pod.spec, pod.namespace, pod.metadata.labels, site.node, nodes, pods)
    return found[0].kind if found else ""


def best(pod: Pod, sites: Sequence[Site]) -> Site:
    """The site with the fewest pods of the same controller, then with the largest share of its resources left."""
    return min(sites, key=lambda s: (_siblings(pod, s), _filled(pod, s), s.node.name))


def _siblings(pod: Pod, site: Site) -> int:
    owner = pod.metadata.controller
    return sum(p.metadata.controller == owner for p in site.pods) if owner is not None else len(site.pods)


def _filled(pod: Pod, site: Site) -> Decimal:
    wanted, nothing = requests(pod.spec), Decimal()
    shares = []
    for name in ("cpu", "memory"):
        total = site.size.get(name, nothing)
        left = site.room.get(name, nothing) - wanted.get(name, nothing)
        shares.append(1 - left / total if total else Decimal(1))
    return sum(shares, nothing)


def message(reasons: Mapping[str, tuple[str, ...]]) -> str:
    """kube-scheduler's sentence for a pod that fits nowhere. reasons: by node name."""
    if not reasons:
        return "no nodes available to schedule pods"
    preempt = ("Preemption is not helpful for scheduling", "No preemption victims found for incoming pod")
    useful = Counter(preempt[resolvable(r)] for r in reasons.values())
    told = _sentence(len(reasons), Counter(str(r) for told in reasons.values() for r in told))
    return f"{told} {POSTED}preemption: {_sentence(len(reasons), useful)}"


POSTED = "no new claims to deallocate, "
"""What the scheduler's plugin for claimed devices adds to every refusal (1.34)."""


def blocked(why: str, nodes: int) -> str:
    """The sentence for a pod that no node is even tried for."""
    return f"0/{nodes} nodes are available: {why}. not found"


def _sentence(nodes: int, counted: Counter[str]) -> str:
    return f"0/{nodes} nodes are available: {', '.join(sorted(f'{n} {r}' for r, n in counted.items()))}."


def resolvable(told: tuple[str, ...]) -> bool:
    """Whether the deletion of pods could make room."""
    return not any(isinstance(r, Hopeless) or (r.startswith(_HELPLESS) and r not in _HELPED) for r in told)


def victims(pod: Pod, site: Site, sites: Sequence[Site]) -> tuple[Pod, ...] | None:
    """The fewest pods of lower priority, least first, without which the pod would fit; None when that isn't enough."""
    mine = pod.spec.priority or 0
    lower = sorted((p for p in site.pods if (p.spec.priority or 0) < mine), key=lambda p: p.spec.priority or 0)
    for count in range(1, len(lower) + 1):
        gone = {p.metadata.uid for p in lower[:count]}
        left = Site(site.node, tuple(p for p in site.pods if p.metadata.uid not in gone))
        others = [left if s.node.name == site.node.name else s for s in sites]
        if not refusals(pod, left, others):
            return tuple(lower[:count])
    return None


def ours(pod: Object) -> bool:
    """Whether this scheduler is asked to place the pod."""
    fields = spec(pod)
    return not fields.get("nodeName") and fields.get("schedulerName", "default-scheduler") == "default-scheduler"


def outlook(obj: Object) -> tuple[object, ...]:
    """What of a node or pod decides where pods can go: a change of anything else is no reason to try again."""
    if obj["kind"] == "Node":
        told = obj.get("status") or {}
        return labels(obj), spec(obj).get("taints"), spec(obj).get("unschedulable"), told.get("allocatable")
    return labels(obj), spec(obj)
